import { describe, expect, test } from 'vitest'
import { ASK_MS, dueOf, isUnchanged, pruned, repeatName } from '../../electron/engine/repeat-plan.ts'
import { nextWeekTime } from '../../electron/engine/window-times.ts'
import { NameTemplate } from '../../shared/repeats.ts'
import { formatTimes, parseTimes } from '../../shared/windows.ts'
import fc from '../helpers/property.ts'

const at = (iso: string) => Date.parse(iso)
const iso = (ms: number | null) => ms && new Date(ms).toISOString()
const MINUTE = 60_000
const DAY = 86_400_000

describe('times of the week', () => {
  test.each([
    ['daily 02:00', 'daily 02:00'],
    ['2:00', 'daily 02:00'],
    ['mon-fri 2:00, 14:00, Sat 12:00', 'Mon-Fri 02:00, Mon-Fri 14:00, Sat 12:00'],
  ])('%s', (text, written) => {
    expect(formatTimes(parseTimes(text))).toBe(written)
    expect(formatTimes(parseTimes(written))).toBe(written)
  })

  test.each([[''], ['daily'], ['daily 24:00'], ['daily 02:00-03:00'], ['Mon 02:00, Tue'], ['nightly 02:00']])(
    'refuses %s',
    (text) => expect(() => parseTimes(text)).toThrow(expect.objectContaining({ code: 'invalid_input' })),
  )

  test('a time that the clock jumps over comes at the end of the gap, one that comes twice once', () => {
    const half = parseTimes('daily 02:30')
    expect(iso(nextWeekTime(half, 'Europe/Berlin', at('2026-03-28T12:00Z')))).toBe('2026-03-29T01:00:00.000Z')
    expect(iso(nextWeekTime(half, 'Europe/Berlin', at('2026-10-24T12:00Z')))).toBe('2026-10-25T00:30:00.000Z')
    expect(iso(nextWeekTime(half, 'Europe/Berlin', at('2026-10-25T00:30Z')))).toBe('2026-10-26T01:30:00.000Z')
  })
})

const texts = fc.constantFrom('daily 02:00', 'daily 02:30, 14:00', 'Mon-Fri 23:59', 'Sun 02:30', 'Sat 00:00, Sun 00:00')
const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe')
const instants = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-01-01T00:00Z') })

/** What an engine does that looks at these moments: the results, and what was due by then. */
function live(when: string, zone: string, looks: number[], missed: 'run' | 'next' | 'ask'): string[] {
  const did: string[] = []
  let state = { settledAt: looks[0]!, askedUntil: null as number | null }
  for (const now of looks) {
    const { what } = dueOf({ when, timeZone: null, missed }, state, zone, now)
    if (what === 'run') state = { settledAt: now, askedUntil: null }
    if (what === 'skip' || what === 'settle') state = { ...state, settledAt: now }
    if (what === 'ask') state = { settledAt: now, askedUntil: now + ASK_MS }
    did.push(what)
  }
  return did
}

