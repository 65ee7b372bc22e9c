/**
 * For how long a host that refuses again and again is left alone, so that it is tried later instead of all the time, and
 * whether it answers at all.
 * Counts; the host controller keeps to it.
 */
import { NighthaulError } from '../../shared/errors.ts'

/** After so many rounds of refusals (429, 503), with nothing that came in between, it is left alone. */
const STORM_ROUNDS = 4
/** Refusals within this time are one round: several connections were turned away at once. */
const ROUND_MS = 1_000
/** So many downloads that it forbids (403), with none that came in between, mean that it forbids all of them. */
const FORBIDDEN_IN_A_ROW = 5
/** How long it is left alone for the first time; each further time is twice as long. */
const FIRST_REST_MS = 60_000
const LONGEST_REST_MS = 60 * 60_000
/** A host that did not answer is thought to be as before after so long. */
const SILENT_MS = 10 * 60_000

/** Thrown in place of a request to a host that is left alone for a while: it asked for that, or `forbids` (403). */
export class HostQuiet extends NighthaulError {
  readonly quietMs: number

  constructor(host: string, quietMs: number, forbids: boolean) {
    super(
      forbids ? 'host_refuses' : 'too_many_requests',
      `“${host}” ${forbids ? 'refused one download after the other (403)' : 'asked for fewer requests'}, so all downloads from it wait. What is already here is kept.`,
      { host, retryAfterMs: Math.ceil(quietMs) },
    )
    this.quietMs = Math.ceil(quietMs)
  }
}

export class HostRefusals {
  #rounds = 0
  #roundAtMs = Number.NEGATIVE_INFINITY
  readonly #forbidden = new Set<number>()
  #forbadeAtMs = Number.NEGATIVE_INFINITY
  #silentAtMs = Number.NEGATIVE_INFINITY

  /** It asked for less. ms for which to leave it alone now; 0: not by itself. `nowMs` monotonic. */
  askedForLess(nowMs: number): number {
    if (nowMs - this.#roundAtMs >= ROUND_MS) {
      this.#rounds++
      this.#roundAtMs = nowMs
    }
    return restMs(this.#rounds - STORM_ROUNDS)
  }

  /** It forbade a download. ms for which to leave it alone now. */
  forbade(id: number, nowMs: number): number {
    this.#forbidden.add(id)
    this.#forbadeAtMs = nowMs
    return restMs(this.#forbidden.size - FORBIDDEN_IN_A_ROW)
  }

  /** It was asked, and did not say a word. */
  unanswered(nowMs: number): void {
    this.#silentAtMs = nowMs
  }

  /** Whether that ends a silence. */
  answered(): boolean {
    const wasSilent = this.#silentAtMs !== Number.NEGATIVE_INFINITY
    this.#silentAtMs = Number.NEGATIVE_INFINITY
    return wasSilent
  }

  isSilent(nowMs: number): boolean {
    return nowMs - this.#silentAtMs < SILENT_MS
  }

  /** There is something to count on from, although nobody is connected now. */
  counts(nowMs: number): boolean {
    return nowMs - this.#forbadeAtMs < LONGEST_REST_MS || this.isSilent(nowMs)
  }
}

/** `times`: how often it was left alone before; negative: it is not yet */
function restMs(times: number): number {
  return times < 0 ? 0 : Math.min(FIRST_REST_MS * 2 ** times, LONGEST_REST_MS)
}
