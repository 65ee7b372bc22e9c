/**
 * Lines of checksums as people paste them and as files such as SHA256SUMS hold them: those of GNU coreutils
 * (`HEX  NAME`, `HEX *NAME`), of BSD and `--tag` (`SHA256 (NAME) = HEX`), of OpenSSL (`SHA256(NAME)= HEX`), and a bare
 * `HEX`. What is no such line is passed over: signatures and comments stand between them. Pure.
 */
import { type Checksum, type ChecksumAlgorithm, DIGEST_BYTES } from './integrity.ts'

export interface ChecksumLine extends Checksum {
  /** as it stands there, perhaps with folders; null: the line holds a checksum and no name */
  name: string | null
}

/** What a bare digest can only be, by its number of hexadecimal digits. CRCs are too short to be told from other words. */
const BY_DIGITS: ReadonlyMap<number, ChecksumAlgorithm> = new Map(
  (['md5', 'sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512'] as const).map((name) => [2 * DIGEST_BYTES[name], name]),
)

/** Names in BSD’s form. */
const BY_TAG: Readonly<Record<string, ChecksumAlgorithm>> = {
  MD5: 'md5',
  SHA1: 'sha-1',
  SHA224: 'sha-224',
  SHA256: 'sha-256',
  SHA384: 'sha-384',
  SHA512: 'sha-512',
}

const GNU = /^(\\?)([0-9a-f]{32,128})(?:[ \t]+\*?|[ \t]*\*)(.+)$/i
const BSD = /^(\\?)([A-Za-z0-9-]+) ?\((.+)\) ?= ?([0-9a-f]{32,128})$/i
const BARE = /^[0-9a-f]{32,128}$/i

/** The checksum that a line holds; null: it holds none. */
export function readChecksumLine(text: string): ChecksumLine | null {
  const line = text.replace(/^\uFEFF/, '').trim()
  if (BARE.test(line)) return lineOf(BY_DIGITS.get(line.length), line, null)
  const bsd = BSD.exec(line)
  if (bsd) {
    const [, escaped, tag, name, value] = bsd
    return lineOf(BY_TAG[tag!.toUpperCase().replace(/^SHA2?-/, 'SHA')], value!, unescaped(name!, escaped!))
  }
  const gnu = GNU.exec(line)
  if (!gnu) return null
  const [, escaped, value, name] = gnu
  return lineOf(BY_DIGITS.get(value!.length), value!, unescaped(name!, escaped!))
}

/** All checksums in a text, in order. */
export function readChecksumLines(text: string): ChecksumLine[] {
  return text.split(/\r\n|\r|\n/).flatMap((line) => readChecksumLine(line) ?? [])
}

/**
 * The checksum among these of the file called `name`. Folders before a name count only where files of one name are in
 * several: then `path` (of the link) decides, and where it does not, there is none. A line without a name is meant for
 * the file where it is the only one.
 */
export function checksumOf(lines: readonly ChecksumLine[], name: string, path = name): Checksum | null {
  const [only] = lines
  if (lines.length === 1 && only!.name === null) return checksum(only!)
  const exact = lines.filter((line) => line.name !== null && withoutDot(line.name) === name)
  const ofName = exact.length > 0 ? exact : lines.filter((line) => line.name !== null && lastPart(line.name) === name)
  const ofPath = ofName.filter((line) => `/${path}`.endsWith(`/${withoutDot(line.name!)}`))
  const meant = ofPath.length > 0 ? ofPath : ofName
  // One file may stand there several times, by several algorithms.
  const strongest = meant.toSorted((a, b) => DIGEST_BYTES[b.algorithm] - DIGEST_BYTES[a.algorithm])[0]
  if (!strongest) return null
  const rivals = meant.filter(({ algorithm, value }) => algorithm === strongest.algorithm && value !== strongest.value)
  return rivals.length > 0 ? null : checksum(strongest)
}

/** The checksum among these of the file that a link leads to, by the name it will get or the one in the link. */
export function checksumOfLink(lines: readonly ChecksumLine[], url: string, filename?: string): Checksum | null {
  if (lines.length === 0) return null
  const path = decoded(url.replace(/^[a-z]+:\/\/[^/?#]*\/?/i, '').replace(/[?#].*$/s, ''))
  return (filename && checksumOf(lines, filename)) || checksumOf(lines, lastPart(path), path)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray percent sign: the name is then as it is written.
    return text
  }
}

function lineOf(algorithm: ChecksumAlgorithm | undefined, value: string, name: string | null): ChecksumLine | null {
  if (algorithm === undefined || value.length !== 2 * DIGEST_BYTES[algorithm]) return null
  return { algorithm, value: value.toLowerCase(), name }
}

function checksum({ algorithm, value }: ChecksumLine): Checksum {
  return { algorithm, value }
}

/** A backslash before the line says that the name’s line breaks and backslashes are escaped. */
function unescaped(name: string, escaped: string): string {
  if (escaped === '') return name
  return name.replace(/\\([\\nr])/g, (_, letter: string) => (letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\'))
}

function withoutDot(name: string): string {
  return name.replaceAll('\\', '/').replace(/^(?:\.\/)+/, '')
}

function lastPart(name: string): string {
  return name.replaceAll('\\', '/').split('/').at(-1)!
}
