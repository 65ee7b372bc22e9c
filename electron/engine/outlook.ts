/** How a queue stands towards its deadline, judged from a forecast; and when that is worth a word. Pure. */
import type { Adaptation, OutlookGap, OutlookKind, QueueOutlook, RateBasis } from '../../shared/forecast.ts'
import type { PlannedTask, QueueOutcome } from './forecast.ts'

export interface OutlookFacts {
  now: number
  deadline: number
  tasks: readonly PlannedTask[]
  outcome: QueueOutcome
  /** files by an estimated size, and whether there was nothing to estimate by */
  sizesEstimated: number
  sizesGuessed: boolean
  basis: RateBasis
  stopped: boolean
  /** what everything waits for now, so that nobody can tell */
  waitsFor: readonly OutlookGap[]
  adapted: Adaptation
  /** what was said of the same deadline before; null: nothing yet */
  before: OutlookKind | null
}

const MOST_LATE = 100
/** Room that a queue needs to fit, as a part of the time until its end; more where sizes are estimated. */
const ROOM = 0.1
const ROOM_UNSURE = 0.25
/** More than that before something better is said than before. */
const BETTER = 1.5
const JUST = 0.03

export function outlookOf(facts: OutlookFacts): QueueOutlook {
  const { deadline, tasks, outcome, stopped, waitsFor, basis, sizesGuessed, sizesEstimated, adapted } = facts
  const { endsAt } = outcome
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const files = sum(tasks.map((task) => task.files))
  const missing: OutlookGap[] = [
    ...(stopped ? ['stopped' as const] : []),
    ...(basis === 'assumed' ? ['rate' as const] : []),
    ...(sizesGuessed ? ['size' as const] : []),
  ]
  // What would be late even if it went on at once is late.
  const would = missing.length > 0 ? 'unknown' : kindOf(facts)
  if (would !== 'misses') missing.push(...waitsFor)
  const inTime = outcome.tasks.map((task) => task.filesInTime)
  const late = tasks.filter((task, index) => inTime[index]! < task.files && task.files === 1).map(({ id }) => id)
  return {
    kind: missing.length > 0 ? 'unknown' : would,
    ...{ missing, deadline, endsAt, files, sizesEstimated, basis, adapted },
    marginMs: endsAt === null ? null : Math.round(deadline - endsAt),
    filesInTime: sum(inTime),
    leftBytes: Math.round(sum(tasks.map((task) => task.leftBytes))),
    bytesInTime: Math.round(sum(outcome.tasks.map((task) => task.bytesInTime))),
    late: late.slice(0, MOST_LATE),
  }
}

function kindOf({ now, deadline, outcome, sizesEstimated, tasks, before }: OutlookFacts): OutlookKind {
  if (outcome.endsAt === null) return 'misses'
  const margin = deadline - outcome.endsAt
  const needed = outcome.endsAt - now
  if (margin < (before === 'misses' ? JUST * needed : 0)) return 'misses'
  const unsure = sizesEstimated > tasks.length / 10
  const room = (unsure ? ROOM_UNSURE : ROOM) * (before === 'tight' || before === 'misses' ? BETTER : 1)
  return margin >= room * needed ? 'fits' : 'tight'
}

/** What was said of a queue's deadline, and what may have to be said. */
export interface Word {
  said: OutlookKind | null
  /** what it looks like by now, and since when (ms) */
  seen: OutlookKind
  since: number
}

/** Something other has to hold for so long before it is said, unless it is the first word. */
export const HOLDS_MS = 30_000

/** The word after a look at the outlook; `say`: it has to be said. */
export function worded(word: Word | null, kind: OutlookKind, now: number): { word: Word; say: boolean } {
  const since = word?.seen === kind ? word.since : now
  const said = word?.said ?? null
  const holds = said === null || now - since >= HOLDS_MS
  // What cannot be told takes nothing back.
  const say = kind !== said && kind !== 'unknown' && holds
  return { word: { said: say ? kind : said, seen: kind, since }, say }
}
