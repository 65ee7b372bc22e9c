/**
 * What became of downloads, as the engine stored it: a second witness beside the journal of the network. Stands between
 * engine and store and notes each change of a state.
 */
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { TaskState } from '../../shared/task-state.ts'

export interface Move {
  /** epoch ms, by the machine's clock */
  at: number
  task: TaskId
  from: TaskState
  to: TaskState
  /** why; null: nothing went wrong */
  code: string | null
}

export class Recorder {
  readonly moves: Move[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  watch(store: TaskStore): TaskStore {
    const updateTasks: TaskStore['updateTasks'] = (patches, options) => {
      const before = new Map<TaskId, TaskRecord>()
      const moving = patches.filter(({ patch }) => patch.state !== undefined)
      for (const task of store.getTasks(moving.map(({ id }) => id))) before.set(task.id, task)
      store.updateTasks(patches, options)
      for (const { id, patch } of moving) {
        const task = before.get(id)
        const error = patch.error === undefined ? task?.error : patch.error
        if (task)
          this.moves.push({ at: this.#now(), task: id, from: task.state, to: patch.state!, code: error?.code ?? null })
      }
    }
    return new Proxy(store, {
      get: (target, name) => (name === 'updateTasks' ? updateTasks : Reflect.get(target, name)),
    })
  }
}
