/** What the shaping server saw of one program's run, and what that says about rates and ramps. Pure. */

export const BUCKET_MS = 50
/** Rates are means over this many buckets: one alone is at the mercy of a timer. */
const SMOOTHED_BUCKETS = 5

export interface Served {
  /** bytes handed to sockets in each 50 ms since the first connection was accepted */
  buckets: number[]
  bytes: number
  /** connections accepted */
  connections: number
  /** the most that were open at once */
  mostOpen: number
}

/** Bytes a second in the settled part of a run: from the half to nine tenths of the bytes, so without ramp and tail. */
export function settledRate({ buckets, bytes }: Served): number {
  let sent = 0
  let settled = 0
  let settledBuckets = 0
  for (const bucket of buckets) {
    if (sent >= bytes / 2 && sent < bytes * 0.9) {
      settled += bucket
      settledBuckets += 1
    }
    sent += bucket
  }
  if (settledBuckets === 0) throw new RangeError('a run this short has no settled part: serve a larger file')
  return (settled / settledBuckets) * (1000 / BUCKET_MS)
}

/** Seconds from the first connection until the rate first was `share` of the settled one. */
export function secondsUntil(served: Served, share: number): number {
  const wanted = settledRate(served) * share * ((SMOOTHED_BUCKETS * BUCKET_MS) / 1000)
  let recent = 0
  for (const [index, bytes] of served.buckets.entries()) {
    recent += bytes - (served.buckets[index - SMOOTHED_BUCKETS] ?? 0)
    if (recent >= wanted) return ((index + 1) * BUCKET_MS) / 1000
  }
  // The settled part is a mean: some stretch of it reaches it, unless it is shorter than a stretch.
  throw new RangeError('a run this short has no ramp: serve a larger file')
}
