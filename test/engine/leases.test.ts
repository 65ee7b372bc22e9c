/** `get` beside the queue on one profile: whose task is whose, and what is left when somebody dies. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine, type TestEngine, type TestEngineOptions } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 60_000
const HELD = 20_000

/** Processes that live; a test lets them die. */
function processes() {
  const alive = new Set<string>()
  const start = (lease: string | null, options: TestEngineOptions = {}) => {
    if (lease !== null) alive.add(lease)
    // One connection, so that what stalls is not relieved by another.
    // Time is hasty, and a busy machine slow: what stalls on purpose is not given up.
    const patience = { headersTimeoutMs: 3_600_000, stallTimeoutMs: 3_600_000 }
    const settingsOverride = { connectionsPerDownload: 1, ...patience, ...options.settingsOverride }
    // All of them are in this process: one would wait for the other's open group, and with that keep it from closing it.
    const alone = { groupCommits: false }
    return startEngine({ lease, isOwnerAlive: (owner) => alive.has(owner), ...alone, ...options, settingsOverride })
  }
  return { alive, start }
}

async function serverWith(...paths: string[]): Promise<FaultServer> {
  const server = await startFaultServer()
  for (const [seed, path] of paths.entries()) server.add(path, { size: SIZE, seed })
  return server
}

/** Adds as `get` does: a link that is there already is gone on with. */
async function getUrl(engine: TestEngine, url: string): Promise<{ id: number; duplicate: boolean }> {
  return (await engine.call('tasks.add', { items: [{ url }] })).items[0]!
}

