/** The statistics page's arithmetic: order of hosts, rates of steps, marks of the time axis. */

import { describe, expect, test } from 'vitest'
import {
  averageRate,
  type HostFigures,
  type HostSort,
  lastMinute,
  nextHostSort,
  ratesOf,
  SPANS,
  sortHosts,
  timeMarks,
} from '../../renderer/stores/statistics.ts'
import { addSample, emptyTally, figuresOf } from '../../shared/request-statistics.ts'
import fc from '../helpers/property.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

function host(name: string, durations: readonly number[], failed = false): HostFigures {
  const tally = emptyTally()
  for (const durationMs of durations)
    addSample(tally, {
      host: name,
      method: 'GET',
      startedAt: 0,
      queueMs: 0,
      connectMs: null,
      tlsMs: null,
      firstByteMs: null,
      durationMs,
      bytes: durationMs,
      status: failed ? 500 : 200,
      errorCode: null,
      reused: false,
      httpVersion: '1.1',
    })
  return { host: name, ...figuresOf(tally) }
}

describe('hosts', () => {
  const hosts = [
    host('*', [9_000, 9_000, 9_000, 9_000]),
    host('m10.test', [100, 200]),
    host('m9.test', [50, 60, 70]),
    host('bad.test', [400], true),
    host('none.test', []),
  ]
  const order = (sort: HostSort) => sortHosts(hosts, sort).map((each) => each.host)

  test('are ordered by any column; equal ones by name, those without a figure and the merged ones last', () => {
    expect(order({ column: 'requests', descending: true })).toEqual([
      'm9.test',
      'm10.test',
      'bad.test',
      'none.test',
      '*',
    ])
    expect(order({ column: 'host', descending: false })).toEqual(['bad.test', 'm9.test', 'm10.test', 'none.test', '*'])
    expect(order({ column: 'host', descending: true })).toEqual(['none.test', 'm10.test', 'm9.test', 'bad.test', '*'])
    expect(order({ column: 'median', descending: false })).toEqual([
      'm9.test',
      'm10.test',
      'bad.test',
      'none.test',
      '*',
    ])
    expect(order({ column: 'success', descending: true })).toEqual([
      'm9.test',
      'm10.test',
      'bad.test',
      'none.test',
      '*',
    ])
  })

  test('a header orders figures from the largest, names from the first, and then the other way', () => {
    const first = nextHostSort({ column: 'requests', descending: true }, 'bytes')
    expect(first).toEqual({ column: 'bytes', descending: true })
    expect(nextHostSort(first, 'bytes')).toEqual({ column: 'bytes', descending: false })
    expect(nextHostSort(first, 'host')).toEqual({ column: 'host', descending: false })
  })
})

describe('rates', () => {
  const now = 100 * HOUR_MS + 30_000

  test('cover the whole span, silent steps too, and the step under way by the time it has run', () => {
    const steps = [
      { at: now - 30_000 - 2 * MINUTE_MS, bytes: 600_000 },
      { at: now - 30_000, bytes: 300_000 },
    ]
    const rates = ratesOf({ from: 0, stepMs: MINUTE_MS, steps }, SPANS.hour.ms, now)
    expect(rates).toHaveLength(60)
    expect(rates[0]!.at).toBe(now - 30_000 - 59 * MINUTE_MS)
    expect(rates.slice(-3).map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([10_000, 0, 10_000])
    expect(averageRate(rates)).toBeCloseTo(20_000 / 60)
  })

  test('leave out a step that has hardly begun', () => {
    const rates = ratesOf({ from: 0, stepMs: MINUTE_MS, steps: [] }, SPANS.hour.ms, 100 * HOUR_MS + 1_000)
    expect(rates.at(-1)!.at).toBe(100 * HOUR_MS - MINUTE_MS)
  })

  test('of the last minute are its samples alone', () => {
    const samples = Array.from({ length: 100 }, (_, second) => ({ at: second * 1000, bytesPerSecond: 1 }))
    expect(lastMinute(samples)).toHaveLength(60)
    expect(lastMinute([])).toEqual([])
  })
})

describe('marks of the time axis', () => {
  test('are round local times within the range, evenly apart and not too many, whatever the range', () => {
    const begin = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2030, 0) })
    const spans = fc.constantFrom(...Object.values(SPANS).map(({ ms }) => ms))
    fc.assert(
      fc.property(begin, spans, fc.integer({ min: 3, max: 14 }), (from, ms, most) => {
        const { stepMs, marks } = timeMarks(from, from + ms, most)
        expect(marks.length).toBeLessThanOrEqual(most + 1)
        expect(marks.length).toBeGreaterThan(0)
        for (const at of marks) {
          expect(at).toBeGreaterThanOrEqual(from)
          expect(at).toBeLessThanOrEqual(from + ms)
          expect((at - new Date(at).setHours(0, 0, 0, 0)) % stepMs).toBe(0)
        }
      }),
    )
  })
})
