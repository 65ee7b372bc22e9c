import { describe, expect, test } from 'vitest'
import { parseFigures } from '../bench/measure.ts'
import { comparisonTable, formatTable, type Measurement, ratios, shuffled, spread, summarize } from '../bench/report.ts'

const run = (wallSeconds: number, cpuSeconds: number, peakBytes = 50e6): Measurement => ({
  wallSeconds,
  cpuSeconds,
  peakBytes,
})

describe('the report of a benchmark', () => {
  test('says how values lie, whatever their order', () => {
    expect(spread([10, 9, 2])).toEqual({ min: 2, lowerQuartile: 5.5, median: 9, upperQuartile: 9.5, max: 10 })
    expect(spread([4, 1, 3, 2]).median).toBe(2.5)
    expect(spread([7])).toEqual({ min: 7, lowerQuartile: 7, median: 7, upperQuartile: 7, max: 7 })
    expect(() => spread([])).toThrow(RangeError)
  })

  test('compares within a round, so that a machine that slows down changes no ratio', () => {
    expect(ratios([1, 2, 8], [2, 4, 16])).toMatchObject({ min: 0.5, median: 0.5, max: 0.5 })
    // the ratio of the medians would be 3
    expect(ratios([1, 3, 20], [1, 1, 10]).median).toBe(2)
    expect(() => ratios([1], [1, 2])).toThrow(RangeError)
  })

  test('sums up every variant against those it is compared with, leaving out who was not there', () => {
    const samples = [
      { name: 'get', runs: [run(1, 2), run(2, 4), run(9, 8)] },
      { name: 'curl', runs: [run(2, 2), run(4, 4), run(18, 8)] },
    ]
    const [get, curl] = summarize(samples, ['curl', 'aria2c'])
    expect(get).toMatchObject({
      name: 'get',
      wallSeconds: { min: 1, median: 2, max: 9 },
      cpuSeconds: { median: 4 },
      peakBytes: { median: 50e6 },
      ratios: [{ to: 'curl', wall: { median: 0.5 }, cpu: { median: 1 } }],
    })
    expect(get!.ratios).toHaveLength(1)
    expect(curl).toMatchObject({ name: 'curl', ratios: [{ to: 'curl', wall: { min: 1, max: 1 } }] })
  })

  test('every variant runs once a round, and any may follow any', () => {
    const pairs = new Set<string>()
    for (let round = 0; round < 400; round++) {
      const order = shuffled(['a', 'b', 'c', 'd'])
      expect([...order].sort()).toEqual(['a', 'b', 'c', 'd'])
      for (let i = 1; i < order.length; i++) pairs.add(`${order[i - 1]}${order[i]}`)
    }
    expect(pairs.size).toBe(12)
    expect(shuffled([])).toEqual([])
  })

  test('writes a Markdown table with aligned columns', () => {
    const rows = summarize(
      [
        { name: 'get', runs: [run(1.234, 2)] },
        { name: 'curl', runs: [run(12.5, 4, 123.4e6)] },
      ],
      ['curl'],
    )
    expect(formatTable(comparisonTable(rows))).toBe(
      [
        '| variant | wall s | CPU s | peak MB | wall / curl | CPU / curl |',
        '|---------|-------:|------:|--------:|------------:|-----------:|',
        '| get     |   1.23 |  2.00 |      50 |        0.10 |       0.50 |',
        '| curl    |  12.50 |  4.00 |     123 |        1.00 |       1.00 |',
      ].join('\n'),
    )
  })

  test('reads what GNU time writes, and refuses anything else', () => {
    expect(parseFigures('1.25 0.50 2048\n')).toEqual({ cpuSeconds: 1.75, peakBytes: 2_097_152 })
    expect(() => parseFigures('Command terminated by signal 9\n1.25 0.50 2048\n')).toThrow('GNU time wrote')
  })
})
