/**
 * Tells how the downloads of one command go. Results go to standard output (a path a line, or JSON), the live lines
 * and everything for people to standard error, and only where that is a terminal.
 */
import type { ErrorCode } from '../../shared/errors.ts'
import type { ChecksumResult } from '../../shared/integrity.ts'
import type { TaskRow } from '../../shared/schemas.ts'
import { print, printable, printableLink, printJson, say } from './terminal.ts'

/** The JSON of a finished download (stable: others script against it). */
export interface Done {
  id: number | null
  url: string
  finalUrl: string
  /** null: streamed to standard output */
  path: string | null
  bytes: number
  seconds: number
  connections: number
  resumedFrom: number
  checksum: Omit<ChecksumResult, 'from'> | null
}

/** The JSON of a failed download. */
export interface Failed {
  code: ErrorCode
  message: string
  url: string
  id: number | null
}

export interface Report {
  /** something moved; the present state of all downloads of this command is asked for where it is shown */
  progress(tasks: () => readonly TaskRow[]): void
  done(result: Done): void
  failed(result: Failed): void
  /** something a person should know; shown above the live lines */
  note(sentence: string): void
  /** runs `ask` with the live lines away */
  pauseFor<T>(ask: () => Promise<T>): Promise<T>
  /** takes the live lines away; nothing is reported afterwards */
  close(): void
}

/** The report for this process's streams. With `output` 'stream', standard output belongs to the file's bytes. */
export async function createReport(options: { json: boolean; output: 'paths' | 'stream' }): Promise<Report> {
  if (options.json) {
    return {
      done: (done) => printJson({ type: 'done', ...done, checksum: ofFour(done.checksum) }),
      failed: (failed) => printJson({ type: 'failed', ...failed }),
      progress: everySecond(printProgress),
      note: () => {},
      pauseFor: (ask) => ask(),
      close: () => {},
    }
  }
  const done = options.output === 'paths' ? (result: Done) => print(result.path ?? '') : () => {}
  // Loaded where somebody looks: scripts start faster without what measures and draws.
  if (process.stderr.isTTY) return (await import('./terminal-report.ts')).terminalReport(done, complain)
  return { done, failed: complain, progress: () => {}, note: say, pauseFor: (ask) => ask(), close: () => {} }
}

/** What scripts are promised; the link of a file of checksums is `show`’s to tell. */
function ofFour(checksum: Done['checksum']): Done['checksum'] {
  if (checksum === null) return null
  const { algorithm, value, verified, source } = checksum
  return { algorithm, value, verified, source }
}

/** An interruption is no failure of each download: the run says it once. */
function complain({ code, message, url }: Failed): void {
  if (code === 'interrupted') return
  say(`nighthaul: ${printableLink(url)}: ${printable(message)}`)
}

function printProgress(tasks: () => readonly TaskRow[]): void {
  for (const row of tasks()) {
    if (row.state !== 'active') continue
    const { id, url, writtenBytes: bytes, sizeBytes: size, bytesPerSecond } = row
    printJson({ type: 'progress', id, url, bytes, size, bytesPerSecond })
  }
}

function everySecond(act: Report['progress']): Report['progress'] {
  let last = performance.now()
  return (tasks) => {
    if (performance.now() - last < 1000) return
    last = performance.now()
    act(tasks)
  }
}