describe('a get beside the queue', () => {
  it('works on its own task alone, and the queue on all others', async () => {
    await using server = await serverWith('/queued', '/got')
    const { start } = processes()
    await using queue = await start(null)
    for (const path of ['/queued', '/got']) server.fault(path, () => faults.stallAt(HELD))
    const queued = await queue.add(server.url('/queued'))
    await using get = await start('get-1', { from: queue })
    const { id, duplicate } = await getUrl(get, server.url('/got'))
    expect(duplicate).toBe(false)
    await get.untilTask(id, (task) => task.writtenBytes === HELD)
    await queue.untilTask(queued, (task) => task.writtenBytes === HELD)
    // the window sees it, and can do nothing to it
    expect((await queue.call('tasks.list', {})).rows.map((row) => row.id)).toEqual([queued, id])
    const ids = { selection: { ids: [id] } }
    expect(await queue.call('tasks.pause', ids)).toEqual({ count: 0 })
    expect(await queue.call('tasks.remove', { ...ids, deleteFiles: true })).toEqual({ count: 0, removal: null })
    expect(await queue.call('tasks.pause', { selection: { filter: {} } })).toEqual({ count: 1 })
    expect((await queue.call('tasks.resume', { selection: { filter: {} } })).count).toBe(1)
    for (const path of ['/queued', '/got']) server.fault(path, null)
    server.release()
    const task = await get.until(id, 'done', 'failed')
    expect(await readFile(task.path!)).toEqual(contentBytes(1, 0, SIZE))
    expect((await queue.until(queued, 'done', 'failed')).state).toBe('done')
    // each was asked for by one process, once
    expect(server.requests.filter((request) => request.path === '/got')).toHaveLength(1)
  })

  it('refuses a link that the queue is working on, and one that another get has', async () => {
    await using server = await serverWith('/queued', '/got')
    const { start } = processes()
    for (const path of ['/queued', '/got']) server.fault(path, () => faults.stallAt(HELD))
    await using queue = await start(null)
    const queued = await queue.add(server.url('/queued'))
    await using first = await start('get-1', { from: queue })
    const { id } = await getUrl(first, server.url('/got'))
    await using second = await start('get-2', { from: queue })
    for (const [path, taskId] of [
      ['/queued', queued],
      ['/got', id],
    ] as const)
      await expect(getUrl(second, server.url(path))).rejects.toMatchObject({
        code: 'task_leased',
        params: { id: taskId },
      })
    await first.untilTask(id, (task) => task.writtenBytes === HELD)
    expect(server.requests).toHaveLength(2)
  })

  it('interrupted, leaves its task paused and free, and the next get goes on with it', async () => {
    await using server = await serverWith('/got')
    const { start } = processes()
    await using queue = await start(null)
    server.fault('/got', (request) => (request.index === 0 ? faults.stallAt(HELD) : null))
    const first = await start('get-1', { from: queue })
    const { id } = await getUrl(first, server.url('/got'))
    await first.untilTask(id, (task) => task.writtenBytes === HELD)
    await first.stop()
    expect(await queue.get(id)).toMatchObject({ state: 'paused', writtenBytes: HELD, error: null })
    await using second = await start('get-2', { from: queue })
    expect(await getUrl(second, server.url('/got'))).toEqual({ id, duplicate: true })
    const task = await second.until(id, 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', resumedFromBytes: HELD })
    expect(await readFile(task.path!)).toEqual(contentBytes(0, 0, SIZE))
    expect(server.requests[1]!.headers.range).toBe(`bytes=${HELD}-${SIZE - 1}`)
  })

  it('leaves what never began paused and free as well', async () => {
    await using server = await serverWith('/a', '/b')
    const { start } = processes()
    await using queue = await start(null)
    server.fault('/a', () => faults.silent())
    const get = await start('get-1', { from: queue, settingsOverride: { downloadsAtOnce: 1 } })
    const { items } = await get.call('tasks.add', { items: [{ url: server.url('/a') }, { url: server.url('/b') }] })
    await server.until(() => server.held === 1)
    await get.stop()
    const ids = items.map((item) => item.id)
    expect(await Promise.all(ids.map(async (id) => (await queue.get(id)).state))).toEqual(['paused', 'paused'])
    server.fault('/a', null)
    expect(await queue.call('tasks.resume', { selection: { ids } })).toEqual({ count: 2 })
    for (const id of ids) expect((await queue.until(id, 'done', 'failed')).state).toBe('done')
  })

  it('that died is noticed while the queue runs: its task is paused, and can be gone on with', async () => {
    await using server = await serverWith('/got')
    const { start, alive } = processes()
    await using queue = await start(null)
    server.fault('/got', (request) => (request.index === 0 ? faults.stallAt(HELD) : null))
    const get = await start('get-1', { from: queue })
    const { id } = await getUrl(get, server.url('/got'))
    await get.untilTask(id, (task) => task.writtenBytes === HELD)
    expect((await queue.get(id)).state).toBe('active')
    alive.delete('get-1')
    // no word from anybody: the queue looks by itself
    await queue.until(id, 'paused')
    server.disconnect()
    await get.stop()
    expect(await queue.call('tasks.resume', { selection: { ids: [id] } })).toEqual({ count: 1 })
    const task = await queue.until(id, 'done', 'failed')
    expect(task.state).toBe('done')
    expect(await readFile(task.path!)).toEqual(contentBytes(0, 0, SIZE))
  })

  it('that died before the queue began leaves a paused task; a get may take it over from the dead', async () => {
    await using server = await serverWith('/one', '/two')
    const { start, alive } = processes()
    await using home = await start('get-0')
    const paths = ['/one', '/two']
    for (const path of paths) server.fault(path, (request) => (request.index === 0 ? faults.stallAt(HELD) : null))
    const got = await start('get-1', { from: home })
    const ids = [(await getUrl(got, server.url('/one'))).id, (await getUrl(got, server.url('/two'))).id]
    for (const id of ids) await got.untilTask(id, (task) => task.writtenBytes === HELD)
    // as if killed: its connections are gone, its rows and leases are not
    alive.delete('get-1')
    server.disconnect()
    await using second = await start('get-2', { from: home, isQueueOwned: () => false })
    expect(await getUrl(second, server.url('/one'))).toEqual({ id: ids[0], duplicate: true })
    await using queue = await start(null, { from: home })
    expect((await queue.get(ids[1]!)).state).toBe('paused')
    expect((await second.until(ids[0]!, 'done', 'failed')).state).toBe('done')
    await got.stop()
  })

  it('is not disturbed by the same link added again while it runs', async () => {
    await using server = await serverWith('/got')
    const { start } = processes()
    await using get = await start('get-1')
    server.fault('/got', () => faults.stallAt(HELD))
    const { id } = await getUrl(get, server.url('/got'))
    await get.untilTask(id, (task) => task.writtenBytes === HELD)
    expect(await getUrl(get, `${server.url('/got')}#again`)).toEqual({ id, duplicate: true })
    expect((await get.get(id)).state).toBe('active')
    server.fault('/got', null)
    server.release()
    expect((await get.until(id, 'done', 'failed')).state).toBe('done')
    expect(server.requests).toHaveLength(1)
  })
})
