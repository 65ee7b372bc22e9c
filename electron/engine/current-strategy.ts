/** Gathers what strategy.ts decides on, as it is now. */
import type { QueueView } from '../../shared/queues.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'
import type { Hosts } from './hosts.ts'
import type { Clock } from './ports.ts'
import { strategyOf } from './strategy.ts'
import type { LiveProgress } from './task-view.ts'

export interface StrategySources {
  clock: Clock
  hosts: Hosts
  settings: Settings
  /** connections where the task names no number */
  connectionsUsually: number
  /** bytes per second; null or undefined: the task's queue has no limit, or the task is in none */
  queueLimit: number | null | undefined
  queue: Pick<QueueView, 'hold' | 'changesAt'>
  /** somebody works on the queue that the task is in */
  queueWorks: boolean
  networkProbeAt: number | null
  /** bytes per second of all downloads together; null: none */
  limitOfAll: number | null
  /** where its link led that there was no room for it */
  ledTo: string | undefined
}

/** Why the task is, or was, fetched as it is; `live` where it runs. */
export function currentStrategy(
  task: TaskRecord,
  live: Pick<LiveProgress, 'openConnections' | 'strategy'> | undefined,
  {
    clock,
    hosts,
    settings,
    connectionsUsually,
    queue,
    queueLimit,
    queueWorks,
    networkProbeAt,
    limitOfAll,
    ledTo,
  }: StrategySources,
): TaskStrategyReason[] {
  const host = ledTo ?? new URL(task.finalUrl ?? task.sourceUrl ?? task.url).host
  return strategyOf({
    task,
    now: clock.now(),
    live: live ? { openConnections: live.openConnections, strategy: live.strategy } : null,
    host: hosts.controller.places(host),
    ledTo,
    limits: {
      task: task.options.limitBytesPerSecond ?? null,
      queue: queueLimit ?? null,
      host: hosts.limits(host).limitBytesPerSecond,
      all: limitOfAll,
    },
    connectionsWanted: task.options.connections ?? connectionsUsually,
    downloadsAtOnce: settings.downloadsAtOnce,
    queue,
    queueWorks,
    networkProbeAt,
  })
}
