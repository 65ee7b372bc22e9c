/** The states a task can be in and what they mean. The transitions live in electron/engine/task-machine.ts. */

export const TASK_STATES = ['queued', 'active', 'waiting', 'paused', 'changed', 'finishing', 'done', 'failed'] as const

/**
 * queued: waits for a free place. active: connections are open or opening.
 * waiting: failed for now, tries again at `retryAt`. paused: by the user (or a typed reason in `error`).
 * changed: the remote file is another one, the partial is kept, somebody decides.
 * finishing: all bytes are here; verifying, fsync and rename are under way.
 * done: the file stands under its name. failed: given up, the partial is kept, `error` says why.
 */
export type TaskState = (typeof TASK_STATES)[number]

/** States in which a task still wants or may want bytes; its name in its folder stays reserved. */
export const UNFINISHED_STATES = [
  'queued',
  'active',
  'waiting',
  'paused',
  'changed',
  'finishing',
  'failed',
] as const satisfies readonly TaskState[]

export function isUnfinished(state: TaskState): boolean {
  return state !== 'done'
}

/** States that occupy one of the "downloads at once" places. */
export function isRunning(state: TaskState): boolean {
  return state === 'active' || state === 'finishing'
}
