/** The queue: what runs when, in which order, and what a word about many tasks does to each. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import type { FileSystem } from '../../electron/engine/ports.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 50_000

/** Files /0, /1, …, each with content of its own. */
async function serverWith(count: number): Promise<FaultServer> {
  const server = await startFaultServer()
  for (let n = 0; n < count; n++) server.add(`/${n}`, { size: SIZE, seed: n })
  return server
}

async function addAll(engine: TestEngine, server: FaultServer, count: number, rest: object = {}): Promise<number[]> {
  const items = Array.from({ length: count }, (_, n) => ({ url: server.url(`/${n}`) }))
  return (await engine.call('tasks.add', { items, ...rest })).items.map((item) => item.id)
}

async function countsOf(engine: TestEngine) {
  const { counts } = await engine.call('tasks.list', { limit: 1 })
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

async function untilCounts(engine: TestEngine, expected: Record<string, number>): Promise<void> {
  await expect.poll(() => countsOf(engine), { timeout: 30_000, interval: 10 }).toEqual(expected)
}

describe('the queue', () => {
  it('takes tasks in their order, as many at once as are allowed, however they finish', async () => {
    const count = 15
    await using server = await serverWith(count)
    await using engine = await startEngine({ settings: { downloadsAtOnce: 3, connectionsPerHost: 64 } })
    const started: number[] = []
    let running = 0
    let most = 0
    const over = new Set<() => void>()
    const events = engine.engine.events.subscribe(
      'tasks.changed',
      () => {
        for (const look of over) look()
      },
      { visible: true },
    )
    over.add(() => {
      void engine.call('tasks.list', { states: ['active'] }).then(({ total }) => {
        running = total
        most = Math.max(most, running)
      })
    })
    for (let n = 0; n < count; n++)
      server.fault(`/${n}`, () => {
        started.push(n)
        // some are long and some are short
        return n % 3 === 0 ? faults.slow(400_000) : null
      })
    const ids = await addAll(engine, server, count)
    const tasks = await Promise.all(ids.map((id) => engine.until(id, 'done', 'failed')))
    events.dispose()
    expect(tasks.every((task) => task.state === 'done')).toBe(true)
    expect(most).toBe(3)
    // a task begins only when all but two of those before it have begun
    for (const [at, n] of started.entries()) expect(Math.abs(at - n)).toBeLessThan(3)
  })

  it('goes on with the others where a small file cannot be made, and tries that as often as it may', async () => {
    await using server = await serverWith(3)
    const { open, ...fs } = createNodeFileSystem()
    const tries = { EIO: 0, EMFILE: 0 }
    const refusing: FileSystem['open'] = async (path, mode) => {
      const code = /^0\b/.test(basename(path)) ? 'EIO' : /^1\b/.test(basename(path)) ? 'EMFILE' : null
      if (code === null) return open(path, mode)
      tries[code]++
      throw Object.assign(new Error(code), { code })
    }
    await using engine = await startEngine({
      fs: { ...fs, open: refusing },
      settings: { downloadsAtOnce: 1, retries: 1 },
    })
    const [sick, busy, good] = await addAll(engine, server, 3)
    expect(await engine.until(sick!, 'failed', 'paused', 'done')).toMatchObject({
      state: 'paused',
      error: { code: 'io_error' },
    })
    expect(await engine.until(busy!, 'failed', 'paused', 'done')).toMatchObject({
      state: 'failed',
      error: { code: 'too_many_open_files' },
    })
    expect(tries.EMFILE).toBe(2)
    expect((await engine.until(good!, 'done', 'failed')).state).toBe('done')
  })

  it('gives a freed place to the next in line, and new places when more are allowed', async () => {
    await using server = await serverWith(6)
    await using engine = await startEngine({
      settings: { downloadsAtOnce: 2, connectionsPerHost: 64, stallTimeoutMs: 3_600_000 },
    })
    for (let n = 0; n < 6; n++) server.fault(`/${n}`, () => faults.stallAt(100))
    const ids = await addAll(engine, server, 6)
    await server.until(() => server.held === 2)
    expect(await countsOf(engine)).toEqual({ active: 2, queued: 4 })
    await engine.call('tasks.pause', { selection: { ids: [ids[0]!] } })
    await server.until(() => server.requests.some((request) => request.path === '/2'))
    await engine.call('settings.set', { downloadsAtOnce: 4 })
    await server.until(() => server.held === 4)
    expect(server.requests.map((request) => request.path)).toEqual(['/0', '/1', '/2', '/3', '/4'])
    await untilCounts(engine, { active: 4, queued: 1, paused: 1 })
    for (let n = 0; n < 6; n++) server.fault(`/${n}`, null)
    server.release()
    await untilCounts(engine, { done: 5, paused: 1 })
    await engine.call('tasks.resume', { selection: { ids } })
    await untilCounts(engine, { done: 6 })
  })

  it('pauses, resumes and retries by ids and by what a list shows, and says how many it moved', async () => {
    await using server = await serverWith(5)
    await using engine = await startEngine({ settings: { downloadsAtOnce: 1 } })
    server.fault('/0', () => faults.stallAt(100))
    server.fault('/4', () => faults.status(404))
    const ids = await addAll(engine, server, 5)
    await server.until(() => server.held === 1)
    const move = async (how: 'pause' | 'resume' | 'retry', selection: object) =>
      (await engine.call(`tasks.${how}`, { selection } as never)).count
    expect(await move('pause', { ids: [ids[1], ids[2], ids[1]] })).toBe(2)
    expect(await move('pause', { ids: [ids[1]] })).toBe(0)
    expect(await move('pause', { filter: {} })).toBe(3)
    expect(await countsOf(engine)).toEqual({ paused: 5 })
    expect(await move('resume', { filter: { states: ['paused'], text: '/4' } })).toBe(1)
    await engine.until(ids[4]!, 'failed')
    expect(await move('retry', { filter: { states: ['failed'] } })).toBe(1)
    await server.until(() => server.requests.filter((request) => request.path === '/4').length === 2)
    await engine.until(ids[4]!, 'failed')
    server.fault('/0', null)
    expect(await move('resume', { ids })).toBe(5)
    await untilCounts(engine, { done: 4, failed: 1 })
    await expect(engine.call('tasks.pause', { selection: { ids: [12345] } })).rejects.toMatchObject({
      code: 'task_not_found',
    })
  })

  it('removes with and without files: a partial, a finished one, one that never began', async () => {
    await using server = await serverWith(4)
    await using engine = await startEngine({ settings: { downloadsAtOnce: 2 } })
    const ids = await addAll(engine, server, 2)
    await untilCounts(engine, { done: 2 })
    server.fault('/2', () => faults.stallAt(100))
    server.fault('/3', () => faults.stallAt(100))
    const { items } = await engine.call('tasks.add', { items: [2, 3].map((n) => ({ url: server.url(`/${n}`) })) })
    const partials = items.map((item) => item.id)
    await Promise.all(partials.map((id) => engine.untilTask(id, (task) => task.partPath !== null)))
    const [kept, deleted] = await Promise.all(ids.map((id) => engine.get(id)))
    const [keptPart, deletedPart] = await Promise.all(partials.map((id) => engine.get(id)))
    const remove = (id: number, deleteFiles: boolean) =>
      engine.call('tasks.remove', { selection: { ids: [id] }, deleteFiles })
    await remove(kept!.id, false)
    await remove(deleted!.id, true)
    await remove(keptPart!.id, false)
    await remove(deletedPart!.id, true)
    expect(
      [kept!.path, deleted!.path, keptPart!.partPath, deletedPart!.partPath].map((path) => existsSync(path!)),
    ).toEqual([true, false, true, false])
    expect(await readFile(kept!.path!)).toEqual(contentBytes(0, 0, SIZE))
    expect(await countsOf(engine)).toEqual({})
    await expect(engine.get(kept!.id)).rejects.toMatchObject({ code: 'task_not_found' })
  })

  it('removes everything at once without beginning what is about to go', async () => {
    const count = 60
    await using server = await serverWith(count)
    const problems: unknown[] = []
    const note = (data: object, message: string) => void problems.push([data, message])
    const quiet = () => undefined
    await using engine = await startEngine({
      settings: { downloadsAtOnce: 3 },
      logger: { debug: quiet, info: quiet, warn: note, error: note },
    })
    for (let n = 0; n < count; n++) server.fault(`/${n}`, () => faults.stallAt(100))
    await addAll(engine, server, count)
    await server.until(() => server.held === 3)
    expect(await engine.call('tasks.remove', { selection: { filter: {} }, deleteFiles: true })).toMatchObject({ count })
    expect(await countsOf(engine)).toEqual({})
    // a task added now is the very next one to be asked for
    server.add('/last', { size: SIZE, seed: 99 })
    await engine.until(await engine.add(server.url('/last')), 'done', 'failed')
    expect(server.requests.map((request) => request.path)).toEqual(['/0', '/1', '/2', '/last'])
    expect(problems).toEqual([])
  })

  it('adds 2,000 tasks in one call, in order, and pauses, resumes and removes them with one word', async () => {
    const count = 2_000
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const ids = await addAll(engine, server, count, { paused: true })
    expect(new Set(ids).size).toBe(count)
    const { total, rows } = await engine.call('tasks.list', { offset: 1_990, limit: 20 })
    expect([total, rows.map((row) => row.id)]).toEqual([count, ids.slice(1_990)])
    await engine.call('settings.set', { downloadsAtOnce: 1 })
    server.fault('/0', () => faults.silent())
    expect(await engine.call('tasks.resume', { selection: { filter: {} } })).toEqual({ count })
    await server.until(() => server.held === 1)
    expect(await engine.call('tasks.pause', { selection: { filter: {} } })).toEqual({ count })
    expect(await countsOf(engine)).toEqual({ paused: count })
    expect(await engine.call('tasks.remove', { selection: { ids: ids.slice(0, 1_500) } })).toMatchObject({
      count: 1_500,
    })
    expect(await countsOf(engine)).toEqual({ paused: 500 })
    expect(server.requests.length).toBe(1)
  })

  it('goes on after a restart where it was: running ones first, paused ones paused', async () => {
    await using server = await serverWith(4)
    await using first = await startEngine({ settings: { downloadsAtOnce: 1 } })
    server.fault('/0', (request) => (request.index === 0 ? faults.stallAt(20_000) : null))
    const ids = await addAll(first, server, 4)
    await first.call('tasks.pause', { selection: { ids: [ids[2]!] } })
    await first.untilTask(ids[0]!, (task) => task.writtenBytes === 20_000)
    await first.stop()
    const before = server.requests.length
    await using second = await startEngine({ from: first })
    await untilCounts(second, { done: 3, paused: 1 })
    expect(server.requests.slice(before).map((request) => request.path)).toEqual(['/0', '/1', '/3'])
    expect(server.requests[before]!.headers.range).toBe(`bytes=20000-${SIZE - 1}`)
    const tasks = await Promise.all(ids.map((id) => second.get(id)))
    expect(tasks[0]).toMatchObject({ state: 'done', resumedFromBytes: 20_000 })
    expect(await readFile(tasks[0]!.path!)).toEqual(contentBytes(0, 0, SIZE))
  })

  it('leaves what ran as queued when it is drained, and takes nothing new meanwhile', async () => {
    await using server = await serverWith(3)
    await using first = await startEngine({ settings: { downloadsAtOnce: 2 } })
    for (let n = 0; n < 3; n++) server.fault(`/${n}`, () => faults.stallAt(30_000))
    const ids = await addAll(first, server, 3)
    await Promise.all(ids.slice(0, 2).map((id) => first.untilTask(id, (task) => task.writtenBytes === 30_000)))
    const drained = first.engine.drain()
    await expect(first.add(server.url('/2'))).rejects.toMatchObject({ code: 'engine_stopped' })
    await drained
    const tasks = await Promise.all(ids.map((id) => first.get(id)))
    expect(tasks.map((task) => [task.state, task.writtenBytes, task.error])).toEqual([
      ['queued', 30_000, null],
      ['queued', 30_000, null],
      ['queued', 0, null],
    ])
    // what was said to be durable is, when the engine has stopped
    expect(tasks[0]!.segments).toMatchObject([{ start: 0, writtenBytes: 30_000, durableBytes: 30_000 }])
    expect(server.requests).toHaveLength(2)
  })

  it('tries a waiting task again when it is due, lets others go ahead meanwhile, and gives up in the end', async () => {
    await using server = await serverWith(2)
    await using engine = await startEngine({ settings: { downloadsAtOnce: 1, retries: 3 } })
    server.fault('/0', () => faults.status(503))
    const [failing, fine] = await addAll(engine, server, 2)
    expect((await engine.until(fine!, 'done', 'failed')).state).toBe('done')
    const waited = await engine.until(failing!, 'waiting', 'failed')
    if (waited.state === 'waiting') expect(waited.retryAt).toBeGreaterThan(0)
    const failed = await engine.until(failing!, 'failed')
    expect(failed).toMatchObject({ error: { code: 'server_error' }, attempts: 4, retryAt: null })
    expect(server.requests.filter((request) => request.path === '/0')).toHaveLength(4)
    server.fault('/0', null)
    await engine.call('tasks.retry', { selection: { ids: [failing!] } })
    expect(await engine.until(failing!, 'done', 'failed')).toMatchObject({ state: 'done', attempts: 0 })
  })

  it('tries a waiting task at once when asked to, and once only', async () => {
    await using server = await serverWith(1)
    await using engine = await startEngine({ random: () => 0.999 })
    server.fault('/0', (request) => (request.index === 0 ? faults.retryAfter(3_000) : null))
    const [id] = await addAll(engine, server, 1)
    const waiting = await engine.until(id!, 'waiting', 'failed')
    expect(waiting.state).toBe('waiting')
    await engine.call('tasks.pause', { selection: { ids: [id!] } })
    expect(await engine.get(id!)).toMatchObject({ state: 'paused', retryAt: null, error: null })
  })
})
