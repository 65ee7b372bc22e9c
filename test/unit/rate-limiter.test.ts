/** Speed limits: never more than the rate, never much less, and fair to everybody who draws on one bucket. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Draw, Limiter, readSize, TokenBucket } from '../../electron/engine/rate-limiter.ts'
import { nodeClock } from '../../electron/platform/clock.ts'
import fc from '../helpers/property.ts'

/** The longest burst, as a share of a second. */
const BURST_SECONDS = 0.1

interface Take {
  user: number
  at: number
  bytes: number
}

/** Users who obey: each takes a chunk, waits as told, dawdles a while, takes the next. */
function obey(
  rate: number,
  users: readonly (readonly { bytes: number; dawdleMs: number }[])[],
  startMs = 0,
): { takes: Take[]; end: number } {
  const bucket = new TokenBucket(rate, startMs)
  const takes: Take[] = []
  const state = users.map((chunks, user) => ({ user, chunks, next: 0, at: startMs }))
  for (;;) {
    const [first] = state.filter((s) => s.next < s.chunks.length).sort((a, b) => a.at - b.at || a.user - b.user)
    if (!first) break
    const { bytes, dawdleMs } = first.chunks[first.next++]!
    takes.push({ user: first.user, at: first.at, bytes })
    first.at += bucket.take(bytes, first.at) + dawdleMs
  }
  return { takes, end: Math.max(startMs, ...state.map((s) => s.at)) }
}

const chunk = fc.record({
  bytes: fc.integer({ min: 1, max: 1_000_000 }),
  dawdleMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5_000, noNaN: true })),
})
const rates = fc.integer({ min: 1, max: 1_000_000_000 })

describe('TokenBucket', () => {
  it('lets no more pass in any window than rate times time, one burst, and the last chunk of every user', () => {
    fc.assert(
      fc.property(
        rates,
        fc.array(fc.array(chunk, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (rate, users, startMs) => {
          const { takes } = obey(rate, users, startMs)
          for (let from = 0; from < takes.length; from++) {
            let bytes = 0
            const last = new Map<number, number>()
            for (const take of takes.slice(from)) {
              bytes += take.bytes
              last.set(take.user, take.bytes)
              const seconds = (take.at - takes[from]!.at) / 1000
              const unpaid = [...last.values()].reduce((sum, b) => sum + b, 0)
              const allowed = rate * (seconds + BURST_SECONDS) + unpaid
              expect(bytes).toBeLessThanOrEqual(allowed * (1 + 1e-6) + 1)
            }
          }
        },
      ),
    )
  })

  it('gives the whole rate to whoever always asks, whatever the chunks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 1_000_000_000 }),
        fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 }),
        (rate, sizes) => {
          const { takes, end } = obey(rate, [sizes.map((bytes) => ({ bytes, dawdleMs: 0 }))])
          const bytes = takes.reduce((sum, take) => sum + take.bytes, 0)
          // the last wait paid for the last chunk: nothing is lost and nothing is left over
          expect(bytes / rate).toBeCloseTo(end / 1000, 3)
        },
      ),
    )
  })

  it('serves those who draw on one bucket in turn: none gets more than a chunk ahead', () => {
    fc.assert(
      fc.property(
        rates,
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (rate, users, bytes) => {
          const counts = Array<number>(users).fill(0)
          const rounds = Array.from({ length: users }, () => Array.from({ length: 20 }, () => ({ bytes, dawdleMs: 0 })))
          // In turn from the first debt on: a burst is whoever's asks first.
          for (const { user } of obey(rate, rounds).takes) {
            counts[user]!++
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
          }
        },
      ),
    )
  })

  it('saves up no more than a burst, however long nobody came', () => {
    const bucket = new TokenBucket(1000, 0)
    expect(bucket.take(100, 1_000_000)).toBe(0)
    expect(bucket.take(50, 1_000_000)).toBe(50)
  })

  it('forgives debts and keeps no savings when the rate changes', () => {
    fc.assert(
      fc.property(rates, rates, fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 1e6 }), (a, b, debt, n) => {
        fc.pre(a !== b)
        const bucket = new TokenBucket(a, 0)
        bucket.take(debt, 0)
        bucket.setRate(b, 10)
        expect(bucket.take(n, 10)).toBeCloseTo((n / b) * 1000, 6)
      }),
    )
  })

  it('remembers the debt when the same rate is set again, so that saving settings is no way around it', () => {
    const bucket = new TokenBucket(1000, 0)
    bucket.take(5000, 0)
    bucket.setRate(1000, 0)
    expect(bucket.take(0, 0)).toBe(5000)
  })

  it('asks nobody to wait where there is no limit, and again as soon as there is one', () => {
    const bucket = new TokenBucket(null, 0)
    expect(bucket.take(1e12, 0)).toBe(0)
    bucket.setRate(1000, 5)
    expect(bucket.take(1000, 5)).toBe(1000)
    bucket.setRate(null, 5)
    expect(bucket.take(1e12, 5)).toBe(0)
  })
})

