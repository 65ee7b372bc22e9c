import { describe, expect, test } from 'vitest'
import { decodeMetalink, isMetalinkName, METALINK_BOUNDS, parseMetalink } from '../../electron/engine/metalink.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { AddItem } from '../../shared/schemas.ts'
import fc from '../helpers/property.ts'

const SHA256 = 'f0ad929cd259957e160ea442eb80986b5f01f0ad929cd259957e160ea442eb80'
const PIECES = ['1f7f96f2', '0a1b2c3d'].map((start) => `${start}${'0'.repeat(32)}`)

/** As in RFC 5854 §1.1, with digests of full length. */
const VERSION_4 = `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <published>2009-05-15T12:23:23Z</published>
  <file name="example.ext">
    <size>14471447</size>
    <identity>Example</identity>
    <version>1.0</version>
    <language>en</language>
    <description>A description of the example file for download.</description>
    <hash type="sha-256">${SHA256}</hash>
    <url location="de" priority="1">ftp://ftp.example.com/example.ext</url>
    <url location="fr" priority="2">http://example.com/example.ext</url>
    <url location="de" priority="1">https://de.example.com/example.ext</url>
    <url>https://last.example.com/example.ext</url>
    <metaurl mediatype="torrent" priority="2">http://example.com/example.ext.torrent</metaurl>
    <pieces length="8388608" type="sha-1"><hash>${PIECES[0]}</hash><hash>${PIECES[1]}</hash></pieces>
  </file>
  <file name="example2.ext"><url>https://example.com/example2.ext</url></file>
</metalink>`

const VERSION_3 = `<?xml version="1.0"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/">
  <files>
    <file name="example.ext">
      <size>14471447</size>
      <verification>
        <hash type="sha256">${SHA256}</hash>
        <hash type="pgp">unknown</hash>
        <pieces length="8388608" type="sha1">
          <hash piece="0">${PIECES[0]}</hash>
          <hash piece="1">${PIECES[1]}</hash>
        </pieces>
      </verification>
      <resources>
        <url type="bittorrent" preference="100">http://example.com/example.ext.torrent.is.http</url>
        <url type="http" location="US" preference="90">http://us.example.com/example.ext</url>
        <url type="https" preference="95">https://example.com/example.ext</url>
        <url type="ftp" preference="100">ftp://ftp.example.com/example.ext</url>
      </resources>
    </file>
  </files>
</metalink>`

const inFile = (inner: string, name = 'x') =>
  `<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n<file name="${name}">\n${inner}\n</file></metalink>`
const URL_ELEMENT = '<url>https://a.example/x</url>'

