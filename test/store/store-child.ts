/**
 * A process of its own on the store at argv[3]; argv[2] says what it does.
 * `checkpoint`: adds four tasks and moves their marks in step for ever, one line on stdout a checkpoint.
 * `add`: waits for a line on stdin, then opens the store, adds ten tasks, closes, and prints their ids.
 */
import { once } from 'node:events'
import { openStore } from '../../electron/store/index.ts'
import { BLOCK_BYTES, type NewTask } from '../../shared/records.ts'

const [mode, path = ''] = process.argv.slice(2)

const newTask = (name: string): NewTask => ({
  url: `https://example.org/${name}`,
  requestedFilename: null,
  folder: '/downloads',
  state: 'queued',
  options: {},
  createdAt: 1,
  leaseOwner: null,
})

if (mode === 'add') {
  console.log('ready')
  await once(process.stdin, 'data')
  const { store } = openStore({ path, now: Date.now, busyTimeoutMs: 30_000 })
  console.log(store.addTasks(Array.from({ length: 10 }, (_, index) => newTask(`${process.pid}-${index}`))).join())
  store.close()
  process.exit(0)
}

const { store } = openStore({ path, now: Date.now })
const ids = store.addTasks(['a', 'b', 'c', 'd'].map(newTask))
for (let block = 0; ; block++) {
  const written = (block + 1) * BLOCK_BYTES
  store.checkpoint(
    ids.map((id) => ({
      id,
      writtenBytes: written,
      bootId: 'boot',
      segments: [{ start: 0, end: null, written, durable: written - BLOCK_BYTES }],
      blocks: [{ index: block, crc32: block, bytes: BLOCK_BYTES }],
    })),
  )
  if (block % 10 === 0) store.updateTask(ids[0] ?? 0, { attempts: block }, { intent: true })
  console.log(block)
}
