/** When something is to start, as it is typed in the window. */
import { afterEach, describe, expect, test } from 'vitest'
import { readStart, START_IDEAS, startText } from '../../renderer/features/schedule/start-time.ts'

const zoneBefore = process.env.TZ
afterEach(() => {
  if (zoneBefore === undefined) delete process.env.TZ
  else process.env.TZ = zoneBefore
})

/** A Thursday evening. */
const NOW = new Date(2026, 10, 26, 20, 15).getTime()
const HOUR = 3_600_000

function local(text: string, now = NOW): string {
  const read = readStart(text, now)
  return 'problem' in read ? read.problem : startText(read.at)
}

describe('a start', () => {
  test.each([
    ['23:00', '2026-11-26 23:00'],
    ['at 23:00', '2026-11-26 23:00'],
    ['7:05', '2026-11-27 07:05'],
    ['11 pm', '2026-11-26 23:00'],
    ['11:30 p.m.', '2026-11-26 23:30'],
    ['tonight at 11:00', '2026-11-26 23:00'],
    ['tonight at 11', '2026-11-26 23:00'],
    ['tonight at 12:15', '2026-11-27 00:15'],
    ['tonight at 9 pm', '2026-11-26 21:00'],
    ['midnight', '2026-11-27 00:00'],
    ['noon', '2026-11-27 12:00'],
    ['12:30 am', '2026-11-27 00:30'],
    ['12 pm', '2026-11-27 12:00'],
    ['Tonight at 23:00', '2026-11-26 23:00'],
    ['tonight 1:30', '2026-11-27 01:30'],
    ['today 21:00', '2026-11-26 21:00'],
    ['tomorrow at 07:00', '2026-11-27 07:00'],
    ['Fri 18:00', '2026-11-27 18:00'],
    ['Thu 20:00', '2026-12-03 20:00'],
    ['thursday at 21:00', '2026-11-26 21:00'],
    ['2026-12-01 01:30', '2026-12-01 01:30'],
    ['2026-12-01T01:30', '2026-12-01 01:30'],
    ['2026-12-01', '2026-12-01 00:00'],
    ['in 2 h', '2026-11-26 22:15'],
    ['in 90 min', '2026-11-26 21:45'],
    ['1 h 30 min', '2026-11-26 21:45'],
    ['in 1.5 hours', '2026-11-26 21:45'],
    ['in 2 days', '2026-11-28 20:15'],
  ])('“%s” is %s', (text, expected) => {
    expect(local(text)).toBe(expected)
  })

  test('of now, or of nothing, is as soon as its queue works', () => {
    for (const text of ['', ' now ', 'Now']) expect(readStart(text, NOW)).toEqual({ at: null })
  })

  test.each([
    'soon',
    '25:00',
    '24:00',
    '23',
    '13 pm',
    'in 2 fortnights',
    'in 0 h',
    'someday 12:00',
    '2026-02-30 10:00',
    'monkey 10:00',
  ])('“%s” cannot be read', (text) => {
    expect(readStart(text, NOW)).toEqual({ problem: 'unreadable' })
  })

  test.each(['today 19:00', '2026-11-26 20:15', '2025-01-01'])('“%s” is past', (text) => {
    expect(readStart(text, NOW)).toEqual({ problem: 'past' })
  })

  test('tonight is still this night after midnight', () => {
    expect(local('tonight at 1:30', new Date(2026, 10, 27, 0, 30).getTime())).toBe('2026-11-27 01:30')
    expect(local('tonight at 23:00', new Date(2026, 10, 27, 0, 30).getTime())).toBe('2026-11-27 23:00')
  })

  test('what is written is read again, and every idea is readable', () => {
    const at = new Date(2026, 11, 31, 23, 59).getTime()
    expect(readStart(startText(at), NOW)).toEqual({ at })
    for (const idea of START_IDEAS) expect(readStart(idea, NOW)).toMatchObject({ at: expect.any(Number) })
  })

  test('a time that the clock leaves out is the first after the gap, one that comes twice the first of the two', () => {
    process.env.TZ = 'Europe/Berlin'
    const spring = readStart('2027-03-28 02:30', NOW)
    expect(spring).toEqual({ at: Date.UTC(2027, 2, 28, 1) })
    expect(readStart('2027-10-31 02:30', NOW)).toEqual({ at: Date.UTC(2027, 9, 31, 0, 30) })
    // A span is one of time, not of the clock.
    const before = Date.UTC(2027, 2, 28, 0, 30)
    expect(readStart('in 2 h', before)).toEqual({ at: before + 2 * HOUR })
  })
})
