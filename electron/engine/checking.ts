/**
 * What becomes of a file whose bytes are all here: it is verified by what is known of it; where it is bad, its bad parts
 * or all of it is fetched again, a bounded number of times. Acts; what is compared is in mismatch.ts.
 */
import { NighthaulError } from '../../shared/errors.ts'
import { type BadTries, DIGEST_BYTES, type ExpectedDigest } from '../../shared/integrity.ts'
import { BLOCK_BYTES, type TaskRecord } from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import { countingExpectations, fits, looksForSums, ranked } from './expectations.ts'
import type { Digests } from './hashes.ts'
import type { Ending } from './mirrors.ts'
import {
  blocksOfBadPieces,
  checksumMismatch,
  type Mismatch,
  setAside,
  type Verdict,
  verify,
  verifyByPieces,
} from './mismatch.ts'
import { type PlaceContext, partPathOf } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { damage, writtenBytes } from './segment-plan.ts'
import type { SumsFiles } from './sums-files.ts'
import { FORGOTTEN } from './task-patches.ts'

export interface CheckingDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger' | 'bootId'> {
  settings: () => Settings
  sums: Pick<SumsFiles, 'find' | 'forget'>
}

const NO_TRIES: BadTries = { came: [], mended: false, whole: false, over: false }

export class Checking {
  readonly #deps: CheckingDeps

  constructor(deps: CheckingDeps) {
    this.#deps = deps
  }

  /**
   * Null: the file is as it should be, as far as anybody can tell; otherwise it is to be fetched again, wholly or in
   * part, or has failed with `checksum_mismatch`. `made`: digests that were made on the way. Rejects with a disk error, or
   * the signal's reason.
   */
  async check(
    task: TaskRecord,
    partPath: string,
    made: Digests,
    context: PlaceContext,
    signal: AbortSignal,
  ): Promise<Ending | null> {
    const at = this.#deps.clock.monotonic()
    let verdict = await this.#judge(task, partPath, made, context, signal)
    const anew = verdict.kind === 'bad' ? await this.#listedAnew(task, verdict.expected, at, context, signal) : null
    if (anew) verdict = await this.#judge(anew, partPath, made, context, signal)
    if (verdict.kind === 'bad') return this.#afterMismatch(task, partPath, verdict, context, signal)
    const badTries = givenUp(task.badTries)
    // Told before the file gets its name: a crash in between must not cost the result.
    if (verdict.checksum || task.checksum || badTries)
      context.learned({ checksum: verdict.checksum, ...(badTries && { badTries }) })
    return null
  }

