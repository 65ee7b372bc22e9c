/** What people set up in the evening: times to be done by, profiles, files that come again, starts. */
import type { Random } from '../soak/random.ts'
import type { FilePlan, NightPlan, QueuePlan, RepeatPlan } from './night-plan.ts'
import { USUAL, within } from './waves.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const BERLIN = 'Europe/Berlin'

/** All of it takes the line so long. */
const WORK_MS = HOUR
/** Numbers of files that repeat. */
const REPEATED = 100_000

/** When summer ends and begins in Berlin, around the nights there are. */
const WINTER = [Date.parse('2026-10-25T01:00Z'), Date.parse('2027-03-28T01:00Z')] as const

/** What the clocks of Berlin show. */
function wallTime(at: number): string {
  const ahead = at >= WINTER[0] && at < WINTER[1] ? HOUR : 2 * HOUR
  return new Date(at + ahead).toISOString().slice(11, 16)
}

/** What is shown twice is the first of both. */
function firstOf(at: number): number {
  return at >= WINTER[0] && at < WINTER[0] + HOUR ? at - HOUR : at
}

/**
 * Half of all bytes are to be here by a time at which the line can have brought two thirds of them; a quarter by one that
 * is far away, and the rest when it may.
 */
export function deadlines(plan: NightPlan): void {
  const [opens] = within(plan)
  const [{ patch, open }] = plan.queues as [QueuePlan]
  const queue = (name: string, due: QueuePlan['due']): QueuePlan => ({
    ...{ name, open, due },
    patch: { ...patch, ...(due && { finishBy: wallTime(due.at) }) },
  })
  plan.queues = [
    queue('Huge', { at: opens + WORK_MS / 3, feasible: false }),
    queue('Due', { at: opens + 2.5 * WORK_MS, feasible: true }),
    queue('Rest', null),
  ]
  for (const file of plan.files) {
    file.queue = ['Huge', 'Due', 'Huge', 'Rest'][file.number % 4]!
    file.addedAt = opens - 20 * MINUTE
  }
  const bytes = plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  plan.bytesPerSecond = bytes / (WORK_MS / 1000)
  for (const host of plan.hosts) {
    host.bytesPerSecond = plan.bytesPerSecond
    host.bytesPerSecondEach = plan.bytesPerSecond
  }
}

/** A profile with less of everything holds for an hour in the middle of the work, and another one near its end. */
export function profiles(plan: NightPlan): void {
  const [opens] = within(plan)
  const most = Math.max(8 * 1024, Math.round(plan.bytesPerSecond / 3))
  const span = (from: number, to: number) => ({
    open: [[opens + from, opens + to] as const],
    patch: { windows: `${wallTime(opens + from)}-${wallTime(opens + to)}`, timeZone: BERLIN },
  })
  const [night, calls] = [span(0, HOUR), span(2 * HOUR, 2.5 * HOUR)]
  plan.profiles = [
    { name: 'night', ...night, patch: { ...night.patch, limitBytesPerSecond: most, connectionsPerHost: 2 } },
    {
      ...{ name: 'calls', ...calls },
      patch: { ...calls.patch, limitBytesPerSecond: Math.round(most / 2), connectionsPerHost: 1, downloadsAtOnce: 2 },
    },
  ]
}

/** Three times in the night; between the second and the third another file is there. Where there is none, each time. */
export function repeats(plan: NightPlan, random: Random): void {
  const [opens, closes] = within(plan)
  const step = Math.floor((closes - opens) / 4 / MINUTE) * MINUTE
  const times = [1, 2, 3].map((n) => firstOf(opens + n * step)).sort((a, b) => a - b)
  const queue = plan.queues[0]!.name
  const planned = (n: number, fate: FilePlan['fate']): RepeatPlan => {
    const results =
      fate === 'good' ? (['downloaded', 'unchanged', 'downloaded'] as const) : (['failed', 'failed', 'failed'] as const)
    const file: FilePlan = {
      ...{
        number: REPEATED + n,
        host: random.pick(USUAL),
        sizeBytes: random.magnitude(50_000, 2_000_000),
        fate,
        queue,
      },
      ...{ linkLastsMs: null, changesAt: times[1]! + step / 2, addedAt: plan.startsAt, startAt: null, told: false },
      ...{ forcedAt: null, thereBy: null },
    }
    return {
      ...{ file, timeZone: BERLIN, keepLast: 1, when: times.map((at) => `daily ${wallTime(at)}`).join(', ') },
      runs: times.map((at, index) => ({
        at,
        result: results[index]!,
        deleted: index === 2 && fate === 'good' ? 1 : 0,
      })),
    }
  }
  plan.repeats = [planned(1, 'good'), planned(2, 'good'), planned(3, 'gone')]
}

/** Some are to start later, within the window or before it opens. */
export function starts(plan: NightPlan, random: Random): void {
  const [opens, closes] = within(plan)
  for (const file of plan.files)
    if (random.chance(0.4))
      file.startAt = Math.max(file.addedAt + MINUTE, random.whole(opens - 10 * MINUTE, closes - HOUR))
}
