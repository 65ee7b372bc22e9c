/** Servers that never let a download end, or that would have two connections write the same bytes. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { TaskDetail } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { hastyClock, startEngine, type TestEngine, type TestEngineOptions } from '../helpers/engine.ts'
import { type FaultScript, type FaultServer, faults, type Resource, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
const SIZE = 12 * MIB + 4321
const SEED = 5

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

interface Situation {
  server: FaultServer
  engine: TestEngine
  id: number
}

/** A task paused with parts of several segments on the disk; then the server changes its ways and it is resumed. */
async function resumedInParts(
  setup: { connections?: number; resource?: Partial<Resource>; later: FaultScript; options?: TestEngineOptions },
  check: (situation: Situation) => Promise<void>,
): Promise<void> {
  await using server = await startFaultServer()
  await using engine = await startEngine(setup.options)
  const { connections = 4 } = setup
  server.add('/file.bin', { size: SIZE, seed: SEED, ...setup.resource })
  // Each new segment stalls; who is to relieve the stalled ones, and asks from within, is not answered.
  const fromStart = /bytes=(\d+)-/
  server.fault('/file.bin', ({ headers }) =>
    Number(fromStart.exec(headers.range!)![1]) % MIB === 0 ? faults.stallAt(700_000) : faults.silent(),
  )
  const id = await engine.add(server.url('/file.bin'), { connections, retries: 1 })
  await engine.untilTask(id, ({ segments }) => segments.filter((s) => s.writtenBytes >= 100_000).length >= 3)
  await engine.call('tasks.pause', { selection: { ids: [id] } })
  await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
  server.fault('/file.bin', setup.later)
  await engine.call('tasks.resume', { selection: { ids: [id] } })
  await check({ server, engine, id })
}

function complete(task: TaskDetail): void {
  expect(task).toMatchObject({ state: 'done', error: null })
  expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
}

it('gives up on a compressed body that breaks every time, after the tries that were allowed', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/file.bin', { size: 3 * MIB, seed: SEED })
  server.fault('/file.bin', () => [faults.contentEncoding(), faults.truncateAt(2 * MIB)])
  const task = await engine.until(await engine.add(server.url('/file.bin'), { retries: 3 }), 'failed', 'done')
  expect(task.state).toBe('failed')
  expect(server.requests.length).toBe(4)
})

it('does not ask for ever for a whole body that always ends early as if that were its end', async () => {
  const short: FaultScript = () => [
    faults.ignoreRange(),
    faults.noLength('chunked'),
    (reply) => {
      reply.bodyBytes = SIZE - 1000
    },
  ]
  await resumedInParts({ later: short }, async ({ engine, server, id }) => {
    const before = server.requests.length
    const task = await engine.until(id, 'failed', 'done', 'changed')
    expect(task).toMatchObject({ state: 'failed', error: { code: 'connection_closed' }, writtenBytes: SIZE - 1000 })
    expect(server.requests.length - before).toBeLessThan(20)
    server.fault('/file.bin', null)
    await engine.call('tasks.retry', { selection: { ids: [id] } })
    complete(await engine.until(id, 'failed', 'done', 'changed'))
  })
})

it('compares on one connection alone where ranges stopped working between two runs', async () => {
  await resumedInParts({ later: () => faults.ignoreRange() }, async ({ engine, id }) => {
    complete(await engine.until(id, 'failed', 'done', 'changed'))
  })
})

it('never writes the same bytes from two connections when the first is told late to compare the whole file', async () => {
  // It asked when nobody else had; the others came before its reply, and they get their ranges.
  const isFirst = (range: string) => /bytes=\d{6}-/.test(range)
  let isLate = true
  const later: FaultScript = ({ headers }) =>
    isFirst(headers.range!) ? [faults.ignoreRange(), ...(isLate ? [faults.late()] : [])] : faults.stallAt(1000)
  await resumedInParts({ later }, async ({ engine, server, id }) => {
    await server.until(() => server.held === 4)
    isLate = false
    server.release('heads')
    const told = () => server.requests.filter(({ headers, status }) => isFirst(headers.range!) && status === 200)
    await server.until(() => server.held === 3 && told().length >= 2)
    server.fault('/file.bin', () => faults.ignoreRange())
    server.release()
    const task = await engine.until(id, 'failed', 'done', 'changed')
    complete(task)
    expect(task.attempts).toBe(0)
  })
})

it('ends a run whose connections only fail, though they never fail all at once', async () => {
  const options = { settings: { headersTimeoutMs: 1000, stallTimeoutMs: 2600 } }
  const later: FaultScript = (_request, index) => (index % 2 ? faults.silent() : faults.stallAt(0))
  await resumedInParts({ options, later }, async ({ engine, id }) => {
    const task = await engine.until(id, 'failed', 'done', 'waiting')
    expect(task.error?.code).toMatch(/headers_timeout|stalled/)
  })
}, 15_000)

