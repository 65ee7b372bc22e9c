/** What time decides: starts of single downloads, and which profile holds. */
import { expect, it } from 'vitest'
import type { ProfilesView } from '../../shared/profiles.ts'
import { clockOfHaste, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'

const SIZE = 300_000
const HOUR = 3_600_000
const PATIENT = { timeoutMs: HOUR, connections: 1 }

it('a download that runs can be put off; it keeps its bytes, and a pause, and a restart do not take its time back', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  server.add('/a.bin', { size: 4_000_000, seed: 1 })
  server.fault('/a.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
  const id = await engine.add(server.url('/a.bin'), PATIENT)
  await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
  const startAt = Date.parse('2026-11-26T23:00:00Z')
  const selection = { ids: [id] }
  await engine.call('tasks.update', { selection, startAt })
  const put = await engine.until(id, 'waiting')
  expect(put).toMatchObject({ startAt, retryAt: startAt, error: null, strategy: [{ code: 'waiting_for_start' }] })
  await engine.call('tasks.pause', { selection })
  await engine.call('tasks.resume', { selection })
  expect(await engine.get(id)).toMatchObject({ state: 'waiting', retryAt: startAt })
  await engine.stop()

  clock.jump(HOUR)
  await using next = await startEngine({ from: engine, clock })
  expect(await next.get(id)).toMatchObject({ state: 'waiting', retryAt: startAt })
  clock.jump(2 * HOUR)
  const done = await next.until(id, 'done', 'failed')
  expect(done).toMatchObject({ state: 'done', attempts: 0 })
  expect(done.resumedFromBytes).toBeGreaterThanOrEqual(1_000_000)
})

it('whoever says now, or retries, or forces, does not wait for the start', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  const ids: number[] = []
  for (const n of [1, 2, 3]) {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    const items = [{ url: server.url(`/${n}.bin`) }]
    const added = await engine.call('tasks.add', { items, options: PATIENT, startAt: clock.now() + 9 * HOUR })
    ids.push(added.items[0]!.id)
  }
  const [a, b, c] = ids as [number, number, number]
  await engine.call('tasks.update', { selection: { ids: [a] }, startAt: null })
  await engine.call('tasks.retry', { selection: { ids: [b] } })
  await engine.call('tasks.force', { selection: { ids: [c] } })
  for (const id of ids) {
    const done = await engine.until(id, 'done', 'failed')
    expect(done).toMatchObject({ state: 'done', startAt: null })
  }
})

it('profiles change what holds by their times and by hand, at once and through jumps of the clock', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T09:00:00Z')
  await using engine = await startEngine({ clock, settings: { downloadsAtOnce: 2 } })
  const heard: ProfilesView['current'][] = []
  engine.engine.events.subscribe('profiles.changed', ({ current }) => heard.push(current), { visible: true })
  for (const n of [1, 2]) {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    server.fault(`/${n}.bin`, () => faults.stallAt(1000))
  }
  const day = { windows: '08:00-18:00', timeZone: 'utc', downloadsAtOnce: 1 }
  const set = await engine.call('profiles.set', { name: 'day', patch: day })
  const until = Date.parse('2026-11-26T18:00:00Z')
  expect(set.current).toEqual({ name: 'day', by: 'schedule', until })
  expect(set.effective.downloadsAtOnce).toBe(1)
  // What people set is still what the settings say.
  expect(await engine.call('settings.get')).toMatchObject({ downloadsAtOnce: 2 })
  const first = await engine.add(server.url('/1.bin'), PATIENT)
  const second = await engine.add(server.url('/2.bin'), PATIENT)
  await engine.untilTask(first, ({ writtenBytes }) => writtenBytes > 0)
  expect((await engine.get(second)).state).toBe('queued')

  expect((await engine.call('profiles.use', { name: 'full' })).current).toEqual({ name: 'full', by: 'hand', until })
  await engine.untilTask(second, ({ writtenBytes }) => writtenBytes > 0)
  // What was chosen until the schedule changes follows the schedule when that is edited.
  const edit = (windows: string) => engine.call('profiles.set', { name: 'day', patch: { windows } })
  expect((await edit('08:00-12:00')).current.until).toBe(Date.parse('2026-11-26T12:00:00Z'))
  expect((await edit('08:00-18:00')).current).toEqual({ name: 'full', by: 'hand', until })
  // The day ends, and with it what was chosen until then; the machine slept through the night.
  clock.jump(24 * HOUR)
  await expect.poll(() => heard.at(-1)?.name).toBe('day')
  expect(heard.at(-1)).toMatchObject({ by: 'schedule' })
  // A clock that is set back makes two hours no day.
  await engine.call('profiles.use', { name: 'calls', until: clock.now() + 2 * HOUR })
  clock.jump(-24 * HOUR)
  const left = async () => (await engine.call('profiles.list')).current.until! - clock.now()
  await expect.poll(left).toBeLessThanOrEqual(2 * HOUR)
  expect(await left()).toBeGreaterThan(HOUR)
  clock.jump(24 * HOUR)
  const calls = await engine.call('profiles.use', { name: 'calls', until: clock.now() + 2 * HOUR })
  expect(calls.current).toMatchObject({ name: 'calls', by: 'hand' })
  expect(calls.scheduled).toBe('day')
  await engine.stop()

  await using next = await startEngine({ from: engine, clock })
  expect((await next.call('profiles.list')).current).toMatchObject({ name: 'calls', by: 'hand' })
  expect((await next.call('profiles.use', { name: null })).current).toMatchObject({ name: 'day', by: 'schedule' })
  await expect(next.call('profiles.set', { name: 'day', patch: { timeZone: 'Mars/Olympus' } })).rejects.toThrow(
    'there is no time zone “Mars/Olympus”',
  )
})

