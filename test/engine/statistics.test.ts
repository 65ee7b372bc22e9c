/** Statistics of a whole engine: what downloads leave behind, and what can be asked about it. */
import { describe, expect, test } from 'vitest'
import { Statistics } from '../../electron/engine/statistics.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { RequestSample } from '../../shared/request-statistics.ts'
import { PATIENT, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { openTestStore } from '../helpers/store.ts'

const MIB = 1024 * 1024
const HOUR_MS = 3_600_000

describe('an engine', () => {
  test('counts every request of its downloads, and the bytes as they come', async () => {
    await using server = await startFaultServer()
    const settings = { connectionsPerDownload: 1, keepAliveMs: 3_600_000, ...PATIENT }
    await using engine = await startEngine({ settings })
    server.add('/f', { size: 2 * MIB, seed: 1 })
    server.add('/g', { size: 1000, seed: 2 })
    server.fault('/f', (_request, index) => (index === 0 ? faults.resetAt(MIB) : null))
    server.fault('/h', () => faults.status(404))
    const begin = Date.now() - HOUR_MS
    for (const path of ['/f', '/g']) await engine.until(await engine.add(server.url(path)), 'done')
    await engine.until(await engine.add(server.url('/h')), 'failed')
    const host = `127.0.0.1:${server.port}`
    const requests = server.requests.length
    // A refused reply is given up after its task has heard of it.
    await expect.poll(async () => (await engine.call('stats.summary', { from: begin })).overall.requests).toBe(requests)
    const { overall, hosts, hours } = await engine.call('stats.summary', { from: begin })
    expect(overall).toMatchObject({
      requests,
      succeeded: requests - 2,
      failed: 2,
      stopped: 0,
      successRate: (requests - 2) / requests,
      errors: { connection_reset: 1 },
    })
    expect(overall.statuses).toMatchObject({ 206: requests - 1, 404: 1 })
    expect(overall.reused).toBeGreaterThan(0)
    expect(overall.bytes).toBeGreaterThanOrEqual(2 * MIB + 1000)
    expect(overall.timings.duration).toMatchObject({ count: requests })
    expect(overall.timings.tls).toBe(null)
    expect(overall.timings.firstByte!.medianMs).toBeGreaterThan(0)
    expect(hosts).toEqual([{ host, ...overall }])
    expect(hours.reduce((sum, hour) => sum + hour.requests, 0)).toBe(requests)
    expect((await engine.call('stats.summary', { host: 'elsewhere.test' })).overall.requests).toBe(0)

    const { all } = await engine.call('stats.totals')
    expect(all).toMatchObject({ requests, failed: 2 })
    expect(all.timings.duration.cumulative.at(-1)!.count).toBe(requests)
    const minutes = { from: begin, to: begin + 7 * 24 * HOUR_MS, stepMs: HOUR_MS }
    const { steps } = await engine.call('stats.throughput', minutes)
    expect(steps.reduce((sum, step) => sum + step.bytes, 0)).toBeGreaterThanOrEqual(2 * MIB + 1000)
  })

  test('has told the store when it stops, also for downloads that it stopped itself', async () => {
    await using server = await startFaultServer()
    await using first = await startEngine()
    server.add('/f', { size: 4 * MIB, seed: 1 })
    server.fault('/f', () => faults.silent())
    await first.add(server.url('/f'))
    await server.until(() => server.held > 0)
    await first.stop()
    server.fault('/f', () => faults.status(404))
    await using second = await startEngine({ from: first })
    const { overall } = await second.call('stats.summary', {})
    expect(overall.requests).toBeGreaterThanOrEqual(1)
    expect(overall).toMatchObject({ stopped: 1, errors: {} })
  })

  test('counts the wait for a place at the host as queueing', async () => {
    await using server = await startFaultServer()
    const settings = { connectionsPerHost: 1, connectionsPerDownload: 1, ...PATIENT }
    await using engine = await startEngine({ settings })
    for (const [seed, path] of ['/a', '/b'].entries()) server.add(path, { size: 1000, seed })
    server.fault('/a', () => faults.stallAt(500))
    const a = await engine.add(server.url('/a'))
    await server.until(() => server.held === 1)
    const b = await engine.add(server.url('/b'))
    // By itself it would not even begin while the host has no room.
    await engine.call('tasks.force', { selection: { ids: [b] } })
    await engine.untilTask(b, (task) => task.state === 'active')
    // Two ticks are a second of the engine’s clock at least.
    await engine.ticks(2)
    server.release()
    await engine.until(a, 'done')
    await engine.until(b, 'done')
    const { timings } = (await engine.call('stats.summary', {})).overall
    expect(timings.queue!.count).toBe(2)
    expect(timings.queue!.p99Ms).toBeGreaterThan(500)
  })

  test('that works on leased tasks adds to what the owner of the queue counts', async () => {
    await using server = await startFaultServer()
    await using owner = await startEngine({ isOwnerAlive: () => true })
    server.add('/f', { size: 1000, seed: 1 })
    await owner.until(await owner.add(server.url('/f')), 'done')
    const get = await startEngine({ from: owner, lease: 'get-1', isOwnerAlive: () => true })
    await get.until(await get.add(server.url('/f')), 'done')
    await get.stop()
    const { overall } = await owner.call('stats.summary', {})
    expect(overall.requests).toBe(server.requests.length)
  })
})

test('statistics are not kept where the settings say so, and what there was is gone', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/f', { size: 1000, seed: 1 })
  await engine.until(await engine.add(server.url('/f')), 'done')
  expect((await engine.call('stats.summary', {})).overall.requests).toBe(1)
  await engine.call('settings.set', { statisticsDays: 0 })
  await engine.until(await engine.add(server.url('/f')), 'done')
  expect((await engine.call('stats.summary', {})).overall.requests).toBe(0)
  await engine.call('settings.set', { statisticsDays: 30 })
  await engine.until(await engine.add(server.url('/f')), 'done')
  expect((await engine.call('stats.summary', {})).overall.requests).toBe(1)
})

