/** Which downloads run: queues, windows, force, order, start times, and hosts without room. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import type { QueuePatch } from '../../shared/queues.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'

const SIZE = 300_000
const HOUR = 3_600_000
/** Time is hasty: a server that is silent on purpose must not be given up. */
const PATIENT = { timeoutMs: HOUR, connections: 1 }

const addQueue = (engine: TestEngine, name: string, patch: QueuePatch = {}) =>
  engine.call('queues.add', { name, timeZone: 'UTC', ...patch })
const addTo = async (engine: TestEngine, queueId: number, url: string) =>
  (await engine.call('tasks.add', { items: [{ url }], options: PATIENT, queueId })).items[0]!.id

it('a window that closes sends its downloads back to the queue with all they have, and they go on in the next', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T22:30:00Z')
  await using engine = await startEngine({ clock })
  const night = await addQueue(engine, 'Night', { windows: '22:00-23:00', missed: 'next' })
  expect(night).toMatchObject({
    windows: 'Mon-Sun 22:00-23:00',
    hold: null,
    changesAt: Date.parse('2026-11-26T23:00Z'),
  })
  server.add('/a.bin', { size: 4_000_000, seed: 1 })
  server.fault('/a.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
  const id = await addTo(engine, night.id, server.url('/a.bin'))
  await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)

  clock.jump(HOUR)
  const held = await engine.until(id, 'queued')
  expect(held.writtenBytes).toBeGreaterThanOrEqual(1_000_000)
  expect(held.strategy).toMatchObject([{ code: 'waiting_for_window' }])
  // It lets go of its file in a moment.
  const nightNow = async () => (await engine.call('queues.list'))[1]
  await expect.poll(nightNow).toMatchObject({ hold: 'window', open: 1, running: 0 })
  const asked = server.requests.length

  // The machine slept through the rest of the day: on wake the state is what it should be now.
  clock.jump(23 * HOUR)
  const done = await engine.until(id, 'done', 'failed')
  expect(done).toMatchObject({ state: 'done', attempts: 0 })
  expect(await readFile(done.path!)).toEqual(contentBytes(1, 0, 4_000_000))
  expect(server.requests[asked]!.headers.range).toMatch(/^bytes=[1-9]/)
})

it('a download that is moved does as its new queue does: it starts where that is open, and stops where it is closed', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: clockAt('2026-11-26T20:00:00Z') })
  server.add('/1.bin', { size: 4_000_000, seed: 1 })
  server.fault('/1.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
  const closed = await addQueue(engine, 'Closed', { windows: '23:00-03:00', timeZone: 'UTC' })
  const id = await addTo(engine, closed.id, server.url('/1.bin'))
  const selection = { ids: [id] }
  await engine.ticks(2)
  expect((await engine.get(id)).state).toBe('queued')
  // Within seconds, and not when something is looked at anyway, which is within a minute.
  const soon = async () => {
    await engine.ticks(3)
    return (await engine.get(id)).state
  }
  await engine.call('tasks.update', { selection, queueId: 1 })
  expect(await soon()).toBe('active')
  await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
  await engine.call('tasks.update', { selection, queueId: closed.id })
  expect(await soon()).toBe('queued')
  // What becomes of its queue, it feels too.
  await engine.call('queues.remove', { id: closed.id })
  const done = await engine.until(id, 'done', 'failed')
  expect(done.state).toBe('done')
  expect(done.resumedFromBytes).toBeGreaterThanOrEqual(1_000_000)
})

it('a queue can be stopped and started, and a download forced all the same', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 1 } })
  const queue = await addQueue(engine, 'Later', { stopped: true })
  for (const n of [1, 2]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.add('/busy.bin', { size: SIZE, seed: 3 })
  server.fault('/busy.bin', () => faults.stallAt(1000))
  const busy = await engine.add(server.url('/busy.bin'))
  await engine.untilTask(busy, ({ writtenBytes }) => writtenBytes > 0)
  const [first, second] = [
    await addTo(engine, queue.id, server.url('/1.bin')),
    await addTo(engine, queue.id, server.url('/2.bin')),
  ]
  expect((await engine.get(first)).strategy).toEqual([{ code: 'queue_stopped', params: {} }])
  // The only place is taken, its queue is stopped: now it runs.
  expect(await engine.call('tasks.force', { selection: { ids: [second] } })).toEqual({ count: 1 })
  expect((await engine.until(second, 'done', 'failed')).state).toBe('done')
  expect((await engine.get(first)).state).toBe('queued')
  await engine.call('settings.set', { downloadsAtOnce: 2 })
  await engine.call('queues.update', { id: queue.id, patch: { stopped: false } })
  expect((await engine.until(first, 'done', 'failed')).state).toBe('done')
})

