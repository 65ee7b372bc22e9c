/** Which rule holds for a host, field by field, and what of it may leave for where. */
import { describe, expect, it } from 'vitest'
import {
  changedRule,
  limitsFor,
  matchingRules,
  normalizePattern,
  optionsFor,
  rulesWithoutSecrets,
} from '../../electron/engine/host-rules.ts'
import { HostPattern, HostRule, HostRulePatch } from '../../shared/host-schemas.ts'
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'

const url = (text: string) => new URL(text)
const settings = { userAgent: 'ours', proxy: null as string | null }

describe('a pattern', () => {
  it.each([
    ['example.org', ['example.org', 'example.org:8080'], ['www.example.org', 'example.com', 'notexample.org']],
    ['example.org:8080', ['example.org:8080'], ['example.org', 'example.org:8081']],
    ['*.example.org', ['www.example.org', 'a.b.example.org:81'], ['example.org', 'badexample.org']],
    ['*.example.org:81', ['a.example.org:81'], ['a.example.org', 'a.example.org:82']],
    ['127.0.0.1:8080', ['127.0.0.1:8080'], ['127.0.0.1']],
    ['[::1]', ['[::1]', '[::1]:8080'], ['[::2]']],
  ])('%s', (pattern, matching, others) => {
    const rules = [{ pattern: normalizePattern(HostPattern.parse(pattern)) }]
    for (const host of matching) expect([host, matchingRules(host, rules).length]).toEqual([host, 1])
    for (const host of others) expect([host, matchingRules(host, rules).length]).toEqual([host, 0])
  })

  it('with the usual port means the scheme that it belongs to', () => {
    const rules = [{ pattern: 'example.org:443' }]
    expect(matchingRules(url('https://example.org/a'), rules)).toHaveLength(1)
    expect(matchingRules(url('http://example.org/a'), rules)).toHaveLength(0)
    // where only the host is known, either may be meant
    expect(matchingRules('example.org', rules)).toHaveLength(1)
  })

  it('is stored as names stand in URLs', () => {
    expect(normalizePattern(HostPattern.parse(' *.Bücher.Example:0081 '))).toBe('*.xn--bcher-kva.example:81')
    expect(normalizePattern(HostPattern.parse('[2001:DB8::0:1]'))).toBe('[2001:db8::1]')
  })

  it.each([
    '',
    '*',
    '*.',
    'https://example.org',
    'example.org/path',
    'a b',
    '*.10.0.0.1',
    'example.org:0',
    'a:70000',
    'x@y',
  ])('is not: %s', (text) => {
    expect(HostPattern.safeParse(text).success).toBe(false)
  })
})

describe('of several rules', () => {
  const rules: HostRule[] = [
    { pattern: '*.example.org', connections: 1, proxy: 'http://all:1', requestsPerSecond: 5 },
    { pattern: '*.cdn.example.org', connections: 2, spacingMs: 100 },
    { pattern: 'a.cdn.example.org', connections: 3 },
    { pattern: 'a.cdn.example.org:8080', limitBytesPerSecond: 1000 },
  ]

  it('the most specific that says something wins, each field by itself', () => {
    expect(matchingRules('a.cdn.example.org:8080', rules).map((rule) => rule.pattern)).toEqual([
      'a.cdn.example.org:8080',
      'a.cdn.example.org',
      '*.cdn.example.org',
      '*.example.org',
    ])
    expect(limitsFor('a.cdn.example.org:8080', rules, DEFAULT_SETTINGS)).toEqual({
      connections: 3,
      requestsPerSecond: 5,
      spacingMs: 100,
      limitBytesPerSecond: 1000,
    })
    expect(limitsFor('b.cdn.example.org', rules, DEFAULT_SETTINGS).connections).toBe(2)
  })

  it('gives no host more connections than the profile that holds leaves each', () => {
    const connections = (host: string, most?: number) => limitsFor(host, rules, DEFAULT_SETTINGS, most).connections
    expect([connections('a.cdn.example.org:8080', 2), connections('a.cdn.example.org:8080', 9)]).toEqual([2, 3])
    expect(connections('example.net', 1)).toBe(1)
  })

  it('none says anything about other hosts, for which the settings do', () => {
    const other = { ...DEFAULT_SETTINGS, requestsPerSecondPerHost: 7, requestSpacingMsPerHost: 30 }
    expect(limitsFor('example.org', rules, other)).toEqual({
      connections: DEFAULT_SETTINGS.connectionsPerHost,
      requestsPerSecond: 7,
      spacingMs: 30,
      limitBytesPerSecond: null,
    })
  })

  it('the task’s option goes before a rule, and a rule before the settings', () => {
    const to = url('https://b.example.org/x')
    const given = { userAgent: 'ours', proxy: 'http://settings:1' }
    const proxy = (task: string | undefined, host = to) => optionsFor(host, host, { proxy: task }, rules, given).proxy
    expect(proxy('http://task:1')).toBe('http://task:1')
    expect(proxy('')).toBe('')
    expect(proxy(undefined)).toBe('http://all:1')
    expect(proxy(undefined, url('https://elsewhere.org/'))).toBe('http://settings:1')
    expect(optionsFor(to, to, {}, [{ pattern: 'b.example.org', proxy: '' }], given).proxy).toBe('')
    expect(optionsFor(to, to, {}, [], { ...given, proxy: null }).proxy).toBeUndefined()
  })
})

