/** Links: typed, pasted, listed, redirected to. Only http and https, and no password goes where it was not given. */

import { expect } from 'vitest'
import { parseUrl as parseUrlArgument, parseUrlList } from '../../electron/cli/parse.ts'
import { normalizePattern, optionsFor } from '../../electron/engine/host-rules.ts'
import { headersFor, loginOf, splitCredentials, withoutCredentials } from '../../electron/engine/http/credentials.ts'
import { maskProxy, parsePacResult, parseProxy, proxyFor } from '../../electron/engine/http/proxies.ts'
import { askedAfter, parseUrl, redirectTarget } from '../../electron/engine/http/redirects.ts'
import { findLinks, readLinks } from '../../renderer/features/add/links.ts'
import { HostPattern } from '../../shared/host-schemas.ts'
import { HttpUrl } from '../../shared/schemas.ts'
import fc from '../helpers/property.ts'
import {
  answerOrRefusal,
  digits,
  fuzz,
  headerOf,
  listOf,
  mostly,
  nearly,
  sequence,
  staysLinear,
  token,
} from './fuzz.ts'

const SECRET = 'kept-to-ourselves'

const scheme = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('http://', 'https://', 'HTTPS://') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'http:',
      '//',
      'ftp://',
      'file:///',
      'javascript:',
      'data:,',
      'blob:http://',
      '',
      'ws://',
    ),
  },
)
const host = fc.oneof(
  fc.constantFrom(
    'example.com',
    'EXAMPLE.com.',
    '127.0.0.1',
    '0x7f.1',
    '[::1]',
    '[::1%25eth0]',
    'xn--a',
    'a_b',
    '文.test',
  ),
  token,
  fc.constantFrom('', ' ', '%00', 'a..b', '-', '1.2.3.4.5', '999.1.1.1', 'a\tb', 'a%2fb', '…'),
)
const userinfo = fc.constantFrom('', `user:${SECRET}@`, `${SECRET}@`, `:${SECRET}@`, `a@b:${SECRET}@`, `%:${SECRET}@`)
const port = fc.oneof(fc.constant(''), sequence(':', digits))
const path = sequence(
  '/',
  listOf(fc.oneof(token, fc.constantFrom('..', '.', '%2e%2e', ' ', '\\', '%', 'é', '%ff')), '/'),
)
const rest = fc.constantFrom('', '?a=b', '?', '#x', '?q=%00#', `?to=http://${SECRET}`)
const good = sequence(fc.constantFrom('http://', 'https://'), userinfo, fc.constantFrom('example.com', '[::1]'), path)
const url = sequence(scheme, userinfo, host, port, path, rest)

function expectWeb(at: URL): void {
  expect(at.protocol).toMatch(/^https?:$/)
  expect(at.hostname).not.toBe('')
}

fuzz('a link that is taken leads to http or https, and is shown without its password', [nearly(url)], (text) => {
  const parsed = HttpUrl.safeParse(text)
  if (!parsed.success) return false
  const at = URL.parse(parsed.data)!
  expectWeb(at)
  const { url: clean, login } = splitCredentials(at)
  expect(clean.username + clean.password + clean.hash).toBe('')
  expect(login).toEqual(loginOf(at))
  expectWeb(new URL(clean.href))
  const shown = URL.parse(withoutCredentials(parsed.data))!
  expect(shown.username + shown.password).toBe('')
  const engine = answerOrRefusal(() => parseUrl(parsed.data))
  expect(engine?.href).toBe(at.href)
  return true
})

fuzz('an argument is a link or refused in a sentence', [nearly(url)], (text) => {
  const link = answerOrRefusal(() => parseUrlArgument(text))
  if (link !== undefined) expectWeb(new URL(link))
  return link !== undefined
})

fuzz(
  'a list of links is read or refused with the number of the line',
  [nearly(listOf(mostly(good, nearly(url)), '\n', 8))],
  (text) => {
    const links = answerOrRefusal(() => parseUrlList(text, 'list'))?.flat() ?? []
    for (const link of links) expectWeb(new URL(link))
    return links.length > 0
  },
)

fuzz('links are found in any text, and none is made up', [nearly(listOf(fc.oneof(url, token), ' ', 8))], (text) => {
  const found = findLinks(text)
  for (const link of found) {
    expectWeb(new URL(link))
    expect(text).toContain(link)
  }
  for (const { problem, text: link } of readLinks(text)) if (problem === null) expectWeb(new URL(link.trim()))
  return found.length > 0
})

