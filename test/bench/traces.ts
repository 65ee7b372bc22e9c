/** Recorded lines and servers, for the simulation: the format of test/bench/traces, and what they say at a time. */

/** Bytes per second from a time on: [ms since the beginning, bytes per second], in order. */
export type Speeds = readonly (readonly [fromMs: number, bytesPerSecond: number])[]

/** What one connection of the server is like. */
export interface TraceConnection {
  speeds: Speeds
  /** brings nothing after so many bytes, and fails after the stall timeout */
  stallsAfterBytes?: number
  /** breaks after so many bytes */
  breaksAfterBytes?: number
  /** is refused with this status */
  refusedWith?: number
  /** time until it answers, beyond the round trip; by default 0 */
  thinksMs?: number
}

export interface Trace {
  about: string
  sizeBytes: number
  /** the most connections wanted */
  cap: number
  rttMs: number
  /** each connection begins with ten packets a round trip and doubles */
  slowStart?: boolean
  /** what all connections share; left out: no bound */
  line?: Speeds
  /** places the host gives; by default the cap */
  places?: number
  /** the server knows no ranges */
  noRanges?: boolean
  /** in the order they are opened; the last one stands for all further */
  connections: readonly TraceConnection[]
}

/** What was recorded for that time; without a recording, no bound. */
export function speedAt(speeds: Speeds | undefined, ms: number): number {
  if (!speeds) return Number.POSITIVE_INFINITY
  return speeds.findLast(([fromMs]) => fromMs <= ms)?.[1] ?? 0
}

/** Divides the line so that nobody gets more than it can take and what is left is shared alike (max-min fairness). */
export function fairShares(most: readonly number[], line: number): number[] {
  const shares = most.map(() => 0)
  let left = line
  const order = most.map((_, index) => index).sort((a, b) => most[a]! - most[b]!)
  order.forEach((index, done) => {
    shares[index] = Math.min(most[index]!, left / (order.length - done))
    left -= shares[index]
  })
  return shares
}
