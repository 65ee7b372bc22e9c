/** A repair that is asked for again while it begins, by the same window or by another process. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import type { FileSystem } from '../../electron/engine/ports.ts'
import { writtenBytes } from '../../electron/engine/segment-plan.ts'
import { openStore } from '../../electron/store/index.ts'
import { CONTENT, MIB, SIZE, serverWith } from '../helpers/checked-file.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import type { FaultServer } from '../helpers/fault-server.ts'

async function damaged(engine: TestEngine, server: FaultServer) {
  const id = await engine.add(server.url('/data.bin'))
  const { path } = await engine.until(id, 'done', 'failed')
  await writeFile(path!, 'damaged', { flag: 'r+' })
  return { id, path: path! }
}

it('is one repair, and all hear what comes of it', async () => {
  await using server = await serverWith('/data.bin')
  await using engine = await startEngine()
  const { id, path } = await damaged(engine, server)
  const repairs = await Promise.all([1, 2, 3].map(() => engine.call('tasks.repair', { id })))
  for (const repair of repairs) expect(repair).toMatchObject({ repair: 'fetching', bytes: MIB })
  expect(await engine.until(id, 'done', 'failed', 'changed')).toMatchObject({ verification: { verdict: 'right' } })
  expect((await readFile(path)).equals(CONTENT)).toBe(true)
})

it('what another process put on record a moment before stands', async () => {
  await using server = await serverWith('/data.bin')
  const real = createNodeFileSystem()
  const fs: FileSystem = {
    ...real,
    async renameExclusive(from, to) {
      if (to.endsWith('.part')) await rename(from, to)
      await real.renameExclusive(from, to)
    },
  }
  await using engine = await startEngine({ fs })
  const { id } = await damaged(engine, server)
  await expect(engine.call('tasks.repair', { id })).rejects.toMatchObject({ code: 'folder_missing' })
  await engine.stop()
  const { store } = openStore({ path: join(engine.profile, 'nighthaul.db'), now: Date.now })
  expect(store.getTask(id)?.verification).toMatchObject({ repairing: true })
  expect(writtenBytes(store.segments(id))).toBe(SIZE - MIB)
  store.close()
})
