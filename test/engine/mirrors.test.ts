/** A file with several URLs: what fails on one server is had from another, and bytes of two files are never mixed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { TaskDetail, TaskId, TaskOptions } from '../../shared/schemas.ts'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 5 * 1024 * 1024 + 777
const HELD = 2 * 1024 * 1024 + 999
const SEED = 11
const WHOLE = contentSha256(SEED, SIZE)

const sha256 = (task: TaskDetail) => createHash('sha256').update(readFileSync(task.path!)).digest('hex')
const mirror = (url: string, priority = 1) => ({ url, priority, location: null, origin: 'user' as const })

async function add(
  engine: TestEngine,
  url: string,
  mirrors: ReturnType<typeof mirror>[],
  options: TaskOptions = {},
): Promise<TaskId> {
  const { items } = await engine.call('tasks.add', {
    items: [{ url, mirrors, options: { connections: 1, retries: 2, ...options } }],
  })
  return items[0]!.id
}

interface Two {
  first: FaultServer
  second: FaultServer
  engine: TestEngine
}

async function withTwo(work: (two: Two) => Promise<void>): Promise<void> {
  await using first = await startFaultServer()
  await using second = await startFaultServer()
  await using engine = await startEngine()
  for (const [server, etag] of [
    [first, '"of-the-first"'],
    [second, '"of-the-second"'],
  ] as const)
    server.add('/file.bin', { size: SIZE, seed: SEED, etag })
  await work({ first, second, engine })
}

/** The first server has given HELD bytes when it stops for good. */
async function cutOff({ first, second, engine }: Two, options: TaskOptions = {}): Promise<TaskId> {
  first.fault('/file.bin', () => faults.stallAt(HELD))
  const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))], options)
  await engine.untilTask(id, (task) => task.writtenBytes === HELD)
  first.fault('/file.bin', () => faults.status(404))
  first.disconnect()
  return id
}

