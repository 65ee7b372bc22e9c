/** What becomes of the machine in the night: Nighthaul ends, the clock is set, the power goes. */
import type { Random } from '../soak/random.ts'
import type { NightPlan } from './night-plan.ts'
import { spans, within } from './waves.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** It is killed twice and ended once, while it is busy. */
export function engineEnds(plan: NightPlan, random: Random): void {
  const times = spans(plan, random, 3, MINUTE, 20 * MINUTE)
  plan.ends = times
    .map(
      ([at, over], n) =>
        ({
          at: Math.max(at, within(plan)[0] + MINUTE * (n + 1)),
          downMs: over - at,
          how: n === 1 ? 'quit' : 'kill',
        }) as const,
    )
    .sort((a, b) => a.at - b.at)
  // One after the other.
  for (let n = 1; n < plan.ends.length; n++) {
    const before = plan.ends[n - 1]!
    plan.ends[n] = { ...plan.ends[n]!, at: Math.max(plan.ends[n]!.at, before.at + before.downMs + 2 * MINUTE) }
  }
}

/** An hour ahead, and later back again, with something that has to be done by a time. */
export function clockJumps(plan: NightPlan, random: Random): void {
  const [opens, closes] = within(plan)
  const ahead = opens + random.whole(5, 30) * MINUTE
  const [night] = plan.queues
  night!.patch.finishBy = new Date(closes - 30 * MINUTE + HOUR).toISOString().slice(11, 16)
  night!.due = { at: closes - 30 * MINUTE, feasible: true }
  plan.clockSets = [
    { at: ahead, ms: HOUR },
    { at: ahead + random.whole(20, 50) * MINUTE, ms: -HOUR },
  ]
}

/** The power fails twice, and once the network with it. */
export function battery(plan: NightPlan, random: Random): void {
  plan.settings = { ...plan.settings, onBattery: 'pause' }
  const [first, second] = spans(plan, random, 2, 3 * MINUTE, 30 * MINUTE)
  plan.battery = [first!, second!]
  const [from, to] = second!
  plan.outages.push({
    kind: 'away',
    span: [from + MINUTE, Math.max(from + 2 * MINUTE, to + random.whole(-1, 3) * MINUTE)],
    newAddress: true,
  })
}
