/** The week that is painted: to windows and back, cell by cell. */

import { describe, expect, test } from 'vitest'
import {
  cellState,
  openHours,
  paint,
  WEEK_MINUTES,
  type WeekSpan,
  weekOf,
  windowsOf,
} from '../../renderer/features/schedule/week.ts'
import { formatWindows, parseWindows } from '../../shared/windows.ts'
import fc from '../helpers/property.ts'

const again = (text: string) => formatWindows(windowsOf(weekOf(parseWindows(text))))

describe('the week', () => {
  test.each([
    ['Mon-Fri 23:00-07:00'],
    ['Mon-Sun 00:00-24:00'],
    ['Sat,Sun 00:00-12:00'],
    ['Mon-Fri 06:15-08:45, Mon-Fri 17:00-19:00'],
    ['Sun 22:00-06:00'],
  ])('reads %s and writes it as it was', (text) => {
    expect(again(text)).toBe(text)
  })

  test('says the same in fewer windows where some overlap', () => {
    expect(again('Mon 08:00-10:00, Mon 09:00-12:00')).toBe('Mon 08:00-12:00')
    expect(again('Fri 23:00-07:00, Sat 00:00-12:00')).toBe('Fri 23:00-12:00')
    expect(again('Fri 20:00-24:00, Sat 00:00-24:00, Sun 00:00-08:00')).toBe(
      'Fri 20:00-24:00, Sat 00:00-24:00, Sun 00:00-08:00',
    )
  })

  test('what was painted is open, what lies beside it stays, to the minute', () => {
    const week = weekOf(parseWindows('Mon 08:10-09:20'))
    const painted = paint(week, { day: 0, half: 20 }, { day: 1, half: 21 }, true)
    expect(formatWindows(windowsOf(painted))).toBe('Mon 08:10-09:20, Mon,Tue 10:00-11:00')
    expect(cellState(painted, { day: 0, half: 16 })).toBe('part')
    expect(cellState(painted, { day: 0, half: 17 })).toBe('open')
    expect(formatWindows(windowsOf(paint(painted, { day: 0, half: 16 }, { day: 0, half: 16 }, false)))).toBe(
      'Mon 08:30-09:20, Mon,Tue 10:00-11:00',
    )
    expect(openHours(week)).toBeCloseTo(70 / 60)
    expect(windowsOf(paint(week, { day: 0, half: 0 }, { day: 6, half: 47 }, false))).toEqual([])
  })

  test('any week becomes windows that mean the same minutes, and their text is read as the same', () => {
    const spans = fc.array(
      fc.tuple(fc.nat(WEEK_MINUTES - 1), fc.integer({ min: 1, max: WEEK_MINUTES })).map(([from, length]) => ({
        from,
        to: Math.min(WEEK_MINUTES, from + length),
      })),
      { minLength: 1, maxLength: 6 },
    )
    fc.assert(
      fc.property(spans, (drawn) => {
        const minutes = minutesOf(drawn)
        const windows = windowsOf(drawn)
        expect(minutesOf(weekOf(windows))).toEqual(minutes)
        expect(minutesOf(weekOf(parseWindows(formatWindows(windows))))).toEqual(minutes)
      }),
      { numRuns: 200 },
    )
  })
})

function minutesOf(spans: readonly WeekSpan[]): number[] {
  const open = new Set<number>()
  for (const { from, to } of spans) for (let minute = from; minute < to; minute++) open.add(minute)
  return [...open].sort((a, b) => a - b)
}
