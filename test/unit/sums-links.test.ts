/** What files of checksums beside a download say of it. */
import { expect, test } from 'vitest'
import { checksumIn, sumsLinks } from '../../electron/engine/sums-links.ts'
import { readChecksumLines } from '../../shared/checksum-lines.ts'

const MD5 = '1'.repeat(32)
const SHA256 = '2'.repeat(64)
const SHA512 = '3'.repeat(128)

const links = sumsLinks('https://example.org/dl/file.iso?token=1#x', null)!
/** By each candidate that a text is answered to, what it says of the file. */
const saidBy = (text: string) =>
  Object.fromEntries(
    links.candidates.flatMap((candidate) => {
      const found = checksumIn(readChecksumLines(text), candidate, links)
      return found ? [[candidate.url.slice('https://example.org/dl/'.length), found.value]] : []
    }),
  )
const everywhere = (value: string) => Object.fromEntries(links.candidates.map(({ url }) => [url.slice(23), value]))

test('a line that names the file counts wherever it stands', () => {
  for (const line of [`${SHA256}  file.iso`, `${SHA256} *dl/file.iso`, `SHA256 (./file.iso) = ${SHA256}`])
    expect(saidBy(line)).toEqual(everywhere(SHA256))
})

test('a digest without a name counts beside the file alone, and as what was asked for', () => {
  expect(saidBy(SHA256)).toEqual({ 'file.iso.sha256': SHA256 })
  expect(saidBy(SHA512)).toEqual({ 'file.iso.sha512': SHA512 })
  // As some servers answer every question, with the number of the request.
  expect(saidBy(MD5)).toEqual({ 'file.iso.md5': MD5 })
  expect(saidBy(`${SHA256}\n${SHA256.replaceAll('2', '4')}`)).toEqual({})
})
