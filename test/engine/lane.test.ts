/** Bytes moved in worker threads: the same files, whatever happens to the workers. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, it, vi } from 'vitest'
import { PartFile } from '../../electron/engine/file-sink.ts'
import { LaneBounds } from '../../electron/engine/lane/bounds.ts'
import type { LaneReply } from '../../electron/engine/lane/lane.ts'
import { createLanePool } from '../../electron/engine/lane/lane-pool.ts'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import { httpSettings } from '../../electron/engine/settings.ts'
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { LANE_WORKER, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
const SIZE = 9 * MIB + 333
const DYING_LANE = new URL('../helpers/dying-lane.ts', import.meta.url)
const silent = { debug() {}, info() {}, warn() {}, error() {} }

const sha256Of = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

afterEach(() => vi.unstubAllEnvs())

it('reads large and small files in a worker, several at once', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ workers: true })
  const sizes = [0, 1, 65_536, MIB, MIB + 1, SIZE]
  const ids = []
  for (const [seed, size] of sizes.entries()) {
    server.add(`/${seed}.bin`, { size, seed })
    ids.push(await engine.add(server.url(`/${seed}.bin`)))
  }
  for (const [seed, id] of ids.entries()) {
    const task = await engine.until(id, 'done', 'failed')
    expect(task.error).toBeNull()
    expect(await sha256Of(task.path!)).toBe(contentSha256(seed, sizes[seed]!))
  }
})

const events = {
  written: () => undefined,
  reached: () => 'stop' as const,
  takeOver: () => Promise.reject(new Error('nobody races here')),
}

it('never writes into a file that another program made at the last moment', async () => {
  await using server = await startFaultServer()
  server.add('/a.bin', { size: 1000, seed: 1 })
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-lane-'))
  const path = join(folder, 'a.bin.part')
  await writeFile(path, 'theirs')
  const lane = createLanePool({
    entry: LANE_WORKER,
    settings: httpSettings({ ...DEFAULT_SETTINGS, proxyMode: 'none' }, 'test'),
    logger: silent,
  })
  const { signal } = new AbortController()
  const reply = await lane.request({ url: server.url('/a.bin'), headers: {}, options: {}, buckets: [], signal })
  const body = {
    start: 0,
    compareBytes: 0,
    bodyEnd: 1000,
    end: 1000,
    decode: null,
    digests: [],
    whole: true,
    size: 1000,
  }
  const order = { ...body, blockHeld: true, races: false, buckets: [] }
  const part = PartFile.toOpen(createNodeFileSystem(), path, true)
  const { ended } = reply.receive({ ...order, part }, events, signal)
  await expect(ended).rejects.toMatchObject({ code: 'file_exists' })
  expect(await readFile(path, 'utf8')).toBe('theirs')
  await lane.close()
  await rm(folder, { recursive: true })
})

it('says that a reply is over which was given up, or whose worker was lost, before anybody read it', async () => {
  await using server = await startFaultServer()
  server.add('/a.bin', { size: SIZE, seed: 1 })
  server.fault('/a.bin', () => faults.stallAt(1000))
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-lane-'))
  const list = join(folder, 'deaths')
  await writeFile(list, 'death\n')
  vi.stubEnv('NIGHTHAUL_TEST_DEATHS', list)
  const settings = httpSettings({ ...DEFAULT_SETTINGS, proxyMode: 'none' }, 'test')
  const lane = createLanePool({ entry: DYING_LANE, settings, logger: silent, most: 1 })
  const ask = () => {
    const { signal } = new AbortController()
    return lane.request({ url: server.url('/a.bin'), headers: {}, options: {}, buckets: [], signal })
  }
  const body = { start: 0, compareBytes: 0, bodyEnd: SIZE, end: SIZE, size: SIZE, whole: true, decode: null }
  const rest = { blockHeld: true, races: false, buckets: [], digests: [] }
  const part = PartFile.toOpen(createNodeFileSystem(), join(folder, 'a.part'), true)
  const receive = (reply: LaneReply, signal: AbortSignal) => reply.receive({ ...body, ...rest, part }, events, signal)
  const [left, orphaned, read] = [await ask(), await ask(), await ask()]

  const reason = new Error('no longer wanted')
  await expect(receive(left, AbortSignal.abort(reason)).ended).rejects.toBe(reason)
  // The connection is let go of, and the file was not created for nothing.
  await server.until(() => server.held === 2)
  expect(existsSync(part.path)).toBe(false)

  const reading = receive(read, new AbortController().signal)
  reading.flush()
  await expect(reading.ended).rejects.toMatchObject({ code: 'worker_lost' })
  const { signal } = new AbortController()
  await expect(receive(orphaned, signal).ended).rejects.toMatchObject({ code: 'worker_lost' })
  await expect(
    orphaned.compare(
      { part, segments: [], decode: null, size: SIZE, buckets: [] },
      { advanced: () => undefined },
      signal,
    ).ended,
  ).rejects.toMatchObject({ code: 'worker_lost' })
  await lane.close()
  await rm(folder, { recursive: true })
})

it('makes a digest on the way where the whole file comes in one body, and none of a part', async () => {
  await using server = await startFaultServer()
  server.add('/a.bin', { size: SIZE, seed: 3 })
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-lane-'))
  const settings = httpSettings({ ...DEFAULT_SETTINGS, proxyMode: 'none' }, 'test')
  const lane = createLanePool({ entry: LANE_WORKER, settings, logger: silent })
  const { signal } = new AbortController()
  const digestFrom = async (start: number) => {
    const headers = { range: `bytes=${start}-` }
    const reply = await lane.request({ url: server.url('/a.bin'), headers, options: {}, buckets: [], signal })
    const part = PartFile.toOpen(createNodeFileSystem(), join(folder, `${start}.part`), true)
    const bounds = { start, compareBytes: 0, bodyEnd: SIZE, end: SIZE, size: SIZE, whole: false }
    const order = { ...bounds, part, decode: null, blockHeld: true, races: false, buckets: [] }
    return (await reply.receive({ ...order, digests: ['sha-256'] }, events, signal).ended).digests
  }
  expect(await digestFrom(0)).toEqual({ 'sha-256': contentSha256(3, SIZE) })
  expect(await digestFrom(MIB)).toBeNull()
  await lane.close()
  await rm(folder, { recursive: true })
})

it('goes on where it was when a worker is lost, again and again', async () => {
  await using server = await startFaultServer()
  const deaths = 3
  await using engine = await startEngine({
    openLane: (settings) => createLanePool({ entry: DYING_LANE, settings, logger: silent }),
  })
  const list = join(engine.profile, 'deaths')
  await writeFile(list, 'death\n'.repeat(deaths))
  vi.stubEnv('NIGHTHAUL_TEST_DEATHS', list)
  server.add('/a.bin', { size: SIZE, seed: 7, rateBytesPerSecond: 4 * MIB })
  const id = await engine.add(server.url('/a.bin'), { connections: 2 })
  const task = await engine.until(id, 'done', 'failed')
  expect(task.error).toBeNull()
  expect(await sha256Of(task.path!)).toBe(contentSha256(7, SIZE))
  expect((await readFile(list, 'utf8')).trim()).toBe('')
  expect(server.requests.length).toBeGreaterThan(deaths)
})

it('a range that is split while another thread reads it has one owner for each byte', async () => {
  const STEP = 1000
  for (let round = 0; round < 20; round++) {
    const bounds = LaneBounds.within(0, Number.MAX_SAFE_INTEGER)
    const worker = new Worker(new URL('../helpers/bounds-reader.ts', import.meta.url), {
      workerData: { memory: bounds.memory, step: STEP },
    })
    let end = Number.MAX_SAFE_INTEGER
    const stopped = new Promise<number>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('message', (position: number) => {
        // It may have met an end that was taken back at once: then it reads on.
        if (position >= end) resolve(position)
        else {
          bounds.answer(end)
          worker.postMessage('on')
        }
      })
    })
    while (bounds.claimed < 100 * STEP) await new Promise((resolve) => setImmediate(resolve))
    while (end === Number.MAX_SAFE_INTEGER) {
      const at = bounds.claimed + 1 + ((round * 977) % (20 * STEP))
      if (bounds.setEnd(at)) end = at
    }
    expect(await stopped).toBe(end)
    await worker.terminate()
  }
})

it('looks for files and names them in a worker, and says what the system said', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-lane-'))
  const settings = httpSettings({ ...DEFAULT_SETTINGS, proxyMode: 'none' }, 'test')
  const lane = createLanePool({ entry: LANE_WORKER, settings, logger: silent })
  const own = createNodeFileSystem()
  const calls: string[] = []
  const files = lane.files({
    ...own,
    stat: (path) => {
      calls.push('stat')
      return own.stat(path)
    },
    renameExclusive: (from, to) => {
      calls.push('renameExclusive')
      return own.renameExclusive(from, to)
    },
  })
  const path = (name: string) => join(folder, name)
  await writeFile(path('a.part'), 'mine')
  await writeFile(path('taken'), 'theirs')
  const look = async () => {
    expect(await files.stat(path('a.part'))).toEqual({ bytes: 4, isDirectory: false })
    expect(await files.stat(path('nothing'))).toBeNull()
    await expect(files.renameExclusive(path('a.part'), path('taken'))).rejects.toMatchObject({ code: 'EEXIST' })
    await files.renameExclusive(path('a.part'), path('a.bin'))
    await files.renameExclusive(path('a.bin'), path('a.part'))
  }
  // Without a worker at hand none is started for it.
  await look()
  expect(calls).toHaveLength(5)
  await using server = await startFaultServer()
  server.add('/a.bin', { size: 1000, seed: 1 })
  const { signal } = new AbortController()
  const request = { url: server.url('/a.bin'), headers: {}, options: {}, buckets: [], signal }
  const reply = await lane.request(request)
  await look()
  expect(calls).toHaveLength(5)
  reply.abort()
  await lane.close()
  await rm(folder, { recursive: true })
})
