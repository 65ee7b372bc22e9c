/** The failures of one download's connections: what each means is connection-policy.ts; this remembers what it needs. */
import type { NighthaulError } from '../../shared/errors.ts'
import { type AfterFailure, afterFailure, growthPauseMs } from './connection-policy.ts'

export class ConnectionFailures {
  readonly #random: () => number
  #openNotBeforeMs = 0
  /** what was written when a connection failed last: nothing new is tried until the others have brought more */
  #writtenAtFailure = -1
  /** what was written when the link itself was asked again: once more only after that brought something */
  #writtenAtResolve = -1
  #inARow = 0

  constructor(random: () => number) {
    this.#random = random
  }

  /** Otherwise connections that fail in turn would keep each other, and the run, alive for ever. */
  mayOpen(writtenBytes: number, nowMs: number): boolean {
    return nowMs >= this.#openNotBeforeMs && writtenBytes > this.#writtenAtFailure
  }

  /** A connection came to the end of its work. */
  succeeded(): void {
    this.#inARow = 0
  }

  /** One failed, not on purpose: what it means for the download. */
  add(
    error: NighthaulError,
    situation: { othersWork: boolean; onRedirectTarget: boolean },
    writtenBytes: number,
    nowMs: number,
  ): AfterFailure {
    const action = afterFailure(error, { ...situation, originalTried: writtenBytes <= this.#writtenAtResolve })
    if (action === 'original') this.#writtenAtResolve = writtenBytes
    if (action === 'fewer' || action === 'later') {
      this.#writtenAtFailure = writtenBytes
      this.#openNotBeforeMs = nowMs + growthPauseMs(this.#inARow++, this.#random())
    }
    return action
  }
}
