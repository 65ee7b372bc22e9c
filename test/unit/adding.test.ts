/** New tasks on a real store: what is a duplicate, whose task it is, and what of a link is kept where. */
import { describe, expect, it } from 'vitest'
import { type AddingDeps, addTasks } from '../../electron/engine/adding.ts'
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import { AddTasksInput } from '../../shared/schemas.ts'
import type { TaskState } from '../../shared/task-state.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { listQuery, openTestStore } from '../helpers/store.ts'

const URL_A = 'https://example.org/files/a.iso'
const URL_B = 'https://example.org/files/b.iso'
const FOLDER = '/downloads'

function setup(overrides: Partial<AddingDeps> = {}) {
  const store = openTestStore()
  const adopted: TaskRecord[] = []
  const deps: AddingDeps = {
    store,
    clock: createManualClock(),
    lease: null,
    isOwnerAlive: () => false,
    isQueueOwned: () => false,
    categories: () => [],
    defaultFolder: () => FOLDER,
    adopted: (task) => adopted.push(task),
    ...overrides,
  }
  const add = (input: object, as: Partial<AddingDeps> = {}) =>
    addTasks(AddTasksInput.parse(input), { ...deps, ...as }).items
  return { store, adopted, add }
}

const all = (store: TaskStore) => store.listTasks(listQuery()).rows
const one = (url: string, rest: object = {}) => ({ items: [{ url, ...rest }] })

describe('adding', () => {
  it('adds in the order given, with the options of all and of each, and the clock’s time', () => {
    const { store, add } = setup()
    const items = add({
      items: [{ url: URL_A, options: { connections: 2 } }, { url: URL_B }],
      options: { connections: 4, retries: 1 },
    })
    expect(items.map((item) => item.duplicate)).toEqual([false, false])
    expect(items.map(({ id }) => store.getTask(id))).toMatchObject([
      { url: URL_A, folder: FOLDER, state: 'queued', options: { connections: 2, retries: 1 }, leaseOwner: null },
      { url: URL_B, options: { connections: 4, retries: 1 }, createdAt: createManualClock().now() },
    ])
  })

  it('names the unfinished task of the same link and folder instead of adding it twice', () => {
    const { store, add } = setup()
    const [first] = add(one(URL_A))
    expect(add(one(URL_A))).toEqual([{ id: first!.id, duplicate: true }])
    // what comes after # never reaches the server
    expect(add(one(`${URL_A}#part`))).toEqual([{ id: first!.id, duplicate: true }])
    expect(add({ ...one(URL_A), folder: '/elsewhere' })[0]!.duplicate).toBe(false)
    expect(add(one(URL_A, { filename: 'other name.iso' }))[0]!.duplicate).toBe(false)
    expect(add({ ...one(URL_A), onDuplicate: 'add' })[0]!.duplicate).toBe(false)
    expect(all(store)).toHaveLength(4)
  })

  it('takes two spellings of a folder for one', () => {
    const { store, add } = setup()
    const [first] = add(one(URL_A))
    for (const folder of ['/downloads/', '/downloads/.', '/somewhere/../downloads'])
      expect(add({ ...one(URL_A), folder })).toEqual([{ id: first!.id, duplicate: true }])
    expect(all(store).map((task) => task.folder)).toEqual([FOLDER])
  })

  it('adds a finished link again', () => {
    const { store, add } = setup()
    const [first] = add(one(URL_A))
    store.updateTask(first!.id, { state: 'done' })
    expect(add(one(URL_A))[0]).toMatchObject({ duplicate: false })
  })

  it('finds twins within one call, and points every one at the first', () => {
    const { store, add } = setup()
    const items = add({ items: [URL_B, URL_A, `${URL_A}#x`, URL_B, URL_A].map((url) => ({ url })) })
    expect(items.map((item) => item.duplicate)).toEqual([false, false, true, true, true])
    expect([items[2]!.id, items[3]!.id, items[4]!.id]).toEqual([items[1]!.id, items[0]!.id, items[1]!.id])
    expect(all(store)).toHaveLength(2)
  })

  it('refuses a relative folder, and adds nothing then', () => {
    const { store, add } = setup()
    expect(() => add({ ...one(URL_A), folder: 'downloads' })).toThrow(
      expect.objectContaining({ code: 'invalid_input', params: { folder: 'downloads' } }),
    )
    expect(all(store)).toEqual([])
  })

  it('makes a harmless name of what the user asks for', () => {
    const { store, add } = setup()
    const [item] = add(one(URL_A, { filename: '../../etc/passwd' }))
    const name = store.getTask(item!.id)!.requestedFilename!
    expect(name).not.toMatch(/[/\\]|^\.\.?$/)
  })

  it('keeps user and password of a link apart from it, where they are not shown', () => {
    const { store, add } = setup()
    const [item] = add(one('https://me:s%20ecret%25@example.org/files/a.iso?x=1#y'))
    expect(store.getTask(item!.id)).toMatchObject({
      url: 'https://example.org/files/a.iso?x=1',
      options: { user: 'me', password: 's ecret%' },
    })
    // the same file, whoever asks
    expect(add(one('https://example.org/files/a.iso?x=1'))).toEqual([{ id: item!.id, duplicate: true }])
  })

  it('prefers a user given by hand to the link’s, and takes a % that encodes nothing as it is', () => {
    const { store, add } = setup()
    const options = { user: 'you', password: 'other' }
    const items = add({ items: [{ url: 'http://me:secret@example.org/1', options }, { url: 'http://a%zz@b.test/' }] })
    expect(items.map(({ id }) => store.getTask(id)!.options)).toEqual([options, { user: 'a%zz', password: '' }])
    const [item] = add({ ...one('http://me:secret@example.org/3'), options: { user: 'you' } })
    expect(store.getTask(item!.id)!.options).toEqual({ user: 'you' })
  })
})

