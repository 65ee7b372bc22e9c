/** Writes of one turn of the event loop share a commit, and lose nothing by it. */
import { expect, it } from 'vitest'
import { createCommitGroup } from '../../electron/store/commit-group.ts'
import { SILENT } from '../../electron/store/database.ts'
import { newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

it('shows a write to this store at once, and to others together with the rest of its turn', async () => {
  const path = storePath()
  const store = openTestStore({ path, groupCommits: true })
  const [id] = store.addTasks([newTask()])
  const other = openRaw(path)
  const seen = () => other.prepare('SELECT etag, size_bytes AS size FROM tasks').get()
  store.updateTask(id!, { etag: '"a"' })
  store.updateTask(id!, { sizeBytes: 5 })
  expect(store.getTask(id!)).toMatchObject({ etag: '"a"', sizeBytes: 5 })
  expect(seen()).toEqual({ etag: null, size: null })
  await store.committed(false)
  expect(seen()).toEqual({ etag: '"a"', size: 5 })
})

it('commits by itself at the end of the turn', async () => {
  const path = storePath()
  const store = openTestStore({ path, groupCommits: true })
  const [id] = store.addTasks([newTask()])
  store.updateTask(id!, { etag: '"a"' })
  await turn()
  expect(openRaw(path).prepare('SELECT etag FROM tasks').pluck().get()).toBe('"a"')
})

it('a write that is refused takes nothing of the others with it', async () => {
  const store = openTestStore({ groupCommits: true })
  const [first, second] = store.addTasks([newTask(), newTask({ url: 'https://example.org/other' })])
  expect(store.reserveFilename(first!, '/downloads', 'a.bin')).toBe(true)
  expect(store.reserveFilename(second!, '/downloads', 'A.BIN')).toBe(false)
  store.updateTask(second!, { etag: '"b"' })
  await store.committed(true)
  expect(store.getTask(first!)).toMatchObject({ filename: 'a.bin' })
  expect(store.getTask(second!)).toMatchObject({ filename: null, etag: '"b"' })
})

it('what a person asked for is committed with all before it, at once', () => {
  const path = storePath()
  const store = openTestStore({ path, groupCommits: true })
  const [id] = store.addTasks([newTask()])
  store.updateTask(id!, { etag: '"a"' })
  store.setSettings({ retries: 3 })
  expect(openRaw(path).prepare('SELECT etag FROM tasks').pluck().get()).toBe('"a"')
})

it('a commit that fails says so to who waits, and its writes are made again with the next', async () => {
  const committed: string[] = []
  let open: string[] = []
  let full = true
  const group = createCommitGroup(
    {
      begin: () => {
        open = []
      },
      commit() {
        if (full) throw new Error('disk full')
        committed.push(...open)
      },
      rollBack: () => {
        open = []
      },
      run: (work) => work(),
      flush: () => undefined,
    },
    SILENT,
  )
  group.run(() => open.push('a'))
  group.run(() => open.push('b'))
  await expect(group.committed(false)).rejects.toThrow('disk full')
  group.run(() => open.push('c'))
  await turn()
  expect(committed).toEqual([])
  full = false
  group.run(() => open.push('d'))
  await group.committed(true)
  expect(committed).toEqual(['a', 'b', 'c', 'd'])
})
