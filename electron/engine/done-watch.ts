/** Tells when work that had begun is over: nothing wants bytes that may have them, and that for a moment. Pure. */

/** What follows at once (the next download of a list, a retry) is the same work. */
const SETTLES_MS = 3_000

export interface DoneWatch {
  /** Answers once when it is over: since when it had been under way. */
  step(isBusy: boolean, now: number): { since: number } | null
  /** The same for what is over and was not answered yet: nobody steps any more. */
  take(): { since: number } | null
}

export function doneWatch(): DoneWatch {
  let since: number | null = null
  let idleSince: number | null = null
  const take = () => {
    if (since === null || idleSince === null) return null
    const over = { since }
    since = null
    idleSince = null
    return over
  }
  return {
    step(isBusy, now) {
      if (isBusy) {
        since ??= now
        idleSince = null
        return null
      }
      if (since === null) return null
      // The clock may be set back.
      if (idleSince === null || now < idleSince) idleSince = now
      return now - idleSince >= SETTLES_MS ? take() : null
    },
    take,
  }
}
