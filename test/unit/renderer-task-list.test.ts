/** The list's store against the fake engine over a direct channel: paging, deltas, selection, reconnecting. */
import { afterEach, expect, it, vi } from 'vitest'
import { createAnnouncements } from '../../renderer/stores/announcements.ts'
import { createTaskListStore, type TaskListStore } from '../../renderer/stores/task-list.ts'
import { idAt, PAGE_ROWS } from '../../renderer/stores/task-view.ts'
import { createFakeEngine, directClient, type FakeEngine } from '../helpers/fake-engine.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

const opened: TaskListStore[] = []
afterEach(() => {
  for (const list of opened.splice(0)) list.dispose()
})

async function openList(tasks: number): Promise<{ list: TaskListStore; engine: FakeEngine }> {
  const engine = createFakeEngine({ tasks })
  const list = createTaskListStore()
  opened.push(list)
  await list.attach(directClient(engine), true)
  return { list, engine }
}

const view = (list: TaskListStore) => list.store.getState().view
const chosen = (list: TaskListStore) => list.store.getState().selection.chosen

it('loads one page of 10,000 tasks, and another one when it is scrolled to', async () => {
  const { list, engine } = await openList(10_000)
  expect(view(list).total).toBe(10_000)
  expect(view(list).rows.size).toBe(PAGE_ROWS)
  list.setViewport({ first: 5000, last: 5020 })
  await vi.waitFor(() => expect(idAt(view(list), 5010)).toBe(5011), PATIENT_MS)
  expect(engine.calls.get('tasks.list')).toBe(2)
})

it('patches rows from deltas without asking again', async () => {
  const { list, engine } = await openList(6)
  const before = view(list).rows.get(1)!.writtenBytes
  engine.step(250)
  expect(view(list).rows.get(1)!.writtenBytes).toBeGreaterThan(before)
  expect(engine.calls.get('tasks.list')).toBe(1)
})

it('fetches the visible page again after missed frames, once for a burst', async () => {
  const { list, engine } = await openList(6)
  engine.tasks[0]!.filename = 'renamed.iso'
  for (let frame = 0; frame < 20; frame += 1) engine.report({}, 3)
  await vi.waitFor(() => expect(view(list).rows.get(1)!.filename).toBe('renamed.iso'), PATIENT_MS)
  expect(engine.calls.get('tasks.list')).toBe(2)
})

it('shows a new task and lets removed ones leave the selection', async () => {
  const { list, engine } = await openList(6)
  await list.select(1, 'only')
  await list.select(2, 'toggle')
  await engine.handlers['tasks.add']({ items: [{ url: 'https://a.example/new' }], paused: false, onDuplicate: 'skip' })
  await engine.handlers['tasks.remove']({ selection: { ids: [2] }, deleteFiles: false, now: false })
  expect(chosen(list)).toEqual(new Set([3]))
  await vi.waitFor(() => expect([...view(list).rows.keys()]).toEqual([1, 3, 4, 5, 6, 7]), PATIENT_MS)
})

it('selects a range that was never loaded', async () => {
  const { list } = await openList(10_000)
  await list.select(100, 'only')
  await list.select(2600, 'range')
  expect([...(chosen(list) as Set<number>)]).toEqual(Array.from({ length: 2501 }, (_, index) => 101 + index))
})

it('takes one of everything out, loaded or not', async () => {
  const { list } = await openList(3000)
  list.selectAll()
  await list.select(1, 'toggle')
  const ids = chosen(list) as Set<number>
  expect(ids.size).toBe(2999)
  expect(ids.has(2)).toBe(false)
})

it('drops the reply to an earlier search', async () => {
  const { list } = await openList(10_000)
  list.setQuery({ text: 'debian' })
  list.setQuery({ text: 'ubuntu' })
  await vi.waitFor(() => expect(view(list).total).not.toBeNull(), PATIENT_MS)
  expect([...view(list).rows.values()].every((row) => row.filename.startsWith('ubuntu'))).toBe(true)
})

it('keeps rows and selection while the engine is away, and sees another engine’s list afterwards', async () => {
  const { list, engine } = await openList(6)
  await list.select(1, 'only')
  list.detach()
  expect(view(list).rows.size).toBe(6)
  // A restarted engine counts revisions from the beginning again.
  const restarted = createFakeEngine({ tasks: 6 })
  for (let frame = 0; frame < 3; frame += 1) engine.report({})
  restarted.tasks[1]!.state = 'done'
  await list.attach(directClient(restarted), true)
  expect(view(list).rows.get(2)!.state).toBe('done')
  expect(chosen(list)).toEqual(new Set([2]))
  restarted.step(250)
  expect(view(list).rev).toBe(2)
})

it('loads over the new channel when the old one broke in the middle of a call', async () => {
  const engine = createFakeEngine({ tasks: 6 })
  const list = createTaskListStore()
  opened.push(list)
  const first = directClient(engine)
  const attaching = list.attach(first, true)
  first.drop()
  list.detach()
  await list.attach(directClient(engine), true)
  await attaching
  await vi.waitFor(() => expect(view(list).total).toBe(6), PATIENT_MS)
})

it('tells why the list could not be read, and forgets it once it could', async () => {
  const engine = createFakeEngine({ tasks: 6 })
  const list = createTaskListStore()
  opened.push(list)
  let broken = true
  const client = directClient({
    ...engine,
    handlers: {
      ...engine.handlers,
      'tasks.list': (query) => {
        if (broken) throw new Error('no disk')
        return engine.handlers['tasks.list'](query)
      },
    },
  })
  await list.attach(client, true)
  expect(list.store.getState().error).toMatchObject({ code: 'internal', message: 'no disk' })
  broken = false
  list.reload()
  await vi.waitFor(() => expect(list.store.getState().error).toBeNull(), PATIENT_MS)
  expect(view(list).total).toBe(6)
})

it('announces downloads that end while the window watches, gathered', async () => {
  const engine = createFakeEngine({ tasks: 6 })
  const announcements = createAnnouncements(1)
  const [first, second, , done] = engine.tasks.map((task) => ({ ...task }))
  announcements.observe([first!, second!, done!])
  announcements.observe([{ ...first!, state: 'done' }, { ...second!, state: 'failed' }, done!])
  await vi.waitFor(
    () =>
      expect(announcements.store.getState().endings).toEqual({
        done: [first!.filename],
        failed: [second!.filename],
        changed: [],
      }),
    PATIENT_MS,
  )
})