const base = fc.constantFrom('http://a.test/x', `https://user:${SECRET}@a.test:8443/x?y#z`, 'http://[::1]/')
const status = fc.constantFrom(301, 302, 303, 307, 308)

fuzz(
  'a redirect leads to http or https or is refused, and takes no secret to another origin',
  [headerOf(fc.oneof(url, path, rest)), base, status],
  (location, from, code) => {
    const start = new URL(from)
    const headers: Record<string, string | string[]> = location === undefined ? {} : { location }
    const reply = { status: code, headers }
    const target = answerOrRefusal(() => redirectTarget(reply, start))
    if (!target) return false
    expectWeb(target.url)
    expect(target.url.username + target.url.password).toBe('')
    const method = answerOrRefusal(() =>
      askedAfter(code, { method: 'POST', body: { text: SECRET } }, start, target.url),
    )
    if (target.url.origin === start.origin) return false
    expect(method?.body ?? null).toBeNull()
    const rules = optionsFor(target.url, start, {}, [], { userAgent: 'x', proxy: null })
    const options = { headers: [['Cookie', SECRET] as [string, string], ['X-Key', SECRET] as [string, string]] }
    const hop = { url: target.url, start, options, authorization: null, cookie: null, rules, hasBody: false, range: {} }
    expect(JSON.stringify(headersFor(hop))).not.toContain(SECRET)
    return true
  },
)

const proxy = sequence(
  fc.constantFrom('http://', 'https://', 'socks5://', 'socks5h://', 'socks://', '', 'ftp://'),
  userinfo,
  host,
  port,
)
fuzz('a proxy is one that is spoken here, and is never shown with its password', [nearly(proxy)], (text) => {
  const parsed = answerOrRefusal(() => parseProxy(text))
  if (!parsed) return false
  expect(parsed.protocol).toMatch(/^(https?|socks5):$/)
  expect(parsed.hostname).not.toBe('')
  const password = decodeURIComponent(parsed.password)
  if (password.includes(SECRET)) expect(maskProxy(text)).not.toContain(SECRET)
  return true
})

const pac = listOf(
  sequence(fc.constantFrom('PROXY', 'SOCKS5', 'HTTPS', 'DIRECT', 'QUIC', 'proxy'), ' ', host, port),
  '; ',
)
fuzz('what the system answers are proxies, or none', [nearly(fc.oneof(pac, proxy))], (text) => {
  const proxies = (answerOrRefusal(() => parsePacResult(text)) ?? []).filter((entry) => entry !== null)
  for (const entry of proxies) expect(entry.hostname).not.toBe('')
  return proxies.length > 0
})

const exemptions = listOf(fc.oneof(host, fc.constantFrom('*', '10.0.0.0/8', '::/0', '1.2.3.4/99', '.test')), ',')
fuzz('no_proxy is read whatever it holds', [nearly(exemptions), nearly(proxy)], (noProxy, http_proxy) => {
  answerOrRefusal(() => proxyFor(new URL('http://a.test'), undefined, { no_proxy: noProxy, http_proxy }))
})

fuzz(
  'a pattern of hosts is stored as it stands in URLs',
  [nearly(sequence(fc.constantFrom('', '*.'), host, port))],
  (text) => {
    const parsed = HostPattern.safeParse(text)
    if (!parsed.success) return false
    const stored = answerOrRefusal(() => normalizePattern(parsed.data))
    if (stored !== undefined) expect(normalizePattern(stored)).toBe(stored)
    return stored !== undefined
  },
)

const pieces = fc.oneof(url, path, fc.constantFrom('/', '.', ' ', '\n', '%', '@', ':', 'http://', ')', ','))
staysLinear('a link', pieces, (text) => HttpUrl.safeParse(text))
staysLinear('a list of links', pieces, (text) => parseUrlList(text, 'list'))
staysLinear('text with links', pieces, (text) => [findLinks(text), readLinks(text)])
staysLinear('a proxy', pieces, (text) => [maskProxy(text), parseProxy(text)])
staysLinear('an answer of a PAC script', pieces, parsePacResult)
staysLinear('no_proxy', pieces, (text) =>
  proxyFor(new URL('http://a.test'), undefined, { no_proxy: text, http_proxy: 'p' }),
)
