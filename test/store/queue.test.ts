/** What the scheduler asks: next, due, already there, leased. */
import { expect, test } from 'vitest'
import { newTask, openTestStore } from '../helpers/store.ts'

const ids = (tasks: readonly { id: number }[]) => tasks.map((task) => task.id)

test('the next queued tasks come by position, without those that are leased', () => {
  const store = openTestStore()
  const [, b = 0] = store.addTasks([
    newTask(),
    newTask(),
    newTask({ leaseOwner: 'pid:1' }),
    newTask({ state: 'paused' }),
    newTask(),
  ])
  expect(ids(store.nextQueued(10))).toEqual([1, 2, 5])
  expect(ids(store.nextQueued(1))).toEqual([1])
  store.updateTask(b, { state: 'active' })
  expect(ids(store.nextQueued(10))).toEqual([1, 5])
})

test('tasks in states come by position, without those that are leased', () => {
  const store = openTestStore()
  store.addTasks([
    newTask({ state: 'waiting' }),
    newTask({ state: 'active' }),
    newTask({ state: 'active', leaseOwner: 'pid:1' }),
    newTask(),
    newTask({ state: 'waiting' }),
  ])
  expect(ids(store.tasksInStates(['active', 'waiting', 'waiting']))).toEqual([1, 2, 5])
  expect(store.tasksInStates([])).toEqual([])
})

test('finished tasks stay on the list of unsynced ones until their fsync is recorded', () => {
  const store = openTestStore()
  const [a = 0, b = 0] = store.addTasks([newTask(), newTask(), newTask()])
  store.updateTask(a, { state: 'done', fsyncedAt: 5 })
  store.updateTask(b, { state: 'done' })
  expect(ids(store.unsyncedDone())).toEqual([b])
  store.updateTask(b, { fsyncedAt: 6 })
  expect(store.unsyncedDone()).toEqual([])
})

test('retries are due by their time, the earliest first, without those that are leased', () => {
  const store = openTestStore()
  expect(store.nextRetryAt()).toBeNull()
  const [a = 0, b = 0, c = 0, d = 0] = store.addTasks([newTask(), newTask(), newTask(), newTask()])
  store.updateTask(a, { state: 'waiting', retryAt: 300 })
  store.updateTask(b, { state: 'waiting', retryAt: 200 })
  store.updateTask(c, { state: 'waiting', retryAt: 100, leaseOwner: 'pid:1' })
  store.updateTask(d, { state: 'queued', retryAt: 50 })
  expect(store.nextRetryAt()).toBe(200)
  expect(store.dueRetries(199)).toEqual([])
  expect(ids(store.dueRetries(200))).toEqual([b])
  expect(ids(store.dueRetries(1000))).toEqual([b, a])
})

test('an unfinished task is found by URL, folder and wanted name; the newest of several', () => {
  const store = openTestStore()
  const url = 'https://example.org/x'
  const [a = 0, b = 0, c = 0] = store.addTasks([
    newTask({ url, requestedFilename: 'one' }),
    newTask({ url }),
    newTask({ url, folder: '/elsewhere' }),
  ])
  const find = (requestedFilename: string | null, folder = '/downloads') =>
    store.findUnfinished({ url, folder, requestedFilename })?.id
  expect(find(null)).toBe(b)
  expect(find('one')).toBe(a)
  expect(find('other')).toBeUndefined()
  expect(find(null, '/elsewhere')).toBe(c)
  store.updateTask(b, { state: 'done' })
  expect(find(null)).toBe(a)
  store.updateTask(a, { state: 'failed' })
  expect(find(null)).toBe(a)
})

test('unfinished tasks of many URLs are found at once', () => {
  const store = openTestStore()
  const [a = 0, , c = 0, d = 0] = store.addTasks([
    newTask({ url: 'https://example.org/a' }),
    newTask({ url: 'https://example.org/b', folder: '/elsewhere' }),
    newTask({ url: 'https://example.org/“c”' }),
    newTask({ url: 'https://example.org/a' }),
    newTask({ url: 'https://example.org/done', state: 'done' }),
  ])
  const urls = ['a', 'a', 'b', '“c”', 'done', 'unknown'].map((name) => `https://example.org/${name}`)
  expect(store.findUnfinishedUrls('/downloads', urls)).toEqual(
    new Map([
      ['https://example.org/a', d],
      ['https://example.org/“c”', c],
    ]),
  )
  store.removeTasks([d])
  expect(store.findUnfinishedUrls('/downloads', urls).get('https://example.org/a')).toBe(a)
  expect(store.findUnfinishedUrls('/downloads', [])).toEqual(new Map())
})

test('a lease goes to whoever names its present owner, and only its owner gives it back', () => {
  const store = openTestStore()
  const [id = 0] = store.addTasks([newTask()])
  expect(store.takeLease(id, 'pid:1', null)).toBe(true)
  expect(store.takeLease(id, 'pid:2', null)).toBe(false)
  expect(store.takeLease(id, 'pid:2', 'pid:9')).toBe(false)
  expect(ids(store.leasedTasks())).toEqual([id])
  store.releaseLease(id, 'pid:2')
  expect(store.getTask(id)?.leaseOwner).toBe('pid:1')
  expect(store.takeLease(id, 'pid:2', 'pid:1')).toBe(true)
  store.releaseLease(id, 'pid:2')
  expect(store.leasedTasks()).toEqual([])
  expect(store.takeLease(99, 'pid:1', null)).toBe(false)
})

test('whoever ends gives back all leases that are his, and those of nobody else', () => {
  const store = openTestStore()
  const leased = (owner: string, n: number) => newTask({ url: `https://example.org/${n}`, leaseOwner: owner })
  store.addTasks([leased('pid:1', 1), leased('pid:2', 2), leased('pid:1', 3), newTask()])
  store.releaseLeases('pid:1')
  expect(store.leasedTasks().map(({ leaseOwner }) => leaseOwner)).toEqual(['pid:2'])
})

test('behind hundreds of a busy host the next is the first in order of another one that may go', () => {
  const store = openTestStore()
  const from = (host: string, count: number) =>
    Array.from({ length: count }, (_, n) => newTask({ url: `http://${host}/${n}` }))
  store.addTasks([...from('busy.test', 300), ...from('z.test', 3), ...from('a.test', 2)])
  const next = (limit: number, except: readonly number[] = []) =>
    ids(store.nextReady(1, limit, ['busy.test'], (id) => except.includes(id)))
  expect(next(1)).toEqual([301])
  expect(next(1, [301, 302])).toEqual([303])
  expect(next(3, [301, 304])).toEqual([302, 303, 305])
  expect(next(1, [301, 302, 303])).toEqual([304])
})
