/** Queues that have to be done by a time: what is foretold, said, and changed so that more of it is there. */
import { expect, it } from 'vitest'
import type { QueuePatch, QueueView } from '../../shared/queues.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'

const HOUR = 3_600_000
const MB = 1_000_000
const PATIENT = { timeoutMs: HOUR, connections: 1 }

const addQueue = (engine: TestEngine, name: string, patch: QueuePatch = {}) =>
  engine.call('queues.add', { name, timeZone: 'UTC', ...patch })
const addTo = async (engine: TestEngine, queueId: number, ...urls: string[]) => {
  const items = urls.map((url) => ({ url }))
  return (await engine.call('tasks.add', { items, options: PATIENT, queueId })).items.map(({ id }) => id)
}

async function untilQueue(engine: TestEngine, id: number, condition: (queue: QueueView) => boolean) {
  for (const end = Date.now() + 26_000; ; ) {
    const queue = (await engine.call('queues.list')).find((known) => known.id === id)!
    if (condition(queue)) return queue
    if (Date.now() > end) throw new Error(`gave up waiting; the queue is ${JSON.stringify(queue, null, 1)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

it('says what cannot be told, and what was measured once something was', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock })
  const night = await addQueue(engine, 'Night', { windows: '23:00-07:00', finishBy: '06:00' })
  expect(night.outlook).toBeNull()
  server.add('/a.bin', { size: MB, seed: 1 })
  const [id] = await addTo(engine, night.id, server.url('/a.bin'))
  const forecast = await engine.call('schedule.forecast', {})
  expect(forecast.line.basis).toBe('assumed')
  const opens = Date.parse('2026-11-26T23:00Z')
  expect(forecast.queues[1]).toMatchObject({
    ...{ name: 'Night', files: 1, sizesEstimated: 1 },
    tasks: [{ id, name: 'a.bin', sizeKnown: false, startsAt: opens, inTime: true }],
    outlook: { kind: 'unknown', missing: ['rate', 'size'], deadline: Date.parse('2026-11-27T06:00Z') },
  })
})

it('foretells what power allows: a limit on battery, and nothing while downloads wait for the mains', async () => {
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock, settings: { probeSizes: false } })
  const night = await addQueue(engine, 'Night', { windows: '23:00-07:00', finishBy: '06:00' })
  await addTo(engine, night.id, 'http://127.0.0.1:9/a.bin')
  const told = async () => (await engine.call('schedule.forecast', {})).queues[1]!
  const limit = { onBattery: 'limit', batteryLimitBytesPerSecond: 5_000 } as const
  await engine.call('settings.set', limit)
  // A size that nobody knows is guessed, and takes minutes with the line that is assumed.
  expect((await told()).endsAt! - clock.now()).toBeLessThan(HOUR)
  await engine.call('power.changed', { source: 'battery' })
  expect((await told()).endsAt! - clock.now()).toBeGreaterThan(5 * HOUR)
  expect((await told()).outlook!.missing).not.toContain('battery')
  await engine.call('settings.set', { onBattery: 'pause' })
  expect((await told()).outlook!.missing).toContain('battery')
  await engine.call('power.changed', { source: 'ac' })
  expect((await told()).outlook!.missing).not.toContain('battery')
})

it('says at once that a deadline will be missed, with how much, and again when it will not', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: clockAt('2026-11-26T22:30:00Z') })
  const night = await addQueue(engine, 'Night', { finishBy: '23:30' })
  // A hundred times slower by the engine's clock: 36 MB in the hour that is left.
  server.add('/big.bin', { size: 200 * MB, seed: 1 })
  server.fault('/big.bin', () => faults.slow(MB))
  const [id] = await addTo(engine, night.id, server.url('/big.bin'))
  const { outlook } = await untilQueue(engine, night.id, ({ outlook: now }) => {
    return now?.kind === 'misses' && now.bytesInTime > 10 * MB
  })
  expect(outlook).toMatchObject({ basis: 'now', files: 1, filesInTime: 0, late: [id], sizesEstimated: 0 })
  expect(outlook!.bytesInTime).toBeLessThan(100 * MB)
  expect(await engine.call('notices.list')).toMatchObject([
    { code: 'deadline_misses', params: { queue: 'Night', by: '23:30', files: 1, late: 1 } },
  ])
  await engine.call('queues.update', { id: night.id, patch: { finishBy: null } })
  await untilQueue(engine, night.id, ({ outlook: now }) => now === null)
  for (const end = Date.now() + 10_000; (await engine.call('notices.list')).length > 0 && Date.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await engine.call('notices.list')).toEqual([])
})

it('takes back after a restart what it said before', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using first = await startEngine({ clock })
  const night = await addQueue(first, 'Night', { finishBy: '23:30' })
  server.add('/big.bin', { size: 200 * MB, seed: 1 })
  server.fault('/big.bin', ({ headers }) => (headers.range === 'bytes=0-' ? faults.slow(MB) : null))
  const [id] = await addTo(first, night.id, server.url('/big.bin'))
  await expect.poll(() => first.call('notices.list'), { timeout: 26_000 }).toMatchObject([{ code: 'deadline_misses' }])
  await first.stop()
  clock.jump(Date.parse('2026-11-26T22:35:00Z') - clock.now())
  await using second = await startEngine({ clock, from: first })
  expect((await second.until(id!, 'done', 'failed')).state).toBe('done')
  await expect.poll(() => second.call('notices.list'), { timeout: 26_000 }).toEqual([])
  const { incidents } = await second.call('report.get', {
    from: Date.parse('2026-11-26T12:00Z'),
    to: clock.now() + HOUR,
  })
  const outlooks = incidents.flatMap(({ code, params }) => (code === 'deadline' ? [params.outlook] : []))
  expect(outlooks.at(0)).toBe('misses')
  expect(outlooks.at(-1)).toBe('fits')
})

it('on battery no sizes are asked for while downloads wait for the mains', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock, settings: { onBattery: 'pause' } })
  await engine.call('power.changed', { source: 'battery' })
  const night = await addQueue(engine, 'Night', { windows: '23:00-07:00', finishBy: '06:00' })
  server.add('/a.bin', { size: MB, seed: 1 })
  const [id] = await addTo(engine, night.id, server.url('/a.bin'))
  await engine.ticks(5)
  expect(server.requests).toEqual([])
  await engine.call('power.changed', { source: 'ac' })
  const sizeOf = async () => (await engine.call('schedule.forecast', {})).queues[1]!.tasks[0]!
  await expect.poll(sizeOf, { timeout: 20_000 }).toMatchObject({ id, sizeKnown: true })
})

it('asks for sizes beforehand, each once, and takes the shortest first where not all can be there', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock, settings: { downloadsAtOnce: 1 } })
  const night = await addQueue(engine, 'Night', { finishBy: '23:30' })
  server.add('/big.bin', { size: 200 * MB, seed: 1 })
  server.fault('/big.bin', () => faults.slow(MB))
  const names = ['/1.bin', '/2.bin', '/3.bin']
  for (const [index, name] of names.entries()) {
    server.add(name, { size: 300_000, seed: index })
    server.fault(name, () => faults.slow(MB))
  }
  const urls = ['/big.bin', ...names].map((name) => server.url(name))
  const [big, ...small] = await addTo(engine, night.id, ...urls)
  const first = await engine.untilTask(small[0]!, ({ state }) => state === 'active')
  expect(first.strategy.map(({ code }) => code)).toContain('shortest_first')
  for (const id of small) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  // What ran made room, with all that it had, and goes on now.
  await engine.untilTask(big!, ({ state, resumedFromBytes }) => state === 'active' && resumedFromBytes > 0)
  for (const name of names) {
    const asked = server.requests.filter(({ path }) => path === name)
    expect(asked.map(({ headers }) => headers.range)).toEqual(['bytes=0-0', expect.anything()])
  }
  const { outlook } = await untilQueue(engine, night.id, (queue) => queue.outlook?.kind === 'misses')
  expect(outlook).toMatchObject({ late: [big], files: 1 })
})

it('keeps the order, and asks nothing, where that is set', async () => {
  await using server = await startFaultServer()
  const settings = { downloadsAtOnce: 1, deadlineOrder: 'asListed', probeSizes: false } as const
  await using engine = await startEngine({ clock: clockAt('2026-11-26T22:30:00Z'), settings })
  const night = await addQueue(engine, 'Night', { finishBy: '23:30' })
  server.add('/big.bin', { size: 200 * MB, seed: 1 })
  server.fault('/big.bin', () => faults.slow(MB))
  server.add('/1.bin', { size: 300_000, seed: 2 })
  const [big, small] = await addTo(engine, night.id, server.url('/big.bin'), server.url('/1.bin'))
  await untilQueue(engine, night.id, (queue) => queue.outlook?.kind === 'misses')
  expect((await engine.get(small!)).state).toBe('queued')
  expect((await engine.get(big!)).state).toBe('active')
  expect(server.requests.some(({ path }) => path === '/1.bin')).toBe(false)
})

it('others do with less while a queue would miss its deadline, as is said, and get it back', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: clockAt('2026-11-26T22:30:00Z') })
  const night = await addQueue(engine, 'Night', { finishBy: '23:30' })
  const other = await addQueue(engine, 'Other')
  // 36 MB come in the hour that is left, if both get half.
  for (const name of ['/n.bin', '/o.bin', '/p.bin']) {
    server.add(name, { size: 60 * MB, seed: 1 })
    server.fault(name, () => faults.slow(MB))
  }
  const [p, o] = await addTo(engine, other.id, server.url('/p.bin'), server.url('/o.bin'))
  const [n] = await addTo(engine, night.id, server.url('/n.bin'))
  const lending = await untilQueue(engine, other.id, ({ lends }) => lends !== null)
  expect(lending.lends!.to).toEqual([night.id])
  await untilQueue(engine, other.id, ({ running }) => running <= lending.lends!.downloadsAtOnce)
  expect((await engine.get(p!)).strategy.map(({ code }) => code)).toContain('lent_to_deadline')
  expect((await engine.get(n!)).strategy.map(({ code }) => code)).toContain('borrowed_for_deadline')
  expect((await untilQueue(engine, night.id, () => true)).outlook!.adapted.borrowsFrom).toEqual([other.id])
  await engine.call('settings.set', { deadlineMayBorrow: false })
  await untilQueue(engine, other.id, ({ lends, running }) => lends === null && running === 2)
  expect([(await engine.get(o!)).state, (await engine.get(p!)).state]).toEqual(['active', 'active'])
})

it('forecasts of very many downloads count all of them, and take a moment', async () => {
  await using engine = await startEngine({ clock: clockAt('2026-11-26T22:30:00Z') })
  const night = await addQueue(engine, 'Night', { stopped: true })
  const items = Array.from({ length: 26_000 }, (_, n) => ({ url: `http://h.example/${n}.bin` }))
  await engine.call('tasks.add', { items, queueId: night.id })
  await engine.call('queues.update', { id: night.id, patch: { stopped: false, windows: '23:00-07:00' } })
  const found = (await engine.call('schedule.forecast', { tasks: 3 })).queues[1]!
  // Nothing is known of their sizes: each is taken for 100 MB.
  expect(found).toMatchObject({ files: 26_000, sizesEstimated: 26_000, leftBytes: 26_000 * 100 * MB })
  expect(found.tasks.map(({ name }) => name)).toEqual(['0.bin', '1.bin', '2.bin'])
})

it('what was feared and came in time after all is taken back, however quickly it came', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock, settings: { downloadsAtOnce: 1 } })
  const night = await addQueue(engine, 'Night', { finishBy: '23:30' })
  server.add('/big.bin', { size: 200 * MB, seed: 1 })
  server.fault('/big.bin', () => faults.slow(1_000))
  const [id] = await addTo(engine, night.id, server.url('/big.bin'))
  await untilQueue(engine, night.id, ({ outlook }) => outlook?.kind === 'misses')
  const said = async () => {
    const { incidents } = await engine.call('report.get', { from: clock.now() - HOUR, to: clock.now() + HOUR })
    return incidents.filter(({ code }) => code === 'deadline').map(({ params }) => params.outlook)
  }
  await expect.poll(said, { timeout: 20_000 }).toEqual(['misses'])
  await engine.call('tasks.remove', { selection: { ids: [id!] } })
  await expect.poll(said, { timeout: 20_000 }).toEqual(['misses', 'fits'])
})
