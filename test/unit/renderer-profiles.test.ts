/** Profiles in the window: the form of their dialog. */
import { expect, test } from 'vitest'
import { readProfile, toProfileForms, wrongProfiles } from '../../renderer/features/schedule/profile-form.ts'
import { DEFAULT_PROFILES, PROFILE_NAMES, type ProfilesView } from '../../shared/profiles.ts'

const VIEW: ProfilesView = {
  current: { name: 'full', by: 'default', until: null },
  scheduled: 'full',
  effective: { limitBytesPerSecond: null, downloadsAtOnce: 4, connectionsPerHost: 6, connectionsPerDownload: 8 },
  profiles: PROFILE_NAMES.map((name) => ({ name, ...DEFAULT_PROFILES[name] })),
}
const day = VIEW.profiles.find(({ name }) => name === 'day')!

test('a profile that was left alone says nothing, and what was typed is read', () => {
  const forms = toProfileForms(VIEW)
  for (const stored of VIEW.profiles) expect(readProfile(forms[stored.name], stored).patch).toEqual({})
  const typed = { ...forms.day, limit: '1.5', downloadsAtOnce: '', windows: '8:00-18:00', timeZone: 'Europe/Berlin' }
  expect(readProfile(typed, day)).toEqual({
    patch: {
      limitBytesPerSecond: 1_500_000,
      downloadsAtOnce: null,
      windows: 'Mon-Sun 08:00-18:00',
      timeZone: 'Europe/Berlin',
    },
    problems: new Set(),
  })
})

test('no limit, and no word about one, are different things', () => {
  const forms = toProfileForms(VIEW)
  expect(forms.full.limitKind).toBe('settings')
  expect(readProfile({ ...forms.full, limitKind: 'none' }, VIEW.profiles[0]!).patch).toEqual({ limitBytesPerSecond: 0 })
  expect(readProfile({ ...forms.day, limitKind: 'settings' }, day).patch).toEqual({ limitBytesPerSecond: null })
  const unlimited = { ...day, limitBytesPerSecond: 0 }
  const stored = toProfileForms({ ...VIEW, profiles: [unlimited] }).day
  expect(stored).toMatchObject({ limitKind: 'none', limit: '' })
  expect(readProfile(stored, unlimited).patch).toEqual({})
  expect(readProfile({ ...stored, limitKind: 'limit' }, unlimited).problems).toEqual(new Set(['limit']))
})

test('what cannot be is told, and found in the other profiles as well', () => {
  const forms = toProfileForms(VIEW)
  const wrong = { ...forms.day, limit: 'x', connectionsPerHost: '0', windows: 'Mon', timeZone: 'nowhere' }
  expect(readProfile(wrong, day).problems).toEqual(new Set(['limit', 'connectionsPerHost', 'windows', 'timeZone']))
  expect(wrongProfiles({ ...forms, day: wrong }, VIEW)).toEqual(['day'])
  expect(wrongProfiles(forms, VIEW)).toEqual([])
})
