import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
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
  }
  expect(digestsFrom(headers, part).map((digest) => digest.source)).toEqual(['repr-digest'])
  expect(digestsFrom(headers, whole)).toHaveLength(4)
})

test('reads the older headers and those of the object stores', () => {
  const headers = {
    digest: `SHA-256=${base64('sha256')},SHA=${base64('sha1')},UNIXsum=1`,
    'content-md5': base64('md5'),
    'x-goog-hash': [`crc32c=n03x6A==`, `md5=${base64('md5')}`],
    'x-amz-checksum-crc32': 'n03x6A==',
  }
  expect(digestsFrom(headers, whole)).toEqual([
    { algorithm: 'sha-256', value: hex('sha256'), source: 'digest' },
    { algorithm: 'sha-1', value: hex('sha1'), source: 'digest' },
    { algorithm: 'md5', value: hex('md5'), source: 'x-goog-hash' },
    { algorithm: 'md5', value: hex('md5'), source: 'content-md5' },
    { algorithm: 'crc32c', value: '9f4df1e8', source: 'x-goog-hash' },
    { algorithm: 'crc32', value: '9f4df1e8', source: 'x-amz-checksum-crc32' },
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
  ['an encoded reply', { 'repr-digest': `sha-256=:${base64('sha256')}:`, 'content-encoding': 'gzip' }],
])('leaves out %s', (_what, headers) => expect(digestsFrom(headers, whole)).toEqual([]))
