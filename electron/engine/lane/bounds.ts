/**
 * How far a reply is read, and how far it is wanted: shared between the thread that reads and the one that plans, so
 * that a range can be split while it is being read and no byte ever has two owners.
 *
 * The reader stores what it is about to take before it looks at the end; the planner stores the new end before it looks
 * at what was taken (Dekker's order, sequentially consistent by Atomics). At least one of them sees the other.
 */

const CLAIMED = 0
const END = 1
const RECEIVED = 2
const CELLS = 3
/** in END: no end but the body's */
const OPEN = -1n

export class LaneBounds {
  readonly #cells: BigInt64Array<ArrayBufferLike>

  private constructor(cells: BigInt64Array<ArrayBufferLike>) {
    this.#cells = cells
  }

  /** Reading from `position` to `end`, told in `memory`: new, or of bounds that nobody looks at any more. */
  static within(
    position: number,
    end: number | null,
    memory = new SharedArrayBuffer(CELLS * BigInt64Array.BYTES_PER_ELEMENT),
  ): LaneBounds {
    const cells = new BigInt64Array(memory)
    cells.fill(0n)
    cells[CLAIMED] = BigInt(position)
    cells[END] = toCell(end)
    return new LaneBounds(cells)
  }

  /** The same bounds, seen from another thread. */
  static over(memory: SharedArrayBuffer): LaneBounds {
    return new LaneBounds(new BigInt64Array(memory))
  }

  get memory(): SharedArrayBuffer {
    return this.#cells.buffer as SharedArrayBuffer
  }

  /** As they are now, in memory that nobody shares. */
  parted(): LaneBounds {
    return new LaneBounds(this.#cells.slice())
  }

  /** one past the last byte that was read or is about to be */
  get claimed(): number {
    return Number(Atomics.load(this.#cells, CLAIMED))
  }

  get receivedBytes(): number {
    return Number(Atomics.load(this.#cells, RECEIVED))
  }

  /**
   * The reader's: after those before `from`, bytes up to `upTo` are at hand. Answers where reading ends; null: with the
   * body. What was read stays claimed, wherever an end that the planner takes back at once was for a moment.
   */
  claim(from: number, upTo: number): number | null {
    Atomics.store(this.#cells, CLAIMED, BigInt(upTo))
    const end = Atomics.load(this.#cells, END)
    if (end === OPEN) return null
    if (BigInt(upTo) > end) Atomics.store(this.#cells, CLAIMED, BigInt(Math.max(from, Number(end))))
    return Number(end)
  }

  /** The reader's: so many bytes came from the network. */
  received(bytes: number): void {
    Atomics.add(this.#cells, RECEIVED, BigInt(bytes))
  }

  /** The planner's: moves the end. False: reading is beyond it already, and the end is where it was. */
  setEnd(end: number | null): boolean {
    const before = Atomics.exchange(this.#cells, END, toCell(end))
    if (end === null || this.claimed <= end) return true
    Atomics.store(this.#cells, END, before)
    return false
  }

  /** The planner's: reading came to its end; where it ends now. */
  answer(end: number | null | 'stop'): number | null | 'stop' {
    if (end !== 'stop') Atomics.store(this.#cells, END, toCell(end))
    return end
  }
}

function toCell(end: number | null): bigint {
  return end === null ? OPEN : BigInt(end)
}
