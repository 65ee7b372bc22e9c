/** Digests that servers send with a file, read from the headers of a reply. Pure; malformed values are left out. */

export type DigestAlgorithm = 'md5' | 'sha-1' | 'sha-224' | 'sha-256' | 'sha-384' | 'sha-512' | 'crc32' | 'crc32c'

export interface Digest {
  algorithm: DigestAlgorithm
  /** lower-case hex */
  value: string
  /** the header it came in, lower-case */
  source: string
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

const BYTES: Readonly<Record<DigestAlgorithm, number>> = {
  md5: 16,
  'sha-1': 20,
  'sha-224': 28,
  'sha-256': 32,
  'sha-384': 48,
  'sha-512': 64,
  crc32: 4,
  crc32c: 4,
}

/** Names as the registries and the object stores write them. */
const NAMES: Readonly<Record<string, DigestAlgorithm>> = {
  md5: 'md5',
  sha: 'sha-1',
  'sha-1': 'sha-1',
  sha1: 'sha-1',
  'sha-224': 'sha-224',
  'sha-256': 'sha-256',
  sha256: 'sha-256',
  'sha-384': 'sha-384',
  sha384: 'sha-384',
  'sha-512': 'sha-512',
  sha512: 'sha-512',
  crc32: 'crc32',
  crc32c: 'crc32c',
}

/**
 * Digests of the whole file, strongest first. `partial`: the reply is a 206; Content-Digest (RFC 9530) and Content-MD5
 * (RFC 1864) are then of the part and left out. Digest (RFC 3230) and Repr-Digest are always of the whole. A reply with
 * a Content-Encoding carries digests of the encoded bytes, which are not those of the file: there are none then.
 */
export function digestsFrom(headers: Headers, reply: { partial: boolean }): Digest[] {
  if (isEncoded(headers['content-encoding'])) return []
  const found: Digest[] = []
  const add = (name: string, base64: string, source: string) => {
    const algorithm = NAMES[name.trim().toLowerCase()]
    const value = algorithm ? hexOf(base64, BYTES[algorithm]) : null
    if (algorithm && value) found.push({ algorithm, value, source })
  }
  const values = (name: string) => [headers[name] ?? []].flat()

  for (const [key, base64] of structuredBytes(values('repr-digest'))) add(key, base64, 'repr-digest')
  for (const item of values('digest').flatMap((line) => line.split(','))) {
    const [name, base64] = splitOnce(item)
    add(name, base64, 'digest')
  }
  // Of the object as stored: where it is stored compressed and was unpacked for us, it says nothing about the file.
  if (!isEncoded(headers['x-goog-stored-content-encoding']))
    for (const item of values('x-goog-hash').flatMap((line) => line.split(','))) {
      const [name, base64] = splitOnce(item)
      add(name, base64, 'x-goog-hash')
    }
  // Of a range S3 may send the part's checksum; of a multipart upload, a checksum of checksums.
  if (!reply.partial && !values('x-amz-checksum-type').includes('COMPOSITE'))
    for (const name of ['sha512', 'sha256', 'sha1', 'md5', 'crc32c', 'crc32'])
      for (const base64 of values(`x-amz-checksum-${name}`)) add(name, base64, `x-amz-checksum-${name}`)
  if (!reply.partial) {
    for (const [key, base64] of structuredBytes(values('content-digest'))) add(key, base64, 'content-digest')
    for (const base64 of values('content-md5')) add('md5', base64, 'content-md5')
  }
  return found.sort((a, b) => BYTES[b.algorithm] - BYTES[a.algorithm])
}

/** The members of a structured-field dictionary that are byte sequences (RFC 9651 §3.2, §3.3.5): `sha-256=:AbC=:`. */
function structuredBytes(lines: string[]): [key: string, base64: string][] {
  return [...lines.join(',').matchAll(/(?:^|,)[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):/g)].map((match) => [
    match[1]!,
    match[2]!,
  ])
}

function splitOnce(item: string): [name: string, value: string] {
  const at = item.indexOf('=')
  return at < 0 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)]
}

function isEncoded(header: string | string[] | undefined): boolean {
  return [header ?? []].flat().some((encoding) => !/^\s*(identity)?\s*$/i.test(encoding))
}

/** Base64 of so many bytes, or hex, which some servers send instead. */
function hexOf(base64: string, bytes: number): string | null {
  const text = base64.trim()
  if (text.length === 2 * bytes && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase()
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes ? decoded.toString('hex') : null
}