describe('a task with mirrors', () => {
  it.each([
    ['404', faults.status(404)],
    ['410', faults.status(410)],
    ['403', faults.status(403)],
    ['a web page in place of the file', faults.html()],
  ])('gets the file from the second where the first answers %s', async (_what, fault) => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', () => fault)
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))])
      const task = await engine.until(id, 'done', 'failed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.filename).toBe('file.bin')
      expect(task.mirrors.map(({ state, error }) => [state, error?.code ?? null])).toEqual([
        ['failed', expect.any(String)],
        ['active', null],
      ])
      expect(task.strategy[0]).toMatchObject({ code: 'using_mirror', params: { host: new URL(second.origin).host } })
    })
  })

  it('gets the file from the second where nobody listens at the first, and does not wait for retries', async () => {
    await withTwo(async ({ first, second, engine }) => {
      const url = first.url('/file.bin')
      await first.close()
      const id = await add(engine, url, [mirror(second.url('/file.bin'))], { retries: 0 })
      const task = await engine.until(id, 'done', 'failed')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors[0]?.error?.code).toBe('connect_refused')
    })
  })

  it('gets the rest from the second where the first dies in the middle and stays away', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', () => faults.stallAt(HELD))
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))])
      await engine.untilTask(id, (task) => task.writtenBytes === HELD)
      await first.close()
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors[0]).toMatchObject({ state: 'failed', error: { code: 'connect_refused' }, bytes: HELD })
    })
  })

  it('tries them by priority', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/gone.bin', () => faults.status(404))
      const id = await add(engine, first.url('/gone.bin'), [
        mirror(first.url('/file.bin'), 9),
        mirror(second.url('/file.bin'), 2),
      ])
      expect(sha256(await engine.until(id, 'done', 'failed'))).toBe(WHOLE)
      expect(first.requests.map(({ path }) => path)).toEqual(['/gone.bin'])
    })
  })

  it('continues a partial on the other server after comparing, and never sends it the first one’s ETag', async () => {
    await withTwo(async (two) => {
      const id = await cutOff(two)
      const task = await two.engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.resumedFromBytes).toBe(HELD)
      const asked = two.second.requests.map(({ headers }) => [headers.range, headers['if-range']])
      // The beginning, the middle and the end of what was here; then the rest, under the second's own ETag.
      expect(asked.slice(0, 3).map(([range]) => range)).toEqual([
        'bytes=0-65535',
        expect.stringMatching(/^bytes=\d+-\d+$/),
        `bytes=${HELD - 65536}-${HELD - 1}`,
      ])
      expect(asked.slice(3)).toEqual([[`bytes=${HELD}-${SIZE - 1}`, '"of-the-second"']])
      expect(asked.slice(0, 3).every(([, ifRange]) => ifRange === undefined)).toBe(true)
      expect(two.second.requests.every(({ headers }) => headers['if-range'] !== '"of-the-first"')).toBe(true)
    })
  })

  it('does not continue with a file of another size, and keeps the partial', async () => {
    await withTwo(async (two) => {
      two.second.add('/file.bin', { size: SIZE + 1, seed: SEED })
      const id = await cutOff(two)
      const task = await two.engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('changed')
      expect(task.error).toMatchObject({ code: 'remote_changed', params: { reason: 'size' } })
      expect(readFileSync(task.partPath!).subarray(0, HELD)).toEqual(contentBytes(SEED, 0, HELD))
      expect(task.mirrors.map(({ error }) => error?.code)).toEqual(['not_found', 'remote_changed'])
    })
  })

  it('does not continue with other bytes of the same size, and takes the third server', async () => {
    await using third = await startFaultServer()
    third.add('/file.bin', { size: SIZE, seed: SEED, etag: null, lastModified: null })
    await withTwo(async (two) => {
      two.second.add('/file.bin', { size: SIZE, seed: SEED + 1 })
      two.first.fault('/file.bin', () => faults.stallAt(HELD))
      const id = await add(two.engine, two.first.url('/file.bin'), [
        mirror(two.second.url('/file.bin')),
        mirror(third.url('/file.bin')),
      ])
      await two.engine.untilTask(id, (task) => task.writtenBytes === HELD)
      two.first.fault('/file.bin', () => faults.status(404))
      two.first.disconnect()
      const task = await two.engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors.map(({ state, error }) => [state, error?.params.reason ?? error?.code ?? null])).toEqual([
        ['failed', 'not_found'],
        ['failed', 'content'],
        ['active', null],
      ])
    })
  })

  it('compares the whole file where the other server does not know ranges', async () => {
    await withTwo(async (two) => {
      two.second.fault('/file.bin', () => faults.ignoreRange())
      const id = await cutOff(two)
      const task = await two.engine.until(id, 'done', 'failed', 'changed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
    })
  })

  it('takes the next server where the checksum is wrong, and keeps the wrong bytes beside', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.add('/file.bin', { size: SIZE, seed: SEED + 1 })
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))], {
        checksum: { algorithm: 'sha-256', value: WHOLE },
      })
      const task = await engine.until(id, 'done', 'failed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors[0]?.error?.code).toBe('checksum_mismatch')
    })
  })

  it('goes back to one that failed for a while when all others failed for good', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', (_request, index) => (index === 0 ? faults.status(503) : null))
      second.fault('/file.bin', () => faults.status(404))
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))])
      const task = await engine.until(id, 'done', 'failed')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
    })
  })

  it('fails where every mirror failed for good, asks none twice, and gives each another chance on retry', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', () => faults.status(404))
      second.fault('/file.bin', () => faults.status(410))
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))])
      const failed = await engine.until(id, 'done', 'failed')
      expect(failed.error?.code).toBe('gone')
      expect([first.requests.length, second.requests.length]).toEqual([1, 1])
      first.fault('/file.bin', null)
      await engine.call('tasks.retry', { selection: { ids: [id] } })
      expect(sha256(await engine.until(id, 'done'))).toBe(WHOLE)
    })
  })

  it('takes no file of another size than the one it must have', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.add('/file.bin', { size: SIZE - 1, seed: SEED })
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))], { sizeBytes: SIZE })
      const task = await engine.until(id, 'done', 'failed')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors[0]?.error?.code).toBe('size_mismatch')
    })
  })

  it('gives a mirror no credentials that were given for the link', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', () => faults.status(404))
      const id = await add(engine, first.url('/file.bin'), [mirror(second.url('/file.bin'))], {
        bearer: 'secret-token',
        headers: [
          ['X-Api-Key', 'secret-key'],
          ['Cookie', 'session=secret'],
        ],
      })
      await engine.until(id, 'done')
      expect(JSON.stringify(first.requests)).toContain('secret-token')
      expect(JSON.stringify(second.requests.map(({ headers }) => headers))).not.toContain('secret')
    })
  })

  it('remembers its mirrors and which one it used across a restart', async () => {
    await withTwo(async (two) => {
      two.second.fault('/file.bin', (_request, index) => (index === 3 ? faults.stallAt(100_000) : null))
      await using engine = await startEngine({ from: undefined })
      const id = await cutOff({ ...two, engine })
      await engine.untilTask(id, (task) => task.writtenBytes === HELD + 100_000)
      await engine.stop()
      await using again = await startEngine({ from: { folder: engine.folder, profile: engine.profile } })
      const task = await again.until(id, 'done', 'failed', 'changed')
      expect(sha256(task)).toBe(WHOLE)
      expect(two.second.requests.at(-1)?.headers['if-range']).toBe('"of-the-second"')
      expect(task.mirrors.map(({ state }) => state)).toEqual(['failed', 'active'])
    })
  })

  it('refuses mirrors for a POST, and a login in a mirror’s address', async () => {
    await withTwo(async ({ first, second, engine }) => {
      const url = first.url('/file.bin')
      await expect(add(engine, url, [mirror(second.url('/file.bin'))], { method: 'POST' })).rejects.toMatchObject({
        code: 'invalid_input',
      })
      const withLogin = second.url('/file.bin').replace('//', '//user:hidden@')
      const refused = add(engine, url, [mirror(withLogin)])
      await expect(refused).rejects.toMatchObject({ code: 'invalid_input' })
      await expect(refused).rejects.not.toThrow('hidden')
      expect((await engine.call('tasks.list', {})).total).toBe(0)
    })
  })
})

