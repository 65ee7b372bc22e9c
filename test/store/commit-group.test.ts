/** Writes of one turn of the event loop share a commit, and lose nothing by it. */
import { promises } from 'node:fs'
import { dirname } from 'node:path'
import { expect, it, vi } from 'vitest'
import { createCommitGroup, TURNS } from '../../electron/store/commit-group.ts'
import { SILENT } from '../../electron/store/database.ts'
import { newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const turns = async (count: number) => {
  for (let n = 0; n < count; n++) await turn()
}

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

it('commits by itself at the end of a few turns, together what came in them', async () => {
  const path = storePath()
  const store = openTestStore({ path, groupCommits: true })
  const [id] = store.addTasks([newTask()])
  const seen = () => openRaw(path).prepare('SELECT etag, size_bytes AS size FROM tasks').get()
  store.updateTask(id!, { etag: '"a"' })
  await turn()
  store.updateTask(id!, { sizeBytes: 5 })
  expect(seen()).toEqual({ etag: null, size: null })
  await turns(TURNS)
  expect(seen()).toEqual({ etag: '"a"', size: 5 })
  store.updateTask(id!, { sizeBytes: 6 })
  await turns(TURNS + 1)
  expect(seen()).toEqual({ etag: '"a"', size: 6 })
})

it('what must survive a power cut waits for the disk, what need not does not, and the store goes on meanwhile', async () => {
  const happened: string[] = []
  const flushes: PromiseWithResolvers<void>[] = []
  const group = createCommitGroup(
    {
      begin: () => undefined,
      commit: () => happened.push('commit'),
      rollBack: () => undefined,
      run: (work) => work(),
      flush() {
        const flush = Promise.withResolvers<void>()
        flushes.push(flush)
        return flush.promise
      },
    },
    SILENT,
  )
  const told = (name: string) => [() => void happened.push(name), () => void happened.push(`no ${name}`)] as const
  group.run(() => undefined)
  void group.committed(true).then(...told('first on the disk'))
  void group.committed(false).then(...told('first committed'))
  await turns(TURNS + 1)
  expect(happened).toEqual(['commit', 'first committed'])
  group.run(() => undefined)
  void group.committed(true).then(...told('second on the disk'))
  await turns(TURNS + 1)
  expect(happened.splice(0)).toEqual(['commit', 'first committed', 'commit'])
  // Each waits for a flush that began after its own commit.
  flushes[1]!.resolve()
  await turn()
  flushes[0]!.reject(new Error('no disk'))
  await turn()
  expect(happened).toEqual(['second on the disk', 'no first on the disk'])
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

it('takes no lock to bring to the disk what is committed already', async () => {
  let begun = 0
  let flushed = 0
  const group = createCommitGroup(
    {
      begin: () => void begun++,
      commit: () => undefined,
      rollBack: () => undefined,
      run: (work) => work(),
      flush: async () => void flushed++,
    },
    SILENT,
  )
  await group.committed(true)
  await group.committed(false)
  expect({ begun, flushed }).toEqual({ begun: 0, flushed: 1 })
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
      flush: async () => undefined,
    },
    SILENT,
  )
  group.run(() => open.push('a'))
  group.run(() => open.push('b'))
  await expect(group.committed(false)).rejects.toThrow('disk full')
  group.run(() => open.push('c'))
  await turns(TURNS + 1)
  expect(committed).toEqual([])
  full = false
  group.run(() => open.push('d'))
  await group.committed(true)
  expect(committed).toEqual(['a', 'b', 'c', 'd'])
})

it.skipIf(process.platform === 'win32')(
  'brings the log to the disk with its name, which is new after each start',
  async () => {
    const path = storePath()
    const first = openTestStore({ path, groupCommits: true })
    const [id] = first.addTasks([newTask()])
    first.close()
    const flushed: string[] = []
    const { open } = promises
    const spied = vi.spyOn(promises, 'open').mockImplementation(async (file, ...how) => {
      const handle = await open(file, ...how)
      for (const way of ['sync', 'datasync'] as const) {
        const flush = handle[way].bind(handle)
        handle[way] = () => flush().then(() => void flushed.push(String(file)))
      }
      return handle
    })
    try {
      const store = openTestStore({ path, groupCommits: true })
      store.updateTask(id!, { etag: '"a"' })
      await store.committed(true)
      await store.committed(true)
      expect(flushed).toEqual([dirname(path), `${path}-wal`, `${path}-wal`])
    } finally {
      spied.mockRestore()
    }
  },
)
