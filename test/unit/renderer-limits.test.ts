/** The forms of hosts and their pace: what is typed, what is sent, what never goes back. */
import { describe, expect, it } from 'vitest'
import { readLimit, readRule, ruleDraft } from '../../renderer/features/settings/limits-form.ts'
import { readForm, toForm } from '../../renderer/features/settings/settings-form.ts'
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'

describe('the forms of hosts', () => {
  const stored = { pattern: 'a.example', connections: 2, spacingMs: 500, proxy: 'http://…@p:1', hasPassword: true }

  it('read limits in MB/s, nothing as no limit, and nonsense as none of both', () => {
    expect(['', ' ', '2', '0,5', '0', 'x', '-1'].map(readLimit)).toEqual([
      null,
      null,
      2_000_000,
      500_000,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('send of a rule only what was changed: secrets that were not typed stay, masked ones never go back', () => {
    const draft = ruleDraft(1, stored)
    expect(readRule({ ...draft, user: 'me' })).toEqual({ pattern: 'a.example', patch: { user: 'me' } })
    const withUser = ruleDraft(1, { ...stored, user: 'me', headers: [['x-key', '…']] })
    expect(readRule(withUser)).toEqual({ pattern: 'a.example', patch: {} })
    expect(readRule({ ...withUser, connections: '', spacingMs: '0.25', password: 'pw' })).toEqual({
      pattern: 'a.example',
      patch: { connections: null, spacingMs: 250, password: 'pw' },
    })
    expect(readRule({ ...withUser, user: '' })).toMatchObject({ patch: { user: null, password: null } })
    expect(readRule({ ...withUser, headers: 'X-A: 1\nX-B:2' })).toMatchObject({
      patch: {
        headers: [
          ['X-A', '1'],
          ['X-B', '2'],
        ],
      },
    })
    expect(readRule({ ...withUser, clearHeaders: true })).toMatchObject({ patch: { headers: null } })
    expect(readRule({ ...withUser, proxy: 'http://…@other:1' })).toEqual({ problem: 'proxy' })
  })

  it('name the field that cannot be saved', () => {
    const fresh = { ...ruleDraft(1, null), pattern: 'a.example' }
    expect(readRule(fresh)).toEqual({ problem: 'empty' })
    expect(readRule({ ...fresh, pattern: 'http://a' })).toEqual({ problem: 'pattern' })
    expect(readRule({ ...fresh, connections: '1000' })).toEqual({ problem: 'connections' })
    expect(readRule({ ...fresh, requestsPerSecond: 'many' })).toEqual({ problem: 'requestsPerSecond' })
    expect(readRule({ ...fresh, headers: 'no header' })).toEqual({ problem: 'headers' })
  })
})

it('the settings know that an empty pace is none', () => {
  const settings = { ...DEFAULT_SETTINGS, downloadFolder: '/d', requestsPerSecondPerHost: 2.5 }
  const form = toForm(settings)
  expect([form.requestsPerSecondPerHost, form.requestSpacingMsPerHost]).toEqual(['2.5', ''])
  expect(readForm(form, settings)).toEqual({ patch: {}, problems: {}, wrongActions: [] })
  const changed = { ...form, requestsPerSecondPerHost: '', requestSpacingMsPerHost: '0,25' }
  expect(readForm(changed, settings).patch).toEqual({ requestsPerSecondPerHost: null, requestSpacingMsPerHost: 250 })
  expect(readForm({ ...form, requestSpacingMsPerHost: '-1' }, settings).problems).toHaveProperty(
    'requestSpacingMsPerHost',
  )
})