describe('mirrors that a server names itself', () => {
  /** The first server names the second, gives HELD bytes and is gone. */
  async function named(two: Two, links: string): Promise<TaskDetail> {
    const { first, engine } = two
    first.fault('/file.bin', () => [faults.withHeaders({ link: links }), faults.stallAt(HELD)])
    const id = await engine.add(first.url('/file.bin'), { connections: 1, retries: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === HELD)
    if (links.includes('describedby')) await engine.untilTask(id, (task) => task.mirrors.length > 1)
    first.fault('/file.bin', () => faults.status(404))
    first.disconnect()
    return engine.until(id, 'done', 'failed', 'changed')
  }

  it('in Link headers are used where it fails', async () => {
    await withTwo(async (two) => {
      const task = await named(two, `<${two.second.url('/file.bin')}>; rel=duplicate; pri=1; geo=de`)
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.mirrors[1]).toMatchObject({ state: 'active', origin: 'link', location: 'de' })
    })
  })

  it('in a Metalink that it names are used too, and its digest is verified', async () => {
    await withTwo(async (two) => {
      const document = `<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="other"><size>1</size>
        <url>http://127.0.0.1:9/other</url></file><file name="file.bin"><size>${SIZE}</size>
        <hash type="sha-256">${WHOLE}</hash><url>${two.second.url('/file.bin')}</url></file></metalink>`
      two.first.fault('/file.meta4', () => faults.html(document))
      const task = await named(two, '</file.meta4>; rel=describedby; type="application/metalink4+xml"')
      expect(task.state).toBe('done')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.checksum).toMatchObject({ source: 'metalink', verified: true })
    })
  })

  it('are not used where the settings forbid it, and a file of another size is not taken', async () => {
    await withTwo(async (two) => {
      const links = `<${two.second.url('/file.bin')}>; rel=duplicate`
      two.second.add('/file.bin', { size: SIZE + 1, seed: SEED })
      const other = await named(two, links)
      expect(other).toMatchObject({ state: 'changed', error: { params: { reason: 'size' } } })
      await two.engine.call('settings.set', { serverMirrors: false })
      const asked = two.second.requests.length
      expect((await named(two, links)).state).toBe('failed')
      expect(two.second.requests.length).toBe(asked)
    })
  })
})