describe('adding for a lease (get)', () => {
  const ME = 'get-1'
  const leased = { lease: ME }

  it('leases what it adds', () => {
    const { store, add } = setup()
    const [item] = add(one(URL_A), leased)
    expect(store.getTask(item!.id)!.leaseOwner).toBe(ME)
  })

  it.each<[TaskState, boolean]>([
    ['paused', true],
    ['failed', true],
    ['changed', true],
    ['queued', true],
    ['active', true],
    ['waiting', true],
    ['finishing', true],
  ])('adopts a %s task that belongs to nobody when no queue runs: access stays, options are the new ones', (state) => {
    const { store, adopted, add } = setup()
    const [item] = add({ ...one(URL_A), options: { connections: 2, retries: 7, user: 'me' } })
    store.updateTask(item!.id, { state })
    expect(add({ ...one(URL_A), options: { connections: 5 } }, leased)).toEqual([{ id: item!.id, duplicate: true }])
    expect(adopted).toMatchObject([{ id: item!.id, state, leaseOwner: ME }])
    expect(adopted[0]!.options).toEqual({ connections: 5, user: 'me' })
  })

  it.each<[TaskState, boolean]>([
    ['queued', false],
    ['active', false],
    ['waiting', false],
    ['finishing', false],
    ['paused', true],
    ['failed', true],
    ['changed', true],
  ])('where the queue has an owner, a %s task may be adopted: %s', (state, allowed) => {
    const { store, adopted, add } = setup({ isQueueOwned: () => true })
    const [item] = add(one(URL_A))
    store.updateTask(item!.id, { state })
    const again = () => add(one(URL_A), leased)
    if (allowed) expect(again()).toHaveLength(1)
    else expect(again).toThrow(expect.objectContaining({ code: 'task_leased', params: { id: item!.id } }))
    expect(adopted).toHaveLength(allowed ? 1 : 0)
    expect(store.getTask(item!.id)!.leaseOwner).toBe(allowed ? ME : null)
  })

  it('leaves a task to another living get, and takes it over from a dead one', () => {
    const { store, adopted, add } = setup()
    const [item] = add(one(URL_A), { lease: 'get-2' })
    expect(() => add(one(URL_A), { ...leased, isOwnerAlive: (owner) => owner === 'get-2' })).toThrow(
      expect.objectContaining({ code: 'task_leased' }),
    )
    expect(store.getTask(item!.id)!.leaseOwner).toBe('get-2')
    add(one(URL_A), leased)
    expect(store.getTask(item!.id)!.leaseOwner).toBe(ME)
    expect(adopted).toHaveLength(1)
  })

  it('adopts all or nothing: one busy task leaves the others as they were', () => {
    const { store, adopted, add } = setup()
    const [a] = add(one(URL_A))
    add(one(URL_B), { lease: 'get-2' })
    store.updateTask(a!.id, { state: 'paused' })
    const both = { items: [{ url: URL_A }, { url: URL_B }, { url: `${URL_B}.sig` }], options: { retries: 3 } }
    expect(() => add(both, { ...leased, isOwnerAlive: () => true })).toThrow(
      expect.objectContaining({ code: 'task_leased' }),
    )
    expect(store.getTask(a!.id)).toMatchObject({ leaseOwner: null, options: {} })
    expect(adopted).toEqual([])
    expect(all(store)).toHaveLength(2)
  })

  it('never adopts for the queue', () => {
    const { store, adopted, add } = setup()
    const [item] = add(one(URL_A), { lease: 'get-2' })
    expect(add(one(URL_A))).toEqual([{ id: item!.id, duplicate: true }])
    expect(adopted).toEqual([])
    expect(store.getTask(item!.id)!.leaseOwner).toBe('get-2')
  })
})
