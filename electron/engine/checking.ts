/**
 * What becomes of a file whose bytes are all here: it is verified by what is known of it; where it is bad, its bad parts
 * or all of it is fetched again, a bounded number of times. Acts; what is compared is in mismatch.ts.
 */
import { NighthaulError } from '../../shared/errors.ts'
import { DIGEST_BYTES, type ExpectedDigest } from '../../shared/integrity.ts'
import { BLOCK_BYTES, type TaskRecord } from '../../shared/records.ts'
import type { Settings, TaskId } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import { countingExpectations, fits, looksForSums, ranked } from './expectations.ts'
import type { Digests } from './hashes.ts'
import type { Ending } from './mirrors.ts'
import { blocksOfBadPieces, checksumMismatch, type Mismatch, setAside, verify, verifyByPieces } from './mismatch.ts'
import type { PlaceContext } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { damage, writtenBytes } from './segment-plan.ts'
import type { SumsFiles } from './sums-files.ts'
import { FORGOTTEN } from './task-patches.ts'

export interface CheckingDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger' | 'bootId'> {
  settings: () => Settings
  sums: Pick<SumsFiles, 'find'>
}

/** Bad ends of one task since it last was done, or was given up. */
interface BadTries {
  /** what came each time, and where it is kept */
  came: { digest: string; path: string | null }[]
  /** its bad parts were to be fetched again, as far as anybody could tell them */
  mended: boolean
  /** all of it was to be fetched again */
  whole: boolean
}

export class Checking {
  readonly #deps: CheckingDeps
  readonly #bad = new Map<TaskId, BadTries>()

  constructor(deps: CheckingDeps) {
    this.#deps = deps
  }

  /**
   * Null: the file is as it should be, as far as anybody can tell; otherwise it is to be fetched again, wholly or in part. `made`: digests that were made on the way. Rejects
   * with `checksum_mismatch` after the last try, a disk error, or the signal's reason.
   */
  async check(
    task: TaskRecord,
    partPath: string,
    made: Digests,
    context: PlaceContext,
    signal: AbortSignal,
  ): Promise<Ending | null> {
    const expected = await this.#expected(task, context, signal)
    const size = task.contentEncoding === null ? task.sizeBytes : null
    const pieces = expected.length > 0 || size === null ? null : this.#deps.store.pieces(task.id)
    const verdict =
      pieces && fits(pieces, size!)
        ? await verifyByPieces(partPath, pieces, made, signal)
        : await verify(partPath, size, expected, made, context, signal)
    if (verdict.kind === 'bad') return this.#afterMismatch(task, partPath, verdict, context, signal)
    this.#bad.delete(task.id)
    // Told before the file gets its name: a crash in between must not cost the result.
    context.learned({ checksum: verdict.checksum })
    return null
  }

  async #afterMismatch(
    task: TaskRecord,
    partPath: string,
    mismatch: Mismatch,
    context: PlaceContext,
    signal: AbortSignal,
  ): Promise<Ending | null> {
    const { store, clock, settings, logger } = this.#deps
    const { id } = task
    const tries = this.#bad.get(id) ?? { came: [], mended: false, whole: false }
    const before = tries.came.at(-1)
    const digest = mismatch.piece?.wholeDigest ?? mismatch.actual
    const same = before?.digest === digest
    const now: BadTries['came'][number] = { digest, path: null }
    tries.came.push(now)
    this.#bad.set(id, tries)
    const { algorithm, source } = mismatch.expected
    logger.warn({ task: id, algorithm, source, tries: tries.came.length }, 'a file does not have its digest')
    const mayRetry = (task.options.retries ?? settings().retries) > 0
    if (mayRetry && !tries.mended) {
      const mended = await this.#giveUpBadParts(task, partPath, signal)
      tries.mended = true
      if (mended) return { event: { kind: 'failed', error: mended.toInfo(), retryAt: clock.now() }, patch: {} }
    }
    // Where the task has other URLs, the next of them is asked instead (mirrors.ts).
    const again = mayRetry && !tries.whole
    if (again) tries.whole = true
    else this.#bad.delete(id)
    // Equal CRCs may be of different bytes.
    const isSame = same && DIGEST_BYTES[algorithm] >= DIGEST_BYTES.md5
    const keptPath = isSame ? await this.#sameKept(before!.path, partPath, context) : null
    const path = keptPath ?? (await setAside(task, partPath, context))
    now.path = path
    const earlierPath = before && before.path !== path ? before.path : null
    const error = checksumMismatch(mismatch, { path, earlierPath }, again ? 'again' : same ? 'same-again' : 'over')
    store.clearProgress(id)
    if (!again) throw error
    return { event: { kind: 'failed', error: error.toInfo(), retryAt: clock.now() }, patch: FORGOTTEN }
  }

  /** The very same bytes are kept already: one copy is enough. Null: they are not there any more. */
  async #sameKept(path: string | null, partPath: string, { fs }: PlaceContext): Promise<string | null> {
    if (path === null || !(await onDisk(path, () => fs.stat(path)))) return null
    await onDisk(partPath, () => fs.unlink(partPath))
    return path
  }

  /** Where hashes of pieces tell which parts are bad, those are recorded as missing. Null: they do not tell. */
  async #giveUpBadParts(task: TaskRecord, partPath: string, signal: AbortSignal): Promise<NighthaulError | null> {
    const { store, bootId } = this.#deps
    const { id, sizeBytes } = task
    const pieces = sizeBytes === null ? null : store.pieces(id)
    if (!pieces || !fits(pieces, sizeBytes!)) return null
    const bad = await blocksOfBadPieces(partPath, sizeBytes!, pieces, signal)
    // None, or all: they do not tell.
    if (bad.length === 0 || bad.length === Math.ceil(sizeBytes! / BLOCK_BYTES)) return null
    const segments = damage(store.segments(id), bad, sizeBytes!)
    const written = writtenBytes(segments)
    store.checkpoint([{ id, bootId, segments, writtenBytes: written }])
    const bytes = sizeBytes! - written
    return new NighthaulError(
      'blocks_damaged',
      `${bytes} bytes of ${task.filename} do not match the hashes of its pieces. They are fetched again; the rest is kept.`,
      { bytes },
    )
  }

  async #expected(task: TaskRecord, context: PlaceContext, signal: AbortSignal): Promise<ExpectedDigest[]> {
    const settings = this.#deps.settings()
    const { options } = task
    const known = countingExpectations(task, settings)
    if (!looksForSums(options, settings, known)) return known
    const listed = await this.#deps.sums.find(task, known.length > 0, signal)
    if (!listed) return known
    context.learned({ foundDigests: [...task.foundDigests, listed] })
    return ranked([...known, listed])
  }
}
