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
  for (const end = Date.now() + 30_000; ; ) {
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
