/**
 * What a comparison of ways to fetch one URL asks for, within its limits, and what the figures say. Pure: who sends the
 * requests is compare-strategies.ts.
 */

/** What the first reply told about the file. */
export interface FileFacts {
  /** null: not told */
  sizeBytes: number | null
  /** whether a range was honoured */
  ranges: boolean
  /** https: HTTP/2 is chosen while TLS begins, without it nobody speaks it */
  secure: boolean
}

/** `small`: many small requests; `large`: one range, by one connection or by several. */
export type Group = 'small' | 'large'
/**
 * `fresh`: a connection for every request. `keep_alive`: one connection for all, one request after the other.
 * `parallel`: several such connections. `http2`: all requests at once on one connection. `segments`: a range divided
 * among `connections`.
 */
export type StrategyName = 'fresh' | 'keep_alive' | 'parallel' | 'http2' | 'segments'

export interface Step {
  group: Group
  strategy: StrategyName
  /** open at once */
  connections: number
  requests: readonly PlannedRequest[]
}

/** `end` is one past the last byte. */
export interface ByteRange {
  start: number
  end: number
}

export interface PlannedRequest {
  /** null: no range is asked for */
  range: ByteRange | null
  /** read at most; what comes beyond is cut */
  bytes: number
}

export type SkipReason =
  | 'no_ranges'
  | 'file_too_small'
  | 'byte_limit'
  | 'time_limit'
  /** http2 */
  | 'not_https'
  | 'http2_not_offered'

export interface Skip {
  group: Group
  /** null: the whole group */
  strategy: StrategyName | null
  reason: SkipReason
}

export interface ComparisonPlan {
  steps: Step[]
  skipped: Skip[]
  /** the most that will be asked and read, the first request included */
  requests: number
  bytes: number
  /** the most that are open at once */
  connections: number
}

export interface StepResult extends Omit<Step, 'requests'> {
  /** that were answered to the end */
  requests: number
  bytes: number
  ms: number
  /** of one request, from asking to its last byte; null where none was answered to the end */
  medianMs: number | null
}

/** How many times as fast as the plainest way of its group: `fresh`, or one connection. Null where that is missing. */
export type Compared = StepResult & { factor: number | null }

/** The size of a small request, and of the first one, which finds out about the server. */
export const SMALL_BYTES = 64 * 1024
const MOST_SMALL_REQUESTS = 16
/** Fewer say nothing about keeping connections. */
const LEAST_SMALL_REQUESTS = 2
/** A file this small is fetched whole where the server knows no ranges. */
const WHOLE_BYTES = 256 * 1024
/** What small requests may take of all bytes. */
const SMALL_SHARE = 1 / 4
const LEAST_LARGE_BYTES = 1024 * 1024
const SEGMENTS = [1, 2, 4, 8] as const
export const MOST_CONNECTIONS = 8

/** At most `maxBytes` in all, which includes the first request. */
export function planComparison(facts: FileFacts, maxBytes: number): ComparisonPlan {
  const steps: Step[] = []
  const skipped: Skip[] = []
  const first = Math.min(SMALL_BYTES, maxBytes)
  const small = planSmall(facts, (maxBytes - first) * SMALL_SHARE)
  if ('reason' in small) skipped.push(small)
  else steps.push(...small.steps)
  const large = planLarge(facts, maxBytes - first - bytesOf(steps))
  if ('reason' in large) skipped.push(large)
  else steps.push(...large.steps)
  if (!facts.secure) {
    for (const group of ['small', 'large'] as const)
      if (steps.some((step) => step.group === group)) skipped.push({ group, strategy: 'http2', reason: 'not_https' })
  }
  if (!facts.ranges && steps.some((step) => step.group === 'large'))
    skipped.push({ group: 'large', strategy: 'segments', reason: 'no_ranges' })
  return {
    steps,
    skipped,
    requests: 1 + steps.reduce((sum, step) => sum + step.requests.length, 0),
    bytes: first + bytesOf(steps),
    connections: Math.max(1, ...steps.map((step) => step.connections)),
  }
}

function bytesOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { requests }) => sum + requests.reduce((bytes, request) => bytes + request.bytes, 0), 0)
}

type Planned = { steps: Step[] } | Skip

function planSmall({ sizeBytes, ranges, secure }: FileFacts, bytes: number): Planned {
  const skip = (reason: SkipReason): Skip => ({ group: 'small', strategy: null, reason })
  if (sizeBytes === 0) return skip('file_too_small')
  if (sizeBytes === null || (!ranges && sizeBytes > WHOLE_BYTES)) return skip('no_ranges')
  const strategies = ['fresh', 'keep_alive', 'parallel', ...(secure ? (['http2'] as const) : [])] as const
  const unit = ranges ? Math.min(SMALL_BYTES, sizeBytes) : sizeBytes
  const count = Math.min(MOST_SMALL_REQUESTS, Math.floor(bytes / (unit * strategies.length)))
  if (count < LEAST_SMALL_REQUESTS) return skip('byte_limit')
  // Every request asks for other bytes where there are so many: what was asked before may be in somebody's cache.
  const places = Math.max(1, Math.floor(sizeBytes / unit))
  const rangeAt = (place: number): ByteRange => ({ start: place * unit, end: (place + 1) * unit })
  return {
    steps: strategies.map((strategy, index) => ({
      group: 'small',
      strategy,
      connections: strategy === 'parallel' ? Math.min(MOST_CONNECTIONS, count) : 1,
      requests: Array.from({ length: count }, (_, request) => ({
        range: ranges ? rangeAt((index * count + request) % places) : null,
        bytes: unit,
      })),
    })),
  }
}

function planLarge({ sizeBytes, ranges, secure }: FileFacts, bytes: number): Planned {
  const ways: Pick<Step, 'strategy' | 'connections'>[] = (ranges ? SEGMENTS : [1]).map((connections) => ({
    strategy: 'segments',
    connections,
  }))
  if (secure) ways.push({ strategy: 'http2', connections: 1 })
  const each = Math.floor(Math.min(sizeBytes ?? Number.POSITIVE_INFINITY, bytes / ways.length))
  if (each < LEAST_LARGE_BYTES) {
    const small = sizeBytes !== null && sizeBytes < LEAST_LARGE_BYTES
    return { group: 'large', strategy: null, reason: small ? 'file_too_small' : 'byte_limit' }
  }
  const apart = ranges && sizeBytes !== null && sizeBytes >= each * ways.length
  return {
    steps: ways.map((way, index) => {
      const start = apart ? index * each : 0
      const requests = Array.from({ length: way.connections }, (_, part) => {
        const from = start + Math.floor((each * part) / way.connections)
        const end = start + Math.floor((each * (part + 1)) / way.connections)
        return { range: ranges ? { start: from, end } : null, bytes: end - from }
      })
      return { group: 'large', ...way, requests }
    }),
  }
}

/** The results with their factors: of requests per second in `small`, of bytes per second in `large`. */
export function compared(results: readonly StepResult[]): Compared[] {
  const rate = ({ group, requests, bytes, ms }: StepResult) => (group === 'small' ? requests : bytes) / ms
  const plainest = {
    small: results.find(({ strategy }) => strategy === 'fresh'),
    large: results.find(({ strategy, connections }) => strategy === 'segments' && connections === 1),
  }
  return results.map((result) => {
    const base = plainest[result.group]
    return { ...result, factor: base === undefined || rate(base) === 0 ? null : rate(result) / rate(base) }
  })
}
