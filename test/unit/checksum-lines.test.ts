import { describe, expect, test } from 'vitest'
import { checksumOf, checksumOfLink, readChecksumLine, readChecksumLines } from '../../shared/checksum-lines.ts'
import fc from '../helpers/property.ts'

const SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const MD5 = 'd41d8cd98f00b204e9800998ecf8427e'

describe('a line', () => {
  test.each([
    ['of GNU coreutils', `${SHA256}  large file.iso`, 'sha-256', 'large file.iso'],
    ['of a binary file', `${MD5} *large.iso`, 'md5', 'large.iso'],
    ['of BSD', `SHA256 (large.iso) = ${SHA256}`, 'sha-256', 'large.iso'],
    ['of BSD, a name with brackets', `MD5 (a (1).iso) = ${MD5}`, 'md5', 'a (1).iso'],
    ['of OpenSSL', `SHA2-256(large.iso)= ${SHA256}`, 'sha-256', 'large.iso'],
    ['with an escaped name', `\\${SHA256}  a\\nb\\\\c`, 'sha-256', 'a\nb\\c'],
    ['of BSD with an escaped name', `\\SHA256 (a\\nb) = ${SHA256}`, 'sha-256', 'a\nb'],
    ['in capitals, with a line end of Windows', `${SHA256.toUpperCase()}  a.iso\r`, 'sha-256', 'a.iso'],
    ['after a byte order mark', `\uFEFF${MD5}  a.iso`, 'md5', 'a.iso'],
    ['without a name', SHA256, 'sha-256', null],
  ])('%s', (_what, text, algorithm, name) => {
    expect(readChecksumLine(text)).toEqual({ algorithm, value: algorithm === 'md5' ? MD5 : SHA256, name })
  })

  test.each([
    ['a signature', 'iQIzBAEBCAAdFiEE4pJ8nQ'],
    ['a comment', '# SHA256SUMS of release 7'],
    ['a digest of no length that is known', `${SHA256}00  a.iso`],
    ['a tag that does not fit its digest', `MD5 (a.iso) = ${SHA256}`],
    ['an algorithm that is not known', `BLAKE2b (a.iso) = ${SHA256}`],
    ['a web page', '<!DOCTYPE html>'],
    ['nothing', ''],
  ])('%s is none', (_what, text) => expect(readChecksumLine(text)).toBeNull())

  test('whatever comes is read or passed over', () => {
    fc.assert(fc.property(fc.string(), (text) => void readChecksumLines(text)))
    const name = fc.string({ minLength: 1 }).map((text) => text.replace(/^[\s*]+|\s+$/g, '') || 'x')
    fc.assert(
      fc.property(name, (text) => {
        const escaped = text.replace(/[\\\n\r]/g, (c) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r' })[c]!)
        expect(readChecksumLine(`${escaped === text ? '' : '\\'}${SHA256}  ${escaped}`)?.name).toBe(text)
      }),
    )
  })
})

describe('the checksum of a file', () => {
  const sums = readChecksumLines(
    ['-----BEGIN PGP SIGNED MESSAGE-----', `${SHA256}  ./a.iso`, `${MD5} *dir/b.iso`, `${MD5}  a.iso`, ''].join('\r\n'),
  )

  test('is that of its name, the strongest there is', () => {
    expect(checksumOf(sums, 'a.iso')).toEqual({ algorithm: 'sha-256', value: SHA256 })
    expect(checksumOf(sums, 'b.iso')).toEqual({ algorithm: 'md5', value: MD5 })
    expect(checksumOf(sums, 'c.iso')).toBeNull()
  })

  test('of one name in several folders is that of the link’s folder, or none', () => {
    const other = 'f'.repeat(64)
    const lines = readChecksumLines(`${SHA256}  amd64/a.iso\n${other}  arm64/a.iso`)
    expect(checksumOf(lines, 'a.iso', 'releases/arm64/a.iso')?.value).toBe(other)
    expect(checksumOf(lines, 'a.iso')).toBeNull()
  })

  test('without a name is meant for the one file there is', () => {
    expect(checksumOf(readChecksumLines(SHA256), 'a.iso')?.value).toBe(SHA256)
    expect(checksumOf(readChecksumLines(`${SHA256}\n${MD5}`), 'a.iso')).toBeNull()
  })
})

test('a link’s checksum is found by the name it will get, or the name in the link', () => {
  const lines = readChecksumLines(`${SHA256}  two ä.iso\n${MD5}  mine.iso`)
  expect(checksumOfLink(lines, 'https://h.example/x/two%20%C3%A4.iso?token=a/b#c')?.value).toBe(SHA256)
  expect(checksumOfLink(lines, 'https://h.example/download?id=7', 'mine.iso')?.value).toBe(MD5)
  expect(checksumOfLink(lines, 'https://h.example/')).toBeNull()
  expect(checksumOfLink([], 'https://h.example/mine.iso')).toBeNull()
})