it('a host without room holds up nobody else, whether its link or a redirect leads there', async () => {
  await using slow = await startFaultServer()
  await using fast = await startFaultServer()
  await using link = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 3, connectionsPerHost: 1 } })
  const ids: number[] = []
  for (const n of [1, 2, 3, 4, 5]) {
    slow.add(`/${n}.bin`, { size: SIZE, seed: n })
    slow.fault(`/${n}.bin`, () => faults.stallAt(1000))
    link.fault(`/${n}.bin`, () => faults.redirect(slow.url(`/${n}.bin`)))
  }
  ids.push(await engine.add(link.url('/1.bin')))
  await engine.untilTask(ids[0]!, ({ writtenBytes }) => writtenBytes > 0)
  for (const n of [2, 3, 4, 5]) ids.push(await engine.add((n % 2 ? slow : link).url(`/${n}.bin`)))
  fast.add('/x.bin', { size: SIZE, seed: 9 })
  const other = await engine.add(fast.url('/x.bin'))
  expect((await engine.until(other, 'done', 'failed')).state).toBe('done')
  expect(slow.connections.mostOpen).toBe(1)
  for (const n of [1, 2, 3, 4, 5]) slow.fault(`/${n}.bin`, null)
  slow.release()
  for (const id of ids) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})

it('a slow host that has room never has all places while others would be quick', async () => {
  await using slow = await startFaultServer()
  await using fast = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 3 } })
  const add = async (server: typeof slow, n: number) => {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    return engine.add(server.url(`/${n}.bin`), PATIENT)
  }
  for (const n of [1, 2, 3, 4, 5]) slow.fault(`/${n}.bin`, () => faults.stallAt(1000))
  const slowOnes: number[] = []
  for (const n of [1, 2, 3, 4, 5]) slowOnes.push(await add(slow, n))
  // With nobody else there the slow host may have all of them.
  for (const id of slowOnes.slice(0, 3)) await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
  const quick = [await add(fast, 11), await add(fast, 12)]
  slow.fault('/1.bin', null)
  await engine.call('tasks.pause', { selection: { ids: [slowOnes[0]!] } })
  for (const id of quick) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  await engine.call('tasks.resume', { selection: { ids: [slowOnes[0]!] } })
  for (const n of [2, 3, 4, 5]) slow.fault(`/${n}.bin`, null)
  slow.release()
  for (const id of slowOnes) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})

it('downloads start in the order they were put in, and not before their time', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T12:00:00Z')
  await using engine = await startEngine({ clock, settings: { downloadsAtOnce: 1 } })
  const queue = await addQueue(engine, 'Ordered', { stopped: true })
  for (const n of [1, 2, 3, 4, 5]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  const ids: number[] = []
  for (const n of [1, 2, 3, 4]) ids.push(await addTo(engine, queue.id, server.url(`/${n}.bin`)))
  const [a, b, c, d] = ids as [number, number, number, number]
  await engine.call('tasks.reorder', { selection: { ids: [a] }, before: null })
  await engine.call('tasks.reorder', { selection: { ids: [d] }, before: 'first' })
  // The one before which it comes is among them, and stays.
  await engine.call('tasks.reorder', { selection: { ids: [c, b] }, before: b })
  const { rows } = await engine.call('tasks.list', {})
  expect(rows.map(({ id }) => id)).toEqual([d, c, b, a])
  const later = (
    await engine.call('tasks.add', {
      ...{ items: [{ url: server.url('/5.bin') }], queueId: queue.id },
      startAt: clock.now() + HOUR * 2,
    })
  ).items[0]!.id
  expect(await engine.get(later)).toMatchObject({
    state: 'waiting',
    error: null,
    strategy: [{ code: 'waiting_for_start' }],
  })
  await engine.call('queues.update', { id: queue.id, patch: { stopped: false } })
  for (const id of ids) await engine.until(id, 'done', 'failed')
  const order = server.requests
    .map(({ path }) => path.slice(1, 2))
    .filter((name, index, all) => all.indexOf(name) === index)
  expect(order).toEqual(['4', '3', '2', '1'])
  expect((await engine.get(later)).state).toBe('waiting')
  clock.jump(HOUR * 2)
  expect((await engine.until(later, 'done', 'failed')).state).toBe('done')
})
