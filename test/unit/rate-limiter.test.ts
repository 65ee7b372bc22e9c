/** Token buckets: never more than the rate, never much less, and fair to everybody who draws on one. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenBucket } from '../../electron/engine/rate-limiter.ts'

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
