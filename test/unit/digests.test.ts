import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { digestsFrom } from '../../electron/engine/digests.ts'

const base64 = (algorithm: string) => createHash(algorithm).update('content').digest('base64')
const hex = (algorithm: string) => createHash(algorithm).update('content').digest('hex')
const whole = { partial: false }
const part = { partial: true }

test('reads Repr-Digest and Content-Digest as structured fields, strongest first', () => {
  const headers = {
    'repr-digest': `sha-256=:${base64('sha256')}:, sha-512=:${base64('sha512')}:;q=1`,
    'content-digest': [`md5=:${base64('md5')}:`, `unknown=:${base64('md5')}:`],
  }
  expect(digestsFrom(headers, whole)).toEqual([
    { algorithm: 'sha-512', value: hex('sha512'), source: 'repr-digest' },
    { algorithm: 'sha-256', value: hex('sha256'), source: 'repr-digest' },
    { algorithm: 'md5', value: hex('md5'), source: 'content-digest' },
  ])
})

test('what speaks of the reply’s bytes says nothing about the file in a 206', () => {
  const headers = {
    'repr-digest': `sha-256=:${base64('sha256')}:`,
    'content-digest': `sha-512=:${base64('sha512')}:`,
    'content-md5': base64('md5'),
    'x-amz-checksum-sha1': base64('sha1'),
    'x-ms-blob-content-md5': base64('md5'),
  }
  expect(digestsFrom(headers, part).map((digest) => digest.source)).toEqual(['repr-digest', 'content-md5'])
  expect(digestsFrom(headers, whole)).toHaveLength(5)
})

test('reads the older headers and those of the object stores', () => {
  const headers = {
    digest: `SHA-256=${base64('sha256')},SHA=${base64('sha1')},UNIXsum=1`,
    'content-md5': base64('md5'),
    'x-goog-hash': [`crc32c=n03x6A==`, `md5=${base64('md5')}`],
    'x-amz-checksum-crc32': 'n03x6A==',
    'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=',
  }
  expect(digestsFrom(headers, whole)).toEqual([
    { algorithm: 'sha-256', value: hex('sha256'), source: 'digest' },
    { algorithm: 'sha-1', value: hex('sha1'), source: 'digest' },
    { algorithm: 'md5', value: hex('md5'), source: 'x-goog-hash' },
    { algorithm: 'md5', value: hex('md5'), source: 'content-md5' },
    { algorithm: 'crc64nvme', value: 'ae8b14860a799888', source: 'x-amz-checksum' },
    { algorithm: 'crc32c', value: '9f4df1e8', source: 'x-goog-hash' },
    { algorithm: 'crc32', value: '9f4df1e8', source: 'x-amz-checksum' },
  ])
  expect(digestsFrom({ digest: `sha-256=${hex('sha256').toUpperCase()}` }, whole)).toEqual([
    { algorithm: 'sha-256', value: hex('sha256'), source: 'digest' },
  ])
})

test.each([
  ['a wrong length', { 'content-md5': base64('sha1') }],
  ['no base64', { 'content-md5': '!!!' }],
  ['an empty value', { 'repr-digest': 'sha-256=::' }],
  ['a string where bytes belong', { 'repr-digest': `sha-256="${base64('sha256')}"` }],
  ['a checksum of checksums', { 'x-amz-checksum-sha256': `${base64('sha256')}-3` }],
  ['one announced as such', { 'x-amz-checksum-crc32': 'n03x6A==', 'x-amz-checksum-type': 'COMPOSITE' }],
  ['an object unpacked for us', { 'x-goog-hash': 'crc32c=n03x6A==', 'x-goog-stored-content-encoding': 'gzip' }],
  ['a field with an error in it', { 'repr-digest': `sha-256=:${base64('sha256')}:, sha-512=:broken` }],
  ['an encoded reply', { 'repr-digest': `sha-256=:${base64('sha256')}:`, 'content-encoding': 'gzip' }],
])('leaves out %s', (_what, headers) => expect(digestsFrom(headers, whole)).toEqual([]))

test('the examples of RFC 9530 and RFC 3230', () => {
  // RFC 9530 appendix B.1 and B.2; the second is of the whole, though a part came.
  const hello = 'RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg='
  expect(digestsFrom({ 'repr-digest': `sha-256=:${hello}:` }, part)).toMatchObject([
    { algorithm: 'sha-256', value: Buffer.from(hello, 'base64').toString('hex'), source: 'repr-digest' },
  ])
  // RFC 9530 §2: both in one field
  const both =
    'sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:, ' +
    'sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:'
  expect(digestsFrom({ 'content-digest': both }, whole).map(({ algorithm }) => algorithm)).toEqual([
    'sha-512',
    'sha-256',
  ])
  // RFC 3230 §4.3.2
  expect(digestsFrom({ digest: 'md5=HUXZLQLMuI/KZ5KDcJPcOA==,unixsum=30637' }, part)).toEqual([
    { algorithm: 'md5', value: '1d45d92d02ccb88fca6792837093dc38', source: 'digest' },
  ])
})

test('the headers of repositories name the algorithm themselves', () => {
  const headers = { 'x-checksum-sha1': hex('sha1'), 'x-checksum-sha256': hex('sha256').toUpperCase() }
  expect(digestsFrom(headers, part)).toEqual([
    { algorithm: 'sha-256', value: hex('sha256'), source: 'x-checksum' },
    { algorithm: 'sha-1', value: hex('sha1'), source: 'x-checksum' },
  ])
})

describe('an entity tag', () => {
  const s3 = { etag: `"${hex('md5')}"`, 'x-amz-request-id': '4442587FB7D0A2F9' }

  test('of an object store is the MD5 of an object that was uploaded in one piece', () => {
    const md5 = [{ algorithm: 'md5', value: hex('md5'), source: 'etag' }]
    expect(digestsFrom(s3, part)).toEqual(md5)
    expect(digestsFrom({ ...s3, 'x-amz-server-side-encryption': 'AES256' }, whole)).toEqual(md5)
  })

  test.each([
    ['from anywhere else', { 'x-amz-request-id': undefined }],
    ['of an upload in parts', { etag: `"${hex('md5')}-12"` }],
    ['that is weak', { etag: `W/"${hex('md5')}"` }],
    ['of an object encrypted by KMS', { 'x-amz-server-side-encryption': 'aws:kms' }],
    ['of an object with the customer’s key', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }],
    ['of a directory bucket', { 'x-amz-storage-class': 'EXPRESS_ONEZONE' }],
    ['of an encoded reply', { 'content-encoding': 'gzip' }],
  ])('%s says nothing', (_what, headers) => expect(digestsFrom({ ...s3, ...headers }, whole)).toEqual([]))
})