const KIB = 1024
const LARGE = 1024 * KIB

interface Reader {
  buckets: readonly TokenBucket[]
  /** how late its timers are */
  lateMs: () => number
  /** bytes that come however many it wants to read */
  chunkBytes?: number
  protocol?: 'http:' | 'https:'
  startMs?: number
}

interface Read {
  reader: number
  at: number
  bytes: number
}

/** Connections that always have bytes to read, in virtual time: each waits as told, a little late, then reads. */
function simulate(readers: readonly Reader[], untilMs: number): Read[] {
  const reads: Read[] = []
  const state = readers.map(({ startMs = 0, ...reader }, index) => ({
    ...reader,
    index,
    at: startMs,
    limiter: null as Limiter | null,
  }))
  for (;;) {
    const next = state.reduce((first, other) => (other.at < first.at ? other : first))
    if (next.at > untilMs) return reads
    if (!next.limiter) {
      new Draw(next.buckets)
      next.limiter = new Limiter(next.buckets, `${next.protocol ?? 'http:'}//x`)
    }
    let waitMs = next.limiter.take(0, next.at)
    if (waitMs === 0) {
      const bytes = next.chunkBytes ?? next.limiter.readBytes
      reads.push({ reader: next.index, at: next.at, bytes })
      waitMs = next.limiter.take(bytes, next.at)
    }
    if (waitMs > 0) next.at += waitMs + next.lateMs()
  }
}

/** The fewest and the most bytes read in any window of this length that lies within [fromMs, untilMs]. */
function windows(reads: readonly Read[], lengthMs: number, fromMs: number, untilMs: number) {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  let bytes = 0
  let next = 0
  // A window begins with a read or just after one: nothing between them can be less or more.
  for (let first = 0; first < reads.length && reads[first]!.at + lengthMs <= untilMs; first++) {
    const begin = reads[first]!.at
    if (begin < fromMs) {
      next = first + 1
      continue
    }
    while (reads[next] && reads[next]!.at <= begin + lengthMs) bytes += reads[next++]!.bytes
    most = Math.max(most, bytes)
    bytes -= reads[first]!.bytes
    least = Math.min(least, bytes)
  }
  return { least, most }
}

const sum = (reads: readonly Read[]) => reads.reduce((bytes, read) => bytes + read.bytes, 0)
const usual = fc.constantFrom(100_000, 1_000_000, 50_000_000)
/** timers that are late by up to so many ms, the same way in every run of one seed */
const lateness = fc.record({ seed: fc.nat(), mostMs: fc.integer({ min: 0, max: 25 }) }).map(({ seed, mostMs }) => {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return (state / 2 ** 31) * mostMs
  }
})

