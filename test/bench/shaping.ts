/**
 * How a connection of the shaping server behaves: its rate, its slow start, and which one is the slow one. Pure; time
 * comes in. A model, and a plain one: no loss, no shared bottleneck, so that only the client's planning differs.
 */

export interface Shape {
  /** the most a connection gets once its window is open */
  bytesPerSecond: number
  /** added to loopback's: a reply begins one later, on a new connection two, and slow start doubles once in each */
  roundTripMs: number
  /**
   * `never`; `once`: one connection of the run, and whoever gives it up gets a good one; `always`: whenever no slow one
   * is open, the next is slow, as if the n-th way to the server were bad
   */
  slow: 'never' | 'once' | 'always'
}

/** A slow connection gets this fraction of the others' rate. */
export const SLOW_SHARE = 1 / 20
/** The slow one is the third that is opened: neither the first nor the last of a ramp. */
const SLOW_NUMBER = 3
/** Segments of the initial window (RFC 6928) on an Ethernet. */
const INITIAL_WINDOW_BYTES = 10 * 1460
/** A window closes again after a rest (RFC 5681 §4.1), here the least retransmission timeout of RFC 6298. */
const REST_MS = 1000
/** What a late timer may make up for at once; more would be a burst that no line has. */
const MOST_ARREARS_MS = 250

/** Whether connection `number` (from 1) of a run is slow, with `slowOpen` slow ones open now. */
export function isSlow(shape: Shape, number: number, slowOpen: number): boolean {
  if (shape.slow === 'always') return number >= SLOW_NUMBER && slowOpen === 0
  return shape.slow === 'once' && number === SLOW_NUMBER
}

/** One connection's pace. Times are ms of a monotonic clock. */
export class Pace {
  readonly #shape: Shape
  readonly #most: number
  #requests = 0
  /** how long the connection has been sending since its window was last closed */
  #sendingMs = 0
  #at = 0
  #credit = 0

  constructor(shape: Shape, slow: boolean) {
    this.#shape = shape
    this.#most = shape.bytesPerSecond * (slow ? SLOW_SHARE : 1)
  }

  /** A request came: ms until its reply begins. A new connection's handshake took a round trip before it. */
  delayMs(): number {
    this.#requests += 1
    return this.#shape.roundTripMs * (this.#requests === 1 ? 2 : 1)
  }

  /** A reply begins. */
  begin(nowMs: number): void {
    if (nowMs - this.#at > REST_MS) this.#sendingMs = 0
    this.#at = nowMs
    this.#credit = 0
  }

  /** How many bytes may be sent now. */
  allowed(nowMs: number): number {
    const elapsed = nowMs - this.#at
    this.#at = nowMs
    this.#sendingMs += elapsed
    const rate = this.#rate()
    this.#credit = Math.min(this.#credit + (rate * elapsed) / 1000, (rate * MOST_ARREARS_MS) / 1000)
    return Math.floor(this.#credit)
  }

  sent(bytes: number): void {
    this.#credit -= bytes
  }

  /** A window a round trip, doubled by each. */
  #rate(): number {
    const { roundTripMs } = this.#shape
    if (roundTripMs === 0) return this.#most
    const window = INITIAL_WINDOW_BYTES * 2 ** (this.#sendingMs / roundTripMs)
    return Math.min(this.#most, (window * 1000) / roundTripMs)
  }
}
