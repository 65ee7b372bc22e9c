/** What one connection's failure means for the download it belongs to. Pure. */
import type { NighthaulError } from '../../shared/errors.ts'

/**
 * `original`: the place a redirect led to may have expired; resolve the link again. `fewer`: the others work and the
 * server allows no more than these. `later`: the others work, the line hiccuped. `fail`: the run ends with this error.
 */
export type AfterFailure = 'original' | 'fewer' | 'later' | 'fail'

export function afterFailure(
  error: Pick<NighthaulError, 'kind'>,
  situation: { othersWork: boolean; onRedirectTarget: boolean; originalTried: boolean },
): AfterFailure {
  if (error.kind === 'disk' || error.kind === 'usage') return 'fail'
  const mayResolve = situation.onRedirectTarget && !situation.originalTried
  if (error.kind === 'changed') return mayResolve && !situation.othersWork ? 'original' : 'fail'
  if (situation.othersWork) return error.kind === 'http' || error.kind === 'integrity' ? 'fewer' : 'later'
  return mayResolve ? 'original' : 'fail'
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

/** How long to leave a struggling host at the connections it has, before another one is tried; `random` in [0, 1). */
export function growthPauseMs(failuresInARow: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failuresInARow, 10))
  return ceiling * (0.5 + random / 2)
}
