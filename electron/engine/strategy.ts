/**
 * Why a task is, or was, fetched as it is: the planner's reasons in the midst of what queue, host, protocol and limits
 * add. Pure: facts in, reasons out, the one that decides most first.
 */
import type { QueueView } from '../../shared/queues.ts'
import { BLOCK_BYTES, type TaskRecord } from '../../shared/records.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'
import type { HostPlaces } from './host-controller.ts'
import { timesAgain } from './second-chances.ts'

export type LimitScope = 'task' | 'queue' | 'host' | 'all'

export interface StrategyFacts {
  task: Pick<
    TaskRecord,
    | 'state'
    | 'url'
    | 'sourceUrl'
    | 'finalUrl'
    | 'sizeBytes'
    | 'contentEncoding'
    | 'httpVersion'
    | 'error'
    | 'retryAt'
    | 'startAt'
    | 'attempts'
    | 'secondChances'
    | 'hostWaits'
    | 'strategy'
    | 'acceptsRanges'
  >
  /** epoch ms */
  now: number
  /** of the running download */
  live: { openConnections: number; strategy: readonly TaskStrategyReason[] } | null
  /** of the task's host */
  host: HostPlaces
  /** the host, where it is not that of the link or of the latest reply */
  ledTo?: string | undefined
  /** bytes per second by whose limit it is; null or left out: none */
  limits: Partial<Record<LimitScope, number | null>>
  /** connections asked for, by the task or the settings */
  connectionsWanted: number
  downloadsAtOnce: number
  /** the task's: why it may not work now, and when that changes (epoch ms) */
  queue: Pick<QueueView, 'hold' | 'changesAt'>
  /** somebody works on the queue that the task is in */
  queueWorks: boolean
  /** epoch ms at which it is looked whether the network is back; null: it is here */
  networkProbeAt: number | null
}

/** A file up to this size is one request whatever is set: it cannot be split. */
const SMALL_BYTES = BLOCK_BYTES

/** The reasons, most decisive first; none for a task that nothing was decided about. */
export function strategyOf(facts: StrategyFacts): TaskStrategyReason[] {
  const { task, downloadsAtOnce, queueWorks } = facts
  if (!queueWorks && (task.state === 'queued' || task.state === 'waiting'))
    return [{ code: 'waiting_for_owner', params: {} }]
  switch (task.state) {
    case 'queued':
      return [heldBy(facts) ?? { code: 'waiting_for_turn', params: { atOnce: downloadsAtOnce } }]
    case 'waiting':
      return [waitOf(facts), ...protocolOf(facts)]
    case 'active':
      return [...connectionsOf(facts), ...protocolOf(facts), ...formOf(facts), ...limitsOf(facts)]
    default:
      return [...decided(facts, task.strategy), ...protocolOf(facts), ...formOf(facts)]
  }
}

/** What says least of a whole run, the least first: it holds at every beginning, or at every end. */
const PASSING = ['measuring', 'small_file']

/**
 * What a task remembers of a run, from what it remembered a moment before and what holds now: what every download comes
 * through says less than what was decided in between.
 */
export function remembered(
  before: readonly TaskStrategyReason[],
  now: readonly TaskStrategyReason[],
): readonly TaskStrategyReason[] {
  return weight(before) > weight(now) ? before : now
}

function weight([first]: readonly TaskStrategyReason[]): number {
  if (first === undefined) return -1
  const passing = PASSING.indexOf(first.code)
  return passing < 0 ? PASSING.length : passing
}

function hostOf({ task, ledTo }: StrategyFacts): string {
  if (ledTo !== undefined) return ledTo
  const url = task.finalUrl ?? task.sourceUrl ?? task.url
  return URL.parse(url)?.host ?? url
}

/** What keeps a queued task from its turn; null: nothing but others. */
function heldBy(facts: StrategyFacts): TaskStrategyReason | null {
  const { queue, host, now, networkProbeAt } = facts
  if (queue.hold === 'stopped') return { code: 'queue_stopped', params: {} }
  if (queue.hold === 'battery') return { code: 'waiting_for_power', params: {} }
  if (queue.hold === 'window')
    return { code: 'waiting_for_window', params: { opensInMs: Math.max(0, (queue.changesAt ?? now) - now) } }
  if (networkProbeAt !== null)
    return { code: 'waiting_for_network', params: { waitMs: Math.max(0, networkProbeAt - now) } }
  const name = hostOf(facts)
  if (host.quietMs > 0) return leftAlone(name, host)
  if (host.connections >= host.allowed)
    return { code: 'waiting_for_host', params: { host: name, connections: host.allowed } }
  return null
}