it('bad parts of a file are fetched again from another mirror where the hashes of its pieces tell them', async () => {
  await withTwo(async ({ first, second, engine }) => {
    const piece = 1024 * 1024
    const values = Array.from({ length: Math.ceil(SIZE / piece) }, (_, index) => {
      const start = index * piece
      const bytes = contentBytes(SEED, start, Math.min(piece, SIZE - start))
      return createHash('sha256').update(bytes).digest('hex')
    })
    const bad = contentBytes(SEED, 0, SIZE)
    bad.fill(0, 2 * piece + 5, 2 * piece + 50)
    first.fault('/file.bin', () => (reply) => {
      const start = Number(/^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '')?.[1] ?? 0)
      reply.body = (offset, length) => bad.subarray(start + offset, start + offset + length)
    })
    const { items } = await engine.call('tasks.add', {
      items: [
        {
          url: first.url('/file.bin'),
          mirrors: [mirror(second.url('/file.bin'))],
          pieces: { algorithm: 'sha-256', pieceBytes: piece, values },
          options: {
            connections: 1,
            expected: [{ algorithm: 'sha-256', value: WHOLE, source: 'metalink' }],
          },
        },
      ],
    })
    const task = await engine.until(items[0]!.id, 'done', 'failed', 'changed')
    expect(task.state).toBe('done')
    expect(sha256(task)).toBe(WHOLE)
    expect(task.mirrors.map(({ state }) => state)).toEqual(['failed', 'active'])
    expect(second.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBeLessThan(2 * piece)
  })
})

describe('refreshing a link', () => {
  it('continues the partial at another server after comparing, without the old one’s credentials', async () => {
    await withTwo(async ({ first, second, engine }) => {
      first.fault('/file.bin', () => faults.stallAt(HELD))
      const id = await engine.add(first.url('/file.bin'), { connections: 1, bearer: 'secret-token' })
      await engine.untilTask(id, (task) => task.writtenBytes === HELD)
      await engine.call('tasks.refreshLink', { id, url: second.url('/file.bin') })
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task)).toBe(WHOLE)
      expect(task.url).toBe(second.url('/file.bin'))
      expect(second.requests[0]?.headers.range).toBe('bytes=0-65535')
      expect(JSON.stringify(second.requests)).not.toContain('secret')
    })
  })

  it('at the same server continues under the ETag it had', async () => {
    await withTwo(async ({ first, engine }) => {
      first.fault('/file.bin', (request) => (request.path.includes('new') ? null : faults.stallAt(HELD)))
      const id = await engine.add(first.url('/file.bin?token=old'), { connections: 1 })
      await engine.untilTask(id, (task) => task.writtenBytes === HELD)
      await engine.call('tasks.pause', { selection: { ids: [id] } })
      await engine.call('tasks.refreshLink', { id, url: first.url('/file.bin?token=new') })
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(sha256(task)).toBe(WHOLE)
      expect(first.requests.at(-1)?.headers).toMatchObject({ 'if-range': '"of-the-first"' })
    })
  })

  it('is refused for a finished task', async () => {
    await withTwo(async ({ first, second, engine }) => {
      const id = await engine.add(first.url('/file.bin'))
      await engine.until(id, 'done')
      await expect(engine.call('tasks.refreshLink', { id, url: second.url('/file.bin') })).rejects.toMatchObject({
        code: 'task_state',
      })
    })
  })
})
