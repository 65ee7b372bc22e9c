/** Headers with digests: each that is taken is one, of the right length, and of the whole file. */

import { expect } from 'vitest'
import { digestsFrom } from '../../electron/engine/digests.ts'
import { CHECKSUM_ALGORITHMS, DIGEST_BYTES } from '../../shared/integrity.ts'
import fc from '../helpers/property.ts'
import { fuzz, headerOf, listOf, sequence, staysLinear, token } from './fuzz.ts'

const algorithm = fc.constantFrom(
  'sha-256',
  'SHA-256',
  'md5',
  'sha',
  'sha-512',
  'crc32c',
  'crc64nvme',
  'unixsum',
  '__proto__',
  'sha-1',
)
const bytes = fc.oneof(
  fc
    .constantFrom(4, 8, 16, 20, 28, 32, 48, 64)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  fc.uint8Array({ maxLength: 70 }),
)
const base64 = bytes.map((data) => Buffer.from(data).toString('base64'))
const value = fc.oneof(
  base64,
  bytes.map((data) => Buffer.from(data).toString('hex')),
  base64.map((text) => text.replaceAll('=', '')),
  token,
)
const structured = listOf(fc.oneof(sequence(algorithm, '=:', value, ':'), sequence(token, ';q=1')), ', ')
const pairs = listOf(sequence(algorithm, '=', value), ',')

const headers = fc.record(
  {
    'repr-digest': headerOf(structured),
    'content-digest': headerOf(structured),
    digest: headerOf(pairs),
    'content-md5': headerOf(value),
    'x-goog-hash': headerOf(pairs),
    'x-amz-checksum-sha256': headerOf(value),
    'x-amz-checksum-crc32c': headerOf(value),
    'x-amz-checksum-crc64nvme': headerOf(value),
    'x-checksum-sha256': headerOf(value),
    'x-checksum-md5': headerOf(value),
    'x-ms-blob-content-md5': headerOf(value),
    'x-amz-request-id': fc.constant('1'),
    etag: headerOf(sequence('"', value, '"')),
    'content-encoding': headerOf(fc.constantFrom('gzip', 'identity', '')),
  },
  { requiredKeys: [] },
)

fuzz('what is taken for a digest can be one', [headers, fc.boolean()], (given, partial) => {
  const found = digestsFrom(given, { partial })
  for (const digest of found) {
    expect(CHECKSUM_ALGORITHMS).toContain(digest.algorithm)
    expect(digest.value).toMatch(/^[0-9a-f]+$/)
    expect(digest.value.length).toBe(2 * DIGEST_BYTES[digest.algorithm])
    // Of a part these speak of the part.
    if (partial) expect(['content-digest', 'x-amz-checksum']).not.toContain(digest.source)
  }
  return found.length > 0
})

const pieces = fc.oneof(structured, pairs, value, fc.constantFrom(',', '=', ':', ' ', '\t', 'a', ';'))
for (const name of ['repr-digest', 'digest', 'x-goog-hash', 'content-md5', 'content-encoding', 'x-checksum-sha1'])
  staysLinear(name, pieces, (text) => digestsFrom({ [name]: text }, { partial: false }))
