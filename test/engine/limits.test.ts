/** Speed limits through a whole engine. Bytes are counted against the engine's own clock; nothing here is timed. */
import { describe, expect, it } from 'vitest'
import { createLanePool } from '../../electron/engine/lane/lane-pool.ts'
import { nodeClock } from '../../electron/platform/clock.ts'
import { realClock, startEngine } from '../helpers/engine.ts'
import { startFaultServer } from '../helpers/fault-server.ts'

const KIB = 1024
const RATE = 1_000_000
const SIZE = 700_000
const BURST_SECONDS = 0.1
/** What one connection may have read when its wait begins: one chunk of a socket. */
const CHUNK = 64 * KIB

/** The rate holds from the first to the last byte: so many bytes need so much time, by the clock the engine uses. */
function expectSlow(bytes: number, fromMs: number, toMs: number, rate: number, connections: number): void {
  const allowed = rate * ((toMs - fromMs) / 1000 + BURST_SECONDS) + connections * CHUNK
  expect(bytes).toBeLessThanOrEqual(allowed)
}

describe('limits', () => {
  it.each([1, 4])('of one task hold, with %i connection(s)', async (connections) => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ clock: realClock, settings: { durability: 'background' } })
    const size = connections === 1 ? SIZE : 4 * SIZE
    const rate = connections === 1 ? RATE : 4 * RATE
    server.add('/a', { size, seed: 1 })
    const from = realClock.monotonic()
    const id = await engine.add(server.url('/a'), { connections, limitBytesPerSecond: rate })
    await engine.until(id, 'done', 'failed')
    const to = realClock.monotonic()
    expect((await engine.get(id)).state).toBe('done')
    expectSlow(size, from, to, rate, connections)
  })

  it('of all tasks hold together', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({
      clock: realClock,
      settings: { limitBytesPerSecond: RATE, durability: 'background' },
    })
    const paths = ['/a', '/b', '/c']
    for (const path of paths) server.add(path, { size: SIZE / 2, seed: 1 })
    const from = realClock.monotonic()
    const ids = await Promise.all(paths.map((path) => engine.add(server.url(path), { connections: 1 })))
    await Promise.all(ids.map((id) => engine.until(id, 'done', 'failed')))
    expectSlow((SIZE / 2) * paths.length, from, realClock.monotonic(), RATE, paths.length)
  })

  it('the smaller of the two holds', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({
      clock: realClock,
      settings: { limitBytesPerSecond: 100 * RATE, durability: 'background' },
    })
    server.add('/a', { size: SIZE, seed: 1 })
    const from = realClock.monotonic()
    await engine.until(await engine.add(server.url('/a'), { connections: 1, limitBytesPerSecond: RATE }), 'done')
    expectSlow(SIZE, from, realClock.monotonic(), RATE, 1)
  })

  it('lifted while running, are lifted at once: nobody sits out a wait that is no longer owed', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({
      clock: realClock,
      settings: { limitBytesPerSecond: 1, durability: 'background' },
    })
    server.add('/a', { size: 8 * SIZE, seed: 1 })
    const id = await engine.add(server.url('/a'), { connections: 1 })
    // the reply is here, and at this rate the first read of its body is many minutes away
    await server.until(() => server.requests.some((request) => request.bytesSent > 0))
    await engine.untilTask(id, (task) => task.sizeBytes !== null && task.segments.some((segment) => segment.active))
    expect(await engine.get(id)).toMatchObject({ state: 'active', writtenBytes: 0 })
    await engine.call('settings.set', { limitBytesPerSecond: null })
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  })

  it('set while running, hold from then on', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ clock: realClock, settings: { durability: 'background' } })
    const size = 20 * SIZE
    server.add('/a', { size, seed: 1, rateBytesPerSecond: 10 * RATE })
    const id = await engine.add(server.url('/a'), { connections: 2 })
    await engine.untilTask(id, (task) => task.writtenBytes > 0)
    await engine.call('settings.set', { limitBytesPerSecond: RATE })
    const sent = () => server.requests.reduce((sum, request) => sum + request.bytesSent, 0)
    const received = async () => {
      const { samples } = await engine.call('throughput.history')
      return samples.length
    }
    const ticks = await received()
    // the sample under way holds bytes of before; the next is the limit's alone
    await expect.poll(received, { timeout: 20_000 }).toBeGreaterThanOrEqual(ticks + 2)
    const { samples } = await engine.call('throughput.history')
    expect(samples[ticks + 1]!.bytesPerSecond).toBeLessThanOrEqual(RATE * (1 + BURST_SECONDS) + 2 * CHUNK)
    expect(samples[ticks + 1]!.bytesPerSecond).toBeGreaterThan(0)
    expect(sent()).toBeLessThan(size)
    await engine.call('settings.set', { limitBytesPerSecond: null })
    await engine.until(id, 'done', 'failed')
  })

  it('hold in workers too, which share one bucket and give every download the same', async () => {
    await using server = await startFaultServer()
    const entry = new URL('../../electron/engine/lane/lane-worker.ts', import.meta.url)
    const silent = { debug() {}, info() {}, warn() {}, error() {} }
    await using engine = await startEngine({
      clock: nodeClock,
      openLane: (settings) => createLanePool({ entry, settings, logger: silent, most: 2 }),
      settings: { limitBytesPerSecond: RATE, durability: 'background', downloadsAtOnce: 8, connectionsPerHost: 8 },
    })
    // More downloads than one worker takes.
    const paths = Array.from({ length: 6 }, (_, index) => `/${index}.bin`)
    for (const [seed, path] of paths.entries()) server.add(path, { size: 20 * SIZE, seed })
    const ids = await Promise.all(paths.map((path) => engine.add(server.url(path), { connections: 1 })))
    for (const id of ids) await engine.untilTask(id, (task) => task.bytesPerSecond > 0)
    const { samples: before } = await engine.call('throughput.history')
    const history = async () => (await engine.call('throughput.history')).samples
    // the sample under way holds the start; the second after it is the limit's alone
    await expect.poll(async () => (await history()).length, { timeout: 20_000 }).toBeGreaterThan(before.length + 1)
    const sample = (await history())[before.length + 1]!
    expect(sample.bytesPerSecond).toBeLessThanOrEqual(RATE * (1 + BURST_SECONDS) + CHUNK)
    // What is written is told once a second. When the last has a good part, none has twice as much.
    for (const id of ids) await engine.untilTask(id, (task) => task.writtenBytes > SIZE / 2)
    const written = await Promise.all(ids.map(async (id) => (await engine.get(id)).writtenBytes))
    expect(Math.max(...written)).toBeLessThan(2 * Math.min(...written))
  })

  it('of a queue, a host and one download can be set while it runs, and lifted', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ clock: realClock, settings: { durability: 'background' } })
    const queue = await engine.call('queues.add', { name: 'Slow', limitBytesPerSecond: 1000 })
    server.add('/a', { size: SIZE, seed: 1 })
    const host = new URL(server.origin).host
    const { items } = await engine.call('tasks.add', { items: [{ url: server.url('/a') }], queueId: queue.id })
    const { id } = items[0]!
    const selection = { ids: [id] }
    // Nothing can be written before the last limit is lifted: each of them by itself would take minutes.
    await engine.untilTask(id, (task) => task.sizeBytes !== null && task.segments.some((segment) => segment.active))
    await engine.call('tasks.update', { selection, limitBytesPerSecond: 1000 })
    await engine.call('hostRules.set', { pattern: host, patch: { limitBytesPerSecond: 1000 } })
    expect(await engine.get(id)).toMatchObject({ queueId: queue.id, options: { limitBytesPerSecond: 1000 } })
    await engine.call('queues.update', { id: queue.id, patch: { limitBytesPerSecond: null } })
    await engine.call('tasks.update', { selection, limitBytesPerSecond: null })
    expect(await engine.get(id)).toMatchObject({ state: 'active', writtenBytes: 0, options: {} })
    await engine.call('hostRules.remove', { pattern: host })
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  })

  it('of a queue hold for what is moved into it while it runs', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ clock: realClock, settings: { durability: 'background' } })
    const queue = await engine.call('queues.add', { name: 'Slow', limitBytesPerSecond: 1000 })
    server.add('/a', { size: 16 * SIZE, seed: 1, rateBytesPerSecond: 10 * RATE })
    const id = await engine.add(server.url('/a'), { connections: 1 })
    await engine.untilTask(id, (task) => task.bytesPerSecond > RATE)
    await engine.call('tasks.update', { selection: { ids: [id] }, queueId: queue.id })
    const latest = async () => (await engine.call('throughput.history')).samples.at(-1)?.bytesPerSecond ?? Infinity
    await expect.poll(latest, { timeout: 20_000 }).toBeLessThan(RATE / 2)
    expect((await engine.get(id)).state).toBe('active')
    // Removed, its tasks are in the default queue, which has no limit.
    expect(await engine.call('queues.remove', { id: queue.id })).toEqual({ moved: 1 })
    expect(await engine.get(id)).toMatchObject({ queueId: 1 })
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  })
})
