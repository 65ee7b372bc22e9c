import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatFrequency,
  formatPercent,
  formatRate,
  formatShortTime,
} from '../../shared/format.ts'

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1536, '1.54 kB'],
    [12_340_000, '12.3 MB'],
    [123_400_000, '123 MB'],
    [4_700_000_000, '4.70 GB'],
    [1_000_000_000_000_000_000, '1,000 PB'],
  ])('%d bytes read %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it('goes to the next unit instead of showing 1,000', () => {
    expect(formatBytes(999_499)).toBe('999 kB')
    expect(formatBytes(999_500)).toBe('1.00 MB')
    expect(formatBytes(9_996_000)).toBe('10.0 MB')
  })

  it('writes the numbers of the locale', () => expect(formatBytes(1_540_000, 'de')).toBe('1,54 MB'))
  it('takes a negative figure for nothing', () => expect(formatBytes(-5)).toBe('0 B'))
})

describe('formatShortTime', () => {
  it.each([
    [0, '0ms'],
    [0.0625, '0.06ms'],
    [4.2, '4.2ms'],
    [42.25, '42.3ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [12_345, '12.3s'],
    [59_960, '1m'],
    [61_000, '1m 1s'],
  ])('%d ms read %s', (ms, text) => expect(formatShortTime(ms)).toBe(text))
})

describe('formatFrequency', () => {
  it.each([
    [0, '0/s'],
    [0.0421, '0.0421/s'],
    [12.54, '12.5/s'],
  ])('%d a second read %s', (perSecond, text) => expect(formatFrequency(perSecond)).toBe(text))
})

describe('formatRate', () => {
  it.each([
    [0, '0 B/s'],
    [999, '999 B/s'],
    [1_250_000, '1.3 MB/s'],
    [52_400_000, '52.4 MB/s'],
    [524_000_000, '524 MB/s'],
  ])('%d bytes per second read %s', (rate, text) => expect(formatRate(rate)).toBe(text))
})

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [1, '1s'],
    [42_000, '42s'],
    [59_001, '1m'],
    [185_000, '3m 5s'],
    [3_600_000, '1h'],
    [3_900_000, '1h 5m'],
    [187_200_000, '2d 4h'],
  ])('%d ms read %s', (ms, text) => expect(formatDuration(ms)).toBe(text))
})

describe('formatPercent', () => {
  it('says 100% only when nothing is missing', () => {
    expect(formatPercent(0.99999)).toBe('99.9%')
    expect(formatPercent(1)).toBe('100%')
  })
  it('stays between 0 and 100', () => {
    expect(formatPercent(-1)).toBe('0.0%')
    expect(formatPercent(7)).toBe('100%')
  })
})

it('separates thousands', () => expect(formatCount(12_345)).toBe('12,345'))
