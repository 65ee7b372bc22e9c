/** The engine as the app runs it, on a real profile: lock, store, local socket, and their end in order. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startEngineService } from '../../electron/engine-service.ts'
import { isQueueOwned, profileFolder, takeQueueLock } from '../../electron/profile.ts'
import { connectLocal } from '../../electron/rpc/local-server.ts'
import { memoryPair } from '../../electron/rpc/memory-duplex.ts'
import { contract } from '../../shared/contract.ts'
import { createClient } from '../../shared/rpc-client.ts'

const resolveProxy = async () => 'DIRECT'

let profile: string
beforeEach(async () => {
  profile = profileFolder({ flag: await mkdtemp(join(tmpdir(), 'nighthaul-service-')), env: {} })
})
afterEach(() => rm(profile, { recursive: true, force: true }))

test('serves windows and the local socket, and gives everything up when drained', async () => {
  const service = await startEngineService({ profile, version: '9.9.9', resolveProxy })
  const [windowEnd, engineEnd] = memoryPair()
  service.connect(engineEnd)
  const window = createClient(contract, windowEnd)
  expect(await window.call('app.info')).toMatchObject({ version: '9.9.9', host: 'electron', profile })
  const commandLine = await connectLocal(profile)
  expect(await commandLine?.call('app.info')).toMatchObject({ host: 'electron' })
  expect(isQueueOwned(profile)).toBe(true)

  const gone = new Promise<void>((resolve) => window.onClose(resolve))
  await Promise.all([service.drain(), service.drain()])
  await gone
  expect(isQueueOwned(profile)).toBe(false)
  expect(await connectLocal(profile)).toBeNull()
  // SQLite folds its log into the database when the last connection closes it
  expect((await readdir(profile)).filter((name) => name.endsWith('-wal'))).toEqual([])
})

test('refuses a profile whose queue somebody owns, names them, and leaves nothing behind', async () => {
  const lock = takeQueueLock(profile, 'headless')
  await expect(startEngineService({ profile, version: '1', resolveProxy })).rejects.toMatchObject({
    code: 'profile_locked',
    message: expect.stringContaining(`nighthaul serve (process ${process.pid})`),
  })
  expect(isQueueOwned(profile)).toBe(true)
  lock.release()
  await (await startEngineService({ profile, version: '1', resolveProxy })).drain()
})
