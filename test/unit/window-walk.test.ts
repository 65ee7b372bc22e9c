/**
 * Windows against a walk minute by minute along the clock on the wall, as Node's own calendar shows it, in zones with
 * odd rules: a local time is the first instant at which the clock shows it or more.
 */
import { describe, expect, test } from 'vitest'
import { localInstant, localInstantAfter, openSpans, systemTimeZone } from '../../electron/engine/window-times.ts'
import { QueuePatch } from '../../shared/queues.ts'
import { parseWindows, type TimeWindow } from '../../shared/windows.ts'

const MINUTE = 60_000
const DAY = 1440 * MINUTE

/** What the clock on the wall shows, as if it were UTC. */
function wallOf(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
  })
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
    return Date.UTC(parts.year!, parts.month! - 1, parts.day, parts.hour, parts.minute, parts.second)
  }
}

/** The first instants after each change of the clock, to the minute. */
function changesOf(wall: (at: number) => number, from: number, to: number): number[] {
  const offset = (at: number) => wall(at) - at
  const changes: number[] = []
  for (let at = from; at < to; at += DAY / 4) {
    let [before, after] = [at, at + DAY / 4]
    if (offset(before) === offset(after)) continue
    while (after - before > MINUTE) {
      const middle = before + Math.floor((after - before) / 2 / MINUTE) * MINUTE
      if (offset(middle) === offset(at)) before = middle
      else after = middle
    }
    changes.push(after)
  }
  return changes
}

type Pair = [from: number, to: number]

/** Windows that begin within a day and a half around a change. */
function walked(windows: readonly TimeWindow[], wall: (at: number) => number, change: number): Pair[] {
  const begin = change - 4 * DAY
  const shown: number[] = []
  for (let at = begin, offset = 0; at < change + 4 * DAY; at += MINUTE) {
    // The offset is asked for at the change itself, and each quarter of an hour.
    if (at % (15 * MINUTE) === 0 || at === begin || at === change) offset = wall(at) - at
    shown.push(at + offset)
  }
  const instantOf = (local: number) => {
    const index = shown.findIndex((time) => time >= local)
    return index <= 0 ? null : begin + index * MINUTE
  }
  const pairs: Pair[] = []
  for (let date = Math.floor(shown[0]! / DAY) * DAY; date < shown.at(-1)!; date += DAY) {
    const weekday = ((new Date(date).getUTCDay() + 6) % 7) + 1
    for (const { days, from, to } of windows) {
      if (!days.includes(weekday)) continue
      const opens = instantOf(date + from * MINUTE)
      const closes = instantOf(date + (to > from ? to : to + 1440) * MINUTE)
      if (opens !== null && closes !== null && closes > opens) pairs.push([opens, closes])
    }
  }
  const merged: Pair[] = []
  for (const [from, to] of pairs.sort(([a], [b]) => a - b)) {
    const before = merged.at(-1)
    if (before && from <= before[1]) before[1] = Math.max(before[1], to)
    else merged.push([from, to])
  }
  return merged.filter(([from]) => Math.abs(from - change) <= 1.5 * DAY)
}

const WINDOWS = [
  'Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00',
  'Sun 22:00-06:00, Mon 06:00-07:00',
  '02:15-02:45',
  '01:30-02:30, 02:30-03:30',
  '00:00-00:30, 00:30-01:00',
  '23:30-00:15',
  '01:00-02:00, 03:00-04:00',
  '02:00-01:59',
  '00:30-23:45',
  '01:45-02:10, 02:05-02:20',
]

describe('the walk along the clock finds the same windows', () => {
  test.each([
    ['Europe/Berlin', 2026],
    ['Europe/Dublin', 2026],
    ['Australia/Lord_Howe', 2026],
    ['Africa/Casablanca', 2026],
    ['Africa/Cairo', 2026],
    ['Asia/Beirut', 2026],
    ['America/Santiago', 2026],
    ['Antarctica/Troll', 2026],
    ['America/St_Johns', 2026],
    ['America/Nuuk', 2026],
    ['Pacific/Chatham', 2026],
    ['Pacific/Apia', 2011],
    ['Pacific/Kwajalein', 1993],
  ])('%s in %d', (zone, year) => {
    const wall = wallOf(zone)
    const changes = changesOf(wall, Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1))
    expect(changes.length).toBeGreaterThan(0)
    for (const change of changes)
      for (const text of WINDOWS) {
        const windows = parseWindows(text)
        const spans = openSpans(windows, zone, change - 2 * DAY, change + 2 * DAY)
          .map(({ from, to }) => [from, to])
          .filter(([from]) => Math.abs(from! - change) <= 1.5 * DAY)
        expect({ text, change, spans }).toEqual({ text, change, spans: walked(windows, wall, change) })
      }
  })
})

describe('times as people write them', () => {
  const iso = (at: number) => new Date(at).toISOString()

  test('with its offset a time is that instant, and days are counted by the clock on the wall', () => {
    // 02:30 comes twice in this night; the offset says which is meant.
    expect(iso(localInstant('2026-10-25T02:30', 'Europe/Berlin'))).toBe('2026-10-25T00:30:00.000Z')
    expect(iso(localInstant('2026-10-25T02:30+01:00', 'Europe/Berlin'))).toBe('2026-10-25T01:30:00.000Z')
    expect(iso(localInstant('2026-10-25T02:30Z', 'Europe/Berlin'))).toBe('2026-10-25T02:30:00.000Z')
    expect(iso(localInstantAfter('2026-10-24T22:00Z', 1, 'Europe/Berlin'))).toBe('2026-10-25T23:00:00.000Z')
  })

  test.each([['2026-03-29T01:30[America/New_York]'], ['+275760-09-13'], ['-271821-04-20'], ['2026-03-29T01:30+25:00']])(
    '%s is refused',
    (text) =>
      expect(() => localInstant(text, 'Europe/Berlin')).toThrow(expect.objectContaining({ code: 'invalid_input' })),
  )

  test('a deadline is kept in one form', () => expect(QueuePatch.parse({ finishBy: ' 7:05' }).finishBy).toBe('07:05'))

  test('a machine that names no zone is in UTC', () => {
    const before = process.env.TZ
    try {
      process.env.TZ = ''
      expect(systemTimeZone()).toBe('UTC')
    } finally {
      if (before === undefined) delete process.env.TZ
      else process.env.TZ = before
    }
  })
})
