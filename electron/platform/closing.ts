/**
 * What becomes of the app when its last window is closed: it stays in the tray while something is to be done, as the
 * settings say, and says so once. What is decided is pure; the engine is asked because it alone knows what is left.
 */
import { existsSync, writeFileSync } from 'node:fs'
import type { Notification, NotificationConstructorOptions } from 'electron'
import type { Contract } from '../../shared/contract.ts'
import { formatCount } from '../../shared/format.ts'
import type { Client } from '../../shared/rpc.ts'
import type { Settings } from '../../shared/schemas.ts'
import type { Logger } from '../engine/ports.ts'

/** What an app without a window would still do. */
export interface Pending {
  /** downloads that want bytes, now or later */
  downloads: number
  /** repeating downloads that will run */
  repeats: number
  /** files that are being moved or compared with their checksums */
  files: number
  /** the machine is about to be turned off, say, which somebody wanted */
  countdown: boolean
}

export interface Closing {
  platform: NodeJS.Platform
  /** one that people can see */
  hasTray: boolean
  whenClosed: Settings['whenClosed']
  pending: Pending
}

/** Pure. On a Mac apps stay without windows, unless somebody wants it otherwise. */
export function afterClosing({ platform, hasTray, whenClosed, pending }: Closing): 'stay' | 'quit' {
  if (whenClosed === 'quit') return 'quit'
  if (platform === 'darwin') return 'stay'
  const isLeft = pending.downloads + pending.repeats + pending.files > 0 || pending.countdown
  return hasTray && isLeft ? 'stay' : 'quit'
}

/** What is said when it stays for the first time. Pure. */
export function stayNotification(pending: Pending): { title: string; body: string } {
  return {
    title: 'Nighthaul goes on in the tray',
    body: `${leftWords(pending)} To quit, use the menu there; the settings say what closing the window does.`,
  }
}

function leftWords({ downloads, repeats, files }: Pending): string {
  if (downloads > 0)
    return `${formatCount(downloads)} ${downloads === 1 ? 'download is' : 'downloads are'} not done yet.`
  if (files > 0) return `${formatCount(files)} ${files === 1 ? 'file is' : 'files are'} being moved or compared.`
  if (repeats > 0) return `${formatCount(repeats)} ${repeats === 1 ? 'download repeats' : 'downloads repeat'}.`
  return 'A countdown runs.'
}

export async function askPending(client: Client<Contract>): Promise<Pending> {
  const { counts } = await client.call('tasks.list', { limit: 1 })
  const repeats = await client.call('repeats.list')
  return {
    downloads: counts.queued + counts.active + counts.waiting + counts.finishing,
    files: (await client.call('activity.get')).files,
    repeats: repeats.filter(({ paused }) => !paused).length,
    countdown: (await client.call('countdown.get')) !== null,
  }
}

export interface ClosingDeps {
  platform: NodeJS.Platform
  /** a client of the running engine; rejects while there is none */
  engine(): Promise<Client<Contract>>
  hasTray(): Promise<boolean>
  /** a window was opened meanwhile */
  hasWindow(): boolean
  notify(options: NotificationConstructorOptions): Pick<Notification, 'on' | 'show'>
  showWindow(): void
  quit(): void
  /** a file that is there once it was said */
  toldPath: string
  logger: Pick<Logger, 'info' | 'warn'>
}

/** For the moment at which no window is left. */
export async function lastWindowClosed(deps: ClosingDeps): Promise<void> {
  const { platform, logger } = deps
  let next: 'stay' | 'quit' = platform === 'darwin' ? 'stay' : 'quit'
  let pending: Pending = { downloads: 0, repeats: 0, files: 0, countdown: false }
  try {
    const client = await deps.engine()
    const { whenClosed } = await client.call('settings.get')
    pending = await askPending(client)
    next = afterClosing({ platform, hasTray: await deps.hasTray(), whenClosed, pending })
  } catch (error) {
    // An engine that cannot answer does nothing that is worth staying for.
    logger.warn({ error: String(error), next }, 'the engine did not say whether anything is left')
  }
  if (deps.hasWindow()) return
  logger.info({ next, ...pending }, 'the last window was closed')
  if (next === 'quit') deps.quit()
  else if (platform !== 'darwin') tellOnce(pending, deps)
}

function tellOnce(pending: Pending, { toldPath, notify, showWindow, logger }: ClosingDeps): void {
  if (existsSync(toldPath)) return
  const notification = notify(stayNotification(pending))
  notification.on('click', showWindow)
  notification.show()
  try {
    writeFileSync(toldPath, '')
  } catch (error) {
    // A full disk, say: it is said again the next time, and the app goes on.
    logger.warn({ error: String(error) }, 'that the app stays in the tray was said, and could not be noted')
  }
}
