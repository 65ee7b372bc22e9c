/**
 * Durations in buckets with fixed boundaries, so that any two histograms can be added up, from any process and any
 * time. Log-linear as in HdrHistogram: every doubling is cut into eight equal buckets, which bounds the error of a
 * quantile at 1/16 of its value (1/16 ms below one millisecond), whatever the distribution.
 *
 * Bucket i holds durations in (lower, upper]: the boundaries that are powers of two are exact, and Prometheus' `le`
 * can be read from them.
 */

const PER_DOUBLING = 8
/** 2^27 ms are 37 hours: longer ones count into the last bucket. */
const DOUBLINGS = 27
const BUCKETS = PER_DOUBLING * (1 + DOUBLINGS)
/** First byte of an encoded histogram: these boundaries. */
const LAYOUT = 1

export interface Histogram {
  /** how many durations fell into each bucket */
  readonly counts: Float64Array
  /** sum of all of them in whole microseconds: adding whole numbers is exact in any order */
  sumUs: number
}

export function emptyHistogram(): Histogram {
  return { counts: new Float64Array(BUCKETS), sumUs: 0 }
}

/** Index of the bucket for a duration in ms. */
function bucketOf(ms: number): number {
  if (!(ms > 1)) return Math.max(0, Math.ceil(ms * PER_DOUBLING) - 1) || 0
  const doubling = Math.ceil(Math.log2(ms)) - 1
  const within = Math.ceil((ms / 2 ** doubling - 1) * PER_DOUBLING) - 1
  return Math.min(BUCKETS - 1, PER_DOUBLING * (1 + doubling) + within)
}

/** The end of a bucket in ms, which belongs to it. */
function upperOf(bucket: number): number {
  const doubling = Math.floor(bucket / PER_DOUBLING) - 1
  const share = ((bucket % PER_DOUBLING) + 1) / PER_DOUBLING
  return doubling < 0 ? share : 2 ** doubling * (1 + share)
}

/** Counts a duration in ms; what is no duration counts as none at all. */
export function record(histogram: Histogram, ms: number): void {
  if (!Number.isFinite(ms)) return
  const duration = Math.max(0, ms)
  histogram.counts[bucketOf(duration)]! += 1
  histogram.sumUs += Math.round(duration * 1000)
}

/** Adds all of `other` to `target`. */
export function addHistogram(target: Histogram, other: Histogram): void {
  const from = other.counts
  const to = target.counts
  for (let bucket = 0; bucket < BUCKETS; bucket++) if (from[bucket] !== 0) to[bucket]! += from[bucket]!
  target.sumUs += other.sumUs
}

export function countOf(histogram: Histogram): number {
  let count = 0
  for (const each of histogram.counts) count += each
  return count
}

/** Average in ms, exact; null: nothing was counted. */
export function averageMs(histogram: Histogram): number | null {
  const count = countOf(histogram)
  return count === 0 ? null : histogram.sumUs / 1000 / count
}

/**
 * The duration in ms below or at which a share `q` in (0, 1] of all lie (nearest rank), as the middle of its bucket;
 * null: nothing was counted.
 */
export function quantileMs(histogram: Histogram, q: number): number | null {
  const rank = Math.max(1, Math.ceil(q * countOf(histogram)))
  let seen = 0
  for (const [bucket, count] of histogram.counts.entries()) {
    seen += count
    if (seen >= rank) return ((bucket === 0 ? 0 : upperOf(bucket - 1)) + upperOf(bucket)) / 2
  }
  return null
}

/** How many were at most 1, 2, 4, 8 … ms long: rising, and exact. */
export function cumulative(histogram: Histogram): { upToMs: number; count: number }[] {
  const steps: { upToMs: number; count: number }[] = []
  let count = 0
  for (const [bucket, each] of histogram.counts.entries()) {
    count += each
    if ((bucket + 1) % PER_DOUBLING === 0) steps.push({ upToMs: upperOf(bucket), count })
  }
  return steps
}

/** A few dozen bytes: layout, sum, then the distance to each bucket that is not empty and its count, as LEB128. */
export function encodeHistogram({ counts, sumUs }: Histogram): Uint8Array {
  const bytes = [LAYOUT]
  const put = (value: number) => {
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
    bytes.push(rest)
  }
  put(sumUs)
  let next = 0
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[bucket]!
    if (count === 0) continue
    put(bucket - next)
    put(count)
    next = bucket + 1
  }
  return Uint8Array.from(bytes)
}

/** What an encoded histogram holds: its sum, then bucket and count by turns. */
export type EncodedCounts = readonly number[]

/** Throws where the bytes are no histogram of this layout. */
export function readEncoded(bytes: Uint8Array): EncodedCounts {
  let at = 1
  const take = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new RangeError('the histogram ends too early')
      value += (byte % 128) * factor
      if (!Number.isSafeInteger(value)) throw new RangeError('the histogram holds a number that is too large')
      if (byte < 128) return value
    }
  }
  if (bytes[0] !== LAYOUT) throw new RangeError(`the histogram has the unknown layout ${bytes[0]}`)
  const numbers = [take()]
  for (let bucket = 0; at < bytes.length; bucket++) {
    bucket += take()
    if (bucket >= BUCKETS) throw new RangeError('the histogram has a bucket that does not exist')
    numbers.push(bucket, take())
  }
  return numbers
}

/** Adds to `target` what was read: the same as adding the histogram, at the cost of its filled buckets alone. */
export function addEncoded(target: Histogram, numbers: EncodedCounts): void {
  target.sumUs += numbers[0]!
  for (let at = 1; at < numbers.length; at += 2) target.counts[numbers[at]!]! += numbers[at + 1]!
}
