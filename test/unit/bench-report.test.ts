import { describe, expect, test } from 'vitest'
import { parseFigures } from '../bench/measure.ts'
import { formatTable, type Measurement, median, medianRatio, shuffled, summarize } from '../bench/report.ts'

const run = (wallSeconds: number, cpuSeconds: number, peakBytes = 50e6): Measurement => ({
  wallSeconds,
  cpuSeconds,
  peakBytes,
})

describe('the report of a benchmark', () => {
  test('a median is the middle of the sorted values, whatever their order', () => {
    expect(median([10, 9, 2])).toBe(9)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
    expect(() => median([])).toThrow(RangeError)
  })

  test('compares within a round, so that a machine that slows down changes no ratio', () => {
    expect(medianRatio([1, 2, 8], [2, 4, 16])).toBe(0.5)
    // the ratio of the medians would be 3
    expect(medianRatio([1, 3, 20], [1, 1, 10])).toBe(2)
    expect(() => medianRatio([1], [1, 2])).toThrow(RangeError)
  })

  test('sums up every variant against those it is compared with, leaving out who was not there', () => {
    const samples = [
      { name: 'get', runs: [run(1, 2), run(2, 4), run(9, 8)] },
      { name: 'curl', runs: [run(2, 2), run(4, 4), run(18, 8)] },
    ]
    expect(summarize(samples, ['curl', 'aria2c'])).toEqual([
      { name: 'get', ...run(2, 4), ratios: [{ to: 'curl', wall: 0.5, cpu: 1 }] },
      { name: 'curl', ...run(4, 4), ratios: [{ to: 'curl', wall: 1, cpu: 1 }] },
    ])
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
    expect(formatTable(rows)).toBe(
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
