/**
 * The life of a task: (state, event) -> (state, effects). Pure; the engine carries the effects out in the order given.
 * Removing a task is not here: it is possible in every state and leaves none.
 */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { TaskState } from '../../shared/task-state.ts'

export interface MachineState {
  state: TaskState
  /** why it waits, pauses, failed or is in question; null while all is well */
  error: ErrorInfo | null
  /** epoch ms of the next try; non-null exactly while `waiting` */
  retryAt: number | null
  /** failures since the last progress or the last word of the user */
  attempts: number
}

export type TaskEvent =
  /** the scheduler has a place */
  | { kind: 'admitted' }
  /** new bytes came: the budget of retries starts over */
  | { kind: 'progressed' }
  /** every byte is here */
  | { kind: 'transferred' }
  /** the file stands under its name */
  | { kind: 'published' }
  /** the transfer (or finishing) ended with an error; `retryAt` in epoch ms, null: give up */
  | { kind: 'failed'; error: ErrorInfo; retryAt: number | null }
  /** another of its URLs is asked next: the failure was of the one before */
  | { kind: 'turned'; error: ErrorInfo }
  /** it would be given up, and comes once more at the end of its queue */
  | { kind: 'secondChance'; error: ErrorInfo; retryAt: number }
  /** what it failed of was not its own failure after all: it waits as if nothing had been tried */
  | { kind: 'excused'; error: ErrorInfo; retryAt: number }
  /** what it waited for is over */
  | { kind: 'released' }
  /** the host asked everybody to wait: not this task's failure */
  | { kind: 'deferred'; error: ErrorInfo; retryAt: number }
  /** the remote file is another one */
  | { kind: 'remoteChanged'; error: ErrorInfo }
  /** the engine cannot go on until somebody acts: disk full, folder gone */
  | { kind: 'suspended'; error: ErrorInfo }
  /** what suspended it is over */
  | { kind: 'mended' }
  /** `copying`: a finishing task that is on its way to another volume, which may take long */
  | { kind: 'pause'; copying?: true }
  /** the user wants it to start then and not before (epoch ms) */
  | { kind: 'postponed'; retryAt: number }
  | { kind: 'resume' }
  | { kind: 'retry' }
  | { kind: 'retryDue' }
  /** the partial is lost, and the user knows it */
  | { kind: 'startOver' }
  | { kind: 'decideRestart' }
  | { kind: 'decideKeep' }
  /** the engine stops; the next start goes on */
  | { kind: 'drained' }
  /** at start-up: nothing runs, whatever an earlier process left behind */
  | { kind: 'recovered' }
  /** a finished file does not match its checksums any more */
  | { kind: 'damaged'; error: ErrorInfo }

export type Effect =
  | 'startTransfer'
  | 'stopTransfer'
  | 'publish'
  /** forget segments and checksums: start from byte 0 */
  | 'clearProgress'
  | 'scheduleRetry'
  | 'cancelRetry'
  | 'persist'
  | 'announce'

export interface Transition {
  state: MachineState
  effects: Effect[]
  /** the event means nothing in this state; `state` is the very object given */
  ignored?: true
}

export const QUEUED: MachineState = { state: 'queued', error: null, retryAt: null, attempts: 0 }

