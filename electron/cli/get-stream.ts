/** `get URL -o -`: the bytes in order to standard output, as fast as whoever reads them takes them. */
import { exitCodeOf, NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { DEFAULT_SETTINGS, type TaskRow } from '../../shared/schemas.ts'
import { filenameFrom } from '../engine/filename.ts'
import { streamDownload } from '../engine/stream-download.ts'
import { nodeClock } from '../platform/clock.ts'
import type { Downloads } from './downloads.ts'
import { openHttpClient } from './network.ts'
import type { GetFlags } from './options.ts'
import { createReport } from './report.ts'
import { onInterruption } from './terminal.ts'

/** Progress comes with every chunk; a person reads four lines a second. */
const PROGRESS_MS = 250

/** Streams one URL. Answers the exit code; nothing but the file's bytes goes to standard output. */
export async function getStream({ urls, options: all, itemOf }: Downloads, flags: GetFlags): Promise<number> {
  const [url] = urls
  if (url === undefined || urls.length > 1) throw new NighthaulError('usage', '-o - takes exactly one URL')
  if (flags.json) throw new NighthaulError('usage', '-o - and --json both want standard output: use one of them')
  const options = { ...all, ...itemOf(url).options, limitBytesPerSecond: flags.limitRate }
  const interruption = onInterruption()
  const report = await createReport({ json: false, output: 'stream' })
  const client = openHttpClient()
  let drawnAt = 0
  try {
    const result = await streamDownload(
      {
        url,
        options,
        retries: options.retries ?? DEFAULT_SETTINGS.retries,
        signal: interruption.signal,
        onProgress: (progress) => {
          if (performance.now() - drawnAt < PROGRESS_MS) return
          drawnAt = performance.now()
          report.progress(() => [rowOf(url, progress)])
        },
      },
      process.stdout,
      { client, clock: nodeClock, random: Math.random },
    )
    report.done({ id: null, url, path: null, connections: 1, resumedFrom: 0, ...result })
    return 0
  } catch (error) {
    if (interruption.signal.aborted) {
      report.note('nighthaul: Interrupted; what reached standard output is incomplete')
      return exitCodeOf('interrupted')
    }
    const { code, message } = toErrorInfo(error)
    report.failed({ code, message, url, id: null })
    return exitCodeOf(code)
  } finally {
    report.close()
    await client.close()
    interruption.dispose()
  }
}

/** The live line wants a row; a stream has no task to take it from. */
function rowOf(url: string, progress: { bytes: number; total: number | null; bytesPerSecond: number }): TaskRow {
  const { bytes, total, bytesPerSecond } = progress
  return {
    id: 0,
    url,
    filename: filenameFrom({ contentDisposition: undefined, finalUrl: url, originalUrl: url, contentType: null }),
    folder: '',
    state: 'active',
    sizeBytes: total,
    writtenBytes: bytes,
    copiedBytes: null,
    bytesPerSecond,
    etaMs: total === null || bytesPerSecond === 0 ? null : ((total - bytes) / bytesPerSecond) * 1000,
    connections: 1,
    resumable: null,
    error: null,
    retryAt: null,
    startAt: null,
    createdAt: 0,
    finishedAt: null,
    verifying: null,
    verified: null,
  }
}