it.each(['run', 'next', 'ask'] as const)('a window that passed while the machine slept: %s', async (missed) => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  const patch = { windows: '23:00-03:00', timeZone: 'UTC', missed }
  const { id: queueId } = await engine.call('queues.add', { name: 'Night', ...patch })
  const idle = await engine.call('queues.add', { ...patch, name: 'Idle', missed: 'ask' })
  server.add('/a.bin', { size: SIZE, seed: 1 })
  server.fault('/a.bin', () => faults.stallAt(1000))
  const items = [{ url: server.url('/a.bin') }]
  const id = (await engine.call('tasks.add', { items, options: PATIENT, queueId })).items[0]!.id
  const view = async () => (await engine.call('queues.list')).find((queue) => queue.id === queueId)!
  const asks = async () => (await engine.call('notices.list')).map(({ code, params }) => [code, params.queue])
  expect(await view()).toMatchObject({ hold: 'window', missedWindow: null })

  const before = clock.now()
  clock.jump(12 * HOUR)
  const [from, to] = [Date.parse('2026-11-26T23:00Z'), Date.parse('2026-11-27T03:00Z')]
  if (missed === 'run') {
    await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
    const made = await view()
    expect(made).toMatchObject({ hold: null, missedWindow: { from, to } })
    // As long as was lost, and not a moment longer.
    expect(made.missedWindow!.until! - (to - from)).toBeGreaterThan(before + 12 * HOUR - 1)
    expect(made.changesAt).toBe(made.missedWindow!.until)
    // Asleep again, it made up for nothing: four hours are still four hours.
    clock.jump(6 * HOUR)
    await expect
      .poll(async () => (await view()).missedWindow!.until! - made.missedWindow!.until!)
      .toBeGreaterThan(5.9 * HOUR)
    expect((await view()).missedWindow!.until! - clock.now()).toBeLessThanOrEqual(4 * HOUR)
    // Awake, and looking every four minutes.
    for (let minutes = 0; minutes <= 240; minutes += 4) {
      clock.jump(4 * 60_000)
      await engine.ticks(1)
    }
    await engine.until(id, 'queued')
    expect(await view()).toMatchObject({ hold: 'window', missedWindow: null })
  }
  if (missed === 'next') {
    // Something else happens, and still nothing starts.
    await engine.call('queues.update', { id: idle.id, patch: { weight: 2 } })
    expect(await view()).toMatchObject({ hold: 'window', missedWindow: null })
    expect(await asks()).toEqual([])
  }
  if (missed === 'ask') {
    await expect.poll(asks).toEqual([['window_missed', 'Night']])
    expect(await view()).toMatchObject({ hold: 'window', missedWindow: { from, to, until: null } })
    await engine.call('queues.makeUp', { id: queueId, decision: 'run' })
    await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
    expect(await asks()).toEqual([])
    await engine.call('queues.makeUp', { id: queueId, decision: 'next' })
    await engine.until(id, 'queued')
    const nothing = engine.call('queues.makeUp', { id: queueId, decision: 'run' })
    await expect(nothing).rejects.toMatchObject({ code: 'nothing_missed' })
  }
  // In its next window it works as ever.
  server.fault('/a.bin', null)
  clock.jump(((await view()).changesAt ?? 0) - clock.now() + 60_000)
  expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})

