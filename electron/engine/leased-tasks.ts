/**
 * The queue of an engine that works only on tasks leased to it (`get`): the same questions as of the store's queue,
 * about these tasks alone. States are remembered, so that thousands of tasks are not read again for every one that ends.
 */
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { MachineState } from './task-machine.ts'

export class LeasedTasks implements Pick<TaskStore, 'nextQueued' | 'nextRetryAt' | 'dueRetries'> {
  readonly #store: Pick<TaskStore, 'getTasks'>
  readonly #ids = new Set<TaskId>()
  /** their states are not known */
  readonly #unread = new Set<TaskId>()
  readonly #queued = new Set<TaskId>()
  readonly #done = new Set<TaskId>()
  /** epoch ms of the next try */
  readonly #waiting = new Map<TaskId, number>()

  constructor(store: Pick<TaskStore, 'getTasks'>) {
    this.#store = store
  }

  get ids(): TaskId[] {
    return [...this.#ids]
  }

  /** All but those that are known to be done. */
  get unfinished(): TaskId[] {
    return this.ids.filter((id) => !this.#done.has(id))
  }

  add(id: TaskId): void {
    this.#ids.add(id)
    this.#unread.add(id)
  }

  delete(id: TaskId): void {
    this.#ids.delete(id)
    this.#unread.add(id)
  }

  /** It has this state now. */
  moved(id: TaskId, { state, retryAt }: Pick<MachineState, 'state' | 'retryAt'>): void {
    this.#unread.delete(id)
    this.#queued.delete(id)
    this.#waiting.delete(id)
    this.#done.delete(id)
    if (!this.#ids.has(id)) return
    if (state === 'queued') this.#queued.add(id)
    if (state === 'done') this.#done.add(id)
    if (state === 'waiting') this.#waiting.set(id, retryAt ?? 0)
  }

  nextQueued(limit: number, except: (id: TaskId) => boolean = () => false): TaskRecord[] {
    this.#read()
    const ids: TaskId[] = []
    for (const id of this.#queued) {
      if (ids.length === limit) break
      if (!except(id)) ids.push(id)
    }
    return this.#store.getTasks(ids)
  }

  dueRetries(now: number): TaskRecord[] {
    this.#read()
    return this.#store.getTasks([...this.#waiting].filter(([, at]) => at <= now).map(([id]) => id))
  }

  nextRetryAt(): number | null {
    this.#read()
    let earliest: number | null = null
    for (const at of this.#waiting.values()) earliest = Math.min(earliest ?? at, at)
    return earliest
  }

  #read(): void {
    if (this.#unread.size === 0) return
    const unread = [...this.#unread]
    this.#unread.clear()
    for (const id of unread) {
      this.#queued.delete(id)
      this.#waiting.delete(id)
    }
    for (const task of this.#store.getTasks(unread)) this.moved(task.id, task)
  }
}
