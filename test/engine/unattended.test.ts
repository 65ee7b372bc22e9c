/** Downloads while nobody is there: the network goes away, hosts refuse, files change, and nobody answers. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { clockOfHaste, startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'

const SIZE = 300_000
const LARGE = 3_000_000

const isDone = async (engine: TestEngine, id: number, seed: number, size = SIZE) => {
  const done = await engine.until(id, 'done', 'failed')
  expect(done).toMatchObject({ state: 'done', error: null })
  expect((await readFile(done.path!)).equals(contentBytes(seed, 0, size))).toBe(true)
  return done
}

async function withServers(count: number, work: (servers: FaultServer[]) => Promise<void>): Promise<void> {
  const servers = await Promise.all(Array.from({ length: count }, () => startFaultServer()))
  try {
    await work(servers)
  } finally {
    for (const server of servers) await server.close()
  }
}

it('a line that is down costs no download a try, however few they have, and all go on when it is back', () =>
  withServers(3, async (servers) => {
    await using engine = await startEngine({ settings: { retries: 0, downloadsAtOnce: 6 } })
    const ids: number[] = []
    for (const [n, server] of servers.entries()) {
      server.add('/large.bin', { size: LARGE, seed: n })
      server.add('/next.bin', { size: SIZE, seed: 10 + n })
      server.fault('/large.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
      ids.push(await engine.add(server.url('/large.bin'), { connections: 1, timeoutMs: 3_600_000 }))
    }
    for (const id of ids) await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
    const up = await Promise.all(servers.map((server) => server.goDown()))
    // Whoever failed first, before it was clear, is excused as well.
    for (const id of ids) {
      const waiting = await engine.untilTask(id, ({ error }) => error?.code === 'network_away')
      expect(['waiting', 'queued']).toContain(waiting.state)
      expect(waiting).toMatchObject({ attempts: 0, error: { params: { reason: 'no_host_answers' } } })
      expect(waiting.strategy[0]!.code).toBe('waiting_for_network')
      expect(waiting.writtenBytes).toBeGreaterThanOrEqual(1_000_000)
    }
    const later = await engine.add(servers[0]!.url('/next.bin'))
    const before = await engine.untilTask(later, ({ strategy }) => strategy[0]?.code === 'waiting_for_network')
    expect(before.startedAt).toBeNull()
    for (const serve of up) await serve()
    for (const [n, id] of ids.entries()) await isDone(engine, id, n, LARGE)
    await isDone(engine, later, 10)
  }))

it('a network that this machine knows to be gone is waited for, and its return ends the wait at once', () =>
  withServers(1, async ([server]) => {
    // Slow enough that no probe is due meanwhile.
    await using engine = await startEngine({ clock: clockOfHaste(1) })
    server!.add('/a.bin', { size: SIZE, seed: 1 })
    await engine.call('network.changed', { reason: 'offline' })
    const id = await engine.add(server!.url('/a.bin'))
    expect((await engine.get(id)).strategy[0]!.code).toBe('waiting_for_network')
    expect(server!.requests).toHaveLength(0)
    await engine.call('network.changed', { reason: 'online' })
    await isDone(engine, id, 1)
  }))

it('a captive portal is seen through: partials are kept, nothing is left to be decided, and all go on after the login', () =>
  withServers(4, async ([portal, ...servers]) => {
    await using engine = await startEngine()
    const ids: number[] = []
    for (const [n, server] of servers.entries()) {
      server.add('/film.mkv', { size: LARGE, seed: n, contentType: 'video/x-matroska' })
      server.fault('/film.mkv', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
      ids.push(await engine.add(server.url('/film.mkv'), { connections: 1, timeoutMs: 3_600_000 }))
    }
    for (const id of ids) await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
    const selection = { ids }
    await engine.call('tasks.pause', { selection })
    portal!.add('/login', { size: 900, seed: 9, contentType: 'text/html' })
    for (const server of servers) server.fault('/film.mkv', () => faults.redirect(portal!.url('/login')))
    await engine.call('tasks.resume', { selection })
    for (const id of ids) {
      const waiting = await engine.untilTask(id, ({ error }) => error?.code === 'network_away')
      expect(waiting.error!.params).toEqual({ reason: 'captive_portal' })
      expect(waiting.writtenBytes).toBeGreaterThanOrEqual(1_000_000)
    }
    expect((await engine.call('tasks.list', {})).counts).toMatchObject({ changed: 0, failed: 0 })
    for (const server of servers) server.fault('/film.mkv', null)
    for (const [n, id] of ids.entries()) await isDone(engine, id, n, LARGE)
  }))

it('what failed for good comes once more at the end of its queue, and is given up when its chances are used', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 1, secondChances: 2, secondChanceMinutes: 1 } })
  for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/1.bin', (_request, index) => (index === 0 ? faults.status(404) : null))
  server.fault('/2.bin', () => faults.status(410))
  const ids = [1, 2, 3].map((n) => ({ url: server.url(`/${n}.bin`) }))
  const [first, gone, third] = (await engine.call('tasks.add', { items: ids })).items.map(({ id }) => id)
  const waiting = await engine.untilTask(first!, ({ state }) => state === 'waiting')
  expect(waiting).toMatchObject({ secondChances: 1, attempts: 0, error: { code: 'not_found' } })
  expect(waiting.strategy[0]).toMatchObject({ code: 'waiting_second_chance', params: { chance: 1 } })
  await isDone(engine, third!, 3)
  expect((await engine.call('tasks.list', {})).rows.map(({ id }) => id)[0]).toBe(third)
  await isDone(engine, first!, 1)
  const failed = await engine.until(gone!, 'failed', 'done')
  expect(failed).toMatchObject({ state: 'failed', secondChances: 2, error: { code: 'gone' } })
  expect(server.requests.filter(({ path }) => path === '/2.bin')).toHaveLength(3)
  // Whoever says “try again” gives it all of them again.
  await engine.call('tasks.retry', { selection: { ids: [gone!] } })
  expect(await engine.untilTask(gone!, ({ secondChances }) => secondChances === 1)).toMatchObject({ state: 'waiting' })
})

it('a host that was there and is away for hours is waited for, though it is the only one; one that never was is given up', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T23:00:00Z')
  await using engine = await startEngine({ clock, random: () => 0, settings: { secondChances: 1, retries: 2 } })
  for (const n of [1, 2, 3]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  await isDone(engine, await engine.add(server.url('/1.bin')), 1)
  for (const n of [2, 3]) server.fault(`/${n}.bin`, () => faults.closeImmediately('reset'))
  const ids = [await engine.add(server.url('/2.bin')), await engine.add(server.url('/3.bin'))]
  server.fault('/gone', () => faults.redirect('http://127.0.0.1:9/gone'))
  const never = [await engine.add('http://127.0.0.1:9/x'), await engine.add(server.url('/gone'))]
  const until = clock.now() + 5 * 3_600_000
  while (clock.now() < until) {
    clock.jump(10 * 60_000)
    await engine.ticks(1)
    for (const id of ids) expect((await engine.get(id)).state).not.toBe('failed')
  }
  for (const id of never) await engine.until(id, 'failed')
  for (const n of [2, 3]) server.fault(`/${n}.bin`, null)
  clock.jump(30 * 60_000)
  for (const [n, id] of ids.entries()) await isDone(engine, id, n + 2)
})

it('with one host in use, neither its silence nor a portal after it uses up a second chance, and the login ends the wait', () =>
  withServers(2, async ([server, portal]) => {
    const clock = clockAt('2026-11-26T23:00:00Z')
    await using engine = await startEngine({ clock, random: () => 0, settings: { secondChances: 1, retries: 1 } })
    for (const n of [1, 2]) server!.add(`/${n}.bin`, { size: SIZE, seed: n })
    portal!.add('/login', { size: 900, seed: 9, contentType: 'text/html' })
    await isDone(engine, await engine.add(server!.url('/1.bin')), 1)
    server!.fault('/2.bin', () => faults.closeImmediately('reset'))
    const id = await engine.add(server!.url('/2.bin'))
    const spend = async (minutes: number) => {
      for (let n = 0; n < minutes / 10; n++) {
        clock.jump(10 * 60_000)
        await engine.ticks(1)
        expect((await engine.get(id)).state).not.toBe('failed')
      }
    }
    await spend(60)
    await engine.untilTask(id, ({ state, error }) => state === 'waiting' && error?.code === 'connection_reset')
    server!.fault('/2.bin', () => faults.redirect(portal!.url('/login')))
    await spend(60)
    await engine.untilTask(id, ({ state, error }) => state === 'waiting' && error?.code === 'html_instead_of_file')
    // What the host itself then says still has its second chance.
    server!.fault('/2.bin', () => faults.status(404))
    clock.jump(30 * 60_000)
    await engine.untilTask(id, ({ state, error }) => state === 'waiting' && error?.code === 'not_found')
    server!.fault('/2.bin', null)
    clock.jump(30 * 60_000)
    await isDone(engine, id, 2)
  }))

it('a host that forbids one download after the other is left alone, and the others are had meanwhile', async () => {
  await using server = await startFaultServer()
  await using other = await startFaultServer()
  // Slow enough that its rest does not end meanwhile.
  await using engine = await startEngine({ clock: clockOfHaste(1), settings: { downloadsAtOnce: 2 } })
  const links = Array.from({ length: 20 }, (_, n) => server.url(`/${n}.bin`))
  for (let n = 0; n < 20; n++) {
    server.add(`/${n}.bin`, { size: SIZE, seed: n })
    server.fault(`/${n}.bin`, () => faults.status(403))
  }
  other.add('/x.bin', { size: SIZE, seed: 99 })
  const items = [...links, other.url('/x.bin')].map((url) => ({ url }))
  const ids = (await engine.call('tasks.add', { items })).items.map(({ id }) => id)
  await isDone(engine, ids.at(-1)!, 99)
  const { counts } = await engine.call('tasks.list', {})
  expect(counts.failed + counts.waiting + counts.queued).toBe(20)
  expect(server.requests.length).toBeLessThanOrEqual(7)
  const [host] = (await engine.call('hosts.list')).filter(({ complaint }) => complaint !== null)
  expect(host).toMatchObject({ complaint: { status: 403 }, allowed: 1 })
  expect(host!.notBefore).toBeGreaterThan(Date.now())
})

it('a file that changed while nobody answered is fetched under another name, and the partial stays', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { changedAfterMinutes: 1 } })
  server.add('/a.bin', { size: LARGE, seed: 1 })
  server.fault('/a.bin', (_request, index) => (index === 0 ? faults.stallAt(1_500_000) : null))
  const id = await engine.add(server.url('/a.bin'), { connections: 1, timeoutMs: 3_600_000 })
  await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
  server.add('/a.bin', { size: SIZE, seed: 2 })
  server.fault('/a.bin', null)
  server.disconnect()
  const kept = await engine.untilTask(id, ({ state }) => state === 'paused')
  expect(kept.error?.code).toBe('remote_changed')
  expect((await readFile(kept.partPath!)).subarray(0, 1_000_000).equals(contentBytes(1, 0, 1_000_000))).toBe(true)
  const { rows } = await engine.call('tasks.list', {})
  const fetched = rows.find((row) => row.id !== id)!
  expect((await isDone(engine, fetched.id, 2)).filename).toBe('a (1).bin')
  expect(rows).toHaveLength(2)
})

it('a host whose links lead to one that forbids is not left alone for it: what it leads to elsewhere comes', () =>
  withServers(3, async ([links, forbids, gives]) => {
    await using engine = await startEngine({ settings: { secondChances: 0 } })
    for (let n = 0; n < 7; n++) {
      links!.fault(`/${n}.bin`, () => faults.redirect(forbids!.url(`/${n}.bin`)))
      forbids!.fault(`/${n}.bin`, () => faults.status(403))
      const id = await engine.add(links!.url(`/${n}.bin`), { retries: 0 })
      const left = await engine.until(id, 'failed', 'waiting')
      // From the fifth on it is the host that forbids which is left alone.
      expect(left.error).toMatchObject({ params: { host: new URL(forbids!.origin).host } })
    }
    gives!.add('/good.bin', { size: SIZE, seed: 7 })
    links!.fault('/good.bin', () => faults.redirect(gives!.url('/good.bin')))
    await isDone(engine, await engine.add(links!.url('/good.bin')), 7)
  }))

it.each([401, 403, 404, 410])(
  'a link that expired overnight (%i) is resolved again through its original',
  async (code) => {
    await using link = await startFaultServer()
    await using cdn = await startFaultServer()
    await using engine = await startEngine({ settings: { retries: 0 } })
    for (const path of ['/evening.bin', '/morning.bin']) cdn.add(path, { size: LARGE, seed: 1 })
    link.fault('/a.bin', () => faults.redirect(cdn.url('/evening.bin')))
    cdn.fault('/evening.bin', () => faults.stallAt(1_500_000))
    const id = await engine.add(link.url('/a.bin'), { connections: 1, timeoutMs: 3_600_000 })
    await engine.untilTask(id, ({ writtenBytes }) => writtenBytes >= 1_000_000)
    await engine.stop()
    cdn.fault('/evening.bin', () => faults.status(code))
    link.fault('/a.bin', () => faults.redirect(cdn.url('/morning.bin')))
    await using next = await startEngine({ from: engine, settings: { retries: 0 } })
    await isDone(next, id, 1, LARGE)
    expect((await next.get(id)).resumedFromBytes).toBeGreaterThanOrEqual(1_000_000)
  },
)