it('a window that passed while nothing was on is made up for after the start, until all is done; a question ends with the next window', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  const patch = { windows: '23:00-03:00', timeZone: 'UTC' }
  const ids: number[] = []
  for (const missed of ['run', 'ask'] as const) {
    const { id: queueId } = await engine.call('queues.add', { ...patch, name: missed, missed })
    server.add(`/${missed}.bin`, { size: SIZE, seed: 1 })
    const items = [{ url: server.url(`/${missed}.bin`) }]
    ids.push((await engine.call('tasks.add', { items, options: PATIENT, queueId })).items[0]!.id)
  }
  const [runs, asks] = ids as [number, number]
  await engine.stop()
  clock.jump(3 * 24 * HOUR)
  await using next = await startEngine({ from: engine, clock })
  expect((await next.until(runs, 'done', 'failed')).state).toBe('done')
  const queueOf = async (name: string) => (await next.call('queues.list')).find((queue) => queue.name === name)!
  await expect.poll(async () => (await queueOf('run')).missedWindow).toBeNull()
  expect(await queueOf('ask')).toMatchObject({ hold: 'window', missedWindow: { until: null } })
  expect(await next.call('notices.list')).toMatchObject([{ code: 'window_missed' }])
  clock.jump(((await queueOf('ask')).changesAt ?? 0) - clock.now() + 60_000)
  expect((await next.until(asks, 'done', 'failed')).state).toBe('done')
  await expect.poll(() => next.call('notices.list')).toEqual([])
})

it('a clock that is set back puts off no retry, running or not, and no start comes early or late by it', async () => {
  await using server = await startFaultServer()
  // A day fast, as machines are that lost their time.
  const clock = clockAt('2026-11-27T20:00:00Z')
  await using engine = await startEngine({ clock })
  for (const n of [1, 2, 3]) {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    server.fault(`/${n}.bin`, (_request, index) => (index === 0 ? faults.status(503, { 'retry-after': '300' }) : null))
  }
  const startAt = Date.parse('2026-11-27T23:00:00Z')
  const items = [{ url: server.url('/3.bin') }]
  const starts = (await engine.call('tasks.add', { items, options: PATIENT, startAt })).items[0]!.id
  const first = await engine.add(server.url('/1.bin'), PATIENT)
  await engine.until(first, 'waiting')
  await engine.ticks(1)
  clock.jump(-24 * HOUR)
  const { retryAt } = await engine.untilTask(first, ({ retryAt: at }) => at !== null && at - clock.now() < HOUR)
  expect(retryAt! - clock.now()).toBeGreaterThan(0)
  expect((await engine.until(first, 'done', 'failed')).state).toBe('done')
  expect(await engine.get(starts)).toMatchObject({ state: 'waiting', retryAt: startAt })

  const second = await engine.add(server.url('/2.bin'), PATIENT)
  await engine.until(second, 'waiting')
  await engine.stop()
  clock.jump(-3 * HOUR)
  await using next = await startEngine({ from: engine, clock })
  expect((await next.until(second, 'done', 'failed')).state).toBe('done')
  expect(await next.get(starts)).toMatchObject({ state: 'waiting', retryAt: startAt })
})

it('a profile bounds the connections to hosts with a rule of their own as well', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  await engine.call('hostRules.set', { pattern: '127.0.0.1', patch: { connections: 5 } })
  server.add('/a.bin', { size: 300_000, seed: 1 })
  server.fault('/a.bin', () => faults.slow(10_000))
  await engine.untilTask(await engine.add(server.url('/a.bin')), ({ state }) => state === 'active')
  const most = async () => (await engine.call('hosts.list')).map((host) => host.most)
  await expect.poll(most).toEqual([5])
  await engine.call('profiles.use', { name: 'calls' })
  expect(await most()).toEqual([2])
})

it('on wake the profile that holds by then holds before anything goes on', async () => {
  // No step of the clockwork comes meanwhile.
  const own = clockOfHaste(0.001)
  let offset = Date.parse('2026-11-26T22:30:00Z') - own.now()
  await using engine = await startEngine({ clock: { ...own, now: () => Math.floor(own.now() + offset) } })
  await engine.call('profiles.set', { name: 'calls', patch: { windows: '23:00-23:30', timeZone: 'UTC' } })
  await using server = await startFaultServer()
  server.add('/a.bin', { size: 300_000, seed: 1 })
  server.fault('/a.bin', () => faults.stallAt(1_000))
  await engine.untilTask(await engine.add(server.url('/a.bin')), ({ state }) => state === 'active')
  const most = async () => (await engine.call('hosts.list')).map((host) => host.most)
  await expect.poll(most).toEqual([6])
  offset += 35 * 60_000
  await engine.call('network.changed', { reason: 'wake' })
  await expect.poll(most).toEqual([2])
})
