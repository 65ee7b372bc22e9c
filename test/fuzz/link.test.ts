/** Link headers: a mirror that a server names is a safe address, and there are never too many. */

import { expect } from 'vitest'
import { serverLinks } from '../../electron/engine/link-header.ts'
import { MOST_MIRRORS } from '../../shared/records.ts'
import { MirrorInput } from '../../shared/schemas.ts'
import fc from '../helpers/property.ts'
import { digits, fuzz, headerOf, listOf, sequence, staysLinear, token } from './fuzz.ts'

const target = fc.oneof(
  sequence(
    fc.constantFrom('http://', 'https://', '//', '/', 'ftp://', 'javascript:', 'https://user:pw@', ''),
    fc.constantFrom('m.test/x', '127.0.0.1:9/', 'a b', '..', '[::1]/y#z'),
  ),
  token,
)
const param = fc.oneof(
  sequence('rel=', fc.constantFrom('duplicate', '"duplicate describedby"', 'describedby', 'next', '"')),
  sequence('pri=', digits),
  sequence('geo=', fc.constantFrom('de', '"DE"', 'xyz', '…')),
  sequence('type="', fc.constantFrom('application/metalink4+xml', 'text/html'), '"'),
  sequence(token, '="', token, '\\"', token, '"'),
  fc.constantFrom('anchor="#a"', 'pref', '__proto__=1', ' = '),
)
const link = sequence('<', target, '>; rel=duplicate; ', listOf(param, '; '))
const field = listOf(fc.oneof(link, sequence('<', target, '>; ', listOf(param, ';'))), ', ', 6)
const base = fc.constantFrom('http://a.test/dir/file', 'https://a.test:8443/file?x')

fuzz(
  'what is named is http or https, no less safe than who names it, and without a login',
  [headerOf(field), base],
  (header, from) => {
    const { mirrors, describedBy } = serverLinks(header, from)
    expect(mirrors.length).toBeLessThanOrEqual(MOST_MIRRORS)
    for (const url of [...mirrors.map((mirror) => mirror.url), ...(describedBy === null ? [] : [describedBy])]) {
      const at = new URL(url)
      expect(at.protocol).toMatch(from.startsWith('https:') ? /^https:$/ : /^https?:$/)
      expect(at.username + at.password + at.hash).toBe('')
    }
    // As a client could give them.
    for (const mirror of mirrors) expect(MirrorInput.parse(mirror)).toMatchObject({ origin: 'link' })
    return mirrors.length > 0
  },
)

fuzz(
  'very many mirrors are as many as are used',
  [fc.integer({ min: MOST_MIRRORS + 1, max: 2_000 }), link],
  (count, one) => {
    const { mirrors } = serverLinks(
      Array.from({ length: count }, (_, n) => `<http://m.test/${n}>; rel=duplicate`).join(',') + one,
      'http://a.test/',
    )
    expect(mirrors.length).toBe(MOST_MIRRORS)
  },
  50,
)

staysLinear('Link', fc.oneof(link, param, fc.constantFrom('<', '>', ';', ',', ' ', '"', '\\', '=', 'a')), (text) =>
  serverLinks(`<http://m.test/>; ${text}`, 'http://a.test/'),
)
