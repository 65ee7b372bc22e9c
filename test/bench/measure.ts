/**
 * Runs one program and measures it from outside. GNU time stands between us and the program: it reports the
 * resources of the process it waited for (wait4(2)), which Node does not, and because it is small itself, the peak
 * does not show the memory of the process that forked (Linux keeps that across exec).
 */
import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Measurement } from './report.ts'

export interface Command {
  program: string
  args: readonly string[]
  /** file for standard input; nothing is there without */
  input?: string
}

export interface RunOptions {
  /** where GNU time is */
  time: string
  /** present folder of the program, for its own files */
  folder: string
  env: NodeJS.ProcessEnv
  /** ends the program and all it started */
  signal: AbortSignal
}

/** A run that takes longer has hung. */
const LONGEST_RUN_MS = 15 * 60_000
const LAST_CHARACTERS = 2000

/** Throws where the program fails, hangs or is aborted: a benchmark with a failed run says nothing. */
export async function measure(command: Command, options: RunOptions): Promise<Measurement> {
  const { time, folder, env, signal } = options
  signal.throwIfAborted()
  const figures = join(folder, 'figures.txt')
  const log = join(folder, 'output.txt')
  const input = await open(command.input ?? '/dev/null', 'r')
  const output = await open(log, 'w')
  let code: number | null
  let wallSeconds: number
  const hung = AbortSignal.timeout(LONGEST_RUN_MS)
  const ended = AbortSignal.any([signal, hung])
  try {
    const start = performance.now()
    code = await new Promise<number | null>((resolve, reject) => {
      // A group of its own, so that everything it started can be ended with it.
      const child = spawn(time, ['-q', '-o', figures, '-f', '%U %S %M', command.program, ...command.args], {
        cwd: folder,
        env,
        detached: true,
        stdio: [input.fd, output.fd, output.fd],
      })
      const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
      ended.addEventListener('abort', end, { once: true })
      child.once('error', reject)
      child.once('close', (exit) => {
        ended.removeEventListener('abort', end)
        resolve(exit)
      })
    })
    wallSeconds = (performance.now() - start) / 1000
  } finally {
    await input.close()
    await output.close()
  }
  ended.throwIfAborted()
  if (code !== 0) {
    const said = (await readFile(log, 'utf8')).slice(-LAST_CHARACTERS)
    throw new Error(`${[command.program, ...command.args].join(' ')} ended with ${code}:\n${said}`)
  }
  return { wallSeconds, ...parseFigures(await readFile(figures, 'utf8')) }
}

/** What GNU time wrote: seconds in user mode, in system mode, peak in KiB. */
export function parseFigures(text: string): Omit<Measurement, 'wallSeconds'> {
  const found = /^(\d+\.\d+) (\d+\.\d+) (\d+)\s*$/.exec(text)
  if (found === null) throw new Error(`GNU time wrote “${text.trim()}” where figures were expected`)
  return { cpuSeconds: Number(found[1]) + Number(found[2]), peakBytes: Number(found[3]) * 1024 }
}
