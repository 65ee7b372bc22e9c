/** Every line of the resume ladder, through a whole engine against a server that behaves in just that way. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../electron/store/index.ts'
import type { TaskDetail } from '../../shared/schemas.ts'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultScript, type FaultServer, faults, type Resource, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 6 * 1024 * 1024 + 4321
const HELD = 2 * 1024 * 1024 + 999
const SEED = 7
const MIB = 1024 * 1024

interface Situation {
  server: FaultServer
  engine: TestEngine
  paused: TaskDetail
}

/** A task paused with exactly HELD bytes on the disk; then the server changes its ways and the task is resumed. */
async function resumed<T>(
  setup: {
    resource?: Partial<Resource>
    first?: FaultScript
    later: FaultScript | null
    options?: Parameters<TestEngine['add']>[1]
  },
  check: (situation: Situation, id: number) => Promise<T>,
): Promise<T> {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/file.bin', { size: SIZE, seed: SEED, ...setup.resource })
  server.fault('/file.bin', (request, index) => [setup.first?.(request, index) ?? [], faults.stallAt(HELD)].flat())
  const id = await engine.add(server.url('/file.bin'), { connections: 1, retries: 2, ...setup.options })
  await engine.untilTask(id, (task) => task.writtenBytes === HELD)
  await engine.call('tasks.pause', { selection: { ids: [id] } })
  const paused = await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
  server.fault('/file.bin', setup.later)
  await engine.call('tasks.resume', { selection: { ids: [id] } })
  return await check({ server, engine, paused }, id)
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

describe('the resume ladder', () => {
  it('1: with a strong ETag asks Range with If-Range and appends the 206', async () => {
    await resumed({ later: null }, async ({ engine, server, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
      const last = server.requests.at(-1)!
      expect(last.status).toBe(206)
      expect(last.headers['if-range']).toMatch(/^".+"$/)
      expect(last.headers.range).toBe(`bytes=${paused.writtenBytes}-${SIZE - 1}`)
      expect(task.resumedFromBytes).toBe(paused.writtenBytes)
      expect(paused.writtenBytes).toBeGreaterThan(HELD - 256 * 1024)
    })
  })

  it('2: with a strong Last-Modified alone asks If-Range with the date', async () => {
    await resumed({ resource: { etag: null }, later: null }, async ({ engine, server }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
      expect(server.requests.at(-1)!.headers['if-range']).toBe('Wed, 01 Jan 2025 00:00:00 GMT')
    })
  })

  it('2: a Last-Modified of this very second is no strong validator, so an overlap is compared', async () => {
    const lastModified = new Date(Date.now() + 5_000).toUTCString()
    await resumed({ resource: { etag: null, lastModified }, later: null }, async ({ engine, server, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
      const last = server.requests.at(-1)!
      expect(last.headers['if-range']).toBeUndefined()
      expect(last.headers.range).toBe(`bytes=${paused.writtenBytes - 65536}-${SIZE - 1}`)
    })
  })

  it('3: a server that answers If-Range with 200 is asked again with plain Range and an overlap', async () => {
    await resumed({ later: () => faults.ifRange200() }, async ({ engine, server, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
      const last = server.requests.at(-1)!
      expect(last.headers['if-range']).toBeUndefined()
      expect(last.headers.range).toBe(`bytes=${paused.writtenBytes - 65536}-${SIZE - 1}`)
      // The refused 200 was not read to its end.
      expect(server.requests.at(-2)!.bytesSent).toBeLessThan(SIZE)
    })
  })

  it('4: without validators compares an overlap of 64 KiB, and a difference is another file', async () => {
    const bare = { etag: null, lastModified: null }
    await resumed({ resource: bare, later: null }, async ({ engine }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
    })
    await resumed({ resource: bare, later: () => faults.lieAboutContent(99) }, async ({ engine, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(task.error?.code).toBe('remote_changed')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
    })
  })

  it('5: where ranges are not honoured the file is compared from its start and completed', async () => {
    await resumed({ later: () => faults.ignoreRange() }, async ({ engine }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
    })
  })

  it('5: the first difference in that comparison is another file, and nothing was written', async () => {
    const bare = { etag: null, lastModified: null }
    const lies = () => [faults.ignoreRange(), faults.lieAboutContent(99)]
    await resumed({ resource: bare, later: lies }, async ({ engine, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
    })
  })

  it('6: another ETag is another file: the partial stays until somebody decides', async () => {
    const other = { seed: 8, size: SIZE + 10, etag: '"other"' }
    await resumed({ later: () => faults.changeContent(other) }, async ({ engine, server, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
      server.fault('/file.bin', null)
      await engine.call('tasks.decide', { selection: { ids: [id] }, decision: 'restart' })
      const fresh = await engine.until(id, 'done', 'failed')
      expect(fresh.state).toBe('done')
      expect(sha256(fresh.path!)).toBe(contentSha256(8, SIZE + 10))
    })
  })

  it('6: --on-change restart and keep decide without asking', async () => {
    const other = { seed: 8, size: SIZE + 10, etag: '"other"' }
    const onlyOnce: FaultScript = (request) => (request.headers['if-range'] ? faults.changeContent(other) : null)
    await resumed({ later: onlyOnce, options: { onChange: 'restart' } }, async ({ engine }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task.path!)).toBe(contentSha256(8, SIZE + 10))
    })
    await resumed({ later: onlyOnce, options: { onChange: 'keep' } }, async ({ engine, paused }, id) => {
      const task = await engine.until(id, 'paused', 'done', 'failed')
      expect(task.state).toBe('paused')
      expect(task.error?.code).toBe('remote_changed')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
    })
  })

  it('7: 416 with another size is another file', async () => {
    await resumed({ later: () => faults.rangeNotSatisfiable(1000) }, async ({ engine, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
    })
  })

  it('a web page where the file was is another file', async () => {
    await resumed({ later: () => faults.html() }, async ({ engine, paused }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(task.error?.params.reason).toBe('html')
      expect(partialOf(task, paused.writtenBytes)).toBe(true)
    })
  })

  const refusals: [string, FaultScript, string][] = [
    ['a 206 without Content-Range', () => faults.wrongContentRange('missing'), 'range_missing'],
    ['a 206 with a Content-Range that cannot be read', () => faults.wrongContentRange('malformed'), 'range_mismatch'],
    ['a 206 of other bytes', () => faults.wrongContentRange({ shift: 512 }), 'range_mismatch'],
    ['a 206 of another total', () => faults.wrongContentRange({ total: SIZE + 1 }), 'total_mismatch'],
    ['multipart/byteranges', () => faults.multipart(), 'multipart_refused'],
    ['a Content-Encoding on a range', () => faults.contentEncodingOnRange(), 'encoded_range'],
    ['more bytes than asked', () => faults.extraBytes(100), 'length_mismatch'],
  ]
  for (const [what, fault, code] of refusals)
    it(`${what} is refused as ${code}, after a bounded number of requests, the partial intact`, async () => {
      await resumed({ later: fault }, async ({ engine, server, paused }, id) => {
        const task = await engine.until(id, 'done', 'failed', 'changed')
        expect(task.error?.code).toBe(code)
        expect(task.state).toBe('failed')
        expect(partialOf(task, paused.writtenBytes)).toBe(true)
        expect(server.requests.length).toBeLessThan(12)
        // The same server, mended: the partial is still worth something.
        server.fault('/file.bin', null)
        await engine.call('tasks.retry', { selection: { ids: [id] } })
        const done = await engine.until(id, 'done', 'failed', 'changed')
        expect(sha256(done.path!)).toBe(contentSha256(SEED, SIZE))
        expect(done.resumedFromBytes).toBe(paused.writtenBytes)
      })
    })
})

describe('the first request', () => {
  const cases: [string, FaultScript | null, Partial<Resource>][] = [
    ['a plain server', null, {}],
    ['a server without ranges', () => faults.ignoreRange(), {}],
    ['a file of unknown length, chunked', () => [faults.ignoreRange(), faults.noLength('chunked')], {}],
    ['a file of unknown length, closed at its end', () => [faults.ignoreRange(), faults.noLength('close')], {}],
    ['a server that compresses regardless', () => faults.contentEncoding(), {}],
    ['a server that compresses ranges', () => faults.contentEncodingOnRange(), {}],
    ['a wrong Content-Range', () => faults.wrongContentRange({ shift: 7 }), {}],
    ['multipart/byteranges', () => faults.multipart(), {}],
    ['an empty file', null, { size: 0 }],
    ['a file of one byte', null, { size: 1 }],
    ['a one-time link', faults.oneTime(), {}],
    ['a link that breaks once in the middle', (_r, index) => (index === 0 ? faults.resetAt(1_500_000) : null), {}],
    ['a connection that ends early once', (_r, index) => (index === 0 ? faults.truncateAt(1_500_000) : null), {}],
    [
      'a server that drops the first three connections',
      (_r, index) => (index < 3 ? faults.closeImmediately() : null),
      {},
    ],
    ['a busy server', (_r, index) => (index < 2 ? faults.retryAfter(1, 503) : null), {}],
  ]
  for (const [what, fault, resource] of cases)
    it(`${what}: the bytes are right`, async () => {
      await using server = await startFaultServer()
      await using engine = await startEngine()
      const size = resource.size ?? SIZE
      server.add('/file.bin', { size: SIZE, seed: SEED, ...resource })
      server.fault('/file.bin', fault)
      const id = await engine.add(server.url('/file.bin'))
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task).toMatchObject({ state: 'done', error: null, sizeBytes: size })
      expect(sha256(task.path!)).toBe(contentSha256(SEED, size))
      expect(existsSync(`${task.path}.part`)).toBe(false)
    })

  it('never has more requests under way at a host than the host allows', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ settings: { connectionsPerHost: 3, downloadsAtOnce: 4 } })
    const ids: number[] = []
    for (const n of [1, 2, 3, 4]) {
      server.add(`/${n}.bin`, { size: SIZE, seed: n, rateBytesPerSecond: 20_000_000 })
      ids.push(await engine.add(server.url(`/${n}.bin`), { connections: 8 }))
    }
    let most = 0
    const ends = Promise.all(ids.map((id) => engine.until(id, 'done', 'failed')))
    while (!(await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, 1))])))
      for (const host of await engine.call('hosts.list')) most = Math.max(most, host.connections)
    for (const [n, task] of (await ends).entries()) expect(sha256(task.path!)).toBe(contentSha256(n + 1, SIZE))
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(3)
    // One that is being given up and the next one may cross on their way to the server.
    expect(server.connections.mostOpen).toBeLessThanOrEqual(4)
  })
})