/** Why nothing is asked of a host now: it wanted that, or it refuses whatever it is asked for. */
function leftAlone(name: string, { quietMs, forbids }: HostPlaces): TaskStrategyReason {
  const code = forbids ? 'waiting_host_refuses' : 'waiting_retry_after'
  return { code, params: { host: name, waitMs: Math.ceil(quietMs) } }
}

function waitOf(facts: StrategyFacts): TaskStrategyReason {
  const { task, now } = facts
  const waitMs = Math.max(0, (task.retryAt ?? now) - now)
  if (task.error === null && task.startAt !== null) return { code: 'waiting_for_start', params: { waitMs } }
  if (task.error?.code === 'network_away') return { code: 'waiting_for_network', params: { waitMs } }
  if (timesAgain(task) > 0 && task.attempts === 0)
    return { code: 'waiting_second_chance', params: { chance: timesAgain(task), waitMs } }
  if (task.error?.code === 'host_refuses')
    return { code: 'waiting_host_refuses', params: { host: hostOf(facts), waitMs } }
  const asked = task.error?.code === 'too_many_requests' || typeof task.error?.params.retryAfterMs === 'number'
  return asked
    ? { code: 'waiting_retry_after', params: { host: hostOf(facts), waitMs } }
    : { code: 'waiting_to_retry', params: { attempts: task.attempts, waitMs } }
}

function connectionsOf(facts: StrategyFacts): TaskStrategyReason[] {
  const { live, host } = facts
  const reasons: TaskStrategyReason[] = []
  const name = hostOf(facts)
  const idle = live !== null && live.openConnections === 0
  if (idle && host.quietMs > 0) {
    reasons.push(leftAlone(name, host))
  } else if (idle && host.connections >= host.allowed) {
    reasons.push({ code: 'waiting_for_host', params: { host: name, connections: host.allowed } })
  } else if (live !== null) reasons.push(...decided(facts, live.strategy))
  if (host.allowed < host.usual)
    reasons.push({
      code: host.forbids ? 'host_slowed_refusing' : 'host_slowed',
      params: { host: name, allowed: host.allowed, usual: host.usual },
    })
  return reasons
}

/** Where one connection is all there can be, that is the reason; otherwise the planner's. */
function decided(
  { task, connectionsWanted }: StrategyFacts,
  planned: readonly TaskStrategyReason[],
): TaskStrategyReason[] {
  if (task.httpVersion === null) return []
  if (task.acceptsRanges === false) return [{ code: 'no_ranges', params: {} }]
  if (connectionsWanted === 1) return [{ code: 'one_connection_wanted', params: {} }]
  // One reason may hold for several connections.
  return [...new Map(planned.map((reason) => [reason.code, reason])).values()]
}

function protocolOf({ task }: StrategyFacts): TaskStrategyReason[] {
  if (task.httpVersion === '2') return [{ code: 'http2_multiplexed', params: {} }]
  const secure = (task.finalUrl ?? task.sourceUrl ?? task.url).startsWith('https:')
  const large = task.sizeBytes === null || task.sizeBytes > SMALL_BYTES
  // Without TLS nobody speaks HTTP/2, so that there is nothing to choose.
  return task.httpVersion !== null && secure && large ? [{ code: 'http1_for_one_file', params: {} }] : []
}

function formOf({ task }: StrategyFacts): TaskStrategyReason[] {
  if (task.httpVersion === null) return []
  if (task.contentEncoding !== null) return [{ code: 'streaming_decoded', params: { encoding: task.contentEncoding } }]
  if (task.sizeBytes === null) return [{ code: 'streaming', params: {} }]
  return task.sizeBytes <= SMALL_BYTES ? [{ code: 'batch', params: {} }] : []
}

function limitsOf({ limits }: StrategyFacts): TaskStrategyReason[] {
  const set = (['task', 'queue', 'host', 'all'] as const).flatMap((scope) => {
    const bytesPerSecond = limits[scope] ?? null
    return bytesPerSecond === null ? [] : [{ scope, bytesPerSecond }]
  })
  // The lowest decides; of equal ones the narrower.
  const [lowest] = set.sort((one, other) => one.bytesPerSecond - other.bytesPerSecond)
  if (lowest === undefined) return []
  return [{ code: `speed_limit_${lowest.scope}`, params: { bytesPerSecond: lowest.bytesPerSecond } }]
}
