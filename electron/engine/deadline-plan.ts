/**
 * What to change so that as much as possible is there by a deadline: the order within a queue, and what queues without
 * a deadline do with meanwhile. Tried on the forecast, the least change first. Pure.
 */
import type { Loan } from '../../shared/forecast.ts'
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import { forecast, type Plan, type PlannedQueue, type QueueOutcome } from './forecast.ts'

export interface DeadlineRules {
  order: 'asListed' | 'mostFiles'
  mayBorrow: boolean
}

/** What is changed now. */
export interface Changes {
  /** part of places and rate that is left to each queue without a deadline; 1: all */
  left: number
  /** queues in which the shortest come first */
  shortestFirst: ReadonlySet<QueueId>
}

export interface Decision extends Changes {
  plan: Plan
  outcomes: Map<QueueId, QueueOutcome>
  loans: Map<QueueId, Loan>
  /** of the queues whose order is changed: ids in the order in which they are to start */
  order: Map<QueueId, TaskId[]>
}

export const UNCHANGED: Changes = { left: 1, shortestFirst: new Set() }

/** What others may be left with, the most first. */
const LEFT = [1, 0.5, 0.25, 0.1]
const LEAST_BYTES_PER_SECOND = 16 * 1024
/** Room before something is given back, as a part of the time until the end: otherwise it would go to and fro. */
const ROOM = 0.1

/** `before`: what was decided last. */
export function decide(plan: Plan, rules: DeadlineRules, before: Changes): Decision {
  const due = plan.queues.filter(
    ({ deadline, tasks, spans }) => deadline !== null && tasks.length > 0 && spans.length > 0,
  )
  const asListed = apply(plan, UNCHANGED)
  if (due.length === 0) return asListed
  const wanting = due.filter((queue) => !fits(queue, asListed, before))
  if (wanting.length === 0) return asListed
  const lenders = plan.queues.some((queue) => queue.deadline === null && queue.tasks.length > 0)
  const levels = rules.mayBorrow && lenders ? LEFT : [1]
  let best = asListed
  for (const left of levels) {
    const tried = left === 1 ? asListed : apply(plan, { left, shortestFirst: new Set() })
    if (isBetter(tried, best, due)) best = tried
    if (due.every((queue) => fits(queue, tried, before))) return tried
  }
  if (rules.order === 'asListed') return best
  // Not all of it fits, whatever others do without: then as many files as can be.
  for (const queue of due) {
    if (fits(queue, best, before)) continue
    const tried = apply(plan, { left: best.left, shortestFirst: new Set([...best.shortestFirst, queue.id]) })
    const isKept = before.shortestFirst.has(queue.id) && !isBetter(best, tried, due)
    if (isKept || isBetter(tried, best, due)) best = tried
  }
  return best
}

function isLate({ id, deadline }: PlannedQueue, { outcomes }: Decision): boolean {
  const { endsAt } = outcomes.get(id)!
  return endsAt === null || endsAt > deadline!
}

/** What gives back something that was changed for it needs room, so that nothing goes to and fro. */
function fits(queue: PlannedQueue, decision: Decision, before: Changes): boolean {
  if (isLate(queue, decision)) return false
  const end = decision.outcomes.get(queue.id)!.endsAt!
  const givesBack =
    decision.left > before.left || (before.shortestFirst.has(queue.id) && !decision.shortestFirst.has(queue.id))
  return !givesBack || queue.deadline! - end >= ROOM * (end - decision.plan.now)
}

/** More files in time, or as many with clearly more bytes. */
function isBetter(one: Decision, other: Decision, due: readonly PlannedQueue[]): boolean {
  const [a, b] = [one, other].map(({ outcomes }) => {
    const tasks = due.flatMap(({ id }) => outcomes.get(id)!.tasks)
    return {
      files: tasks.reduce((sum, { filesInTime }) => sum + filesInTime, 0),
      bytes: tasks.reduce((sum, { bytesInTime }) => sum + bytesInTime, 0),
    }
  }) as [{ files: number; bytes: number }, { files: number; bytes: number }]
  return a.files > b.files || (a.files === b.files && a.bytes > b.bytes * 1.01)
}

function apply(plan: Plan, { left, shortestFirst }: Changes): Decision {
  const borrowers = plan.queues.filter(({ deadline, tasks }) => deadline !== null && tasks.length > 0)
  const loans = new Map<QueueId, Loan>()
  const order = new Map<QueueId, TaskId[]>()
  const [{ bytesPerSecond: line, places }] = plan.steps as [Plan['steps'][number]]
  const queues = plan.queues.map((queue): PlannedQueue => {
    if (left < 1 && queue.deadline === null && queue.tasks.length > 0) {
      const loan: Loan = {
        to: borrowers.map(({ id }) => id),
        limitBytesPerSecond: Math.round(
          Math.min(queue.limitBytesPerSecond ?? Infinity, Math.max(LEAST_BYTES_PER_SECOND, left * line)),
        ),
        downloadsAtOnce: Math.min(queue.downloadsAtOnce ?? Infinity, Math.max(1, Math.floor(left * places))),
      }
      loans.set(queue.id, loan)
      return { ...queue, ...loan, tasks: keepRunning(queue.tasks, loan.downloadsAtOnce) }
    }
    if (!shortestFirst.has(queue.id)) return queue
    const tasks = queue.tasks
      .map((task) => ({ ...task, running: false, wasRunning: task.running }))
      // What runs goes on before others of the same length.
      .sort((a, b) => a.leftBytes / a.files - b.leftBytes / b.files || Number(b.wasRunning) - Number(a.wasRunning))
    order.set(
      queue.id,
      tasks.map(({ id }) => id),
    )
    return { ...queue, tasks }
  })
  const changed = { ...plan, queues }
  return { left, shortestFirst, plan: changed, outcomes: forecast(changed), loans, order }
}

/** More than may run at once go back to the queue. */
function keepRunning(tasks: PlannedQueue['tasks'], most: number): PlannedQueue['tasks'] {
  let kept = 0
  return tasks.map((task) => (task.running && !task.forced && ++kept > most ? { ...task, running: false } : task))
}
