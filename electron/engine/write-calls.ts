/**
 * Whether a large write goes to the kernel as a whole or in parts: whichever takes less time just now. As a rule that is
 * the whole. But for it Linux takes the pages of its cache in large pieces, and where the machine's memory has to be
 * fetched first (a virtual machine whose host took back what was free), that costs up to four times as much, while
 * pieces of 32 KiB come from what each processor has at hand (PAGE_ALLOC_COSTLY_ORDER). Nobody says which it is, so it
 * is measured. Pure but for the call that it is given.
 */

/** Larger than this, pages are not taken from what a processor has at hand. */
export const PART_BYTES = 32 * 1024
/** A smaller write is one call. */
const LARGE_BYTES = 8 * PART_BYTES
/** Both ways in turn, so often each, before one is preferred. */
const FIRST_TRIES = 2
/** After so many writes the other way is tried again, and after twice as many each time that it was no better. */
const LOOK_AFTER = 32
const LONGEST_LOOK_AFTER = 512
/** Weight of a write that took longer than those before: something else may have held it up. A shorter one is believed. */
const LONGER_WEIGHT = 0.15

type Way = 'whole' | 'parts'

/** The writes of one file. */
export class WriteCalls {
  /** ms per byte; 0: not known yet */
  readonly #costs: Record<Way, number> = { whole: 0, parts: 0 }
  #writes = 0
  #preferred: Way | null = null
  /** writes until the other way is tried again */
  #left = 0
  #lookAfter = LOOK_AFTER

  /** How the next write of so many bytes is made. */
  next(bytes: number): Way {
    if (bytes < LARGE_BYTES) return 'whole'
    const turn = this.#writes++
    if (turn < 2 * FIRST_TRIES) return turn % 2 === 0 ? 'whole' : 'parts'
    const better = this.#costs.whole <= this.#costs.parts ? 'whole' : 'parts'
    if (better !== this.#preferred) {
      this.#preferred = better
      this.#lookAfter = LOOK_AFTER
      this.#left = LOOK_AFTER
    }
    if (this.#left-- > 0) return better
    this.#lookAfter = Math.min(2 * this.#lookAfter, LONGEST_LOOK_AFTER)
    this.#left = this.#lookAfter
    return other(better)
  }

  /** A write that was made so took so long for so many bytes: of a large one that is remembered. */
  took(way: Way, bytes: number, ms: number): void {
    if (bytes < LARGE_BYTES) return
    const before = this.#costs[way]
    const cost = ms / bytes
    this.#costs[way] = before === 0 || cost < before ? cost : before + LONGER_WEIGHT * (cost - before)
  }
}

function other(way: Way): Way {
  return way === 'whole' ? 'parts' : 'whole'
}

/**
 * Writes in calls that end at multiples of PART_BYTES. Answers how many bytes were taken, fewer where a call took fewer;
 * what a call throws after others took something comes with the next write.
 */
export function writeInParts(
  write: (buffer: Uint8Array, offset: number, length: number, position: number) => number,
  buffers: readonly Uint8Array[],
  position: number,
): number {
  let at = position
  for (const buffer of buffers) {
    for (let offset = 0; offset < buffer.length; ) {
      const length = Math.min(buffer.length - offset, PART_BYTES - (at % PART_BYTES))
      let taken: number
      try {
        taken = write(buffer, offset, length, at)
      } catch (error) {
        if (at === position) throw error
        return at - position
      }
      at += taken
      offset += taken
      if (taken < length) return at - position
    }
  }
  return at - position
}
