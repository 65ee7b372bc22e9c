/**
 * What goes wrong on an HTTP/2 connection that many downloads share. Only first requests go there (later segments and
 * resumed downloads have connections of their own), so each fault is met by the first request of a download.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TaskDetail } from '../../shared/schemas.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { clockOfHaste, startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultScript, type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import type { Fault } from '../helpers/faults.ts'

vi.setConfig({ maxConcurrency: 12 })

const SIZE = 1024 * 1024 + 77
const SEED = 3
const AT = 500_000
/** From so many downloads of a host on, further ones share a connection. */
const CROWD = 4
const IMPATIENT = { headersTimeoutMs: 1000, stallTimeoutMs: 1000 }

/** A server with so many downloads under way that the next one goes over HTTP/2. */
async function withCrowd(engine: TestEngine, test: (server: FaultServer) => Promise<void>): Promise<void> {
  await using server = await startFaultServer({ http2: true })
  const ids: number[] = []
  // The last of them is the first on the shared connection.
  for (let n = 0; n <= CROWD; n++) {
    server.add(`/held-${n}`, { size: SIZE, seed: n })
    server.fault(`/held-${n}`, () => faults.stallAt(1000))
    ids.push(await engine.add(server.url(`/held-${n}`), { connections: 1, caPem: server.caPem }))
    await server.until(() => server.held === n + 1)
  }
  await test(server)
  await engine.call('tasks.remove', { selection: { ids }, deleteFiles: true })
}

/** not to the request that follows, for the whole */
const toRange =
  (fault: Fault): Fault =>
  (reply, context) => {
    if (reply.status === 206) fault(reply, context)
  }

function isRight(task: TaskDetail): void {
  expect(task.error).toBeNull()
  expect(task.state).toBe('done')
  expect(readFileSync(task.path!).equals(contentBytes(SEED, 0, SIZE))).toBe(true)
}

describe.concurrent('a shared HTTP/2 connection', () => {
  let engine: TestEngine
  beforeAll(async () => {
    engine = await startEngine({
      clock: clockOfHaste(20),
      // Each test has a host of its own: together they would look like a network that is away.
      judgesNetwork: false,
      settings: { downloadsAtOnce: 100, connectionsPerHost: 16, proxyMode: 'none' },
    })
  })
  afterAll(() => engine[Symbol.asyncDispose]())

  /** over HTTP/2 alone, once or with every request */
  const overHttp2 =
    (fault: () => Fault, times: 'once' | 'always'): FaultScript =>
    ({ httpVersion, index }) =>
      httpVersion === '2' && (times === 'always' || index === 0) ? fault() : null

  const table: [string, () => Fault, object?][] = [
    ['GOAWAY that lets the request end', () => faults.goAway()],
    ['GOAWAY that leaves the request unanswered', () => faults.goAwayUnanswered()],
    ['GOAWAY in mid-body', () => faults.goAwayAt(AT)],
    ['GOAWAY right after the head', () => faults.goAwayAt(0)],
    ['RST_STREAM in mid-body', () => faults.resetAt(AT)],
    ['RST_STREAM right after the head', () => faults.resetAt(0)],
    ['a refused stream', () => faults.closeImmediately('reset')],
    ['a connection cut in mid-body', () => faults.truncateAt(AT)],
    ['a connection cut right after the head', () => faults.closeAfterHeaders()],
    ['a connection cut before the head', () => faults.closeImmediately()],
    ['a stream that stalls in mid-body', () => faults.stallAt(AT), IMPATIENT],
    ['a stream that stalls right after the head', () => faults.stallAt(0), IMPATIENT],
    ['a stream without an answer', () => faults.silent(), IMPATIENT],
    ['less of a range than announced', () => toRange(faults.lieAboutLength((real) => real + 10))],
    ['more of a range than announced', () => toRange(faults.lieAboutLength((real) => real - 10))],
  ]
  for (const [name, fault, options] of table)
    for (const times of ['once', 'always'] as const)
      it(`${name}, ${times}: the bytes are right`, () =>
        withCrowd(engine, async (server) => {
          server.add('/file', { size: SIZE, seed: SEED })
          server.fault('/file', overHttp2(fault, times))
          const id = await engine.add(server.url('/file'), {
            connections: 1,
            retries: 2,
            caPem: server.caPem,
            ...options,
          })
          const task = await engine.until(id, 'done', 'failed', 'changed')
          const asked = server.requests.filter(({ path }) => path === '/file')
          expect(asked[0]).toMatchObject({ httpVersion: '2', spoilt: true })
          expect(asked.length).toBeLessThanOrEqual(8)
          isRight(task)
        }))

  it('goes on for the others where one of them is not read, and where one of them is sent nothing', () =>
    withCrowd(engine, async (server) => {
      server.add('/paused', { size: 20 * SIZE, seed: 1 })
      server.add('/stalled', { size: SIZE, seed: 1 })
      server.fault('/stalled', () => faults.stallAt(AT))
      const { caPem } = server
      const slow = await engine.add(server.url('/paused'), { connections: 1, caPem, limitBytesPerSecond: 1024 })
      const stalled = await engine.add(server.url('/stalled'), { connections: 1, caPem })
      // More than the windows of one stream and of the whole connection hold.
      await server.until(() => server.held === CROWD + 2)
      const ids = []
      for (let n = 0; n < 6; n++) {
        server.add(`/${n}`, { size: SIZE, seed: SEED })
        ids.push(await engine.add(server.url(`/${n}`), { connections: 1, caPem }))
      }
      for (const id of ids) isRight(await engine.until(id, 'done', 'failed', 'changed'))
      const versions = server.requests.filter(({ path }) => !path.startsWith('/held')).map((r) => r.httpVersion)
      expect(new Set(versions)).toEqual(new Set(['2']))
      for (const id of [slow, stalled]) expect((await engine.get(id)).state).toBe('active')
      await engine.call('tasks.remove', { selection: { ids: [slow, stalled] }, deleteFiles: true })
    }))
})
