/** Files of checksums, as servers have them and people paste them: a line is one or it is passed over. */

import { expect } from 'vitest'
import { sumsLinks } from '../../electron/engine/sums-links.ts'
import { checksumOf, readChecksumLines } from '../../shared/checksum-lines.ts'
import { CHECKSUM_ALGORITHMS, DIGEST_BYTES } from '../../shared/integrity.ts'
import fc from '../helpers/property.ts'
import { fuzz, listOf, nearly, sequence, staysLinear, token } from './fuzz.ts'

const hex = fc
  .tuple(fc.constantFrom(32, 40, 56, 64, 96, 128, 31, 129), fc.constantFrom('a', 'F', '0', 'g'))
  .map(([length, digit]) => digit.repeat(length))
const name = fc.oneof(token, fc.constantFrom('a.iso', './a.iso', '../../a.iso', 'b/a.iso', '\\n', 'a b', '*a', '(a)'))
const line = fc.oneof(
  sequence(hex, fc.constantFrom('  ', ' *', '\t', '*'), name),
  sequence('\\', hex, '  ', name),
  sequence(fc.constantFrom('SHA256', 'MD5', 'SHA2-256', 'constructor'), ' (', name, ') = ', hex),
  sequence('SHA1(', name, ')= ', hex),
  hex,
  fc.constantFrom('# comment', '-----BEGIN PGP SIGNED MESSAGE-----', ''),
)
const file = listOf(line, fc.sample(fc.constantFrom('\n', '\r\n'), 1)[0]!, 8)

fuzz('what is read are digests of the right length', [nearly(file), nearly(name)], (text, wanted) => {
  const lines = readChecksumLines(text)
  for (const { algorithm, value } of lines) {
    expect(CHECKSUM_ALGORITHMS).toContain(algorithm)
    expect(value).toMatch(/^[0-9a-f]+$/)
    expect(value.length).toBe(2 * DIGEST_BYTES[algorithm])
  }
  const found = checksumOf(lines, wanted)
  if (found) expect(lines).toContainEqual(expect.objectContaining(found))
  return lines.length > 0
})

const path = listOf(fc.oneof(name, fc.constantFrom('%', '%2f', '..', '.', 'a?b', 'a#b', '%ff')), '/')
fuzz('files of checksums are looked for beside the download, and nowhere else', [nearly(path)], (given) => {
  const link = URL.parse(`https://user:pw@a.test:8443/x/${given}`)
  if (!link) return
  for (const { url } of sumsLinks(link.href, null)?.candidates ?? []) {
    const at = new URL(url)
    expect(at.origin).toBe(link.origin)
    expect(at.username + at.password + at.search + at.hash).toBe('')
    expect(at.pathname.split('/').length).toBeLessThanOrEqual(link.pathname.split('/').length)
  }
})

staysLinear(
  'a file of checksums',
  fc.oneof(line, fc.constantFrom('\n', ' ', '\t', '(', ')', '=', 'a', '*', '\\')),
  (text) => checksumOf(readChecksumLines(text), 'a.iso'),
)
