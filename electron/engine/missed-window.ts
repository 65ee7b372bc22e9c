/** Which window of a queue was lost while the machine slept or was off, and for how long it is made up for. Pure. */
import type { MissedWindow } from '../../shared/schedule-state.ts'
import type { TimeWindow } from '../../shared/windows.ts'
import { openSpans } from './window-times.ts'

/** Losing less than this is nothing to speak of. */
const LEAST_LOST_MS = 5 * 60_000
/** Windows return weekly: the last one that closed is not longer ago. */
const WEEK_MS = 8 * 86_400_000

/**
 * The last window that closed while nothing was alive (`gap`, epoch ms), as far as it was lost; null: none was. One that
 * is still open at the end of the gap is not missed. Of several, only the last counts.
 */
export function missedWindow(
  windows: readonly TimeWindow[],
  zone: string,
  gap: { from: number; to: number },
): Pick<MissedWindow, 'from' | 'to'> | null {
  const from = Math.max(gap.from, gap.to - WEEK_MS)
  const last = openSpans(windows, zone, from, gap.to).findLast((span) => (span.to ?? Infinity) <= gap.to)
  if (!last) return null
  const lost = { from: Math.max(last.from ?? from, from), to: last.to! }
  return lost.to - lost.from < LEAST_LOST_MS ? null : lost
}

/** Epoch ms until which a missed window is made up for: as long from now on as was lost of it. */
export function madeUpUntil({ from, to }: Pick<MissedWindow, 'from' | 'to'>, now: number): number {
  return now + (to - from)
}
