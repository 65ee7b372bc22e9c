/**
 * What is done about files that changed on the server: what the user said beforehand, and where a question stays
 * without an answer for too long, what loses nothing.
 */
import { type NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { AddTasksInput, Settings, TaskId } from '../../shared/schemas.ts'
import { MAX_RESTARTS } from './failure-event.ts'
import type { EngineDeps } from './ports.ts'
import type { TaskEvent } from './task-machine.ts'
import { FORGOTTEN } from './task-patches.ts'

export interface ChangedFilesDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  settings: () => Settings
  apply: (id: TaskId, event: TaskEvent, patch?: typeof FORGOTTEN) => boolean
  /** puts a download of the same link beside one */
  add: (input: AddTasksInput) => void
}

export class ChangedFiles {
  readonly #deps: ChangedFilesDeps
  /** how often a task began anew by itself since it was last done */
  readonly #restarts = new Map<TaskId, number>()
  /** monotonic ms at which one was first seen waiting for an answer */
  readonly #asking = new Map<TaskId, number>()

  constructor(deps: ChangedFilesDeps) {
    this.#deps = deps
  }

  done(id: TaskId): void {
    this.#restarts.delete(id)
  }

  /** What the task is to hear of a file that changed: also what follows at once, where that was said beforehand. */
  event(id: TaskId, changed: NighthaulError): TaskEvent {
    const error = changed.toInfo()
    const task = this.#deps.store.getTask(id)
    const then = task && this.#next(task)
    return { kind: 'remoteChanged', error: then ? { ...error, params: { ...error.params, then } } : error }
  }

  /** Does what was said beforehand. */
  found(id: TaskId): void {
    const { store, apply } = this.#deps
    const task = store.getTask(id)
    if (!task) return
    const next = this.#next(task)
    if (next === 'restart') {
      this.#restarts.set(id, this.#restartsOf(id) + 1)
      apply(id, { kind: 'decideRestart' }, FORGOTTEN)
    }
    if (next === 'keep') apply(id, { kind: 'decideKeep' })
  }

  /** What was to follow at once, where the process died in between. */
  recover(): void {
    for (const { id, error } of this.#deps.store.tasksInStates(['changed'])) if (error?.params.then) this.found(id)
  }

  /** null: somebody has to decide */
  #next(task: TaskRecord): 'restart' | 'keep' | null {
    const decision = this.#decision(task)
    return decision === 'ask' || (decision === 'restart' && this.#restartsOf(task.id) >= MAX_RESTARTS) ? null : decision
  }

  #restartsOf(id: TaskId): number {
    return this.#restarts.get(id) ?? 0
  }

  #decision({ options }: TaskRecord): Settings['onChange'] {
    return options.onChange ?? this.#deps.settings().onChange
  }

  /** Looks at the questions that nobody answered. */
  step(): void {
    const { settings, clock, store } = this.#deps
    const { changedAfterMinutes } = settings()
    const now = clock.monotonic()
    const changed = changedAfterMinutes === null ? [] : store.tasksInStates(['changed'])
    const ids = new Set(changed.map(({ id }) => id))
    for (const id of this.#asking.keys()) if (!ids.has(id)) this.#asking.delete(id)
    for (const task of changed) {
      const since = this.#asking.get(task.id) ?? now
      this.#asking.set(task.id, since)
      if (now - since >= changedAfterMinutes! * 60_000) this.#keepBoth(task)
    }
  }

  /** The partial stays as it is, paused, and the new file is fetched under another name. */
  #keepBoth(task: TaskRecord): void {
    const { apply, add, store, logger } = this.#deps
    try {
      // Whoever said that it should start over saw it do so often enough.
      if (this.#decision(task) === 'ask') {
        const { url, requestedFilename, folder, queueId, options } = task
        const mirrors = store.mirrors(task.id).filter((mirror) => mirror.url !== url)
        add({
          items: [{ url, mirrors, ...(requestedFilename !== null && { filename: requestedFilename }) }],
          ...{ folder, queueId, paused: false, onDuplicate: 'add' },
          // A file that changes all the time must not fill the folder: of the new one, the newest is enough.
          options: { ...options, onChange: 'restart' },
        })
      }
      apply(task.id, { kind: 'decideKeep' })
      logger.info({ task: task.id }, 'nobody said what to do about the changed file, so both are kept')
    } catch (error) {
      logger.error({ task: task.id, error: toErrorInfo(error).message }, 'a changed file could not be kept apart yet')
    }
  }
}
