/** Which digest people are told of. */
import { expect, test } from 'vitest'
import { checksumMismatch } from '../../electron/engine/mismatch.ts'
import { type ChecksumResult, digestToTell, type ExpectedDigest } from '../../shared/integrity.ts'

const sha256: ExpectedDigest = { algorithm: 'sha-256', value: 'a'.repeat(64), source: 'user' }
const md5: ExpectedDigest = { algorithm: 'md5', value: 'b'.repeat(32), source: 'user' }
const failedBy = (expected: ExpectedDigest, piece?: { index: number; wholeDigest: string }) =>
  checksumMismatch({ expected, actual: 'c', ...(piece && { piece }) }, null, 'over').toInfo()
const task = { state: 'active', checksum: null, error: null, expected: [sha256, md5] }

test('the one by which it was verified, otherwise the first that it is compared with', () => {
  const checksum: ChecksumResult = { ...md5, verified: true, from: null }
  expect(digestToTell({ ...task, state: 'done', checksum })).toEqual({ digest: checksum, result: 'verified' })
  expect(digestToTell(task)).toEqual({ digest: sha256, result: 'pending' })
  expect(digestToTell({ ...task, state: 'done' })).toEqual({ digest: sha256, result: 'unverified' })
  expect(digestToTell({ ...task, expected: [] })).toBe(null)
})

test('of several the one that it does not have, and that of a piece where nothing else is known', () => {
  expect(digestToTell({ ...task, state: 'failed', error: failedBy(md5) })).toEqual({ digest: md5, result: 'failed' })
  const ofPiece: ExpectedDigest = { ...md5, source: 'metalink' }
  const error = failedBy(ofPiece, { index: 3, wholeDigest: 'd' })
  expect(digestToTell({ ...task, state: 'failed', error, expected: [] })).toEqual({ digest: ofPiece, result: 'failed' })
  const late = { code: 'checksum_mismatch', params: { path: '/f.bad' } }
  expect(digestToTell({ ...task, state: 'failed', error: late })).toEqual({ digest: sha256, result: 'failed' })
})
