/** `serve`: the owner of a profile's queue without a desktop: engine, window for browsers, local socket. */
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { contract } from '../../shared/contract.ts'
import { exitCodeOf, type NighthaulError } from '../../shared/errors.ts'
import { openEngine } from '../compose.ts'
import { startDaemon } from '../daemon.ts'
import { attendMachine } from '../headless/machine.ts'
import { profileFolder, takeQueueLock } from '../profile.ts'
import { listenLocal } from '../rpc/local-server.ts'
import type { GlobalFlags } from './program.ts'
import { onInterruption, printJson, say } from './terminal.ts'
import { version } from './version.ts'

export interface ServeFlags extends GlobalFlags {
  host: string
  port: number
  token?: string
  open?: true
}

/** Runs until a signal, then gives up in order what it holds. Answers 0 after SIGTERM, 130 after Ctrl-C. */
export async function serve(flags: ServeFlags): Promise<number> {
  const interruption = onInterruption()
  const closers: (() => unknown)[] = [interruption.dispose]
  try {
    const ending = Promise.withResolvers<number>()
    await start(flags, closers, () => ending.resolve(0))
    return await Promise.race([untilInterrupted(interruption.signal), ending.promise])
  } finally {
    for (let close = closers.pop(); close; close = closers.pop()) await close()
  }
}

/** Leaves in `closers` what has to be closed, the last one first. */
async function start(flags: ServeFlags, closers: (() => unknown)[], quit: () => void): Promise<void> {
  const profile = profileFolder({ flag: flags.profile, env: process.env })
  const lock = takeQueueLock(profile, 'headless')
  closers.push(() => lock.release())
  const opened = await openEngine({ profile, host: 'headless', lease: null, version: version() })
  closers.push(() => opened.close())
  const { engine, logger, recovered } = opened
  if (recovered !== null) {
    logger.warn({ recovered }, 'the store was damaged; what could be read was carried over')
    say('nighthaul: The list of downloads was damaged: what could be read was kept, the damaged file lies beside it')
  }
  await engine.start()
  closers.push(await attendMachine({ engine, logger, quit }))
  const served = { contract, handlers: engine.handlers, events: engine.events, version: version(), logger }
  const local = await listenLocal(lock, served)
  closers.push(() => local.close())
  const { host, port, token } = flags
  const windowFolder = join(packageFolder(), 'dist', 'renderer')
  const daemon = await startDaemon({ profile, host, port, token, windowFolder, engine, version: version(), logger })
  closers.push(() => daemon.close())
  const url = `${daemon.url}/?token=${encodeURIComponent(daemon.token)}`
  printJson({ url, port: daemon.port, token: daemon.token })
  if (flags.open) await openInBrowser(url)
}

/** A checkout's folder or the installed package's. */
function packageFolder(): string {
  const path = findPackageJSON(import.meta.url)
  if (path === undefined) throw new Error('package.json is missing beside the code')
  return dirname(path)
}

/** Where no browser can be opened the host serves all the same. */
async function openInBrowser(url: string): Promise<void> {
  const unopened = (error: Error) => say(`nighthaul: No browser could be opened (${error.message}): open ${url}`)
  try {
    const { default: open } = await import('open')
    const browser = await open(url)
    browser.on('error', unopened)
  } catch (error) {
    unopened(error as Error)
  }
}

async function untilInterrupted(signal: AbortSignal): Promise<number> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  const { params } = signal.reason as NighthaulError
  return params.signal === 'SIGINT' ? exitCodeOf('interrupted') : 0
}
