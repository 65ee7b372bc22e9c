/**
 * What a file is expected to be: digests with the place each came from, hashes of pieces, and the result of comparing.
 * How digests are found and compared is the engine's.
 */
import { z } from 'zod'

/** Weakest first. Those before sha-256 find accidents; somebody who means harm can get around them. */
export const CHECKSUM_ALGORITHMS = [
  'crc32',
  'crc32c',
  'crc64nvme',
  'md5',
  'sha-1',
  'sha-224',
  'sha-256',
  'sha-384',
  'sha-512',
] as const
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number]

export const DIGEST_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  md5: 16,
  'sha-1': 20,
  'sha-224': 28,
  'sha-256': 32,
  'sha-384': 48,
  'sha-512': 64,
}

/** Whether a match says something even where somebody had reason to forge the file. */
export function isStrong(algorithm: ChecksumAlgorithm): boolean {
  return DIGEST_BYTES[algorithm] >= DIGEST_BYTES['sha-224']
}

const hasItsLength = (c: { algorithm: ChecksumAlgorithm; value: string }) =>
  c.value.length === 2 * DIGEST_BYTES[c.algorithm]
const WRONG_LENGTH = 'the value has the wrong length for this algorithm'
const Hex = z.string().regex(/^[0-9a-fA-F]+$/)

export const Checksum = z
  .object({ algorithm: z.enum(CHECKSUM_ALGORITHMS), value: Hex })
  .refine(hasItsLength, WRONG_LENGTH)
  .transform((c) => ({ algorithm: c.algorithm, value: c.value.toLowerCase() }))
/** `value` is lower-case hex. */
export type Checksum = z.infer<typeof Checksum>

/**
 * Where an expectation comes from. `user`: given by hand; `metalink`: named by a Metalink; `sums-file`: a file of
 * checksums beside the download; the others are headers of the reply that brought the file.
 */
export const DIGEST_SOURCES = [
  'user',
  'metalink',
  'sums-file',
  'repr-digest',
  'content-digest',
  'digest',
  'x-goog-hash',
  'x-amz-checksum',
  'x-checksum',
  'content-md5',
  'etag',
] as const
export type DigestSource = (typeof DIGEST_SOURCES)[number]

/** As people know them. */
export const DIGEST_SOURCE_NAMES: Readonly<Record<DigestSource, string>> = {
  user: 'you',
  metalink: 'the Metalink',
  'sums-file': 'a file of checksums beside it',
  'repr-digest': 'the server (Repr-Digest)',
  'content-digest': 'the server (Content-Digest)',
  digest: 'the server (Digest)',
  'x-goog-hash': 'the server (x-goog-hash)',
  'x-amz-checksum': 'the server (x-amz-checksum)',
  'x-checksum': 'the server (X-Checksum)',
  'content-md5': 'the server (Content-MD5)',
  etag: 'the server (ETag)',
}

/** A digest the whole file should have. `from`: the link of the file that named it, where it was one. */
export const ExpectedDigest = z
  .object({
    algorithm: z.enum(CHECKSUM_ALGORITHMS),
    value: Hex.toLowerCase(),
    source: z.enum(DIGEST_SOURCES),
    from: z.string().max(65_536).optional(),
  })
  .refine(hasItsLength, WRONG_LENGTH)
export type ExpectedDigest = z.infer<typeof ExpectedDigest>

const MOST_PIECES = 200_000

/** Hashes of the file’s pieces, in order, all of `pieceBytes` but the last (RFC 5854 §4.1.3). They tell which part is bad. */
export const PieceHashes = z
  .object({
    algorithm: z.enum(CHECKSUM_ALGORITHMS),
    pieceBytes: z.int().min(1),
    values: z.array(Hex.toLowerCase()).min(1).max(MOST_PIECES),
  })
  .refine((p) => p.values.every((value) => hasItsLength({ ...p, value })), WRONG_LENGTH)
export type PieceHashes = z.infer<typeof PieceHashes>

/** Files of one download that did not have their digest. */
export const BadTries = z.object({
  /** in order: what came, and where it is kept, or is just being put; null: nowhere, its bad parts are fetched again */
  came: z.array(z.object({ digest: z.string(), path: z.string().nullable() })),
  /** its bad parts are to be fetched again, as far as anybody could tell them */
  mended: z.boolean(),
  /** all of it is to be fetched again */
  whole: z.boolean(),
  /** it is not to be fetched again */
  over: z.boolean(),
})
export type BadTries = z.infer<typeof BadTries>

/** Where they are kept. */
export function keptBadFiles(tries: BadTries | null): string[] {
  return [...new Set(tries?.came.flatMap(({ path }) => path ?? []))]
}

/**
 * The digest that a person is told of: by which the file was verified, which it did not have, or that it is going to be
 * compared with. Null: nothing is known that it should have.
 */
export function digestToTell({
  state,
  checksum,
  error,
  expected,
}: {
  state: string
  checksum: ChecksumResult | null
  error: { code: string; params: Readonly<Record<string, unknown>> } | null
  expected: readonly ExpectedDigest[]
}): { digest: ChecksumResult | ExpectedDigest; result: 'verified' | 'unverified' | 'failed' | 'pending' } | null {
  if (checksum) return { digest: checksum, result: checksum.verified ? 'verified' : 'unverified' }
  const failed = error?.code === 'checksum_mismatch'
  // Several may have been given, or hashes of pieces alone be known.
  const wrong = failed ? ExpectedDigest.safeParse({ ...error.params, value: error.params.expected }).data : undefined
  const digest = wrong ?? expected[0]
  return digest ? { digest, result: failed ? 'failed' : state === 'done' ? 'unverified' : 'pending' } : null
}

/** What the finished file was compared with, and whether it matched. */
export interface ChecksumResult {
  algorithm: ChecksumAlgorithm
  /** of the file, lower-case hex */
  value: string
  verified: boolean
  source: DigestSource
  /** the link of the file that named it; null: it was named otherwise */
  from: string | null
}
