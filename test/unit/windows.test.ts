import { describe, expect, test } from 'vitest'
import { localInstant, openSpans, timeZone, windowState } from '../../electron/engine/window-times.ts'
import { formatWindows, parseWindows, type TimeWindow } from '../../shared/windows.ts'
import fc from '../helpers/property.ts'

const iso = (ms: number | null) => ms && new Date(ms).toISOString().replace(':00.000Z', 'Z')
const spans = (text: string, zone: string, from: string, to: string) =>
  openSpans(parseWindows(text), zone, Date.parse(from), Date.parse(to)).map((span) => [iso(span.from), iso(span.to)])

const windowsOf = fc.array(
  fc
    .record({
      days: fc.subarray([1, 2, 3, 4, 5, 6, 7], { minLength: 1 }),
      from: fc.integer({ min: 0, max: 1439 }),
      to: fc.integer({ min: 0, max: 1440 }),
    })
    .filter(({ from, to }) => from !== to),
  { minLength: 1, maxLength: 5 },
)

describe('the text of windows', () => {
  test.each([
    ['Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00', 'Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00'],
    ['23:00-07:00', 'Mon-Sun 23:00-07:00'],
    ['mon-fri 6:00-8:00, 17:00-19:00', 'Mon-Fri 06:00-08:00, Mon-Fri 17:00-19:00'],
    ['Friday-Monday 00:00-24:00', 'Mon,Fri-Sun 00:00-24:00'],
    ['Mon, Wed , Thursday 1:05–2:00', 'Mon,Wed,Thu 01:05-02:00'],
    ['Sun,Sun 22:00-0:00', 'Sun 22:00-00:00'],
    ['Mon - Fri 23:00 - 07:00', 'Mon-Fri 23:00-07:00'],
    ['11pm-7am', 'Mon-Sun 23:00-07:00'],
    ['Sat 11:30 PM – 12 a.m., Sun 12 pm-1:05 p.m.', 'Sat 23:30-00:00, Sun 12:00-13:05'],
  ])('%s', (text, written) => expect(formatWindows(parseWindows(text))).toBe(written))

  test('what is written is read as the same', () => {
    fc.assert(
      fc.property(windowsOf, (windows) => {
        expect(parseWindows(formatWindows(windows))).toEqual(windows)
      }),
    )
  })

  test.each([
    [''],
    ['Mon'],
    ['Mon-Fri 23:00-07:00, Sat'],
    ['Mon-Fri 23:00'],
    ['23:00-25:00'],
    ['24:00-07:00'],
    ['07:60-08:00'],
    ['08:00-08:00'],
    ['13pm-7am'],
    ['11 pm'],
    ['0am-7am'],
    ['Mon-Tue-Wed 08:00-09:00'],
    ['Monkey 08:00-09:00'],
    ['Mon Tue 08:00-09:00'],
    ['always'],
    [','],
    ['08:00-09:00-10:00'],
    ['-08:00'],
  ])('refuses %s', (text) =>
    expect(() => parseWindows(text)).toThrow(expect.objectContaining({ code: 'invalid_input' })),
  )
})

test('refuses a hundred windows and one', () =>
  expect(() => parseWindows(`${'Mon 08:00-09:00, '.repeat(100)}08:00-09:00`)).toThrow('more than 100'))

