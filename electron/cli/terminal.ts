/** What the process around a command offers: streams, folder, environment; and leaving without losing output. */
import { resolve } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'

/** Where a person called from: npm runs scripts in the package's folder and says in INIT_CWD where it was called. */
export function callerFolder(): string {
  const { npm_lifecycle_event: script, INIT_CWD: caller } = process.env
  return script === 'nighthaul' && caller ? caller : process.cwd()
}

/** An absolute path, relative ones being meant from where the person called. */
export function callerPath(path: string): string {
  return resolve(callerFolder(), path)
}

/** Writes a line to standard output: results only. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Writes a line to standard error: everything that is no result. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

/** A text from elsewhere without the characters that steer a terminal or turn the direction of writing. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '')
}

/** A link as people may see it, in a mail from cron too: without the user and password it was given with. */
export function printableLink(url: string): string {
  return printable(url.replace(/^(https?:\/\/)[^/\\?#]*@/i, '$1'))
}

/** All of standard input as text. */
export async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Asks the person at the terminal; null when the question was given up. */
export async function ask(question: string, signal: AbortSignal): Promise<string | null> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // While it reads, readline takes Ctrl-C as a key: hand it on as the signal that it is.
  terminal.on('SIGINT', () => process.emit('SIGINT'))
  try {
    return await terminal.question(question, { signal })
  } catch (error) {
    if (signal.aborted) return null
    throw error
  } finally {
    terminal.close()
  }
}

/** Ends quietly when nobody reads our output any more (`nighthaul list | head`), as is the custom. */
export function leaveQuietlyWhenUnread(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(1)
    })
  }
}

/** Ends the process once everything written has reached the pipe or the file behind it. */
export async function exitFlushed(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((done) => stream.write('', () => done()))
  }
  process.exit(code)
}

const INTERRUPTED = 'Interrupted; the partial is kept: run the same command again to continue'

export interface Interruption {
  /** aborted by the first Ctrl-C (or SIGTERM, SIGHUP) with an `interrupted` that names it in `params.signal` */
  readonly signal: AbortSignal
  dispose(): void
}

/** The first signal asks for an orderly end, the second ends the process at once. */
export function onInterruption(): Interruption {
  const controller = new AbortController()
  const listener = (signal: string) => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new NighthaulError('interrupted', INTERRUPTED, { signal }))
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of names) process.off(name, listener)
    },
  }
}
