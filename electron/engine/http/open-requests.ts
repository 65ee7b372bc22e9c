/**
 * Requests under way, for the moment when the network changes: connections are dead then without knowing it, and a
 * request that stays silent is not waited for.
 */
import { NighthaulError } from '../../../shared/errors.ts'
import type { Clock, Timer } from '../ports.ts'
import type { OpenRequest } from './exchange.ts'

/** After a change of network, a request that hears nothing for so long is ended. */
const SUSPECT_MS = 5_000

export class OpenRequests {
  readonly #clock: Clock
  readonly #open = new Set<OpenRequest>()
  readonly #watches = new Set<Timer>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(request: OpenRequest): void {
    this.#open.add(request)
  }

  delete(request: OpenRequest): void {
    this.#open.delete(request)
  }

  /** Those that hear nothing for a few seconds from now on fail with what `error` makes. */
  suspect(error: () => NighthaulError): void {
    const heard = new Map([...this.#open].map((open) => [open, open.progress]))
    if (heard.size === 0) return
    const watch = this.#clock.setTimeout(() => {
      this.#watches.delete(watch)
      for (const [open, progress] of heard)
        if (this.#open.has(open) && open.progress === progress && !open.heldBack) open.fail(error())
    }, SUSPECT_MS)
    this.#watches.add(watch)
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel()
  }
}

/** What ends a request that was silent since the network changed. */
export function networkChanged(): NighthaulError {
  return new NighthaulError(
    'connection_reset',
    'The network changed and the connection was silent since. What is already here is kept; the download goes on from there.',
  )
}