describe('statistics', () => {
  const sample = (rest: Partial<RequestSample> = {}): RequestSample => ({
    host: 'a.test',
    method: 'GET',
    startedAt: 0,
    queueMs: 0,
    connectMs: 10,
    tlsMs: null,
    firstByteMs: 20,
    durationMs: 100,
    bytes: 10,
    status: 200,
    errorCode: null,
    reused: false,
    httpVersion: '1.1',
    ...rest,
  })

  test('are stored in one batch, and none is lost while the store takes nothing', () => {
    const store = openTestStore()
    const clock = createManualClock()
    let full = true
    let batches = 0
    const statistics = new Statistics(
      {
        ...store,
        addStatistics(batch) {
          batches++
          if (full) throw new NighthaulError('disk_full', 'the disk is full')
          store.addStatistics(batch)
        },
      },
      clock,
      730,
    )
    for (let i = 0; i < 50; i++) statistics.ended(sample({ host: `h${i % 5}.test` }))
    statistics.received(500)
    expect(() => statistics.flush()).toThrow('full')
    statistics.ended(sample())
    full = false
    statistics.flush()
    statistics.flush()
    expect(batches).toBe(2)
    expect(store.requestTotals().all.requests).toBe(51)
    expect(store.receivedBytes({ from: 0, to: clock.now() + 1, stepMs: 60_000 })).toMatchObject([{ bytes: 500 }])
  })

  test('count for the minute in which they came, also when it ended as they were collected', () => {
    const store = openTestStore()
    const clock = createManualClock()
    const begin = clock.now()
    const statistics = new Statistics(store, clock, 730)
    const collect = (afterMs: number, bytes: number) => {
      clock.advance(afterMs)
      statistics.received(bytes)
      statistics.flush()
    }
    collect(59_000, 1)
    collect(1_000, 10)
    collect(1_000, 100)
    // The machine slept; this came when it woke.
    collect(10 * 60_000, 1_000)
    // It fell asleep again before this was collected.
    statistics.received(10_000)
    clock.advance(10 * 60_000)
    statistics.flush()
    expect(store.receivedBytes({ from: 0, to: clock.now(), stepMs: 60_000 })).toEqual([
      { at: begin, bytes: 11 },
      { at: begin + 60_000, bytes: 100 },
      { at: begin + 11 * 60_000, bytes: 11_000 },
    ])
  })

  test('of more hosts than memory should hold count together', () => {
    const store = openTestStore()
    const statistics = new Statistics(store, createManualClock(), 730)
    for (let i = 0; i < 1_500; i++) statistics.ended(sample({ host: `h${i}.test` }))
    statistics.flush()
    const { all } = store.requestTotals()
    expect(all.requests).toBe(1_500)
  })

  test('of several days add up, overall, by host and by hour, per second of that time', async () => {
    const store = openTestStore()
    const clock = createManualClock()
    const statistics = new Statistics(store, clock, 730)
    const begin = clock.now()
    for (let hour = 0; hour < 72; hour += 6) {
      clock.advance(60_000)
      statistics.ended(sample())
      statistics.ended(sample({ host: hour < 36 ? 'b.test' : 'c.test', status: null, errorCode: 'stalled' }))
      statistics.flush()
      clock.advance(6 * HOUR_MS - 60_000)
    }
    const whole = await statistics.summary({})
    expect(whole).toMatchObject({
      from: begin,
      overall: {
        requests: 24,
        succeeded: 12,
        failed: 12,
        successRate: 0.5,
        statuses: { 200: 12 },
        errors: { stalled: 12 },
      },
      requestsPerSecond: 24 / (72 * 3600),
    })
    expect(whole.hosts.map(({ host, requests }) => [host, requests])).toEqual([
      ['a.test', 12],
      ['b.test', 6],
      ['c.test', 6],
    ])
    expect(whole.hours).toHaveLength(12)
    expect(whole.hours[1]).toEqual({
      at: begin + 6 * HOUR_MS,
      spanMs: HOUR_MS,
      requests: 2,
      succeeded: 1,
      failed: 1,
      bytes: 20,
    })
    const half = await statistics.summary({ from: begin, to: begin + 36 * HOUR_MS, host: 'b.test' })
    expect(half).toMatchObject({ overall: { requests: 6 }, requestsPerSecond: 6 / (36 * 3600) })
    expect(half.hosts).toHaveLength(1)
  })
})
