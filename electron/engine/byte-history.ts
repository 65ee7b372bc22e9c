/** Bytes over the last seconds, fine enough to tell what one more connection brought. Memory is bounded. */

const KEPT_MS = 8_000
/** Points are no closer than this; between two of them bytes are taken to have come evenly. */
const SPACING_MS = 10
/** After a longer silence bytes came at its end, not evenly over it. */
const SILENCE_MS = 500

export class ByteHistory {
  readonly startedAtMs: number
  /** when bytes came, and how many had come by then */
  #points: { atMs: number; bytes: number }[]
  #bytes = 0

  constructor(nowMs: number) {
    this.startedAtMs = nowMs
    this.#points = [{ atMs: nowMs, bytes: 0 }]
  }

  get bytes(): number {
    return this.#bytes
  }

  /** when a byte came last; the start where none did */
  get lastAtMs(): number {
    return this.#points.at(-1)!.atMs
  }

  add(bytes: number, nowMs: number): void {
    if (bytes === 0) return
    this.#bytes += bytes
    const last = this.#points.at(-1)!
    const before = this.#points.at(-2)
    if (nowMs - last.atMs > SILENCE_MS) this.#points.push({ ...last, atMs: nowMs - SPACING_MS })
    const point = { atMs: nowMs, bytes: this.#bytes }
    if (before && nowMs - before.atMs < SPACING_MS) this.#points[this.#points.length - 1] = point
    else this.#points.push(point)
    if (this.#points.length > (2 * KEPT_MS) / SPACING_MS) this.#forget(nowMs - KEPT_MS)
  }

  /** Bytes per second between two times; 0 for an empty span. Before the start and beyond memory nothing came. */
  rate(fromMs: number, toMs: number): number {
    const from = Math.max(fromMs, this.#points[0]!.atMs)
    if (toMs <= from) return 0
    return ((this.#at(toMs) - this.#at(from)) * 1000) / (toMs - from)
  }

  #at(ms: number): number {
    const after = this.#points.findLastIndex((point) => point.atMs <= ms)
    const left = this.#points[Math.max(after, 0)]!
    const right = this.#points[after + 1]
    if (after < 0 || !right) return left.bytes
    return left.bytes + ((right.bytes - left.bytes) * (ms - left.atMs)) / (right.atMs - left.atMs)
  }

  #forget(beforeMs: number): void {
    const first = this.#points.findLastIndex((point) => point.atMs <= beforeMs)
    this.#points = this.#points.slice(Math.max(0, first))
  }
}
