/**
 * Every reason that a task's details give for how it is, or was, fetched: the planner's (strategy.ts) and those of
 * what stands around it: queue, host, protocol, limits. shared/task-strategy.en.ts says them to people.
 */
import { STRATEGY_CODES } from './strategy.ts'

/** What each code means, and its `params` (numbers are whole). */
export const TASK_STRATEGY_CODES = {
  ...STRATEGY_CODES,
  /** as many downloads run as may run at once: { atOnce } */
  waiting_for_turn: 'waiting_for_turn',
  /** its queue was stopped: {} */
  queue_stopped: 'queue_stopped',
  /** the machine runs on battery, and the settings say to wait: {} */
  waiting_for_power: 'waiting_for_power',
  /** not all of its queue can be there by its deadline, so the shortest downloads come first: {} */
  shortest_first: 'shortest_first',
  /** its queue does with less while others have to be done by a time: { queues, bytesPerSecond, atOnce } */
  lent_to_deadline: 'lent_to_deadline',
  /** other queues do with less, so that this one is done by its deadline: { queues } */
  borrowed_for_deadline: 'borrowed_for_deadline',
  /** its queue's window is closed: { opensInMs } */
  waiting_for_window: 'waiting_for_window',
  /** it was to start later: { waitMs } */
  waiting_for_start: 'waiting_for_start',
  /** nobody works on the queue: neither the app nor the headless host runs: {} */
  waiting_for_owner: 'waiting_for_owner',
  /** the server said when to come again: { host, waitMs } */
  waiting_retry_after: 'waiting_retry_after',
  /** the server denied one download after the other (403), and is left alone for a while: { host, waitMs } */
  waiting_host_refuses: 'waiting_host_refuses',
  /** a try failed; the next one comes by itself: { attempts, waitMs } */
  waiting_to_retry: 'waiting_to_retry',
  /** it failed, and comes once more at the end of its queue: { chance, waitMs } */
  waiting_second_chance: 'waiting_second_chance',
  /** the network is away: { waitMs } until it is tried again */
  waiting_for_network: 'waiting_for_network',
  /** its own URL failed, so a mirror is used: { host, first, reason } */
  using_mirror: 'using_mirror',
  /** a mirror is used: { host } */
  using_other_mirror: 'using_other_mirror',
  /** other downloads have all the places that the host allows: { host, connections } */
  waiting_for_host: 'waiting_for_host',
  /** the host asked for less before, and its allowance has not grown back yet: { host, allowed, usual } */
  host_slowed: 'host_slowed',
  /** the host denied one download after the other (403), so it gets fewer connections: { host, allowed, usual } */
  host_slowed_refusing: 'host_slowed_refusing',
  /** requests share one HTTP/2 connection: {} */
  http2_multiplexed: 'http2_multiplexed',
  /** HTTP/1.1 on purpose: one large file costs less over it: {} */
  http1_for_one_file: 'http1_for_one_file',
  /** read from front to end because the server does not say how long it is: {} */
  streaming: 'streaming',
  /** read from front to end because the server compresses it on the way: { encoding } */
  streaming_decoded: 'streaming_decoded',
  /** small: one request for all of it, on a connection that the host's other files use too: {} */
  batch: 'batch',
  /** no faster than the download's own limit: { bytesPerSecond } */
  speed_limit_task: 'speed_limit_task',
  /** no faster, together with the others of its queue, than that queue's limit: { bytesPerSecond } */
  speed_limit_queue: 'speed_limit_queue',
  /** no faster, together with others from its host, than that host's limit: { bytesPerSecond } */
  speed_limit_host: 'speed_limit_host',
  /** no faster, together with all other downloads, than the limit of all: { bytesPerSecond } */
  speed_limit_all: 'speed_limit_all',
} as const

export type TaskStrategyCode = keyof typeof TASK_STRATEGY_CODES

export interface TaskStrategyReason {
  code: TaskStrategyCode
  params: Record<string, string | number>
}

export function isTaskStrategyCode(code: string): code is TaskStrategyCode {
  return Object.hasOwn(TASK_STRATEGY_CODES, code)
}