describe('when windows open and close', () => {
  test('across midnight, from the day on which they begin', () => {
    expect(spans('Mon-Fri 23:00-07:00', 'UTC', '2026-11-26T00:00Z', '2026-11-30T00:00Z')).toEqual([
      ['2026-11-25T23:00Z', '2026-11-26T07:00Z'],
      ['2026-11-26T23:00Z', '2026-11-27T07:00Z'],
      ['2026-11-27T23:00Z', '2026-11-28T07:00Z'],
    ])
  })

  test('those that overlap or touch are one', () => {
    expect(
      spans('Sat 00:00-24:00, Sun 00:00-12:00, 11:00-13:00', 'UTC', '2026-11-27T00:00Z', '2026-12-01T00:00Z'),
    ).toEqual([['2026-11-28T00:00Z', '2026-11-29T13:00Z']])
  })

  test('what is open all week has no beginning and no end', () => {
    expect(spans('00:00-24:00', 'Europe/Berlin', '2026-03-27T00:00Z', '2026-03-31T00:00Z')).toEqual([[null, null]])
    expect(windowState(parseWindows('00:00-24:00'), 'Europe/Berlin', Date.parse('2026-03-29T01:00Z'))).toEqual({
      open: true,
      changesAt: null,
      since: null,
    })
  })

  test('a time that the clock jumps over is the first instant after it', () => {
    // Berlin, 29 March 2026: 02:00 to 03:00 do not exist; the change is at 01:00 UTC
    const day = ['2026-03-29T00:00Z', '2026-03-29T12:00Z'] as const
    expect(spans('Sun 02:30-05:00', 'Europe/Berlin', ...day)).toEqual([['2026-03-29T01:00Z', '2026-03-29T03:00Z']])
    expect(spans('Sun 01:30-02:30', 'Europe/Berlin', ...day)).toEqual([['2026-03-29T00:30Z', '2026-03-29T01:00Z']])
    expect(spans('Sun 02:10-02:50', 'Europe/Berlin', ...day)).toEqual([])
    expect(spans('Sat 23:00-07:00', 'Europe/Berlin', ...day)).toEqual([['2026-03-28T22:00Z', '2026-03-29T05:00Z']])
    expect(spans('Sun 02:00-04:00', 'Europe/Berlin', ...day)).toEqual([['2026-03-29T01:00Z', '2026-03-29T02:00Z']])
  })

  test('a time that comes twice is its first', () => {
    // New York, 1 November 2026: 01:00 to 02:00 come twice, first at 05:00 UTC
    const day = ['2026-11-01T04:00Z', '2026-11-01T20:00Z'] as const
    expect(spans('Sun 01:30-03:00', 'America/New_York', ...day)).toEqual([['2026-11-01T05:30Z', '2026-11-01T08:00Z']])
    expect(spans('Sun 00:00-01:30', 'America/New_York', ...day)).toEqual([['2026-11-01T04:00Z', '2026-11-01T05:30Z']])
    expect(spans('Sat 23:00-07:00', 'America/New_York', ...day)).toEqual([['2026-11-01T03:00Z', '2026-11-01T12:00Z']])
  })

  test('where the clock jumps over midnight, and over a day', () => {
    expect(spans('Fri 00:00-02:00', 'Africa/Cairo', '2026-04-23T12:00Z', '2026-04-24T12:00Z')).toEqual([
      ['2026-04-23T22:00Z', '2026-04-23T23:00Z'],
    ])
    // Samoa had no 30 December 2011
    expect(spans('Fri 10:00-12:00', 'Pacific/Apia', '2011-12-29T00:00Z', '2012-01-01T00:00Z')).toEqual([])
    expect(spans('Thu 23:00-07:00', 'Pacific/Apia', '2011-12-29T12:00Z', '2011-12-31T00:00Z')).toEqual([
      ['2011-12-30T09:00Z', '2011-12-30T10:00Z'],
    ])
  })

  test('half hours: Lord Howe moves its clock by thirty minutes', () => {
    expect(spans('Sun 02:15-03:00', 'Australia/Lord_Howe', '2026-10-03T12:00Z', '2026-10-04T00:00Z')).toEqual([
      ['2026-10-03T15:30Z', '2026-10-03T16:00Z'],
    ])
  })

  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo', 'Asia/Kathmandu']
  const clocks = new Map(
    zones.map((zone) => [
      zone,
      new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit' }),
    ]),
  )
  /** weekday and minutes by the clock on the wall, as Node's own calendar tells them */
  function wall(zone: string, at: number): { day: number; minutes: number } {
    const parts = Object.fromEntries(
      clocks
        .get(zone)!
        .formatToParts(at)
        .map(({ type, value }) => [type, value]),
    )
    const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(parts.weekday!) + 1
    return { day, minutes: (Number(parts.hour) % 24) * 60 + Number(parts.minute) }
  }
  function shows({ days, from, to }: TimeWindow, { day, minutes }: { day: number; minutes: number }): boolean {
    if (to > from) return days.includes(day) && minutes >= from && minutes < to
    return (
      (days.includes(day) && minutes >= from) || (days.includes((day % 7 === 1 ? 7 : day - 1) || 7) && minutes < to)
    )
  }

  test('the clock on the wall shows a time within them exactly while they are open, but in the hours that come twice', () => {
    fc.assert(
      fc.property(
        windowsOf,
        fc.constantFrom(...zones),
        fc.integer({ min: Date.parse('2025-01-01') / 60_000, max: Date.parse('2027-01-01') / 60_000 }),
        (windows, zone, minute) => {
          const at = minute * 60_000
          const here = wall(zone, at)
          const before = wall(zone, at - 7_200_000)
          const after = wall(zone, at + 7_200_000)
          // near a change of the clock the other tests speak
          fc.pre(
            (here.minutes - before.minutes + 1440) % 1440 === 120 &&
              (after.minutes - here.minutes + 1440) % 1440 === 120,
          )
          expect(windowState(windows, zone, at).open).toBe(windows.some((window) => shows(window, here)))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('the next change is one, and nothing changes before it', () => {
    fc.assert(
      fc.property(
        windowsOf,
        fc.constantFrom(...zones),
        fc.integer({ min: 29_000_000, max: 30_000_000 }),
        (windows, zone, minute) => {
          const now = minute * 60_000
          const { open, changesAt } = windowState(windows, zone, now)
          if (changesAt === null) return
          expect(changesAt).toBeGreaterThan(now)
          expect(windowState(windows, zone, changesAt).open).toBe(!open)
          expect(windowState(windows, zone, changesAt - 1).open).toBe(open)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('zones and local times that do not exist are refused', () => {
    expect(timeZone('europe/berlin')).toBe('Europe/Berlin')
    expect(() => timeZone('Mars/Olympus')).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => localInstant('2026-02-30', 'UTC')).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(iso(localInstant('2026-03-29T02:30', 'Europe/Berlin'))).toBe('2026-03-29T01:00Z')
  })
})