function refusal(document: string): NighthaulError {
  try {
    parseMetalink(document, 'a.meta4')
  } catch (error) {
    if (error instanceof NighthaulError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('a Metalink', () => {
  test('of version 4, as the RFC’s example, names files with mirrors by priority, size, digests and pieces', () => {
    const { items, skipped } = parseMetalink(VERSION_4)
    expect(skipped).toEqual([])
    expect(items).toEqual([
      {
        url: 'https://de.example.com/example.ext',
        filename: 'example.ext',
        mirrors: [
          { url: 'http://example.com/example.ext', priority: 2, location: 'fr', origin: 'metalink' },
          { url: 'https://last.example.com/example.ext', priority: 999_999, location: null, origin: 'metalink' },
        ],
        options: {
          sizeBytes: 14_471_447,
          expected: [{ algorithm: 'sha-256', value: SHA256, source: 'metalink' }],
        },
        pieces: { algorithm: 'sha-1', pieceBytes: 8_388_608, values: PIECES },
      },
      { url: 'https://example.com/example2.ext', filename: 'example2.ext', options: {} },
    ])
    for (const item of items) expect(AddItem.parse(item)).toEqual(item)
  })

  test('of version 3 says the same, and what is no file but a torrent is no mirror', () => {
    const [item] = parseMetalink(VERSION_3).items
    expect(item).toMatchObject({
      url: 'https://example.com/example.ext',
      filename: 'example.ext',
      mirrors: [{ url: 'http://us.example.com/example.ext', priority: 11, location: 'us', origin: 'metalink' }],
      options: { sizeBytes: 14_471_447, expected: [{ algorithm: 'sha-256', value: SHA256, source: 'metalink' }] },
      pieces: { algorithm: 'sha-1', pieceBytes: 8_388_608, values: PIECES },
    })
  })

  test('names files only: no folders, no way out of the folder', () => {
    const names = [
      '../../etc/passwd',
      'a/b/c.iso',
      '..\\..\\evil.exe',
      '/abs.bin',
      'C:\\x.bin',
      '..',
      '&#x202e;fdp.exe',
    ]
    expect(names.map((name) => parseMetalink(inFile(URL_ELEMENT, name)).items[0]?.filename)).toEqual([
      'passwd',
      'c.iso',
      'evil.exe',
      'abs.bin',
      'x.bin',
      'download',
      'fdp.exe',
    ])
  })

  test('leaves out files without a usable link, and says where they are', () => {
    const other = '<file name="only.ftp"><url>ftp://a.example/x</url></file></metalink>'
    expect(parseMetalink(inFile(URL_ELEMENT).replace('</metalink>', `\n${other}`))).toMatchObject({
      items: [{ url: 'https://a.example/x' }],
      skipped: [{ name: 'only.ftp', line: 5 }],
    })
  })

  test('with a login in a link gives that link to nobody', () => {
    const { items } = parseMetalink(inFile(`${URL_ELEMENT}<url>https://u:hidden@b.example/x</url>`))
    expect(JSON.stringify(items)).not.toContain('hidden')
  })

  test.each([
    ['no XML', 'not xml', 1, 'xml'],
    ['another document', '<html></html>', 1, 'root'],
    ['another namespace', '<metalink xmlns="urn:other"/>', 1, 'namespace'],
    ['an unclosed element', '<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n<file name="x">', 2, 'xml'],
    ['a DTD', `<?xml version="1.0"?>\n<!DOCTYPE metalink [<!ENTITY a "b">]>\n${VERSION_4.slice(38)}`, 2, 'doctype'],
    ['an entity of its own', inFile('<url>https://a.example/&lol;</url>'), 3, 'xml'],
    ['no file', '<metalink xmlns="urn:ietf:params:xml:ns:metalink"/>', 1, 'no_file'],
    ['no http link', inFile('<url>ftp://a.example/x</url>'), 2, 'no_url'],
    ['a file without a name', inFile(URL_ELEMENT, ''), 2, 'name'],
    ['a size that is none', inFile(`${URL_ELEMENT}\n<size>1e3</size>`), 4, 'number'],
    ['a size beyond all numbers', inFile(`<size>99999999999999999999</size>`), 3, 'number'],
    ['a digest of the wrong length', inFile(`${URL_ELEMENT}\n\n<hash type="sha-256">abc</hash>`), 5, 'hash'],
    ['a priority out of range', inFile('<url priority="0">https://a.example/x</url>'), 3, 'priority'],
    ['pieces without a length', inFile('<pieces type="sha-1"></pieces>'), 3, 'pieces'],
    ['pieces of no length', inFile('<pieces type="sha-1" length="0"></pieces>'), 3, 'pieces'],
    [
      'pieces that do not cover the file',
      inFile(`<size>100</size>\n<pieces type="sha-1" length="10"><hash>${PIECES[0]}</hash></pieces>`),
      4,
      'pieces',
    ],
    ['pieces out of order', VERSION_3.replace('piece="1"', 'piece="2"'), 11, 'pieces'],
    ['elements without end', `<metalink xmlns="urn:ietf:params:xml:ns:metalink">${'<a>'.repeat(100)}`, 1, 'depth'],
    ['a text without end', inFile(`<url>https://a.example/${'x'.repeat(METALINK_BOUNDS.textLength)}</url>`), 3, 'text'],
    ['links without end', inFile('<url>https://a.example/x</url>'.repeat(METALINK_BOUNDS.urlsOfFile + 1)), 3, 'urls'],
    ['hashes without end', inFile(`<hash type="sha-256">${SHA256}</hash>`.repeat(33)), 3, 'hashes'],
  ])('with %s is refused, and the line is told', (_what, document, line, reason) => {
    const error = refusal(document)
    expect(error.code).toBe('invalid_metalink')
    expect(error.message).toMatch(new RegExp(`^a\\.meta4, line ${line}: .+ Nothing was added\\.$`))
    expect(error.params).toMatchObject({ line, reason })
  })

  test('whatever a document is, it is read within its bounds or refused with a line', () => {
    const name = fc.constantFrom('metalink', 'file', 'url', 'size', 'hash', 'pieces', 'files', 'resources', 'other')
    const text = fc.oneof(fc.constantFrom('https://a.example/x', '12', SHA256, '&lt;', '&x;', ']]>'), fc.string())
    const attribute = fc.constantFrom(
      '',
      ' name="a/../b"',
      ' type="sha-256"',
      ' length="3"',
      ' priority="5"',
      ' name="',
    )
    const { element } = fc.letrec<{ element: string }>((tie) => ({
      element: fc
        .tuple(name, attribute, fc.array(fc.oneof({ maxDepth: 5 }, text, tie('element')), { maxLength: 4 }))
        .map(([tag, given, children]) => `<${tag}${given}>${children.join('')}</${tag}>`),
    }))
    const root = fc.constantFrom('urn:ietf:params:xml:ns:metalink', 'http://www.metalinker.org/')
    fc.assert(
      fc.property(root, fc.array(element, { maxLength: 4 }), fc.nat(40), (namespace, elements, cut) => {
        const whole = `<metalink xmlns="${namespace}">${elements.join('\n')}</metalink>`
        const document = cut === 0 ? whole.slice(0, whole.length / 2) : whole
        try {
          for (const item of parseMetalink(document).items) {
            expect(AddItem.safeParse(item).success).toBe(true)
            expect(item.filename).not.toMatch(/[/\\]|^\.\.?$/)
            expect((item.mirrors ?? []).length).toBeLessThan(100)
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_metalink', params: { line: expect.any(Number) } })
        }
      }),
      { numRuns: 300 },
    )
  })

  test('is text in the encoding that it names', () => {
    const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', 'latin1')
    expect(decodeMetalink(latin)).toContain('é')
    expect(decodeMetalink(Buffer.from('\ufeff<a>é</a>', 'utf16le'))).toContain('é')
    expect(() => decodeMetalink(Buffer.from([0x3c, 0xff, 0xfe]))).toThrow(/line 1: its text is not UTF-8/)
    expect(['a.meta4', 'A.METALINK', 'a.meta4.txt'].map(isMetalinkName)).toEqual([true, true, false])
  })
})
