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
 * Indexes of the blocks that bad pieces lie in; null: the pieces do not tell, because none is bad, or all are, or they
 * are not those of a file of this size.
 */
export async function badBlocks(
  path: string,
  sizeBytes: number,
  pieces: PieceHashes,
  signal: AbortSignal,
): Promise<number[] | null> {
  const { algorithm, pieceBytes, values } = pieces
  if (Math.ceil(sizeBytes / pieceBytes) !== values.length) return null
  const actual = await onDisk(path, () => digestPieces(path, algorithm, pieceBytes, signal))
  const bad = values.flatMap((value, index) => (actual[index] === value ? [] : [index]))
  if (bad.length === 0 || bad.length === values.length) return null
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

/** Renames the file to NAME.bad, or a numbered one where that is taken. Answers its path. */
export async function setAside(task: TaskRecord, partPath: string, { fs }: Pick<PlaceContext, 'fs'>): Promise<string> {
  for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
    const name = `${n === 0 ? task.filename : numberedName(task.filename!, n)}.bad`
    const path = join(dirname(partPath), name)
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
  { expected, actual }: Mismatch,
  kept: { path: string; earlierPath: string | null } | null,
  next: 'again' | 'over' | 'same-again',
): NighthaulError {
  const { algorithm, value, source, from } = expected
  const differs = `The file’s ${algorithm} is ${actual}, not ${value}, as expected by ${DIGEST_SOURCE_NAMES[source]}.`
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
    ...(from !== undefined && { from }),
    ...(kept && { path: kept.path }),
    ...(kept?.earlierPath && { earlierPath: kept.earlierPath }),
  })
}
