/** Joins the channel and the stores: who is connected, what is asked over it, what is subscribed on each connection. */
import { create } from 'zustand'
import type { Contract } from '../shared/contract.ts'
import { NighthaulError } from '../shared/errors.ts'
import type { Notice } from '../shared/notices.ts'
import type { ReportReady } from '../shared/report.ts'
import type { Client, InputOf, MethodNames, ResultOf, Subscription } from '../shared/rpc.ts'
import type { Settings } from '../shared/schemas.ts'
import { type ConnectionStatus, keepConnected, openPort, openSocket, socketRefusal } from './connect.ts'
import { createAnnouncements } from './stores/announcements.ts'
import { attachCountdown } from './stores/countdown.ts'
import { attachProfiles } from './stores/profiles.ts'
import { attachQueues } from './stores/queues.ts'
import { attachRepeats } from './stores/repeats.ts'
import { createTaskListStore } from './stores/task-list.ts'
import { attachThroughput } from './stores/throughput.ts'
import { openAddress } from './stores/window.ts'
import { applyTheme } from './theme/theme.ts'
import { showNotification } from './ui/notification.ts'

export const useConnection = create<{ status: ConnectionStatus; wasAway: boolean }>(() => ({
  status: { kind: 'connecting' },
  wasAway: false,
}))

export const useSettings = create<{ settings: Settings | null }>(() => ({ settings: null }))

export const useNotices = create<{ notices: Notice[] }>(() => ({ notices: [] }))

/** Counts the reports that became ready, so that who shows one asks again. */
export const useReportReady = create<{ count: number }>(() => ({ count: 0 }))

export const announcements = createAnnouncements()
export const taskList = createTaskListStore({ onRows: (rows) => announcements.observe(rows) })

let client: Client<Contract> | null = null
let retryNow = (): void => {}
let subscriptions: Subscription[] = []

/** settled once the first try to connect was */
const tried = Promise.withResolvers<void>()

/** Asks the engine, at the beginning as soon as it is there; rejects with `disconnected` while it is away. */
export async function call<K extends MethodNames<Contract>>(
  name: K,
  ...input: undefined extends InputOf<Contract, K> ? [] : [input: InputOf<Contract, K>]
): Promise<ResultOf<Contract, K>> {
  if (client === null) await tried.promise
  if (client === null) throw new NighthaulError('disconnected', 'The engine is away; try again when it is back.')
  return (client.call as (name: K, ...input: unknown[]) => Promise<ResultOf<Contract, K>>)(name, ...input)
}

export function reconnectNow(): void {
  retryNow()
}

const isVisible = (): boolean => document.visibilityState === 'visible'

function takeSettings(settings: Settings): void {
  useSettings.setState({ settings })
  applyTheme(settings.theme)
}

function takeReport({ tell, title, summary, night }: ReportReady): void {
  useReportReady.setState(({ count }) => ({ count: count + 1 }))
  if (tell) showNotification(title, summary, () => openAddress({ page: 'report', night }))
}

async function attach(opened: Client<Contract>): Promise<void> {
  const settingsChanged = await opened.subscribe('settings.changed', takeSettings, { visible: isVisible() })
  const reportReady = await opened.subscribe('report.ready', takeReport, { visible: isVisible() })
  const takeNotices = (notices: Notice[]): void => useNotices.setState({ notices })
  const noticesChanged = await opened.subscribe('notices.changed', takeNotices, { visible: isVisible() })
  const [throughput, queuesChanged, profilesChanged, repeatsChanged, countdown] = await Promise.all([
    attachThroughput(opened, isVisible()),
    attachQueues(opened, isVisible()),
    attachProfiles(opened, isVisible()),
    attachRepeats(opened, isVisible()),
    attachCountdown(opened, isVisible()),
    taskList.attach(opened, isVisible()),
    opened.call('settings.get').then(takeSettings),
    opened.call('notices.list').then(takeNotices),
  ])
  if (client === opened)
    subscriptions = [
      settingsChanged,
      noticesChanged,
      throughput,
      queuesChanged,
      profilesChanged,
      repeatsChanged,
      reportReady,
      ...countdown,
    ]
}

export function startSession(): void {
  const shell = window.nighthaul
  const connection = keepConnected(
    shell ? () => openPort(shell) : openSocket,
    shell ? async () => 'lost' : socketRefusal,
    {
      onStatus(status) {
        useConnection.setState(({ wasAway }) => ({ status, wasAway: wasAway || status.kind === 'away' }))
        tried.resolve()
      },
      onOpen(opened) {
        client = opened
        // A channel that breaks during the first questions is opened again, and they are asked again.
        attach(opened).catch(() => opened.close())
      },
      onLost() {
        client = null
        subscriptions = []
        taskList.detach()
      },
    },
  )
  retryNow = connection.retryNow
  document.addEventListener('visibilitychange', () => {
    taskList.setVisible(isVisible())
    for (const subscription of subscriptions) subscription.setVisible(isVisible())
    if (isVisible()) connection.retryNow()
  })
  window.addEventListener('online', connection.retryNow)
  shell?.onPageWanted(openAddress)
  // In a browser the engine may be on another machine, whose network is its own.
  if (shell)
    for (const reason of ['online', 'offline'] as const) window.addEventListener(reason, () => tellNetwork(reason))
}

function tellNetwork(reason: 'online' | 'offline'): void {
  call('network.changed', { reason }).catch((error: unknown) => {
    // An engine that is away looks at the network anew when it starts.
    if (!(error instanceof NighthaulError && error.code === 'disconnected')) throw error
  })
}