describe('what a request carries', () => {
  const rules: HostRule[] = [
    {
      pattern: 'files.example.org',
      headers: [['x-key', 'secret']],
      user: 'me',
      password: 'pw',
      userAgent: 'theirs',
      referer: 'https://example.org/list',
    },
  ]

  it('is the rule’s at hosts that match, and at no other', () => {
    const start = url('https://files.example.org/a')
    expect(optionsFor(start, start, {}, rules, settings)).toEqual({
      userAgent: 'theirs',
      proxy: undefined,
      headers: [
        ['referer', 'https://example.org/list'],
        ['x-key', 'secret'],
      ],
      login: { user: 'me', password: 'pw' },
    })
    for (const other of ['https://evil.example/a', 'https://example.org/a', 'https://x.files.example.org/'])
      expect(optionsFor(url(other), start, {}, rules, settings)).toEqual({
        userAgent: 'ours',
        proxy: undefined,
        headers: [],
        login: null,
      })
  })

  it('leaves secrets out where a secure link was led into the open', () => {
    const carried = optionsFor(
      url('http://files.example.org/a'),
      url('https://files.example.org/a'),
      {},
      rules,
      settings,
    )
    expect(carried).toMatchObject({ headers: [['referer', 'https://example.org/list']], login: null })
  })
})

describe('a rule', () => {
  const rule = HostRule.parse({
    pattern: 'a.example',
    headers: [['Authorization', 'Bearer top-secret']],
    password: 'pw-secret',
    proxy: 'http://user:proxy-secret@proxy:1',
    connections: 2,
  })

  it('is shown without its secrets', () => {
    const shown = rulesWithoutSecrets(rule)
    expect(JSON.stringify(shown)).not.toContain('secret')
    expect(shown).toEqual({
      pattern: 'a.example',
      headers: [['Authorization', '…']],
      proxy: 'http://…@proxy:1',
      connections: 2,
      hasPassword: true,
    })
  })

  it('changes where a patch says so and keeps the rest, secrets too', () => {
    expect(changedRule(rule, HostRulePatch.parse({ connections: 5, proxy: null }))).toEqual({
      pattern: 'a.example',
      headers: [['Authorization', 'Bearer top-secret']],
      password: 'pw-secret',
      connections: 5,
    })
  })

  it('that says nothing any more is none', () => {
    expect(changedRule({ pattern: 'a.example', connections: 2 }, { connections: null })).toBeNull()
  })

  it.each([
    { proxy: 'ftp://x:1' },
    { headers: [['x', 'a\nb']] },
    { connections: 0 },
    { userAgent: 'a\nb' },
    { referer: 'not a link' },
    { unknown: 1 },
  ])('refuses %j', (patch) => {
    expect(HostRulePatch.safeParse(patch).success).toBe(false)
  })
})
