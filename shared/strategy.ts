/**
 * Why a download is fetched the way it is: what the planner decided last, in a form that programs can read and people
 * be told. The engine says it of each running task.
 */

/** What each code means, and its `params` (numbers are whole unless said otherwise). */
export const STRATEGY_CODES = {
  /** one connection is being measured before another is tried: {} */
  measuring: 'measuring',
  /** more connections were opened and are judged: { connections, before } */
  ramping: 'ramping',
  /** as many as were asked for are open, each of them paid: { connections } */
  cap_reached: 'cap_reached',
  /** further connections added too little and were given back: { connections, gainPercent } */
  ramp_stopped: 'ramp_stopped',
  /** a second connection added too little: { connections, gainPercent } */
  one_connection_enough: 'one_connection_enough',
  /** one connection was asked for: {} */
  one_connection_wanted: 'one_connection_wanted',
  /** the host gives no further place, by its limit or because others have them: { connections, host } */
  host_allowance: 'host_allowance',
  /** the host asked to be left alone: { host, waitMs } */
  host_quiet: 'host_quiet',
  /** the host refused or broke further connections; no new one for a while: { connections } */
  host_struggles: 'host_struggles',
  /** the server sends the file only whole, or its length is not known: {} */
  no_ranges: 'no_ranges',
  /** it is done before another request could help: { remainingBytes } */
  small_file: 'small_file',
  /** the speed limit is reached by what is open: { connections } */
  rate_limited: 'rate_limited',
  /** the thread that reads is busy with what is open; more connections could not be faster: { connections } */
  machine_busy: 'machine_busy',
  /** nothing came for a while, so another connection was tried: { connections } */
  stalled: 'stalled',
  /** a second connection reads the rest of a slow one's bytes; who is ahead goes on: { segmentStart, hedges } */
  hedging: 'hedging',
  /** a connection far behind the others was asked for anew: { restarts } */
  restarted: 'restarted',
} as const

export type StrategyCode = keyof typeof STRATEGY_CODES

export interface StrategyReason {
  code: StrategyCode
  params: Record<string, string | number>
}
