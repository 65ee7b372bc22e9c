/** Which digests a file should have, and which of them decides. Pure. */
import {
  CHECKSUM_ALGORITHMS,
  DIGEST_SOURCES,
  type DigestSource,
  type ExpectedDigest,
  isStrong,
  type PieceHashes,
} from '../../shared/integrity.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Settings, TaskOptions } from '../../shared/schemas.ts'

/** Whose word goes first: the user’s; the publisher’s; what comes from where the file itself comes from. */
function trust(source: DigestSource): number {
  if (source === 'user') return 2
  return source === 'metalink' ? 1 : 0
}

/** The most trusted first, then the strongest, then as sources are listed. */
export function ranked(digests: readonly ExpectedDigest[]): ExpectedDigest[] {
  return digests.toSorted(
    (a, b) =>
      trust(b.source) - trust(a.source) ||
      CHECKSUM_ALGORITHMS.indexOf(b.algorithm) - CHECKSUM_ALGORITHMS.indexOf(a.algorithm) ||
      DIGEST_SOURCES.indexOf(a.source) - DIGEST_SOURCES.indexOf(b.source),
  )
}

/** Everything that is known of what the file should be, the one that decides first. */
export function expectationsOf(task: Pick<TaskRecord, 'options' | 'foundDigests'>): ExpectedDigest[] {
  return expectationsFrom(task.options, task.foundDigests)
}

export function expectationsFrom(options: TaskOptions, found: readonly ExpectedDigest[]): ExpectedDigest[] {
  const { checksum, expected = [] } = options
  return ranked([...(checksum ? [{ ...checksum, source: 'user' as const }] : []), ...expected, ...found])
}

/** The same, without what servers sent where that does not count for this task. */
export function countingExpectations(
  { options, foundDigests }: Pick<TaskRecord, 'options' | 'foundDigests'>,
  settings: Pick<Settings, 'verifyFound'>,
): ExpectedDigest[] {
  const counts = verifiesFound(options, settings)
  return expectationsFrom(
    options,
    foundDigests.filter(({ source }) => counts || source === 'sums-file'),
  )
}

/** Whether these can be the pieces of a file of this size. */
export function fits({ pieceBytes, values }: PieceHashes, sizeBytes: number): boolean {
  return Math.ceil(sizeBytes / pieceBytes) === values.length
}

/** Those that the file is compared with: all that the user gave, or the one that decides. */
export function deciding(digests: readonly ExpectedDigest[]): ExpectedDigest[] {
  const given = digests.filter(({ source }) => source === 'user')
  return given.length > 0 ? given : ranked(digests).slice(0, 1)
}

/** Whether what the server sends counts for this task. */
export function verifiesFound(options: TaskOptions, settings: Pick<Settings, 'verifyFound'>): boolean {
  return options.verifyFound ?? settings.verifyFound
}

/** Whether files of checksums are worth asking for: wanted, and nothing strong is known yet. */
export function looksForSums(
  options: TaskOptions,
  settings: Pick<Settings, 'findChecksums'>,
  known: readonly ExpectedDigest[],
): boolean {
  if (!(options.findChecksums ?? settings.findChecksums)) return false
  return !known.some(({ source, algorithm }) => source === 'user' || isStrong(algorithm))
}
