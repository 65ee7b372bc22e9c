/** Cookies: the file that a user gives and what servers set; they go where they belong, and to nobody else. */

import { expect, it } from 'vitest'
import { optionsFor } from '../../electron/engine/host-rules.ts'
import { createTaskCookies, parseNetscapeCookies } from '../../electron/engine/http/cookies.ts'
import { headersFor } from '../../electron/engine/http/credentials.ts'
import fc from '../helpers/property.ts'
import {
  answerOrRefusal,
  digits,
  fuzzAsync,
  headerOf,
  listOf,
  mostly,
  nearly,
  sequence,
  staysLinear,
  token,
} from './fuzz.ts'

const HOSTS = ['example.com', 'www.example.com', 'evil.test', 'example.com.evil.test', '127.0.0.1', 'com']
const domain = mostly(fc.constantFrom(...HOSTS, '.example.com'), fc.oneof(fc.constantFrom('.com', ''), token))
const flag = mostly(fc.constantFrom('TRUE', 'FALSE'), fc.constantFrom('true', 'yes'))
const path = fc.constantFrom('/', '/a', '/a/b', 'a', '')
const until = mostly(fc.constantFrom('0', '4102444800'), digits)
const line = fc.oneof(
  sequence(domain, '\t', flag, '\t', path, '\t', flag, '\t', until, '\t', token, '\t', token),
  sequence('#HttpOnly_', domain, '\tTRUE\t/\tFALSE\t0\t', token, '\t', token),
  fc.constantFrom('# Netscape HTTP Cookie File', '', '#'),
)
const file = listOf(line, '\n', 8)

const attribute = fc.oneof(
  sequence('Domain=', domain),
  sequence('Path=', path),
  sequence('Max-Age=', digits),
  sequence('Expires=', fc.constantFrom('Wed, 21 Oct 2099 07:28:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', '0', 'never')),
  fc.constantFrom('Secure', 'HttpOnly', 'SameSite=None', 'Partitioned'),
  sequence(token, '=', token),
)
const setCookie = sequence(token, '=', token, '; ', listOf(attribute, '; '))
const name = fc.constantFrom('', '__Host-', '__Secure-')

const url = fc
  .tuple(fc.constantFrom('http', 'https'), fc.constantFrom(...HOSTS), path)
  .map(([scheme, host, at]) => new URL(`${scheme}://${host}${at.startsWith('/') ? at : `/${at}`}`))

/** What does not leave the machine counts as secure, as in browsers. */
const isThisMachine = ({ hostname }: URL) => hostname === '127.0.0.1'

const expectSendable = (header: string | null) => expect(header ?? '').not.toMatch(/[\r\n\0]/)

fuzzAsync(
  'a cookie file is read or refused, and no cookie leaves its domain',
  [nearly(file), url],
  async (text, at) => {
    const cookies = answerOrRefusal(() => parseNetscapeCookies(text))
    if (!cookies) return false
    for (const cookie of cookies) {
      expect(`${cookie.name}${cookie.value}`).not.toMatch(/[\r\n\0;]/)
      expect(Number.isFinite(cookie.expires)).toBe(true)
    }
    const header = await createTaskCookies(text).header(at)
    expectSendable(header)
    const sent = (header ?? '').split('; ').filter((pair) => pair !== '')
    for (const pair of sent) {
      const homes = cookies.filter((cookie) => pair === `${cookie.name}=${cookie.value}`)
      expect(homes.length).toBeGreaterThan(0)
      const mayGo = homes.some(
        (home) =>
          (home.domain === at.hostname || (home.includeSubdomains && at.hostname.endsWith(`.${home.domain}`))) &&
          (!home.secure || at.protocol === 'https:' || isThisMachine(at)),
      )
      expect(mayGo, `${pair} to ${at.href}`).toBe(true)
    }
    return sent.length > 0
  },
)

fuzzAsync(
  'what a server sets never goes to another site',
  [headerOf(sequence(name, setCookie)), url, url],
  async (value, from, to) => {
    const cookies = createTaskCookies(undefined)
    await cookies.learn(from, value)
    const header = await cookies.header(to)
    expectSendable(header)
    const family = (host: string) => host.split('.').slice(-2).join('.')
    if (family(from.hostname) !== family(to.hostname)) expect(header).toBeNull()
    return header !== null
  },
)

fuzzAsync(
  'whatever is set, the header can be sent',
  [fc.array(headerOf(setCookie), { maxLength: 10 }), url],
  async (values, at) => {
    const cookies = createTaskCookies(undefined)
    for (const value of values) await cookies.learn(at, value)
    const rules = optionsFor(at, at, {}, [], { userAgent: 'x', proxy: null })
    const hop = { url: at, start: at, options: {}, authorization: null, rules, hasBody: false, range: {} }
    const cookie = await cookies.header(at)
    for (const value of Object.values(headersFor({ ...hop, cookie })).flat()) {
      expectSendable(value)
      expect(value).not.toMatch(/[^\x00-\xff]/)
    }
  },
)

staysLinear('a cookie file', fc.oneof(line, fc.constantFrom('\t', '\n', ' ', '#')), parseNetscapeCookies)
staysLinear('Set-Cookie', fc.oneof(setCookie, attribute, fc.constantFrom(';', '=', ' ', '"', '.')), async (text) => {
  const cookies = createTaskCookies(undefined)
  const at = new URL('https://example.com/a')
  await cookies.learn(at, `a=${text}`)
  return cookies.header(at)
})

it('a server that sets cookies without end does not fill the memory', async () => {
  const cookies = createTaskCookies(undefined)
  const at = new URL('https://example.com/')
  for (let n = 0; n < 5_000; n++) await cookies.learn(at, `name${n}=${'x'.repeat(200)}`)
  // The latest are kept: those are what the server asks for next.
  expect(await cookies.header(at)).toContain('name4999=')
  expect(((await cookies.header(at)) ?? '').length).toBeLessThan(64 * 1024)
})