export function transition(current: MachineState, event: TaskEvent): Transition {
  const { state } = current
  switch (event.kind) {
    case 'admitted':
      if (state !== 'queued') break
      return to({ ...current, state: 'active', error: null }, 'startTransfer')
    case 'progressed':
      if (state !== 'active' || current.attempts === 0) break
      return { state: { ...current, attempts: 0 }, effects: ['persist'] }
    case 'transferred':
      if (state !== 'active') break
      return to({ ...current, state: 'finishing', attempts: 0 }, 'publish')
    case 'published':
      if (state !== 'finishing') break
      return to({ state: 'done', error: null, retryAt: null, attempts: 0 })
    case 'failed': {
      if (state !== 'active' && state !== 'finishing') break
      const { error, retryAt } = event
      const attempts = current.attempts + 1
      if (retryAt === null) return to({ state: 'failed', error, retryAt, attempts })
      return to({ state: 'waiting', error, retryAt, attempts }, 'scheduleRetry')
    }
    case 'turned':
      if (state !== 'active' && state !== 'finishing') break
      return to({ ...current, state: 'queued', error: event.error })
    case 'secondChance':
      if (state !== 'active' && state !== 'finishing') break
      return to({ state: 'waiting', error: event.error, retryAt: event.retryAt, attempts: 0 }, 'scheduleRetry')
    case 'excused':
      if (state !== 'waiting' && state !== 'failed' && state !== 'changed') break
      return to(
        { state: 'waiting', error: event.error, retryAt: event.retryAt, attempts: Math.max(0, current.attempts - 1) },
        ...leaving(state),
        'scheduleRetry',
      )
    case 'released':
      if (state !== 'waiting') break
      return to(QUEUED, ...leaving(state))
    case 'deferred':
      if (state !== 'active') break
      return to({ ...current, state: 'waiting', error: event.error, retryAt: event.retryAt }, 'scheduleRetry')
    case 'remoteChanged':
      if (state !== 'active') break
      return to({ ...current, state: 'changed', error: event.error })
    case 'suspended':
      if (state !== 'queued' && state !== 'active' && state !== 'waiting' && state !== 'finishing') break
      return to({ ...current, state: 'paused', error: event.error, retryAt: null }, ...leaving(state))
    case 'mended':
      if (state !== 'paused' || current.error === null) break
      return to({ ...current, state: 'queued' })
    case 'postponed':
      if (state === 'finishing' || state === 'changed' || state === 'done') break
      return to({ ...QUEUED, state: 'waiting', retryAt: event.retryAt }, ...leaving(state), 'scheduleRetry')
    case 'pause':
      // A finishing task is about to be done; in `changed` somebody has to decide first. One that was suspended goes on
      // by itself no more.
      if (state === 'finishing' ? !event.copying : state === 'paused' ? !current.error : !isPausable(state)) break
      return to({ ...current, state: 'paused', error: null, retryAt: null }, ...leaving(state))
    case 'resume':
      if (state !== 'paused' && state !== 'failed') break
      return to(QUEUED)
    case 'retry':
      if (state !== 'failed' && state !== 'waiting' && state !== 'paused') break
      return to(QUEUED, ...leaving(state))
    case 'retryDue':
      if (state !== 'waiting') break
      // The error stays to be seen until the task runs again; the attempts count on.
      return to({ ...current, state: 'queued', retryAt: null })
    case 'startOver':
      if (state !== 'paused' && state !== 'failed') break
      return to(QUEUED, 'clearProgress')
    case 'decideRestart':
      if (state !== 'changed') break
      return to(QUEUED, 'clearProgress')
    case 'decideKeep':
      if (state !== 'changed') break
      return to({ ...current, state: 'paused' })
    case 'drained':
      if (state !== 'active' && state !== 'finishing') break
      return to({ ...current, state: 'queued' }, ...leaving(state))
    case 'recovered':
      if (state !== 'active' && state !== 'finishing') break
      return to({ ...current, state: 'queued' })
    case 'damaged':
      if (state !== 'done') break
      return to({ ...QUEUED, error: event.error })
  }
  return { state: current, effects: [], ignored: true }
}

function isPausable(state: TaskState): boolean {
  return state === 'queued' || state === 'active' || state === 'waiting'
}

/** What must be stopped when a state is left from outside, rather than by its own end. */
function leaving(state: TaskState): Effect[] {
  if (state === 'active') return ['stopTransfer']
  return state === 'waiting' ? ['cancelRetry'] : []
}

/** Stored before it is said and before anything new begins, so that a crash never finds less than was promised. */
function to(state: MachineState, ...effects: Effect[]): Transition {
  const stops = effects.filter((effect) => STOPS.has(effect))
  const starts = effects.filter((effect) => !STOPS.has(effect))
  return { state: { ...state }, effects: [...stops, 'persist', 'announce', ...starts] }
}

const STOPS: ReadonlySet<Effect> = new Set<Effect>(['stopTransfer', 'cancelRetry', 'clearProgress'])
