/** The local socket of a profile: the command line finds the owner of the queue, or nobody. */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type QueueLock, socketPath, takeQueueLock } from '../../electron/profile.ts'
import { connectLocal, listenLocal } from '../../electron/rpc/local-server.ts'
import { createFakeEngine } from '../helpers/fake-engine.ts'

let folder: string
let lock: QueueLock
const engine = createFakeEngine({ tasks: 6 })
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-local-')))
  lock = takeQueueLock(folder, 'headless')
})
afterEach(() => {
  lock.release()
  rmSync(folder, { recursive: true, force: true })
})

test('nobody listens: null', async () => {
  expect(await connectLocal(folder)).toBe(null)
})

test('several clients at once, a stale socket file in the way, and a clean end', async () => {
  if (process.platform !== 'win32') writeFileSync(socketPath(folder), '')
  const server = await listenLocal(lock, { ...engine, version: '1.2.3' })
  if (process.platform !== 'win32') expect(statSync(socketPath(folder)).mode & 0o777).toBe(0o600)
  const clients = await Promise.all([connectLocal(folder), connectLocal(folder)])
  for (const client of clients) expect((await client!.call('tasks.list', { limit: 2 })).rows).toHaveLength(2)
  await expect(clients[0]!.call('tasks.get', { id: -1 })).rejects.toMatchObject({ code: 'invalid_input' })
  const closed = Promise.all(clients.map((client) => new Promise<void>((resolve) => client!.onClose(resolve))))
  await server.close()
  await closed
  expect(await connectLocal(folder)).toBe(null)
})

test.skipIf(process.platform === 'win32')(
  'a socket left by a killed owner is nobody, and the next owner replaces it',
  async () => {
    // listening by hand and never unlinking it leaves what a kill leaves
    const path = socketPath(folder)
    const listener = createServer()
    await new Promise<void>((resolve) => listener.listen(join(folder, 's'), resolve))
    renameSync(join(folder, 's'), path)
    await new Promise((resolve) => listener.close(resolve))
    expect(await connectLocal(folder)).toBe(null)
    const server = await listenLocal(lock, { ...engine, version: '1.2.3' })
    const client = await connectLocal(folder)
    expect((await client!.call('app.info')).host).toBeDefined()
    client!.close()
    await server.close()
  },
)

test('a profile with a long path is reached too', async () => {
  const deep = join(folder, 'x'.repeat(60), 'y'.repeat(60))
  mkdirSync(deep, { recursive: true })
  const deepLock = takeQueueLock(deep, 'headless')
  const server = await listenLocal(deepLock, { ...engine, version: '1.2.3' })
  const client = await connectLocal(deep)
  expect(await client!.call('settings.get')).toBeDefined()
  client!.close()
  await server.close()
  deepLock.release()
})
