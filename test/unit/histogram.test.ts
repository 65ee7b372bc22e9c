/** Histograms of durations: how far quantiles may be off, and that adding up never loses or invents anything. */

import { describe, expect, test } from 'vitest'
import {
  addEncoded,
  addHistogram,
  averageMs,
  countOf,
  cumulative,
  emptyHistogram,
  encodeHistogram,
  type Histogram,
  quantileMs,
  readEncoded,
  record,
} from '../../shared/histogram.ts'
import fc from '../helpers/property.ts'

/** from a tenth of a microsecond to 30 hours, small and large equally likely */
const duration = fc.double({ min: -4, max: 8, noNaN: true }).map((exponent) => 10 ** exponent)
const durations = fc.array(fc.oneof(duration, fc.nat(2_000), fc.constantFrom(0, 1, 2, 64, 1024)), { maxLength: 200 })

function histogramOf(all: readonly number[]): Histogram {
  const histogram = emptyHistogram()
  for (const ms of all) record(histogram, ms)
  return histogram
}

function sum(...parts: readonly Histogram[]): Histogram {
  const total = emptyHistogram()
  for (const part of parts) addHistogram(total, part)
  return total
}

describe('a quantile', () => {
  test('is within a sixteenth of the exact one, or within 1/16 ms below a millisecond', () => {
    const share = fc.double({ min: 0.001, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        durations.filter((all) => all.length > 0),
        share,
        (all, q) => {
          const exact = [...all].sort((a, b) => a - b)[Math.max(1, Math.ceil(q * all.length)) - 1]!
          const off = Math.abs(quantileMs(histogramOf(all), q)! - exact)
          expect(off).toBeLessThanOrEqual(Math.max(1, exact) / 16 + 1e-9)
        },
      ),
    )
  })

  test('of nothing is nothing', () => {
    expect(quantileMs(emptyHistogram(), 0.5)).toBe(null)
    expect(averageMs(emptyHistogram())).toBe(null)
  })
})

describe('adding histograms', () => {
  test('gives the histogram of all their durations, in any order and grouping', () => {
    fc.assert(
      fc.property(durations, durations, durations, (a, b, c) => {
        const [x, y, z] = [histogramOf(a), histogramOf(b), histogramOf(c)]
        const whole = histogramOf([...a, ...b, ...c])
        expect(sum(sum(x, y), z)).toEqual(whole)
        expect(sum(z, sum(y, x))).toEqual(whole)
        expect(countOf(whole)).toBe(a.length + b.length + c.length)
      }),
    )
  })

  test('leaves what is added as it was', () => {
    const x = histogramOf([1, 2, 3])
    sum(x, x)
    expect(x).toEqual(histogramOf([1, 2, 3]))
  })
})

test('the average is exact to a microsecond', () => {
  expect(averageMs(histogramOf([1.5, 2.5, 100_000]))).toBeCloseTo(33_334.666, 2)
})

test('counts up to a power of two are exact, boundaries included', () => {
  fc.assert(
    fc.property(durations, (all) => {
      for (const { upToMs, count } of cumulative(histogramOf(all)).slice(0, -1))
        expect(count).toBe(all.filter((ms) => ms <= upToMs).length)
    }),
  )
  expect(cumulative(emptyHistogram()).map(({ upToMs }) => upToMs)).toEqual(Array.from({ length: 28 }, (_, k) => 2 ** k))
})

test('what is no duration, or longer than any, does no harm', () => {
  const histogram = histogramOf([Number.NaN, Number.POSITIVE_INFINITY, -5, 1e12])
  expect(countOf(histogram)).toBe(2)
  expect(quantileMs(histogram, 1)).toBeGreaterThan(1e8)
  expect(histogram.sumUs).toBe(1e15)
})

describe('an encoded histogram', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(durations, fc.nat(40), (all, doublings) => {
        let histogram = histogramOf(all)
        for (let i = 0; i < Math.min(doublings, 12); i++) histogram = sum(histogram, histogram)
        const read = emptyHistogram()
        addEncoded(read, readEncoded(encodeHistogram(histogram)))
        expect(read).toEqual(histogram)
      }),
    )
  })

  test('is small: a thousand requests take less than 150 bytes', () => {
    const spread = Array.from({ length: 1000 }, (_, i) => 80 + ((i * 7919) % 997) / 4)
    expect(encodeHistogram(histogramOf(spread)).length).toBeLessThan(150)
  })

  test.each([
    ['nothing', []],
    ['another layout', [2, 0]],
    ['a sum that is cut off', [1, 0x80]],
    ['a count that is cut off', [1, 5, 3]],
    ['a bucket that does not exist', [1, 5, 0xff, 0x7f, 1]],
    ['a number that is too large', [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
  ])('is refused when it is %s', (_what, bytes) => {
    expect(() => readEncoded(Uint8Array.from(bytes))).toThrow(RangeError)
  })
})