it('all connections go down the ladder where If-Range is answered with 200', async () => {
  const later: FaultScript = (request) => (request.headers['if-range'] ? faults.ifRange200() : faults.stallAt(200_000))
  await resumedInParts({ later }, async ({ engine, server, id }) => {
    await server.until(() => server.held === 4)
    server.fault('/file.bin', () => faults.ifRange200())
    server.release()
    complete(await engine.until(id, 'failed', 'done', 'changed'))
  })
})

it('resolves the link again as often as the place it leads to expires, as long as each brings bytes', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  let tokens = 0
  server.add('/link', { size: 1, seed: 1 })
  server.fault('/link', () => faults.redirect(`/target?${++tokens}`))
  server.add('/target', { size: SIZE, seed: SEED })
  const used = new Set<string>()
  server.fault('/target', (request) => {
    if (used.has(request.path)) return faults.status(403)
    used.add(request.path)
    return faults.shortRange(3 * MIB)
  })
  const id = await engine.add(server.url('/link'), { connections: 1, retries: 0 })
  complete(await engine.until(id, 'failed', 'done', 'changed'))
  expect(tokens).toBe(5)
})

it('gives every task that comes to a full host one of the places of the task that has them all', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { connectionsPerHost: 5, downloadsAtOnce: 4 } })
  for (const path of ['/big', '/1', '/2', '/3']) {
    server.add(path, { size: SIZE, seed: SEED })
    server.fault(path, () => faults.stallAt(100_000))
  }
  const big = await engine.add(server.url('/big'), { connections: 8 })
  await server.until(() => server.held === 5)
  await engine.call('tasks.add', { items: [1, 2, 3].map((n) => ({ url: server.url(`/${n}`) })) })
  const asked = () => new Set(server.requests.map((request) => request.path))
  await server.until(() => asked().size === 4 && server.held === 5)
  expect((await engine.get(big)).connections).toBe(2)
})

it('fewer connections take effect on what runs, for the download and for the host', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { connectionsPerHost: 8, connectionsPerDownload: 6 } })
  server.add('/file.bin', { size: SIZE, seed: SEED })
  server.fault('/file.bin', () => faults.stallAt(100_000))
  const id = await engine.add(server.url('/file.bin'))
  await server.until(() => server.held === 6)
  await engine.call('settings.set', { connectionsPerDownload: 4 })
  await server.until(() => server.held === 4)
  await engine.call('settings.set', { connectionsPerHost: 2 })
  await server.until(() => server.held === 2)
  server.fault('/file.bin', null)
  server.release()
  complete(await engine.until(id, 'failed', 'done', 'changed'))
})

it('a server of one byte a second is not asked ever more: it stays slow, and what is here stays', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/file.bin', { size: SIZE, seed: SEED })
  server.fault('/file.bin', () => faults.slow(1))
  const id = await engine.add(server.url('/file.bin'), { connections: 4 })
  await engine.untilTask(id, ({ connections }) => connections > 1)
  const from = hastyClock.monotonic()
  const minutes = 4
  await engine.untilTask(id, () => hastyClock.monotonic() - from > minutes * 60_000)
  expect(server.requests.length).toBeLessThan(10 * minutes)
  await engine.call('tasks.pause', { selection: { ids: [id] } })
  await engine.untilTask(id, ({ state, connections }) => state === 'paused' && connections === 0)
  server.fault('/file.bin', null)
  await engine.call('tasks.resume', { selection: { ids: [id] } })
  complete(await engine.until(id, 'failed', 'done', 'changed'))
})

for (const how of ['reset', 'close'] as const)
  it(`goes on with the connections that a server takes, where it turns further ones away (${how})`, async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/file.bin', { size: SIZE, seed: SEED, rateBytesPerSecond: 8 * MIB })
    server.faultConnections(faults.mostConnections(2, how))
    const id = await engine.add(server.url('/file.bin'), { connections: 6, retries: 0 })
    complete(await engine.until(id, 'failed', 'done', 'changed'))
    expect(server.connections.total).toBeLessThan(30)
  })

it('waits for a TLS handshake that takes its time', async () => {
  await using server = await startFaultServer({ tls: true })
  await using engine = await startEngine()
  server.add('/file.bin', { size: SIZE, seed: SEED })
  server.faultConnections(({ index }) => (index === 0 ? 'late' : null))
  const id = await engine.add(server.url('/file.bin'), { caPem: server.caPem, retries: 0 })
  await server.until(() => server.held === 1)
  expect(server.requests).toHaveLength(0)
  server.release()
  complete(await engine.until(id, 'failed', 'done', 'changed'))
})
