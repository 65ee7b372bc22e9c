/** What a whole engine says about why it fetches each task as it does. */
import { expect, it } from 'vitest'
import { isTaskStrategyCode } from '../../shared/task-strategy.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1_048_576

it('says why a download has the connections it has, while it runs and afterwards', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { connectionsPerHost: 2 } })
  server.add('/large', { size: 40 * MIB, seed: 1 })
  server.fault('/large', () => faults.stallAt(100_000))
  const id = await engine.add(server.url('/large'))
  const running = await engine.untilTask(id, (task) => task.connections > 0 && task.strategy.length > 0)
  expect(running.strategy.every(({ code }) => isTaskStrategyCode(code))).toBe(true)
  server.fault('/large', null)
  server.release()
  const done = await engine.until(id, 'done', 'failed')
  expect(done.state).toBe('done')
  expect(done.strategy).not.toEqual([])
  await engine.stop()
  await using again = await startEngine({ from: engine })
  expect((await again.get(id)).strategy).toEqual(done.strategy)
})

it('says that a server without ranges, or a person, wants one connection', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/whole', { size: 4 * MIB, seed: 1 })
  server.fault('/whole', () => faults.ignoreRange())
  server.add('/one', { size: 4 * MIB, seed: 2 })
  const whole = await engine.until(await engine.add(server.url('/whole')), 'done', 'failed')
  const one = await engine.until(await engine.add(server.url('/one'), { connections: 1 }), 'done', 'failed')
  expect(whole).toMatchObject({ state: 'done', strategy: [{ code: 'no_ranges' }] })
  expect(one).toMatchObject({ state: 'done', strategy: [{ code: 'one_connection_wanted' }] })
})

it('says what a task waits for: its turn, a place at the host, the time that the host named', async () => {
  await using server = await startFaultServer()
  await using quiet = await startFaultServer()
  await using engine = await startEngine({ settings: { connectionsPerHost: 1, downloadsAtOnce: 2 } })
  for (const path of ['/a', '/b', '/c']) {
    server.add(path, { size: MIB, seed: 1 })
    server.fault(path, () => faults.silent())
  }
  const [, second] = [
    await engine.add(server.url('/a'), { timeoutMs: 3_600_000 }),
    await engine.add(server.url('/b'), { timeoutMs: 3_600_000 }),
  ]
  const host = new URL(server.origin).host
  const blocked = await engine.untilTask(second!, (task) => task.strategy[0]?.code === 'waiting_for_host')
  expect(blocked.strategy[0]!.params).toEqual({ host, connections: 1 })
  expect(blocked.state).toBe('queued')
  await engine.call('settings.set', { downloadsAtOnce: 1 })
  const third = await engine.add(quiet.url('/c'))
  expect((await engine.get(third)).strategy).toEqual([{ code: 'waiting_for_turn', params: { atOnce: 1 } }])
  await engine.call('tasks.remove', { selection: { ids: [third] } })
  await engine.call('settings.set', { downloadsAtOnce: 4 })

  quiet.add('/q', { size: MIB, seed: 1 })
  quiet.fault('/q', () => faults.retryAfter(3000))
  const told = await engine.until(await engine.add(quiet.url('/q')), 'waiting')
  expect(told.strategy[0]).toMatchObject({ code: 'waiting_retry_after', params: { host: new URL(quiet.origin).host } })
  expect(told.strategy[0]!.params.waitMs).toBeGreaterThan(1_000_000)
})
