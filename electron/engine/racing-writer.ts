/**
 * The writer of a connection that races another for the rest of its segment. Until it is ahead it writes nothing: what
 * it reads, the owner has read before. Then it asks for the segment, in two steps that hold wherever the owner's bytes
 * are read and written: the owner stops, with everything below some offset written; the taker writes on from there.
 */
import type { SegmentWriter } from './file-sink.ts'
import { release } from './http/slabs.ts'
import type { RaceAnswer } from './lane/lane.ts'
import { closedEarly, type OrderedWriter } from './transfer.ts'

export interface RacingWriterInput {
  /** offset of the first byte this connection reads */
  from: number
  /** It has read up to `position`: may it take over? Rejects where there is nothing left to take over. */
  takeOver: (position: number) => Promise<RaceAnswer>
  /** the writer that continues at this offset */
  open: (from: number, blockHeld: boolean) => Promise<SegmentWriter>
  /** there is room again after `push` returned false */
  drained: () => void
  failed: (error: Error) => void
}

export class RacingWriter implements OrderedWriter {
  readonly #input: RacingWriterInput
  #position: number
  /** up to here the owner is known to be ahead: no need to ask */
  #ownerAt: number
  /** bytes the owner may not have; read while the question is under way */
  #held: Buffer[] = []
  #asking: Promise<void> | null = null
  /** the segment is ours from this offset on */
  #mine: { from: number; writer: SegmentWriter } | null = null
  #finished = false

  constructor(input: RacingWriterInput) {
    this.#input = input
    this.#position = input.from
    this.#ownerAt = input.from
  }

  get position(): number {
    return this.#position
  }

  push(chunk: Buffer): boolean {
    const start = this.#position
    this.#position += chunk.length
    if (this.#mine) return this.#write(this.#mine, start, chunk)
    if (this.#asking === null && this.#position <= this.#ownerAt) {
      release(chunk)
      return true
    }
    this.#held.push(chunk)
    this.#asking ??= this.#ask(start).catch((error: Error) => {
      this.#dropHeld()
      this.#input.failed(error)
    })
    return false
  }

  flush(): void {
    this.#mine?.writer.flush()
  }

  /** The file ends here: its last, shorter block is whole. */
  endOfFile(): void {
    this.#mine?.writer.endOfFile()
  }

  async finish(): Promise<void> {
    this.#finished = true
    await this.#asking
    await this.#mine?.writer.finish()
  }

  /** `start`: offset of the first byte held. */
  async #ask(start: number): Promise<void> {
    const answer = await this.#input.takeOver(this.#position)
    if (answer.kind === 'ahead') {
      this.#ownerAt = answer.position
      this.#dropHeld()
    } else {
      // The owner could not write all that it had read, and we dropped those bytes: they must be asked for again.
      if (answer.from < start) throw closedEarly()
      this.#mine = { from: answer.from, writer: await this.#input.open(answer.from, answer.blockHeld) }
      let at = start
      for (const chunk of this.#held) {
        this.#write(this.#mine, at, chunk)
        at += chunk.length
      }
      this.#held = []
    }
    this.#asking = null
    if (!this.#finished) this.#input.drained()
  }

  /** What the owner came further before it stopped is dropped. */
  #write({ from, writer }: { from: number; writer: SegmentWriter }, start: number, chunk: Buffer): boolean {
    const known = Math.min(chunk.length, Math.max(0, from - start))
    if (known > 0) release(chunk.subarray(0, known))
    return known === chunk.length || writer.push(known > 0 ? chunk.subarray(known) : chunk)
  }

  #dropHeld(): void {
    for (const chunk of this.#held) release(chunk)
    this.#held = []
  }
}
