/**
 * What a running download holds of its file: the plan with its two marks, and what of it the store does not know yet.
 * Decisions about segments are in segment-plan.ts; this only keeps the current list.
 */
import { BLOCK_BYTES, type BlockChecksum, type TaskCheckpoint, type TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { PartFile } from './file-sink.ts'
import type { PlaceContext } from './place.ts'
import * as plan from './segment-plan.ts'

export class Progress {
  #segments: plan.Segment[] = []
  #dirty = false
  /** blocks that were here and come again, after a repair or a power cut: they must be what they were */
  #before = new Map<number, BlockChecksum>()
  readonly #others = new Set<number>()

  get segments(): readonly plan.Segment[] {
    return this.#segments
  }

  get writtenBytes(): number {
    return plan.writtenBytes(this.#segments)
  }

  /** null while the length is unknown */
  get remainingBytes(): number | null {
    return plan.remaining(this.#segments)
  }

  get complete(): boolean {
    return plan.isComplete(this.#segments)
  }

  set(segments: plan.Segment[]): void {
    this.#segments = segments
    this.#dirty = true
  }

  at(start: number): plan.Segment | undefined {
    return this.#segments.find((segment) => segment.start === start)
  }

  advance(start: number, position: number): void {
    this.set(plan.advance(this.#segments, start, position))
  }

  split(victim: number, at: number): void {
    this.set(plan.split(this.#segments, victim, at))
  }

  absorb(start: number): void {
    this.set(plan.absorb(this.#segments, start))
  }

  setSize(size: number): void {
    this.set(plan.setSize(this.#segments, size))
  }

  /** Bytes that are here in one run directly before `position`. */
  bytesBefore(position: number): number {
    const run = plan.coverage(this.#segments).find((r) => r.start < position && position <= r.end)
    return run ? position - run.start : 0
  }

  /** The block that `position` lies in is here from its start up to there: its checksum can go on. */
  holdsBlockTo(position: number): boolean {
    return this.bytesBefore(position) >= position % BLOCK_BYTES
  }

  /** Of these blocks, those that are not here have to come as they were. */
  expectAgain(stored: readonly BlockChecksum[]): void {
    const isHere = plan.within(plan.coverage(this.#segments))
    this.#before = new Map(stored.filter((block) => !isHere(plan.rangeOf(block))).map((block) => [block.index, block]))
  }

  /** Of blocks that came, those that are not known to have been other ones. */
  sameAgain(blocks: readonly BlockChecksum[]): BlockChecksum[] {
    return blocks.filter(({ index, bytes, crc32 }) => {
      const before = this.#before.get(index)
      if (before === undefined || (before.bytes === bytes && before.crc32 === crc32)) return true
      this.#others.add(index)
      return false
    })
  }

  /** blocks came back as other ones: they are of another file */
  get hasOthers(): boolean {
    return this.#others.size > 0
  }

  /** Blocks of another file are missing from this one. */
  dropOthers(): void {
    if (this.hasOthers) this.set(plan.damage(this.#segments, [...this.#others], Number.MAX_SAFE_INTEGER))
  }

  /** What changed since the last call; null: nothing. */
  takeCheckpoint(id: TaskId, bootId: string, blocks: readonly BlockChecksum[]): TaskCheckpoint | null {
    if (!this.#dirty && blocks.length === 0) return null
    this.#dirty = false
    const segments = this.complete ? plan.mergeDone(this.#segments) : this.#segments
    return { id, bootId, writtenBytes: this.writtenBytes, segments, blocks }
  }

  /** The store could not take it: all of it is news again. */
  keepCheckpoint(): void {
    this.#dirty = true
  }

  /** `sync`, then the marks: only bytes written before it began count as durable. */
  async syncMarks(sync: () => Promise<void>): Promise<void> {
    if (this.#segments.every((s) => s.durable === s.written)) return
    const marks = new Map(this.#segments.map((s) => [s.start, s.written]))
    await sync()
    this.set(plan.markDurable(this.#segments, marks))
  }
}

/**
 * What of the stored marks of a task can be believed now that its partial is open. One that is being repaired and grew is
 * cut to its length.
 */
export async function trustedSegments(
  task: Pick<TaskRecord, 'bootId' | 'sizeBytes' | 'verification'>,
  context: Pick<PlaceContext, 'bootId' | 'storedSegments' | 'storedBlocks'>,
  part: PartFile,
): Promise<plan.Segment[]> {
  const { sizeBytes, verification } = task
  if (verification?.repairing && sizeBytes !== null && (await part.size()) > sizeBytes) await part.resize(sizeBytes)
  const stored = { segments: plan.mergeDone(context.storedSegments()), blocks: context.storedBlocks }
  const segments = await believed(stored, task.bootId === context.bootId, part)
  // A crash may come between learning the size and storing the plan that knows it.
  const last = segments.at(-1)
  return sizeBytes !== null && last?.end === null && last.written <= sizeBytes
    ? plan.setSize(segments, sizeBytes)
    : segments
}

/**
 * What of a file may be believed at start-up: under another boot, blocks that were written and not fsynced are compared
 * with their checksums. What the file on disk does not reach to is not there.
 */
export async function believed(
  stored: { segments: readonly plan.Segment[]; blocks: () => readonly BlockChecksum[] },
  sameBoot: boolean,
  part: PartFile,
): Promise<plan.Segment[]> {
  const checked = sameBoot ? null : await checkBlocks(stored.segments, stored.blocks(), part)
  const trusted = plan.trustAfterBoot(stored.segments, sameBoot, (index) => checked?.get(index) ?? null)
  return plan.clipToFile(trusted, await part.size())
}

/** Which blocks between the two marks are on disk as their stored CRC-32 says. */
async function checkBlocks(
  segments: readonly plan.Segment[],
  storedBlocks: readonly BlockChecksum[],
  part: PartFile,
): Promise<Map<number, boolean>> {
  const result = new Map<number, boolean>()
  const stored = new Map(storedBlocks.map((block) => [block.index, block]))
  for (const segment of segments)
    for (const index of plan.blocksOf(segment.durable, segment.written)) {
      const block = stored.get(index)
      if (block) result.set(index, (await part.blockChecksum(index, block.bytes)) === block.crc32)
    }
  return result
}