describe('what is due', () => {
  test('who looks every minute runs once for each time', () => {
    fc.assert(
      fc.property(texts, zones, instants, (when, zone, from) => {
        const looks = Array.from({ length: 3 * 48 }, (_, index) => from + index * 2 * MINUTE * 15)
        const close = looks.flatMap((look) => [look, look + 4 * MINUTE])
        const dues = new Set<number>()
        for (let next = nextWeekTime(parseTimes(when), zone, from); next! <= close.at(-1)!; ) {
          dues.add(next!)
          next = nextWeekTime(parseTimes(when), zone, next!)
        }
        const did = live(when, zone, close, 'run')
        expect(did.filter((what) => what === 'run').length).toBe(dues.size)
      }),
      { numRuns: 8 },
    )
  })

  test('runs that were missed are one, and what happens is what was chosen', () => {
    const looks = [at('2026-11-26T12:00Z'), at('2026-11-29T12:00Z'), at('2026-11-29T12:01Z')]
    expect(live('daily 02:00', 'UTC', looks, 'run')).toEqual(['wait', 'run', 'wait'])
    expect(live('daily 02:00', 'UTC', looks, 'next')).toEqual(['wait', 'skip', 'wait'])
    expect(live('daily 02:00', 'UTC', [...looks, looks[1]! + ASK_MS], 'ask')).toEqual(['wait', 'ask', 'wait', 'run'])
    // Off until a moment after the time: that is no miss.
    const late = [at('2026-11-26T12:00Z'), at('2026-11-29T02:03Z')]
    expect(live('daily 02:00', 'UTC', late, 'next')).toEqual(['wait', 'run'])
  })

  test('a clock that is set back runs nothing twice, and one that was years ahead is not believed', () => {
    const looks = [at('2026-11-26T01:59Z'), at('2026-11-26T02:00Z'), at('2026-11-26T01:30Z'), at('2026-11-26T02:01Z')]
    expect(live('daily 02:00', 'UTC', looks, 'run')).toEqual(['wait', 'run', 'wait', 'wait'])
    const wrong = [at('2031-01-01T00:00Z'), at('2026-11-26T01:30Z'), at('2026-11-26T02:01Z')]
    expect(live('daily 02:00', 'UTC', wrong, 'run')).toEqual(['wait', 'settle', 'run'])
  })

  test('the next look is never past, and nothing happens before it', () => {
    fc.assert(
      fc.property(
        ...[texts, zones, instants, fc.integer({ min: -3 * DAY, max: 3 * DAY })],
        (when, zone, now, offset) => {
          const settings = { when, timeZone: zone, missed: 'run' as const }
          const state = { settledAt: now + offset, askedUntil: null }
          const { what, nextAt } = dueOf(settings, state, 'UTC', now)
          expect(nextAt).toBeGreaterThan(now)
          if (what === 'wait') expect(dueOf(settings, state, 'UTC', nextAt - 1).what).toBe('wait')
        },
      ),
      { numRuns: 60 },
    )
  })
})

test('a file is unchanged where the server says so, or its validators do', () => {
  const known = { etag: '"a"', lastModified: 'Thu, 16 Oct 2026 09:12:44 GMT', bytes: 5 }
  expect(isUnchanged(null, known)).toBe(true)
  expect(isUnchanged({ etag: 'W/"a"', lastModified: null, size: 5 }, known)).toBe(true)
  expect(isUnchanged({ etag: '"b"', lastModified: known.lastModified, size: 5 }, known)).toBe(false)
  expect(isUnchanged({ etag: null, lastModified: known.lastModified, size: 5 }, known)).toBe(true)
  expect(isUnchanged({ etag: null, lastModified: known.lastModified, size: 6 }, known)).toBe(false)
  expect(isUnchanged({ etag: null, lastModified: null, size: 5 }, { ...known, etag: null, lastModified: null })).toBe(
    false,
  )
})

test('names say the local time of their run, and are always names that can be', () => {
  const run = { name: 'dump.tar.gz', at: at('2026-11-26T23:30Z'), zone: 'Europe/Berlin', n: 4 }
  expect(repeatName('{name} {date}{ext}', run)).toBe('dump 2026-11-27.tar.gz')
  expect(repeatName('{n}-{time}-{name}{ext}', run)).toBe('4-00-30-dump.tar.gz')
  expect(repeatName('{name}{ext}', { ...run, name: '../../etc/passwd' })).toBe('passwd')
  fc.assert(
    fc.property(fc.string(), fc.string({ maxLength: 300 }), (template, name) => {
      if (!NameTemplate.safeParse(template).success) return
      const made = repeatName(template, { ...run, name })
      expect(made).not.toMatch(/[/\\\0]/)
      expect(made).not.toMatch(/^\.*$/)
      expect(Buffer.byteLength(made)).toBeLessThanOrEqual(255)
    }),
  )
  expect(NameTemplate.safeParse('{name} {year}').success).toBe(false)
  expect(NameTemplate.safeParse('a/{name}').success).toBe(false)
})

test('of the results the latest stay', () => {
  const results = [1, 2, 3].map((n) => ({
    ...{ at: n, taskId: n, path: `/${n}`, bytes: n, sha256: '', etag: null, lastModified: null },
  }))
  expect(pruned(results, 2)).toEqual({ stay: results.slice(0, 2), go: results.slice(2) })
  expect(pruned(results, null)).toEqual({ stay: results.slice(0, 1), go: [] })
})
