/** When single tasks start: the user's word, which a pause in between does not take back. */
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { EngineDeps } from './ports.ts'
import type { Runner } from './runner.ts'

export interface StartsDeps extends Pick<EngineDeps, 'clock'> {
  runner: Pick<Runner, 'applyAll'>
  /** lets them go on now: how many */
  retry: (tasks: readonly TaskRecord[]) => number
}

/** `startAt` in epoch ms: not before, also for what runs; null, or past: as their queue says. */
export function setStart(tasks: readonly TaskRecord[], startAt: number | null, deps: StartsDeps): void {
  if (startAt !== null && startAt > deps.clock.now()) postpone(tasks, startAt, deps)
  else deps.retry(tasks)
}

/** Lets paused and failed tasks go on: those whose start is still to come, at that time. Answers how many. */
export function resume(tasks: readonly TaskRecord[], deps: StartsDeps): number {
  const held = tasks.filter(({ state }) => state === 'paused' || state === 'failed')
  const now = deps.clock.now()
  const byStart = Map.groupBy(held, ({ startAt }) => (startAt !== null && startAt > now ? startAt : null))
  let count = 0
  for (const [startAt, group] of byStart)
    count += startAt === null ? deps.runner.applyAll(group, { kind: 'resume' }) : postpone(group, startAt, deps)
  return count
}

function postpone(tasks: readonly TaskRecord[], startAt: number, { runner }: StartsDeps): number {
  return runner.applyAll(tasks, { kind: 'postponed', retryAt: startAt }, { startAt, forced: false })
}

/**
 * Whoever waits for a while after a failure waits no longer because the clock was set back meanwhile, by `ms`; a start is
 * a time by the clock on the wall, and stays. Answers whose times were shifted.
 */
export function shiftRetries(ms: number, store: Pick<EngineDeps['store'], 'tasksInStates' | 'updateTasks'>): TaskId[] {
  const waiting = store
    .tasksInStates(['waiting'])
    .flatMap(({ id, retryAt, startAt }) => (retryAt === null || retryAt === startAt ? [] : [{ id, retryAt }]))
  store.updateTasks(waiting.map(({ id, retryAt }) => ({ id, patch: { retryAt: retryAt - ms } })))
  return waiting.map(({ id }) => id)
}
