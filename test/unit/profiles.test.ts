import { expect, test } from 'vitest'
import {
  currentProfile,
  effectiveSettings,
  profilesAhead,
  profilesOf,
  scheduledProfile,
} from '../../electron/engine/profile-choice.ts'
import { PROFILE_NAMES, type ProfileChoice } from '../../shared/profiles.ts'
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import fc from '../helpers/property.ts'

const UTC = () => 'UTC'
const BERLIN = () => 'Europe/Berlin'

const at = (iso: string) => Date.parse(iso)
const profiles = profilesOf({
  day: { windows: 'Mon-Fri 08:00-18:00' },
  calls: { windows: 'Mon-Fri 10:00-11:00' },
  night: { windows: '22:00-06:00' },
})

test('the times say which profile holds, the most careful one where they overlap', () => {
  const names = ['2026-11-26T07:59Z', '2026-11-26T08:00Z', '2026-11-26T10:30Z', '2026-11-26T23:00Z'].map(
    (iso) => scheduledProfile(profiles, UTC, at(iso)).name,
  )
  expect(names).toEqual(['full', 'day', 'calls', 'night'])
  expect(scheduledProfile(profiles, UTC, at('2026-11-26T08:30Z')).until).toBe(at('2026-11-26T10:00Z'))
  expect(scheduledProfile(profilesOf({}), UTC, 0).until).toBeNull()
  // Where only one profile has times and holds all week, nothing changes.
  expect(scheduledProfile(profilesOf({ full: { windows: '22:00-06:00' } }), UTC, 0).until).toBeNull()
})

test('each in its own zone, right through the change of the clock', () => {
  const berlin = profilesOf({ night: { windows: '01:00-05:00', timeZone: 'Europe/Berlin' } })
  expect(scheduledProfile(berlin, UTC, at('2026-03-28T12:00Z')).until).toBe(at('2026-03-29T00:00Z'))
  expect(scheduledProfile(berlin, UTC, at('2026-03-29T00:00Z')).until).toBe(at('2026-03-29T03:00Z'))
})

const instants = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-01-01T00:00Z') })
const windowsText = fc.constantFrom(
  null,
  '08:00-18:00',
  '22:00-06:00',
  'Mon-Fri 02:30-03:30',
  'Sun 00:00-24:00',
  '00:00-24:00',
)
const someProfiles = fc
  .record({ full: windowsText, day: windowsText, calls: windowsText, night: windowsText })
  .map((texts) => profilesOf(Object.fromEntries(Object.entries(texts).map(([name, windows]) => [name, { windows }]))))

test('between now and the next change, the times say the same at every moment', () => {
  fc.assert(
    fc.property(someProfiles, instants, fc.double({ min: 0, max: 1, noNaN: true }), (some, now, part) => {
      const { name, until: change } = scheduledProfile(some, BERLIN, now)
      const end = change ?? now + 8 * 86_400_000
      expect(scheduledProfile(some, BERLIN, Math.floor(now + part * (end - 1 - now))).name).toBe(name)
      if (change !== null) {
        expect(change).toBeGreaterThan(now)
        expect(scheduledProfile(some, BERLIN, change).name).not.toBe(name)
      }
    }),
    { numRuns: 60 },
  )
})

test('what lies ahead is what each moment says by itself, chosen by hand or not', () => {
  const chosen = fc.option(
    fc.record({ name: fc.constantFrom(...PROFILE_NAMES), forMs: fc.integer({ min: -1e8, max: 1e9 }) }),
  )
  fc.assert(
    fc.property(someProfiles, instants, chosen, fc.array(fc.integer({ min: 0, max: 1e9 })), (some, now, by, after) => {
      const choice: ProfileChoice | null = by && { name: by.name, kind: 'time', until: Math.max(1, now + by.forMs) }
      const until = now + 1_000_000_000
      const steps = profilesAhead(some, choice, BERLIN, now, until)
      expect(steps[0]!.from).toBe(now)
      for (const [n, { from, name }] of steps.entries()) {
        if (n > 0) expect(from).toBeGreaterThan(steps[n - 1]!.from)
        if (n > 0) expect(name).not.toBe(steps[n - 1]!.name)
        expect(from).toBeLessThan(until)
      }
      for (const at of [now, ...steps.map(({ from }) => from), ...after.map((ms) => Math.min(now + ms, until - 1))])
        expect(steps.findLast(({ from }) => from <= at)!.name).toBe(currentProfile(some, choice, BERLIN, at).name)
    }),
    { numRuns: 60 },
  )
})

test('what was chosen by hand holds until its time, and not a moment longer', () => {
  fc.assert(
    fc.property(someProfiles, instants, fc.constantFrom(...PROFILE_NAMES), fc.integer(), (some, now, name, offset) => {
      const choice: ProfileChoice = { name, kind: 'time', until: Math.max(1, now + (offset % 100_000)) }
      const current = currentProfile(some, choice, UTC, now)
      if (choice.until! > now) expect(current).toEqual({ name, by: 'hand', until: choice.until })
      else expect(current).toEqual(currentProfile(some, null, UTC, now))
    }),
    { numRuns: 60 },
  )
})

test('a profile decides what it names, and nothing else', () => {
  const settings = { ...DEFAULT_SETTINGS, downloadFolder: '/d', limitBytesPerSecond: 500 }
  expect(effectiveSettings(settings, { ...profiles.full, limitBytesPerSecond: 0 })).toEqual({
    ...settings,
    limitBytesPerSecond: null,
  })
  expect(effectiveSettings(settings, profiles.full)).toEqual(settings)
  expect(effectiveSettings(settings, { ...profiles.full, downloadsAtOnce: 1 })).toEqual({
    ...settings,
    downloadsAtOnce: 1,
  })
})
