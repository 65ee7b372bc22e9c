/** What happens when the work is done, and what the machine's power means for it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, sep } from 'node:path'
import { expect, it } from 'vitest'
import type { FileSystem } from '../../electron/engine/ports.ts'
import { saveReport } from '../../electron/report-files.ts'
import type { Contract } from '../../shared/contract.ts'
import { NightReport } from '../../shared/report.ts'
import type { EventNames, PayloadOf } from '../../shared/rpc.ts'
import { clockOfHaste, startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const SIZE = 300_000
/** At noon another night's report begins, which in the tests' haste may be in the middle of one. */
const EVENING = { clock: clockAt('2026-11-25T20:00:00Z'), timeZone: 'UTC' }
/** A busy machine must not look like a silent server. */
const LONG = { timeoutMs: 3_600_000 }

function hear<K extends EventNames<Contract>>(engine: TestEngine, name: K): PayloadOf<Contract, K>[] {
  const heard: PayloadOf<Contract, K>[] = []
  engine.engine.events.subscribe(name, (payload) => heard.push(payload), { visible: true })
  return heard
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('gave up waiting')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

it('a queue that is done says so once, runs its command with the facts, and posts them', async () => {
  await using server = await startFaultServer()
  const posts: { type: string | undefined; body: unknown }[] = []
  const hook = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      posts.push({ type: request.headers['content-type'], body: JSON.parse(text) })
      response.statusCode = posts.length === 1 ? 503 : 204
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await using engine = await startEngine({
    ...EVENING,
    saveReport: (night, contents, keep) => saveReport(engine.profile, night, contents, keep),
  })
  const told = hear(engine, 'work.done')
  const script = join(engine.profile, 'done.mjs')
  const out = join(engine.profile, 'told.json')
  await writeFile(
    script,
    `import { writeFileSync } from 'node:fs'
     const mine = Object.entries(process.env).filter(([name]) => name.startsWith('NIGHTHAUL_'))
     writeFileSync(${JSON.stringify(out)}, JSON.stringify({ env: Object.fromEntries(mine), args: process.argv.slice(2) }))`,
  )
  try {
    const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook?token=secret`
    const queue = await engine.call('queues.add', {
      name: 'Night',
      whenDone: [
        { kind: 'notify' },
        { kind: 'command', program: process.execPath, args: [script, '; rm -rf $HOME', '"'] },
        { kind: 'webhook', url },
      ],
    })
    for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
    server.fault('/3.bin', () => faults.status(404))
    const items = [1, 2, 3].map((n) => ({ url: server.url(`/${n}.bin`) }))
    const { items: added } = await engine.call('tasks.add', { items, queueId: queue.id })
    for (const { id } of added) await engine.until(id, 'done', 'failed')
    await until(() => posts.length === 2)
    const facts = { done: 2, failed: 1, left: 0, bytes: 2 * SIZE }
    expect(told).toMatchObject([{ queue: 'Night', ...facts }])
    expect(posts[1]).toMatchObject({
      type: 'application/json',
      body: { event: 'queue-done', queue: { id: queue.id, name: 'Night' }, ...facts },
    })
    const { env, args } = JSON.parse(await readFile(out, 'utf8'))
    expect(args).toEqual(['; rm -rf $HOME', '"'])
    expect(env).toMatchObject({
      NIGHTHAUL_EVENT: 'queue-done',
      NIGHTHAUL_QUEUE: 'Night',
      NIGHTHAUL_DONE: '2',
      NIGHTHAUL_FAILED: '1',
      NIGHTHAUL_BYTES: String(2 * SIZE),
    })
    const written = async () => NightReport.parse(JSON.parse(await readFile(env.NIGHTHAUL_REPORT, 'utf8')))
    expect((await written()).totals).toMatchObject({ finished: 2, failed: 1 })
    // How these ended is a part of it in the end.
    await until(async () => (await written()).done.length === 2)
    expect((await written()).done.map(({ code, ok, params }) => [code, ok, params.exitCode ?? params.status])).toEqual([
      ['command', true, 0],
      ['webhook', true, 204],
    ])
    expect(JSON.stringify(await written())).not.toContain('secret')
    expect(env.NIGHTHAUL_FILES.split('\n').sort()).toEqual([1, 2].map((n) => join(engine.folder, `${n}.bin`)))
    expect(await engine.call('notices.list')).toMatchObject([
      { code: 'queue_done', params: { queue: 'Night', done: 2, failed: 1 } },
    ])
  } finally {
    hook.close()
  }
})

it('a command or a webhook that fails is told, without what its address may hold, and stops nothing', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine(EVENING)
  const acts = hear(engine, 'machine.act')
  await engine.call('settings.set', {
    countdownSeconds: 5,
    whenDone: [
      { kind: 'command', program: join(engine.profile, 'no-such-program') },
      { kind: 'webhook', url: 'http://127.0.0.1:9/hook?token=secret' },
      { kind: 'quit' },
    ],
  })
  server.add('/a.bin', { size: SIZE, seed: 1 })
  await engine.add(server.url('/a.bin'))
  await until(() => acts.length > 0)
  expect(acts).toEqual([{ action: 'quit' }])
  const notices = await engine.call('notices.list')
  expect(notices.map(({ code }) => code).sort()).toEqual(['done_command_failed', 'done_webhook_failed'])
  expect(JSON.stringify(notices)).not.toContain('secret')
  const { done } = await engine.call('report.get', { night: 'last' })
  expect(done.map(({ code, ok }) => [code, ok])).toEqual([
    ['command', false],
    ['webhook', false],
  ])
  expect(JSON.stringify(done)).not.toContain('secret')
})

it('the machine is not turned off while files are moved', async () => {
  await using server = await startFaultServer()
  for (const n of [1, 2]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  const real = createSpyFileSystem()
  const begun = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const fs: FileSystem = {
    ...real,
    async renameExclusive(from, to) {
      if (to.includes('shelf')) {
        begun.resolve()
        await held.promise
      }
      return real.renameExclusive(from, to)
    },
  }
  await using engine = await startEngine({
    clock: clockOfHaste(10),
    fs,
    settings: { inhibitSleep: true, countdownSeconds: 5 },
  })
  const acts = hear(engine, 'machine.act')
  const done = hear(engine, 'work.done')
  const night = await engine.call('queues.add', { name: 'Night', whenDone: [{ kind: 'notify' }, { kind: 'sleep' }] })
  const first = await engine.add(server.url('/1.bin'))
  await engine.until(first, 'done')
  const moving = engine.call('tasks.move', {
    ids: [first],
    to: join(engine.profile, 'shelf') + sep,
    alreadyThere: false,
  })
  await begun.promise
  const { items } = await engine.call('tasks.add', { items: [{ url: server.url('/2.bin') }], queueId: night.id })
  await engine.until(items[0]!.id, 'done')
  await until(() => done.some(({ queue }) => queue === 'Night'))
  await until(async () => (await engine.call('activity.get')).keepAwake)
  expect(await engine.call('countdown.get')).toBeNull()
  held.resolve()
  expect((await moving).failed).toEqual([])
  await until(() => acts.length > 0)
  expect(acts).toEqual([{ action: 'sleep' }])
})

it('the machine is turned off after a countdown that can be called off, and never under other downloads', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: clockOfHaste(10) })
  const acts = hear(engine, 'machine.act')
  const countdowns = hear(engine, 'countdown.changed')
  const night = await engine.call('queues.add', { name: 'Night', whenDone: [{ kind: 'sleep' }, { kind: 'shutdown' }] })
  for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/2.bin', (_request, index) => (index === 0 ? faults.stallAt(1000) : null))
  const patient = { timeoutMs: 3_600_000 }
  const other = await engine.add(server.url('/2.bin'), patient)
  await engine.untilTask(other, ({ writtenBytes }) => writtenBytes > 0 || server.held > 0)
  const one = await engine.call('tasks.add', { items: [{ url: server.url('/1.bin') }], queueId: night.id })
  await engine.until(one.items[0]!.id, 'done')
  // The other queue still works: the countdown waits for it.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await engine.call('countdown.get')).toBeNull()
  server.release()
  await engine.until(other, 'done')
  await until(() => countdowns.length > 0)
  expect(await engine.call('countdown.get')).toMatchObject({ action: 'shutdown', queue: 'Night' })
  expect(await engine.call('activity.get')).toMatchObject({ working: true })
  expect(await engine.call('countdown.cancel')).toEqual({ cancelled: true })
  expect(await engine.call('countdown.cancel')).toEqual({ cancelled: false })
  expect(countdowns.at(-1)).toBeNull()

  await engine.call('settings.set', { countdownSeconds: 5 })
  const two = await engine.call('tasks.add', { items: [{ url: server.url('/3.bin') }], queueId: night.id })
  await engine.until(two.items[0]!.id, 'done')
  await until(() => acts.length > 0)
  expect(acts).toEqual([{ action: 'shutdown' }])
})

it('nothing happens where nothing was done: at the start, nor when the rest is paused or removed by hand', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { whenDone: [{ kind: 'notify' }] } })
  const told = hear(engine, 'work.done')
  for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/1.bin', () => faults.stallAt(1000))
  const options = { timeoutMs: 3_600_000 }
  const first = await engine.add(server.url('/1.bin'), options)
  await engine.untilTask(first, ({ state }) => state === 'active')
  await server.until(() => server.held > 0)
  await engine.call('tasks.pause', { selection: { ids: [first] } })
  await engine.until(first, 'paused')
  const ticks = hear(engine, 'throughput.tick')
  await until(() => ticks.length > 5)
  expect(told).toEqual([])
  server.fault('/1.bin', null)
  await engine.call('tasks.resume', { selection: { ids: [first] } })
  await engine.until(first, 'done')
  await until(() => told.length > 0)
  expect(told).toMatchObject([{ queue: null, done: 1, failed: 0 }])
})

it('a queue that is removed does nothing when done, and its downloads count for the one they are in then', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  const told = hear(engine, 'work.done')
  const [own] = await engine.call('queues.list')
  await engine.call('queues.update', { id: own!.id, patch: { whenDone: [{ kind: 'notify' }] } })
  const { id: queueId } = await engine.call('queues.add', { name: 'Gone' })
  for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/2.bin', (_request, index) => (index === 0 ? faults.stallAt(1000) : null))
  const add = async (n: number, how: { queueId?: number; startAt?: number }) =>
    (await engine.call('tasks.add', { items: [{ url: server.url(`/${n}.bin`) }], options: LONG, ...how })).items[0]!.id
  await engine.until(await add(1, { queueId }), 'done')
  const second = await add(2, { queueId })
  await server.until(() => server.held > 0)
  const third = await add(3, { startAt: Date.now() + 10_000_000_000 })
  await engine.call('queues.remove', { id: queueId })
  server.release()
  await engine.until(second, 'done')
  await engine.ticks(5)
  expect(told).toEqual([])
  await engine.call('tasks.update', { selection: { ids: [third] }, startAt: null })
  await engine.until(third, 'done')
  await until(() => told.length > 0)
  expect(told).toMatchObject([{ queue: own!.name, done: 2 }])
})

it('the machine stays on for what begins later in the night, and not for what begins on another day', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock, settings: { countdownSeconds: 5 } })
  const acts = hear(engine, 'machine.act')
  const queue = async (name: string, patch: object) => (await engine.call('queues.add', { name, ...patch })).id
  const early = await queue('Early', { whenDone: [{ kind: 'shutdown' }] })
  const late = await queue('Late', { windows: '23:00-03:00', timeZone: 'UTC' })
  const weekend = await queue('Weekend', { windows: 'Sat 12:00-18:00', timeZone: 'UTC' })
  const ids: number[] = []
  for (const [n, queueId] of [late, weekend, early].entries()) {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    const { items } = await engine.call('tasks.add', {
      items: [{ url: server.url(`/${n}.bin`) }],
      options: LONG,
      queueId,
    })
    ids.push(items[0]!.id)
  }
  await engine.until(ids[2]!, 'done')
  await engine.ticks(10)
  expect(await engine.call('countdown.get')).toBeNull()
  expect(acts).toEqual([])
  clock.jump(3 * 3_600_000)
  await engine.until(ids[0]!, 'done')
  await until(() => acts.length > 0)
  expect(acts).toEqual([{ action: 'shutdown' }])
  expect(await engine.get(ids[1]!)).toMatchObject({ state: 'queued' })
})

it('on battery downloads wait or slow down as set, forced ones run, and all go on with the mains', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { onBattery: 'pause', inhibitSleep: true } })
  const activity = hear(engine, 'activity.changed')
  server.add('/a.bin', { size: 3_000_000, seed: 1 })
  server.add('/b.bin', { size: SIZE, seed: 2 })
  server.fault('/a.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
  const id = await engine.add(server.url('/a.bin'), { timeoutMs: 3_600_000, connections: 1 })
  await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
  await until(() => activity.at(-1)?.keepAwake === true)
  await engine.call('power.changed', { source: 'battery' })
  const held = await engine.untilTask(id, ({ state }) => state === 'queued')
  expect(held.writtenBytes).toBeGreaterThanOrEqual(1_000_000)
  expect(held.strategy[0]).toEqual({ code: 'waiting_for_power', params: {} })
  expect((await engine.call('queues.list'))[0]).toMatchObject({ hold: 'battery' })
  const urgent = await engine.add(server.url('/b.bin'))
  await engine.call('tasks.force', { selection: { ids: [urgent] } })
  await engine.until(urgent, 'done')
  await until(() => activity.at(-1)?.working === false)
  await engine.call('power.changed', { source: 'ac' })
  expect((await engine.until(id, 'done', 'failed')).state).toBe('done')

  await engine.call('settings.set', { onBattery: 'limit', batteryLimitBytesPerSecond: 5_000 })
  await engine.call('power.changed', { source: 'battery' })
  server.add('/slow.bin', { size: 3_000_000, seed: 3 })
  const slow = await engine.add(server.url('/slow.bin'))
  const running = await engine.untilTask(slow, ({ strategy }) =>
    strategy.some(({ code }) => code === 'speed_limit_all'),
  )
  expect(running.strategy).toContainEqual({ code: 'speed_limit_all', params: { bytesPerSecond: 5_000 } })
})

it('what is to happen when done does not leave with a list, and none comes in with one', async () => {
  await using engine = await startEngine()
  await mkdir(engine.folder, { recursive: true })
  const whenDone = [{ kind: 'command' as const, program: '/bin/true', args: [] }]
  await engine.call('settings.set', { whenDone, inhibitSleep: true })
  const { head } = await engine.call('list.export', {})
  expect(head!.settings).toMatchObject({ inhibitSleep: true })
  expect(head!.settings).not.toHaveProperty('whenDone')
  await using other = await startEngine()
  const text = JSON.stringify({ ...head, settings: { whenDone }, tasks: [] })
  const result = await other.call('list.import', { text })
  expect(result.refused).toMatchObject([{ what: 'setting' }])
  expect((await other.call('settings.get')).whenDone).toEqual([])
})