  async #judge(
    task: TaskRecord,
    partPath: string,
    made: Digests,
    context: PlaceContext,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const expected = await this.#expected(task, context, signal)
    const size = task.contentEncoding === null ? task.sizeBytes : null
    const pieces = expected.length > 0 || size === null ? null : this.#deps.store.pieces(task.id)
    return pieces && fits(pieces, size!)
      ? verifyByPieces(partPath, pieces, made, signal)
      : verify(partPath, size, expected, made, context, signal)
  }

  /**
   * A list of checksums that other files asked for may be older than this one, so it is asked for once more. `at`:
   * monotonic ms of when the file was compared. Null: it says the same, or cannot be had any more.
   */
  async #listedAnew(
    task: TaskRecord,
    { source, value, from }: ExpectedDigest,
    at: number,
    context: PlaceContext,
    signal: AbortSignal,
  ): Promise<TaskRecord | null> {
    const { sums } = this.#deps
    if (source !== 'sums-file' || !from || !sums.forget(from, at)) return null
    const known = task.foundDigests.filter((digest) => digest.source !== source)
    const listed = await sums.find(task, known.length > 0, signal)
    if (!listed || listed.value === value) return null
    const foundDigests = [...known, listed]
    context.learned({ foundDigests })
    return { ...task, foundDigests }
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
    const digest = mismatch.piece?.wholeDigest ?? mismatch.actual
    const tries = task.badTries ?? NO_TRIES
    const before = tries.came.at(-1)
    const same = before?.digest === digest
    const remember = (next: BadTries) => store.updateTask(id, { badTries: next }, { intent: true })
    const came = (path: string | null) => [...tries.came, { digest, path }]
    const { algorithm, source } = mismatch.expected
    logger.warn({ task: id, algorithm, source, tries: tries.came.length + 1 }, 'a file does not have its digest')
    const mayRetry = (task.options.retries ?? settings().retries) > 0
    if (mayRetry && !tries.mended) {
      const mended = await this.#giveUpBadParts(task, partPath, signal)
      if (mended) remember({ ...tries, came: came(null), mended: true })
      if (mended) return { event: { kind: 'failed', error: mended.toInfo(), retryAt: clock.now() }, patch: {} }
    }
    // Where the task has other URLs, the next of them is asked instead (mirrors.ts).
    const again = mayRetry && !tries.whole
    // Equal CRCs may be of different bytes.
    const isSame = same && DIGEST_BYTES[algorithm] >= DIGEST_BYTES.md5
    const keptPath = isSame ? await this.#stillKept(before!.path, context) : null
    // On record first: wherever this process dies, nothing is fetched once more, and the file is known.
    const record = async (path: string) => {
      remember({ came: came(path), mended: true, whole: true, over: !again })
      store.clearProgress(id)
      store.updateTask(id, { writtenBytes: 0 })
      await store.committed(true)
    }
    const undo = this.#undo(task)
    let path: string
    try {
      if (keptPath) await record(keptPath)
      if (keptPath) await onDisk(partPath, () => context.fs.unlink(partPath))
      path = keptPath ?? (await setAside(task, partPath, context, record))
    } catch (error) {
      undo()
      throw error
    }
    const earlierPath = before && before.path !== path ? before.path : null
    const error = checksumMismatch(mismatch, { path, earlierPath }, again ? 'again' : same ? 'same-again' : 'over')
    return again
      ? { event: { kind: 'failed', error: error.toInfo(), retryAt: clock.now() }, patch: FORGOTTEN }
      : {
          event: { kind: 'failed', error: error.toInfo(), retryAt: null },
          patch: { badTries: givenUp(store.getTask(id)!.badTries) },
        }
  }

  /** Puts back what is on record now, where the disk refuses what was to follow: the file is compared again then. */
  #undo({ id, badTries }: TaskRecord): () => void {
    const { store, bootId } = this.#deps
    const { writtenBytes } = store.getTask(id)!
    const before = { id, bootId, writtenBytes, segments: store.segments(id), blocks: store.blocks(id) }
    return () => {
      store.updateTask(id, { badTries }, { intent: true })
      store.checkpoint([before])
    }
  }

  /** The very same bytes are kept already: one copy is enough. Null: they are not there any more. */
  async #stillKept(path: string | null, { fs }: PlaceContext): Promise<string | null> {
    return path !== null && (await onDisk(path, () => fs.stat(path))) ? path : null
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

/** After the last word about them, a next bad file gets as many tries; where the bad ones are is kept. */
function givenUp(tries: BadTries | null): BadTries | null {
  return tries && { came: tries.came.filter(({ path }) => path !== null), mended: false, whole: false, over: false }
}

/**
 * What was left to do with a bad file where the process died after that was recorded: it is set aside. Answers the end of
 * a task that had failed for good; null: it goes on. Rejects where the file cannot be set aside.
 */
export async function lateMismatch(task: TaskRecord, { fs }: Pick<EngineDeps, 'fs'>): Promise<Ending | null> {
  const { badTries, filename, state, writtenBytes } = task
  const partPath = partPathOf(task)
  const path = badTries?.came.at(-1)?.path
  // What comes once more counts its bytes as they come.
  const isDue = badTries?.over || (state === 'finishing' && writtenBytes === 0)
  if (!isDue || !path) return null
  if (partPath && !(await fs.stat(path)) && (await fs.stat(partPath))) await fs.renameExclusive(partPath, path)
  if (!badTries.over) return null
  const sentence = `${filename} did not have its digest, and is not fetched again. What came is kept as ${path}. Check the checksum, or try another link.`
  const error = new NighthaulError('checksum_mismatch', sentence, { path })
  return { event: { kind: 'failed', error: error.toInfo(), retryAt: null }, patch: { badTries: givenUp(badTries) } }
}