describe('Limiter', () => {
  it('keeps any ten seconds within 2 % of the rate, however many read and however late their timers are', () => {
    fc.assert(
      fc.property(usual, fc.integer({ min: 1, max: 8 }), lateness, (rate, count, lateMs) => {
        const bucket = new TokenBucket(rate, 0)
        const reads = simulate(
          Array.from({ length: count }, () => ({ buckets: [bucket], lateMs })),
          12_000,
        )
        const { least, most } = windows(reads, 10_000, 500, 12_000)
        expect(least).toBeGreaterThanOrEqual(0.98 * 10 * rate)
        expect(most).toBeLessThanOrEqual(1.02 * 10 * rate)
      }),
      { numRuns: 30 },
    )
  })

  it('never lets more than a second’s worth through at once, even where many begin together with large chunks', () => {
    fc.assert(
      fc.property(
        usual,
        fc.integer({ min: 1, max: 32 }),
        fc.constantFrom(undefined, 16 * KIB),
        fc.integer({ min: 1, max: 2_000 }),
        (rate, count, chunkBytes, lengthMs) => {
          const bucket = new TokenBucket(rate, 0)
          // a long silence, in which nothing but a burst can be saved up
          const reader = {
            buckets: [bucket],
            lateMs: () => 0,
            startMs: 60_000,
            chunkBytes,
            protocol: chunkBytes ? 'https:' : 'http:',
          } as const
          const reads = simulate(Array(count).fill(reader), 65_000)
          expect(windows(reads, lengthMs, 60_000, 65_000).most).toBeLessThanOrEqual(rate * (lengthMs / 1000 + 1))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('gives equal shares to connections, also to those whose chunks are larger than they are asked for', () => {
    fc.assert(
      fc.property(usual, fc.integer({ min: 2, max: 8 }), lateness, (rate, count, lateMs) => {
        const bucket = new TokenBucket(rate, 0)
        const reads = simulate(
          Array.from({ length: count }, (_, index) => ({
            buckets: [bucket],
            lateMs,
            chunkBytes: index === 0 ? 16 * KIB : undefined,
          })),
          30_000,
        )
        const shares = Array.from({ length: count }, (_, index) => sum(reads.filter((r) => r.reader === index)))
        const fair = sum(reads) / count
        for (const share of shares) expect(Math.abs(share - fair)).toBeLessThanOrEqual(0.1 * fair + 16 * KIB)
      }),
      { numRuns: 20 },
    )
  })

  it('leaves to the others what a slower limit of its own keeps one connection from using', () => {
    const all = new TokenBucket(1_000_000, 0)
    const own = new TokenBucket(50_000, 0)
    const lateMs = () => 0
    const reads = simulate([{ buckets: [all, own], lateMs }, ...Array(4).fill({ buckets: [all], lateMs })], 20_000)
    const share = (reader: number) => sum(reads.filter((r) => r.reader === reader)) / 20
    expect(share(0)).toBeGreaterThan(0.95 * 50_000)
    expect(share(0)).toBeLessThan(1.05 * 50_000)
    for (const other of [1, 2, 3, 4]) {
      expect(share(other)).toBeGreaterThan(0.95 * (950_000 / 4))
      expect(share(other)).toBeLessThan(1.05 * (950_000 / 4))
    }
  })

  it('keeps the rate where every connection ends after one small file', () => {
    const bucket = new TokenBucket(100_000, 0)
    let now = 0
    for (let file = 0; file < 100; file++) {
      const limiter = new Limiter([bucket], 'http://x')
      for (let left = 20 * KIB; left > 0; ) {
        for (let wait = limiter.take(0, now); wait > 0; wait = limiter.take(0, now)) now += wait
        const bytes = Math.min(left, limiter.readBytes)
        left -= bytes
        limiter.take(bytes, now)
      }
      limiter.close(now)
    }
    const rate = (100 * 20 * KIB) / (now / 1000)
    expect(rate).toBeGreaterThan(98_000)
    expect(rate).toBeLessThan(102_000)
  })

  it('frees who waits as soon as the limit is lifted, and waits for a new one from the next read on', () => {
    const bucket = new TokenBucket(1_000, 0)
    const limiter = new Limiter([bucket], 'http://x')
    expect(limiter.take(0, 0)).toBeGreaterThan(1_000)
    bucket.setRate(null, 10)
    expect(limiter.take(0, 10)).toBe(0)
    expect(limiter.readBytes).toBe(LARGE)
    expect(limiter.take(LARGE, 20)).toBe(0)
    bucket.setRate(1_000_000, 30)
    expect(limiter.take(LARGE, 40)).toBeGreaterThan(0)
    // every turn that was read ahead is sat out
    let now = 40
    for (let wait = limiter.take(0, now); wait > 0; wait = limiter.take(0, now)) now += wait
    expect(now).toBeGreaterThan(1_000)
  })

  it('gives a turn that was not used back to the others', () => {
    const bucket = new TokenBucket(1_000_000, 0)
    const leaving = new Limiter([bucket], 'http://x')
    leaving.take(0, 0)
    leaving.close(0)
    leaving.close(0)
    expect(bucket.take(0, 0)).toBe(0)
    const moving = new Limiter([bucket], 'http://x')
    expect(moving.take(0, 0)).toBe(50)
    moving.move([], 0)
    expect(moving.take(0, 0)).toBe(0)
    expect(bucket.take(0, 0)).toBe(0)
  })

  it('shortens the turns of all by the number of those who draw', () => {
    const [one, other] = [new TokenBucket(1_000_000, 0), new TokenBucket(2_000_000, 0)]
    const draws = [1, 2, 3, 4].map(() => new Draw([one]))
    expect(readSize([one])).toBe(12_500)
    draws[0]!.move([other])
    draws[1]!.end()
    draws[1]!.end()
    expect([one.drawers, other.drawers]).toEqual([2, 1])
    expect(readSize([one])).toBe(25_000)
    expect(readSize([one, other])).toBe(25_000)
    expect(readSize([new TokenBucket(null, 0)])).toBe(LARGE)
  })

  it('loses no byte where several threads draw on one bucket at once', async () => {
    const rate = 1_000_000
    const bucket = new TokenBucket(rate, 0)
    const source = `
      const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.module).then(({ TokenBucket }) => {
        const bucket = TokenBucket.attach(workerData.shared)
        bucket.join()
        for (let n = 0; n < 20000; n++) bucket.take(10, 0)
        parentPort.postMessage(process.hrtime().map(Number))
      })`
    const module = new URL('../../electron/engine/rate-limiter.ts', import.meta.url).href
    const before = nodeClock.monotonic()
    const workers = Array.from(
      { length: 3 },
      () => new Worker(source, { eval: true, workerData: { module, shared: bucket.shared } }),
    )
    const times = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0] as [number, number]),
    )
    expect(bucket.drawers).toBe(3)
    expect(bucket.take(0, 0)).toBeCloseTo((3 * 20_000 * 10 * 1000) / rate, 6)
    // and the clock is one for all of them
    for (const [seconds, nanoseconds] of times) {
      expect(seconds * 1000 + nanoseconds / 1e6).toBeGreaterThanOrEqual(before)
      expect(seconds * 1000 + nanoseconds / 1e6).toBeLessThanOrEqual(nodeClock.monotonic())
    }
    await Promise.all(workers.map((worker) => worker.terminate()))
  })
})
