/**
 * The tray: which profile holds, pausing and resuming everything, showing the window. What the menu says is made of the
 * engine's answers, and made again whenever they change.
 */
import type { MenuItemConstructorOptions } from 'electron'
import type { Contract } from '../../shared/contract.ts'
import { formatMoment } from '../../shared/local-time.ts'
import { PROFILE_NAMES, type ProfileName, type ProfilesView, type UseProfileInput } from '../../shared/profiles.ts'
import type { Client } from '../../shared/rpc.ts'
import type { Logger } from '../engine/ports.ts'

const HOUR_MS = 3_600_000
const HOURS = [1, 2, 4, 8]
const LABELS: Record<ProfileName, string> = { full: 'Full', day: 'Day', calls: 'Calls', night: 'Night' }

export interface TrayActions {
  showWindow(): void
  quit(): void
  useProfile(name: ProfileName | null, until: UseProfileInput['until']): void
  pauseAll(): void
  resumeAll(): void
}

/** `view` null: the engine has not answered yet. `now`: epoch ms, for spans that begin when they are chosen. */
export function trayTemplate(
  view: ProfilesView | null,
  actions: TrayActions,
  now: () => number,
): MenuItemConstructorOptions[] {
  const show: MenuItemConstructorOptions = { label: 'Show Nighthaul', click: () => actions.showWindow() }
  const quit: MenuItemConstructorOptions = { label: 'Quit', click: () => actions.quit() }
  const separator: MenuItemConstructorOptions = { type: 'separator' }
  if (view === null) return [show, separator, quit]
  const { name: current, by } = view.current
  const choice = (label: string, checked: boolean, click: () => void): MenuItemConstructorOptions => ({
    ...{ label, type: 'radio', checked, click },
  })
  const spans = (name: ProfileName): MenuItemConstructorOptions => ({
    label: LABELS[name],
    submenu: [
      ...HOURS.map((hours) => ({
        label: hours === 1 ? 'For 1 hour' : `For ${hours} hours`,
        click: () => actions.useProfile(name, now() + hours * HOUR_MS),
      })),
      { label: 'Until I say otherwise', click: () => actions.useProfile(name, 'told') },
    ],
  })
  return [
    show,
    separator,
    choice(`As scheduled (now ${LABELS[view.scheduled]})`, by !== 'hand', () => actions.useProfile(null, 'change')),
    ...PROFILE_NAMES.map((name) =>
      choice(
        by === 'hand' && name === current ? currentWords(view) : LABELS[name],
        by === 'hand' && name === current,
        () => actions.useProfile(name, 'change'),
      ),
    ),
    { label: 'For a while', submenu: PROFILE_NAMES.map(spans) },
    separator,
    { label: 'Pause all', click: () => actions.pauseAll() },
    { label: 'Resume all', click: () => actions.resumeAll() },
    separator,
    quit,
  ]
}

/** `Calls`, or `Calls until 18:00` where somebody chose it for a while. */
function currentWords({ current: { name, by, until } }: ProfilesView): string {
  if (by !== 'hand' || until === null) return LABELS[name]
  return `${LABELS[name]} until ${formatMoment(until, Intl.DateTimeFormat().resolvedOptions().timeZone)}`
}

/** The parts of Electron's Tray used here. */
export interface TrayIcon {
  setToolTip(text: string): void
  setMenu(template: MenuItemConstructorOptions[]): void
}

export interface TrayDeps {
  icon: TrayIcon
  /** a client of the running engine; rejects while there is none */
  engine(): Promise<Client<Contract>>
  showWindow(): void
  quit(): void
  logger: Pick<Logger, 'warn'>
}

/** Fills the tray's menu, and keeps it true. To be called again whenever the engine has started anew. */
export function createTray({ icon, engine, showWindow, quit, logger }: TrayDeps): { connect(): void } {
  const tell = (view: ProfilesView | null) => {
    icon.setMenu(trayTemplate(view, actions, Date.now))
    icon.setToolTip(view === null ? 'Nighthaul' : `Nighthaul: ${currentWords(view)}`)
  }
  const ask = (work: (client: Client<Contract>) => Promise<unknown>) =>
    void engine()
      .then(work)
      .catch((error: unknown) => logger.warn({ error: String(error) }, 'the engine did not do what the tray asked'))
  const actions: TrayActions = {
    showWindow,
    quit,
    useProfile: (name, until) => ask((client) => client.call('profiles.use', { name, until })),
    pauseAll: () =>
      ask((client) =>
        client.call('tasks.pause', { selection: { filter: { states: ['queued', 'active', 'waiting'] } } }),
      ),
    resumeAll: () => ask((client) => client.call('tasks.resume', { selection: { filter: { states: ['paused'] } } })),
  }
  tell(null)
  return {
    connect: () =>
      ask(async (client) => {
        await client.subscribe('profiles.changed', tell)
        tell(await client.call('profiles.list'))
      }),
  }
}
