/** Metalink documents from anybody: no entity is expanded, no name leads elsewhere, nothing grows without bound. */

import { expect, it } from 'vitest'
import { sanitizeFilename } from '../../electron/engine/filename.ts'
import { decodeMetalink, isMetalinkName, METALINK_BOUNDS, parseMetalink } from '../../electron/engine/metalink.ts'
import type { NighthaulError } from '../../shared/errors.ts'
import { DIGEST_BYTES } from '../../shared/integrity.ts'
import { AddItem } from '../../shared/schemas.ts'
import fc from '../helpers/property.ts'
import {
  answerOrRefusal,
  digits,
  expectRefusal,
  fuzz,
  listOf,
  mostly,
  nearly,
  sequence,
  staysLinear,
  token,
} from './fuzz.ts'

const escaped = (text: string) => text.replace(/[<>&"]/g, (character) => `&#${character.codePointAt(0)};`)
const names = fc.constantFrom(
  'a.iso',
  '../../etc/passwd',
  'a/b/c.bin',
  '..\\x',
  'C:\\x',
  'CON',
  '.',
  '\u202egnp.exe',
  '文',
)
const name = mostly(names, fc.constant('')).map(escaped)
const url = sequence(
  fc.constantFrom('http://', 'https://', 'https://user:pw@', 'ftp://', 'file:///', 'javascript:', 'magnet:?xt=', ''),
  fc.oneof(fc.constantFrom('a.test/x', '127.0.0.1:9/', '[::1]/y'), token),
)
const hex = fc.constantFrom(32, 40, 64, 128, 7).map((length) => 'a1'.repeat(length).slice(0, length))
const small = fc.integer({ min: 1, max: 100 }).map(String)
const attribute = mostly(
  fc.oneof(
    sequence(' priority="', small, '"'),
    sequence(' preference="', small, '"'),
    sequence(' location="', fc.constantFrom('de', 'DE', 'x', '…'), '"'),
    fc.constantFrom('', ' xml:lang="x"', ' type="bittorrent"'),
  ),
  fc.oneof(
    sequence(fc.constantFrom(' priority="', ' preference="', ' length="'), digits, '"'),
    sequence(' type="', fc.constantFrom('sha-256', 'md5', 'pgp'), '"'),
    fc.constant(' a:b="c"'),
  ),
)
const hash = mostly(
  fc.constantFrom(` type="sha-256">${'a1'.repeat(32)}`, ` type="md5">${'B2'.repeat(16)}`, ' type="pgp">x'),
  sequence(attribute, ' type="', fc.constantFrom('sha-256', 'md5', 'sha1'), '">', hex),
)
const link = sequence('<url', attribute, '>', url, '</url>')
const ordinary = fc.oneof(
  link,
  sequence('<url', mostly(fc.constant(''), attribute), attribute, '>', url, '</url>'),
  sequence('<metaurl mediatype="torrent">', url, '</metaurl>'),
  sequence('<hash', hash, '</hash>'),
  fc.constantFrom('<size>100</size>', '<!-- x -->', '<?x y?>'),
  fc.integer({ min: 1, max: 4 }).map((count) => {
    const pieces = `<hash>${'a1'.repeat(32)}</hash>`.repeat(count)
    return `<size>${count * 25}</size><pieces type="sha-256" length="25">${pieces}</pieces>`
  }),
  sequence('<resources>', link, '</resources>'),
  sequence('<description><![CDATA[', token, ']]></description>'),
)
const child = mostly(
  ordinary,
  fc.oneof(
    fc.constantFrom('&lol;', '&#0;', '<a:b/>'),
    sequence('<size>', digits, '</size>'),
    sequence(
      '<pieces type="sha-256" length="',
      digits,
      '">',
      listOf(sequence('<hash>', hex, '</hash>'), ''),
      '</pieces>',
    ),
  ),
)
const file = sequence('<file name="', name, '">', listOf(child, ''), '</file>')
const entities = `<!DOCTYPE x [<!ENTITY a "${'lol'.repeat(10)}">${Array.from({ length: 9 }, (_, n) => `<!ENTITY ${'abcdefghij'[n + 1]} "${`&${'abcdefghij'[n]};`.repeat(10)}">`).join('')}]>`
const document = sequence(
  fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>\n', '\ufeff'),
  mostly(fc.constant(''), fc.constantFrom(entities, '<!DOCTYPE x SYSTEM "file:///etc/passwd">')),
  '<metalink xmlns="',
  mostly(fc.constantFrom('urn:ietf:params:xml:ns:metalink', 'http://www.metalinker.org/'), fc.constant('x')),
  '">',
  listOf(file, '\n'),
  '</metalink>',
)

function expectUsable(text: string): boolean {
  const parsed = answerOrRefusal(() => parseMetalink(text))
  for (const item of parsed?.items ?? []) {
    // As it is: what the engine is given is what a client could give it.
    const { url, filename, mirrors, options, pieces } = AddItem.parse(item)
    for (const link of [url, ...(mirrors ?? []).map((mirror) => mirror.url)]) {
      const at = new URL(link)
      expect(at.protocol).toMatch(/^https?:$/)
      expect(at.username + at.password).toBe('')
    }
    expect(sanitizeFilename(filename!)).toBe(filename)
    expect(filename).not.toMatch(/[/\\]/)
    for (const { algorithm, value } of options?.expected ?? []) expect(value.length).toBe(2 * DIGEST_BYTES[algorithm])
    if (pieces && options?.sizeBytes !== undefined)
      expect(pieces.values.length).toBe(Math.ceil(options.sizeBytes / pieces.pieceBytes))
  }
  return parsed !== undefined
}

fuzz('what a document names can be downloaded, or it is refused', [nearly(document)], expectUsable)

fuzz('bytes are text or refused', [fc.oneof(fc.uint8Array({ maxLength: 300 }), document)], (given) => {
  const bytes = typeof given === 'string' ? Buffer.from(given) : given
  const text = answerOrRefusal(() => decodeMetalink(bytes))
  return text !== undefined && expectUsable(text)
})

staysLinear('a Metalink', fc.oneof(child, file, fc.constantFrom('<a>', '<', '&', ' ', '"', ']]>', '<!--')), (text) =>
  parseMetalink(`<metalink xmlns="urn:ietf:params:xml:ns:metalink">${text}</metalink>`),
)
staysLinear('the encoding of a Metalink', fc.constantFrom(' ', '<?xml', 'encoding=', '"', 'a', '\n'), (text) =>
  decodeMetalink(Buffer.from(text)),
)

const wrapped = (content: string) => `<metalink xmlns="urn:ietf:params:xml:ns:metalink">${content}</metalink>`
const refusalOf = (text: string) => {
  try {
    parseMetalink(text)
  } catch (error) {
    expectRefusal(error)
    return (error as NighthaulError).params.reason
  }
}
const { files, urlsOfFile, pieces, elements, bytes } = METALINK_BOUNDS
const piece = `<hash>${'a1'.repeat(16)}</hash>`
it.each([
  ['entities that grow', 'doctype', `${entities}${wrapped('<file name="&j;"><url>http://a.test</url></file>')}`],
  ['very many files', 'files', wrapped('<file name="a"><url>http://a.test</url></file>'.repeat(files + 1))],
  ['very many links', 'urls', wrapped(`<file name="a">${'<url>http://a.test/</url>'.repeat(urlsOfFile + 1)}</file>`)],
  ['very many elements', 'elements', wrapped('<a/>'.repeat(elements))],
  ['a very deep one', 'depth', wrapped('<a>'.repeat(100_000))],
  ['a very long text', 'text', wrapped(`<file name="a"><url>${'x'.repeat(100_000)}</url></file>`)],
  ['a text without end', 'markup', wrapped(`<file name="a"><url>${'x'.repeat(5_000_000)}</url></file>`)],
  ['a name without end', 'markup', wrapped(`<file name="${'../'.repeat(100_000)}"><url>http://a.test</url></file>`)],
  [
    'attributes without end',
    'markup',
    wrapped(`<a ${Array.from({ length: 50_000 }, (_, n) => `a${n}=""`).join(' ')}/>`),
  ],
  ['a comment without end', 'markup', wrapped(`<!--${'- '.repeat(200_000)}-->`)],
  [
    'pieces without end',
    'pieces',
    wrapped(`<file name="a"><pieces type="md5" length="1">${piece.repeat(pieces + 1)}</pieces></file>`),
  ],
  ['one that is too large', 'size', wrapped(' '.repeat(bytes))],
])('%s end the reading', (_what, reason, text) => {
  expect(refusalOf(text)).toBe(reason)
})

it('only its own name makes a file one', () => {
  expect(['a.meta4', 'A.METALINK', 'meta4', 'a.meta4.exe'].map(isMetalinkName)).toEqual([true, true, false, false])
})