/** The partial holds the right first bytes. */
function partialOf(task: TaskDetail, bytes: number): boolean {
  const part = readFileSync(task.partPath!)
  return part.subarray(0, bytes).equals(contentBytes(SEED, 0, bytes))
}

describe('a file whose length was never told', () => {
  it('is continued by short ranges without taking the end of one for the end of the file', async () => {
    const unknown = () => [faults.ignoreRange(), faults.noLength('chunked')]
    const shortRange: FaultScript = (request) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      return from > 0 && from < SIZE - MIB ? faults.shortRange(MIB) : null
    }
    await resumed({ first: unknown, later: shortRange }, async ({ engine }, id) => {
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task).toMatchObject({ state: 'done', sizeBytes: SIZE })
      expect(sha256(task.path!)).toBe(contentSha256(SEED, SIZE))
    })
  })

  it('ends even where a crash came between learning the length and storing the plan that knows it', async () => {
    await using server = await startFaultServer()
    await using first = await startEngine()
    server.add('/file.bin', { size: HELD, seed: SEED })
    server.fault('/file.bin', () => [faults.ignoreRange(), faults.noLength('chunked'), faults.stallAt(HELD)])
    const id = await first.add(server.url('/file.bin'), { connections: 1 })
    await first.untilTask(id, (task) => task.writtenBytes === HELD)
    await first.call('tasks.pause', { selection: { ids: [id] } })
    await first.untilTask(id, (task) => task.connections === 0)
    await first.stop()
    const { store } = openStore({ path: join(first.profile, 'nighthaul.db'), now: Date.now })
    store.updateTask(id, { sizeBytes: HELD })
    store.close()
    server.fault('/file.bin', () => [faults.ignoreRange(), faults.noLength('chunked')])
    await using second = await startEngine({ from: first })
    await second.call('tasks.resume', { selection: { ids: [id] } })
    const task = await second.until(id, 'done', 'failed', 'changed')
    expect(task).toMatchObject({ state: 'done', sizeBytes: HELD })
    expect(sha256(task.path!)).toBe(contentSha256(SEED, HELD))
  })
})
