/**
 * Digests that servers send with a file, read from the headers of a reply: one reader for each family of headers.
 * Pure; malformed values are left out.
 */
import { parseDictionary } from 'structured-headers'
import { type ChecksumAlgorithm, DIGEST_BYTES, type DigestSource, type ExpectedDigest } from '../../shared/integrity.ts'
import { ranked } from './expectations.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** A digest as a header gives it: base64, or hex. */
type Given = readonly [name: string, value: string | ArrayBuffer]

interface Family {
  source: DigestSource
  /** what its digests are of: the file as it is stored, or the bytes of this very reply */
  of: 'file' | 'reply'
  read(values: (name: string) => string[]): Iterable<Given>
}

/** Names as the registries and the object stores write them. */
const NAMES: Readonly<Record<string, ChecksumAlgorithm>> = {
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
  crc64nvme: 'crc64nvme',
}

/** Asked with a file’s first request: some servers send digests to those alone who want them. */
export const WANT_DIGESTS: Readonly<Record<string, string>> = {
  'want-repr-digest': 'sha-512=3, sha-256=10',
  'want-digest': 'SHA-512;q=0.3, SHA-256;q=1',
}

const FAMILIES: readonly Family[] = [
  // RFC 9530 §3: of the whole representation, whatever part of it came.
  { source: 'repr-digest', of: 'file', read: (values) => structuredBytes(values('repr-digest')) },
  // RFC 9530 §2: of the bytes of this message.
  { source: 'content-digest', of: 'reply', read: (values) => structuredBytes(values('content-digest')) },
  // RFC 3230 §4.1.1: of the instance, which ranges are taken from.
  { source: 'digest', of: 'file', read: (values) => pairs(values('digest')) },
  // Of the object as stored: where it is stored compressed and was unpacked for us, it says nothing about the file.
  {
    source: 'x-goog-hash',
    of: 'file',
    read: (values) => (isEncoded(values('x-goog-stored-content-encoding')) ? [] : pairs(values('x-goog-hash'))),
  },
  // Of a range S3 may send the part's checksum; of a multipart upload, a checksum of checksums.
  { source: 'x-amz-checksum', of: 'reply', read: amazonChecksums },
  // Repositories of packages, such as Maven Central.
  { source: 'x-checksum', of: 'file', read: (values) => named(values, 'x-checksum-') },
  // RFC 1864: of this message's body. Azure gives that of the whole blob beside the one of a range.
  {
    source: 'content-md5',
    of: 'reply',
    read: (values) => values('content-md5').map((base64): Given => ['md5', base64]),
  },
  {
    source: 'content-md5',
    of: 'file',
    read: (values) => values('x-ms-blob-content-md5').map((base64): Given => ['md5', base64]),
  },
  { source: 'etag', of: 'file', read: md5Etag },
]

/**
 * Digests of the whole file, the one that decides first. `partial`: the reply is a part of the file, so that what
 * speaks of the reply's own bytes says nothing about it. A reply with a Content-Encoding carries digests of the encoded
 * bytes, which are not those of the file: there are none then.
 */
export function digestsFrom(headers: Headers, reply: { partial: boolean }): ExpectedDigest[] {
  const values = (name: string) => [headers[name] ?? []].flat()
  if (isEncoded(values('content-encoding'))) return []
  const found = FAMILIES.filter(({ of }) => of === 'file' || !reply.partial).flatMap(({ source, read }) =>
    [...read(values)].flatMap(([name, given]) => {
      const algorithm = NAMES[name.trim().toLowerCase()]
      const value = algorithm ? hexOf(given, DIGEST_BYTES[algorithm]) : null
      return algorithm && value ? [{ algorithm, value, source }] : []
    }),
  )
  return ranked(found)
}

/** The members of a dictionary that are byte sequences (RFC 9651 §3.2, §3.3.5). One error, and the field counts as absent. */
function structuredBytes(lines: string[]): Given[] {
  try {
    return [...parseDictionary(lines.join(','))].flatMap(([key, [value]]) =>
      value instanceof ArrayBuffer ? [[key, value] as const] : [],
    )
  } catch {
    // RFC 9651 §4.2: what does not parse is ignored as a whole.
    return []
  }
}

/** `name=value, name=value` (RFC 3230 §4.3.2); values are base64 and may end in `=`. */
function pairs(lines: string[]): Given[] {
  return lines
    .flatMap((line) => line.split(','))
    .map((item) => {
      const at = item.indexOf('=')
      return at < 0 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)]
    })
}

const IN_NAMES = ['sha512', 'sha256', 'sha1', 'md5', 'crc64nvme', 'crc32c', 'crc32'] as const

/** Headers that have the algorithm in their name. */
function named(values: (name: string) => string[], prefix: string): Given[] {
  return IN_NAMES.flatMap((name) => values(`${prefix}${name}`).map((value): Given => [name, value]))
}

function amazonChecksums(values: (name: string) => string[]): Given[] {
  if (values('x-amz-checksum-type').some((type) => type.trim().toUpperCase() === 'COMPOSITE')) return []
  return named(values, 'x-amz-checksum-')
}

/**
 * An entity tag is opaque (RFC 9110 §8.8.3), but of an object that was uploaded to S3 in one piece it is the MD5 of its
 * bytes. Not so with keys of the customer's or of KMS, in directory buckets, and after an upload in parts (`HEX-N`).
 */
function md5Etag(values: (name: string) => string[]): Given[] {
  const isS3 = values('x-amz-request-id').length > 0 || values('x-amz-id-2').length > 0
  const encryption = values('x-amz-server-side-encryption')
  const ownKey = values('x-amz-server-side-encryption-customer-algorithm').length > 0
  const express = values('x-amz-storage-class').some((kind) => kind.trim().toUpperCase() === 'EXPRESS_ONEZONE')
  if (!isS3 || ownKey || express || encryption.some((kind) => kind.trim() !== 'AES256')) return []
  return values('etag').flatMap((etag) => {
    const md5 = /^"([0-9a-f]{32})"$/i.exec(etag.trim())?.[1]
    return md5 ? [['md5', md5] as const] : []
  })
}

function isEncoded(values: string[]): boolean {
  return values.some((encoding) => !/^(identity)?$/i.test(encoding.trim()))
}

/** Base64 of so many bytes, or hex, which some servers send instead. */
function hexOf(given: string | ArrayBuffer, bytes: number): string | null {
  if (typeof given !== 'string') return given.byteLength === bytes ? Buffer.from(given).toString('hex') : null
  const text = given.trim()
  if (text.length === 2 * bytes && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase()
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes ? decoded.toString('hex') : null
}
