/**
 * A finished file against the digests it should have. Where they differ the file is set aside as NAME.bad; where hashes
 * of its pieces tell which part is bad, only that part is given up.
 */
import { dirname, join } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import {
  type ChecksumAlgorithm,
  type ChecksumResult,
  DIGEST_SOURCE_NAMES,
  type ExpectedDigest,
  type PieceHashes,
} from '../../shared/integrity.ts'
import { BLOCK_BYTES, type TaskRecord } from '../../shared/records.ts'
import { digestFile, digestPieces } from './checksum.ts'
import { crc32OfBlocks } from './crc32-combine.ts'
import { onDisk } from './disk-errors.ts'
import { deciding } from './expectations.ts'
import { numberedName } from './filename.ts'
import type { Digests } from './hashes.ts'
import type { PlaceContext } from './place.ts'

const MAX_NUMBERED_NAMES = 10_000

/** What differs. */
export interface Mismatch {
  expected: ExpectedDigest
  actual: string
  /** it is of this piece, where hashes of pieces are all that is known */
  piece?: { index: number; wholeDigest: string }
}

export type Verdict =
  /** null: there is nothing to verify it by */
  { kind: 'sound'; checksum: ChecksumResult | null } | ({ kind: 'bad' } & Mismatch)

export type VerifyContext = Pick<PlaceContext, 'storedBlocks'>

/** `made`: digests that were made on the way. Rejects with a disk error, or the signal's reason. */
export async function verify(
  path: string,
  sizeBytes: number | null,
  expected: readonly ExpectedDigest[],
  made: Digests,
  context: VerifyContext,
  signal: AbortSignal,
): Promise<Verdict> {
  const wanted = new Set(deciding(expected).map(({ algorithm }) => algorithm))
  return compare(expected, await digestsOf(path, sizeBytes, wanted, made, context, signal))
}

/** `digests`: those of the file that the deciding expectations ask for. Pure. */
export function compare(expected: readonly ExpectedDigest[], digests: Digests): Verdict {
  const wanted = deciding(expected)
  const [first] = wanted
  if (!first) return { kind: 'sound', checksum: null }
  const wrong = wanted.find(({ algorithm, value }) => digests[algorithm] !== value)
  if (wrong) return { kind: 'bad', expected: wrong, actual: digests[wrong.algorithm]! }
  const { algorithm, value, source, from = null } = first
  return { kind: 'sound', checksum: { algorithm, value, verified: true, source, from } }
}

/** Made on the way, or from the blocks' checksums, or by reading the file in the thread, whichever costs least. */
async function digestsOf(
  path: string,
  sizeBytes: number | null,
  wanted: ReadonlySet<ChecksumAlgorithm>,
  made: Digests,
  context: VerifyContext,
  signal: AbortSignal,
): Promise<Digests> {
  const fromBlocks = wanted.has('crc32') && sizeBytes !== null ? crc32OfBlocks(context.storedBlocks(), sizeBytes) : null
  const known: Digests = { ...made, ...(fromBlocks !== null && { crc32: fromBlocks }) }
  const missing = [...wanted].filter((algorithm) => known[algorithm] === undefined)
  if (missing.length === 0) return known
  return { ...known, ...(await onDisk(path, () => digestFile(path, missing, signal))) }
}

/**
 * A file of which hashes of its pieces are all that is known, compared with those. What it is verified by is then its
 * digest as a whole, so that it can be compared again without them. Rejects as `verify`.
 */
export async function verifyByPieces(
  path: string,
  pieces: PieceHashes,
  made: Digests,
  signal: AbortSignal,
): Promise<Verdict> {
  const { algorithm, pieceBytes, values } = pieces
  const [actual, whole] = await onDisk(path, () =>
    Promise.all([
      digestPieces(path, algorithm, pieceBytes, signal),
      made[algorithm] ?? digestFile(path, [algorithm], signal).then((digests) => digests[algorithm]!),
    ]),
  )
  const index = values.findIndex((value, at) => actual[at] !== value)
  if (index < 0)
    return { kind: 'sound', checksum: { algorithm, value: whole, verified: true, source: 'metalink', from: null } }
  const expected = { algorithm, value: values[index]!, source: 'metalink' } as const
  return { kind: 'bad', expected, actual: actual[index]!, piece: { index, wholeDigest: whole } }
}

/** Indexes of the blocks that bad pieces lie in, of a file that they fit. */
export async function blocksOfBadPieces(
  path: string,
  sizeBytes: number,
  pieces: PieceHashes,
  signal: AbortSignal,
): Promise<number[]> {
  const { algorithm, pieceBytes, values } = pieces
  const actual = await onDisk(path, () => digestPieces(path, algorithm, pieceBytes, signal))
  const bad = values.flatMap((value, index) => (actual[index] === value ? [] : [index]))
  return [
    ...new Set(
      bad.flatMap((index) => {
        const first = Math.floor((index * pieceBytes) / BLOCK_BYTES)
        const last = Math.floor((Math.min((index + 1) * pieceBytes, sizeBytes) - 1) / BLOCK_BYTES)
        return Array.from({ length: last - first + 1 }, (_, n) => first + n)
      }),
    ),
  ]
}

/**
 * Renames the file to NAME.bad, or a numbered one where that is taken. Answers its path. `record`: tells the store where
 * it is going to be, before it is there.
 */
export async function setAside(
  task: TaskRecord,
  partPath: string,
  { fs }: Pick<PlaceContext, 'fs'>,
  record: (path: string) => Promise<void>,
): Promise<string> {
  for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
    const name = `${n === 0 ? task.filename : numberedName(task.filename!, n)}.bad`
    const path = join(dirname(partPath), name)
    if (await onDisk(path, () => fs.stat(path))) continue
    await record(path)
    try {
      await fs.renameExclusive(partPath, path)
      return path
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await onDisk(path, () => Promise.reject(error))
    }
  }
  return partPath
}

/** `next`: what happens with it now. `kept`: where the bad file is, and the one of the try before; null: it was passed on. */
export function checksumMismatch(
  { expected, actual, piece }: Mismatch,
  kept: { path: string; earlierPath: string | null } | null,
  next: 'again' | 'over' | 'same-again',
): NighthaulError {
  const { algorithm, value, source, from } = expected
  const what = piece ? `The ${algorithm} of piece ${piece.index + 1} of the file` : `The file’s ${algorithm}`
  const differs = `${what} is ${actual}, not ${value}, as expected by ${DIGEST_SOURCE_NAMES[source]}.`
  const then = {
    again: ' It is fetched anew.',
    over: ' Check the checksum, or try another link.',
    'same-again': ' The same bytes came twice, so the checksum may be of another version of the file.',
  }[next]
  const sentence = kept ? `${differs} What came is kept as ${kept.path}.${then}` : `${differs} Do not use it.`
  return new NighthaulError('checksum_mismatch', sentence, {
    algorithm,
    expected: value,
    actual,
    source,
    ...(piece && { piece: piece.index }),
    ...(from !== undefined && { from }),
    ...(kept && { path: kept.path }),
    ...(kept?.earlierPath && { earlierPath: kept.earlierPath }),
  })
}
