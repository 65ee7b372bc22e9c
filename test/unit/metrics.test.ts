/** Speeds and the history of the graph. */

import { describe, expect, it } from 'vitest'
import { HISTORY_SAMPLES, SpeedMeter, ThroughputHistory } from '../../electron/engine/metrics.ts'
import fc from '../helpers/property.ts'

describe('SpeedMeter', () => {
  it('shows a steady speed as it is, whatever the chunks and whenever it began', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 1_000_000_000 }),
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.integer({ min: 3_000, max: 20_000 }),
        (rate, stepMs, startMs, forMs) => {
          const meter = new SpeedMeter(startMs)
          let at = startMs
          while (at < startMs + forMs) {
            at += stepMs
            meter.add((rate * stepMs) / 1000, at)
          }
          // one chunk more or less in a window of at least 2.75 s
          expect(Math.abs(meter.bytesPerSecond(at) / rate - 1)).toBeLessThanOrEqual((2 * stepMs) / 2_750)
        },
      ),
    )
  })

  it('counts every byte of the last 2.75 s and none older than 3 s', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ bytes: fc.integer({ min: 0, max: 1e9 }), gapMs: fc.double({ min: 0, max: 4_000, noNaN: true }) }),
          { maxLength: 60 },
        ),
        fc.double({ min: 0, max: 5_000, noNaN: true }),
        (events, idleMs) => {
          const meter = new SpeedMeter(0)
          let now = 10_000
          const log = events.map(({ bytes, gapMs }) => {
            now += gapMs
            meter.add(bytes, now)
            return { at: now, bytes }
          })
          now += idleMs
          const since = (ms: number) => log.reduce((sum, e) => sum + (e.at > now - ms ? e.bytes : 0), 0)
          const shown = meter.bytesPerSecond(now)
          expect(shown).toBeGreaterThanOrEqual(since(2_750) / 3 - 1)
          expect(shown).toBeLessThanOrEqual(since(3_000) / 2.75 + 1)
        },
      ),
    )
  })

  it('is zero after three silent seconds, and right again as soon as bytes come', () => {
    const meter = new SpeedMeter(0)
    for (let at = 0; at < 5_000; at += 10) meter.add(1_000, at)
    expect(meter.bytesPerSecond(8_000)).toBe(0)
    // an hour later: nothing of the past shows, and no loop runs over the hour
    meter.add(3_000, 3_600_000)
    expect(meter.bytesPerSecond(3_600_000)).toBeLessThanOrEqual(3_000 / 2.75)
    expect(meter.bytesPerSecond(3_602_000)).toBeGreaterThanOrEqual(3_000 / 3)
    expect(meter.bytesPerSecond(3_603_000)).toBe(0)
  })

  it('falls while nothing comes, and never shows a wild number in the first moments', () => {
    const meter = new SpeedMeter(1_000)
    meter.add(64 * 1024, 1_000)
    expect(meter.bytesPerSecond(1_000)).toBe(64 * 1024 * 4)
    const later = [1_200, 1_500, 2_000, 3_000, 3_900].map((at) => meter.bytesPerSecond(at))
    expect(later).toEqual([...later].sort((a, b) => b - a))
    expect(meter.bytesPerSecond(4_100)).toBe(0)
  })
})

describe('ThroughputHistory', () => {
  it('keeps the last ten minutes, oldest first, and nothing more', () => {
    const history = new ThroughputHistory()
    for (let n = 1; n <= 5 * HISTORY_SAMPLES; n++) {
      history.add(n)
      history.tick(n * 1_000, 1_000)
    }
    const { samples } = history
    expect(samples).toHaveLength(HISTORY_SAMPLES)
    expect(samples[0]).toEqual({ at: (4 * HISTORY_SAMPLES + 1) * 1_000, bytesPerSecond: 4 * HISTORY_SAMPLES + 1 })
    expect(samples.at(-1)).toEqual({ at: 5 * HISTORY_SAMPLES * 1_000, bytesPerSecond: 5 * HISTORY_SAMPLES })
  })

  it('counts bytes once, by the true length of the interval', () => {
    const history = new ThroughputHistory()
    history.add(1_000)
    history.add(500)
    expect(history.tick(1, 500)).toEqual({ at: 1, bytesPerSecond: 3_000 })
    expect(history.tick(2, 1_000).bytesPerSecond).toBe(0)
    history.add(10)
    // a clock that stood still divides by nothing
    expect(Number.isFinite(history.tick(3, 0).bytesPerSecond)).toBe(true)
  })

  it('hands out a copy', () => {
    const history = new ThroughputHistory()
    history.tick(1, 1_000)
    history.samples.pop()
    expect(history.samples).toHaveLength(1)
  })
})
