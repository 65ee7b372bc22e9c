/**
 * When a queue may work: while its windows are open, and beyond that for as long as it lost of one that closed while the
 * machine slept or Nighthaul was not running, computed from the plan alone.
 */
import type { NightPlan, QueuePlan, Span } from './night-plan.ts'
import { byTheWall } from './truth.ts'

const MINUTE = 60_000
/** Less is not missed; the last sign of life is a second old. */
const LEAST_LOST_MS = 5 * MINUTE - 2_000
/** An engine that was killed knows only by so much when it was last alive. */
const UNKNOWN_MS = 5 * MINUTE

/** By the machine's clock; null: always. */
export function workSpans(plan: NightPlan, { open }: QueuePlan): readonly Span[] | null {
  if (open === null) return null
  const absent = gaps(plan)
  return [...open, ...open.flatMap((span) => madeUp(span, absent))]
}

function madeUp([opens, closes]: Span, absent: readonly Span[]): Span[] {
  const n = absent.findIndex(([from, to]) => from < closes && to >= closes)
  if (n < 0) return []
  const [from, to] = absent[n]!
  const lostMs = closes - Math.max(from, opens)
  if (lostMs < LEAST_LOST_MS) return []
  // What is lost of that again is put off.
  const later = absent.slice(n + 1)
  return [[to, later.reduce((until, gap) => (gap[0] < until ? until + gap[1] - gap[0] : until), to + lostMs)]]
}

/** When nothing was alive: those that meet are one. */
function gaps(plan: NightPlan): Span[] {
  const asleep = plan.sleeps.map(({ at, ms }) => byTheWall({ plan }, [at, at + ms]))
  const down = plan.ends.map(({ at, downMs, how }) =>
    byTheWall({ plan }, [how === 'kill' ? at - UNKNOWN_MS : at, at + downMs]),
  )
  const ahead = plan.clockSets.filter(({ ms }) => ms > 0).map(({ at }) => byTheWall({ plan }, [at - 1, at]))
  const merged: Span[] = []
  for (const gap of [...asleep, ...down, ...ahead].sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1)
    if (before && gap[0] <= before[1]) merged[merged.length - 1] = [before[0], Math.max(before[1], gap[1])]
    else merged.push(gap)
  }
  return merged
}
