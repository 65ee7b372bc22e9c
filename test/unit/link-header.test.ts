import { describe, expect, test } from 'vitest'
import { serverLinks } from '../../electron/engine/link-header.ts'
import { MOST_MIRRORS } from '../../shared/records.ts'
import fc from '../helpers/property.ts'

const BASE = 'https://www.example.com/dir/example.ext'

describe('Link headers', () => {
  test('name mirrors and a Metalink, as in RFC 6249', () => {
    const header = [
      '<https://www2.example.com/example.ext>; rel=duplicate; pri=1; geo=GB; pref,<https://mirror.example/a,b>; rel="duplicate"; depth=1',
      '<example.ext.meta4>; rel=describedby; type="application/metalink4+xml"',
      '<https://www.example.com/example.ext.asc>; rel=describedby; type="application/pgp-signature"',
      '<https://example.com/>; rel="next duplicate"; title="a \\"quoted\\", title"',
    ]
    expect(serverLinks(header, BASE)).toEqual({
      mirrors: [
        { url: 'https://www2.example.com/example.ext', priority: 1, location: 'gb', origin: 'link' },
        { url: 'https://mirror.example/a,b', priority: 999_999, location: null, origin: 'link' },
        { url: 'https://example.com/', priority: 999_999, location: null, origin: 'link' },
      ],
      describedBy: 'https://www.example.com/dir/example.ext.meta4',
    })
  })

  test('less safe than the server, with a login, of another kind or about something else are left out', () => {
    const header = [
      '<http://plain.example/x>; rel=duplicate',
      '<https://user:secret@a.example/x>; rel=duplicate',
      '<ftp://a.example/x>; rel=duplicate',
      '<javascript:alert(1)>; rel=duplicate',
      '<https://a.example/x>; rel=duplicate; anchor="#part"',
      '<https://a.example/y>; rel=stylesheet',
    ]
    expect(serverLinks(header, BASE)).toEqual({ mirrors: [], describedBy: null })
    expect(serverLinks(undefined, BASE)).toEqual({ mirrors: [], describedBy: null })
    expect(serverLinks('<http://plain.example/x>; rel=duplicate', 'http://a.example/x').mirrors).toHaveLength(1)
  })

  test('of any text give few, absolute, safe links, in no time', () => {
    const piece = fc.oneof(
      fc.constantFrom('<', '>', ';', '=', '"', '\\', ',', ' rel=duplicate', '<https://a.example/>'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        for (const { url, priority } of serverLinks(pieces.join(''), BASE).mirrors) {
          expect(new URL(url).protocol).toBe('https:')
          expect(priority).toBeGreaterThanOrEqual(1)
        }
      }),
    )
    const many = '<https://a.example/x>; rel=duplicate,'.repeat(5000)
    expect(serverLinks(many, BASE).mirrors).toHaveLength(MOST_MIRRORS)
    expect(serverLinks(`<a>${';'.repeat(60_000)}`, BASE).mirrors).toEqual([])
  })
})
