/**
 * The time of a simulated night: a heap of moments, and a hand that moves on to the next one once everything that can
 * happen now has happened. There are two kinds of moments: those of the world (packets, servers that go away) and timers
 * of the machine, which stand still while it sleeps. The wall clock may also be set.
 */
import type { Clock, Timer } from '../../electron/engine/ports.ts'

interface Moment {
  at: number
  /** of moments at one time, the one that was asked for first comes first */
  order: number
  happen: () => void
  cancelled: boolean
}

/** A heap by time. */
class Moments {
  readonly #heap: Moment[] = []

  get next(): Moment | undefined {
    while (this.#heap[0]?.cancelled) this.take()
    return this.#heap[0]
  }

  add(moment: Moment): void {
    const heap = this.#heap
    let index = heap.push(moment) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(moment, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = moment
  }

  take(): Moment | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at
}

export class NightClock implements Clock {
  readonly #startsAt: number
  /** ms since the start */
  #elapsed = 0
  /** of these the machine's own clocks have not seen */
  #sleeps = false
  #slept = 0
  /** ms by which the wall clock is ahead */
  #offset = 0
  #order = 0
  readonly #timers = new Moments()
  readonly #world = new Moments()

  /** epoch ms */
  constructor(startsAt: number) {
    this.#startsAt = startsAt
  }

  /** The machine's wall clock, right unless it was set, in whole ms as clocks are. */
  now(): number {
    return this.world() + this.#offset
  }

  /** What time it is, whatever the machine's clock says. */
  world(): number {
    return this.#startsAt + Math.floor(this.#elapsed)
  }

  /** Somebody sets the wall clock, ahead or (negative) back. */
  set(ms: number): void {
    this.#offset += ms
  }

  monotonic(): number {
    return this.#elapsed - this.#slept
  }

  /** A timer of the machine: of whole ms, and of one at least, as Node's are. */
  setTimeout(callback: () => void, ms: number): Timer {
    return this.#add(this.#timers, this.monotonic() + Math.max(1, Math.trunc(ms)), callback)
  }

  /** Something happens in the world, whether the machine sleeps or not. `at`: epoch ms; in the past: now. */
  at(at: number, happen: () => void): Timer {
    return this.#add(this.#world, Math.max(at - this.#startsAt, this.#elapsed), happen)
  }

  after(ms: number, happen: () => void): Timer {
    return this.#add(this.#world, this.#elapsed + ms, happen)
  }

  #add(moments: Moments, at: number, happen: () => void): Timer {
    const moment = { at, order: this.#order++, happen, cancelled: false }
    moments.add(moment)
    return {
      cancel: () => {
        moment.cancelled = true
      },
    }
  }

  /** Nobody is there who could be told anything. */
  get sleeps(): boolean {
    return this.#sleeps
  }

  /**
   * The machine sleeps for so long: the world goes on, timers do not. `monotonicRuns`: as on systems whose monotonic
   * clock counts sleep; timers are late there. Otherwise they have as long to go as before.
   */
  sleep(ms: number, monotonicRuns: boolean): void {
    const wakesAt = this.#elapsed + ms
    this.#sleeps = true
    for (;;) {
      const event = this.#world.next
      if (!event || event.at > wakesAt) break
      this.#world.take()
      this.#elapsed = Math.max(this.#elapsed, event.at)
      event.happen()
    }
    this.#sleeps = false
    this.#elapsed = wakesAt
    if (!monotonicRuns) this.#slept += ms
  }

  /** Goes on until `until` (epoch ms), or until `isOver`; returns once everything that can happen by then has. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    const end = until - this.#startsAt
    for (;;) {
      await settled()
      if (isOver()) return
      const timer = this.#timers.next
      const event = this.#world.next
      const timerAt = timer ? Math.max(timer.at + this.#slept, this.#elapsed) : Number.POSITIVE_INFINITY
      const at = Math.min(timerAt, event?.at ?? Number.POSITIVE_INFINITY)
      if (at > end) break
      this.#elapsed = Math.max(this.#elapsed, at)
      const moment = timerAt <= (event?.at ?? Number.POSITIVE_INFINITY) ? this.#timers.take()! : this.#world.take()!
      moment.happen()
    }
    this.#elapsed = Math.max(this.#elapsed, end)
  }
}

/** Turns of the event loop in which a chain of promises, commits and writes comes to rest. */
const TURNS = 3

/**
 * Nothing in a night is slow by itself: files are memory, servers are functions, SQLite answers at once. What is left are
 * promises, and what the engine puts off to the next turn of the event loop (commits, messages).
 */
async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}
