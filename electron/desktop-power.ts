/**
 * What the app does for the machine and hears of it: power and battery, no sleep while downloads run where the user
 * agreed, notifications when the work is done and when there is a report of the night, and what is to happen then.
 */
import type { Notification, NotificationConstructorOptions, PowerMonitor, PowerSaveBlocker } from 'electron'
import type { Contract } from '../shared/contract.ts'
import { formatBytes, formatCount } from '../shared/format.ts'
import type { Client } from '../shared/rpc.ts'
import type { PageAddress } from '../shared/shell.ts'
import type { Activity, PowerSource, WorkDone } from '../shared/unattended.ts'
import type { Logger } from './engine/ports.ts'
import { actOnMachine } from './platform/machine-actions.ts'

export interface DesktopDeps {
  powerMonitor: Pick<PowerMonitor, 'on' | 'isOnBatteryPower'>
  powerSaveBlocker: Pick<PowerSaveBlocker, 'start' | 'stop'>
  notify: (options: NotificationConstructorOptions) => Pick<Notification, 'on' | 'show'>
  /** a client of the running engine; rejects while there is none */
  engine: () => Promise<Client<Contract>>
  /** hears whenever the engine runs, again after a crash */
  onRunning: (listener: () => void) => void
  /** `wanted`: on this page */
  showWindow: (wanted?: PageAddress) => void
  quit: () => void
  logger: Logger
}

export function attendDesktop(deps: DesktopDeps): void {
  const { powerMonitor, powerSaveBlocker, engine, logger, quit } = deps
  let blocker: number | null = null

  const keepAwake = ({ keepAwake: wanted }: Pick<Activity, 'keepAwake'>) => {
    if (wanted === (blocker !== null)) return
    if (blocker !== null) powerSaveBlocker.stop(blocker)
    blocker = wanted ? powerSaveBlocker.start('prevent-app-suspension') : null
    logger.info({ awake: wanted }, 'the machine may sleep or not')
  }
  const tell = async (what: string, work: (client: Client<Contract>) => Promise<unknown>) => {
    try {
      await work(await engine())
    } catch (error) {
      logger.warn({ what, error }, 'the engine could not be reached')
    }
  }
  const power = (source: PowerSource) => void tell('power', (client) => client.call('power.changed', { source }))

  powerMonitor.on('on-battery', () => power('battery'))
  powerMonitor.on('on-ac', () => power('ac'))
  deps.onRunning(
    () =>
      void tell('start', async (client) => {
        client.onClose(() => keepAwake({ keepAwake: false }))
        await client.subscribe('activity.changed', keepAwake)
        // Where this is told, the report is not told as well (Reports): it leads there instead.
        await client.subscribe('work.done', (work) => show(doneNotification(work), deps, { page: 'report' }))
        await client.subscribe('report.ready', (ready) => {
          if (ready.tell)
            show({ title: ready.title, body: ready.summary }, deps, { page: 'report', night: ready.night })
        })
        await client.subscribe('machine.act', ({ action }) => actOnMachine(action, { logger, quit }))
        await client.call('power.changed', { source: powerMonitor.isOnBatteryPower() ? 'battery' : 'ac' })
        keepAwake(await client.call('activity.get'))
      }),
  )
}

function show(text: { title: string; body: string }, { notify, showWindow }: DesktopDeps, wanted: PageAddress): void {
  const notification = notify(text)
  notification.on('click', () => showWindow(wanted))
  notification.show()
}

/** What is said when work is done. Pure. */
export function doneNotification({ queue, done, failed, left, bytes }: WorkDone): { title: string; body: string } {
  const others = failed + left
  const finished = `${formatCount(done)} finished (${formatBytes(bytes)})`
  return {
    title: queue === null ? 'All downloads are done' : `“${queue}” is done`,
    body: others === 0 ? finished : `${finished}, ${formatCount(others)} not`,
  }
}
