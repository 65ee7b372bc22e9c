/** The queue of a `get`: the same answers as the store's, without reading every task again for each that ends. */
import { expect, it } from 'vitest'
import { LeasedTasks } from '../../electron/engine/leased-tasks.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskState } from '../../shared/task-state.ts'

function leasedTasks(count: number) {
  const states = new Map<number, { state: TaskState; retryAt: number | null }>()
  let read = 0
  const leased = new LeasedTasks({
    getTasks: (ids) => {
      read += ids.length
      return ids.filter((id) => states.has(id)).map((id) => ({ id, ...states.get(id)! }) as TaskRecord)
    },
  })
  const set = (id: number, state: TaskState, retryAt: number | null = null) => {
    states.set(id, { state, retryAt })
    leased.moved(id, { state, retryAt })
  }
  for (let id = 1; id <= count; id++) {
    set(id, 'queued')
    leased.add(id)
  }
  return { leased, set, states, reads: () => read }
}

const ids = (tasks: readonly TaskRecord[]) => tasks.map((task) => task.id)

it('hands out queued tasks in the order they came, and no task that is not leased', () => {
  const { leased, set } = leasedTasks(4)
  set(99, 'queued')
  set(2, 'active')
  expect(ids(leased.nextQueued(10))).toEqual([1, 3, 4])
  expect(ids(leased.nextQueued(2))).toEqual([1, 3])
  leased.delete(1)
  set(1, 'queued')
  expect(ids(leased.nextQueued(10))).toEqual([3, 4])
  expect(leased.ids).toEqual([2, 3, 4])
})

it('knows which retries are due and when the next one is', () => {
  const { leased, set } = leasedTasks(3)
  expect(leased.nextRetryAt()).toBeNull()
  set(1, 'waiting', 500)
  set(3, 'waiting', 200)
  expect(leased.nextRetryAt()).toBe(200)
  expect(ids(leased.dueRetries(199))).toEqual([])
  expect(ids(leased.dueRetries(300))).toEqual([3])
  set(3, 'queued')
  expect(leased.nextRetryAt()).toBe(500)
  expect(ids(leased.nextQueued(10))).toEqual([2, 3])
})

it('a thousand tasks that end one after another cost two reads each: one for its state, one to run it', () => {
  const { leased, set, reads } = leasedTasks(1000)
  for (let done = 0; done < 1000; done++) {
    const [task] = leased.nextQueued(1)
    set(task!.id, 'active')
    expect(leased.dueRetries(0)).toEqual([])
    set(task!.id, 'done')
  }
  expect(leased.nextQueued(5)).toEqual([])
  expect(reads()).toBe(2000)
})
