/** Downloads that repeat: when they run, what they skip, what they leave, and what they never touch. */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { expect, it } from 'vitest'
import type { RepeatRun, RepeatView } from '../../shared/repeats.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { clockAt } from '../helpers/jumping-clock.ts'

const SIZE = 50_000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const PATIENT = { timeoutMs: HOUR, connections: 1 }

const viewOf = async (engine: TestEngine, id: number): Promise<RepeatView> =>
  (await engine.call('repeats.list')).find((repeat) => repeat.id === id)!
/** Waits for a run that began after `since` and is over. */
async function ended(engine: TestEngine, id: number, since: number): Promise<RepeatRun> {
  const over = async () => {
    const { last, taskId } = await viewOf(engine, id)
    return last !== null && last.at >= since && last.result !== 'started' && (taskId === null || last.error !== null)
  }
  await expect.poll(over, { timeout: 20_000, interval: 10 }).toBe(true)
  return (await viewOf(engine, id)).last!
}
const files = async (engine: TestEngine) =>
  (await readdir(engine.folder)).filter((name) => !name.startsWith('.')).sort()

it('each night one file, called by its date; none where the server says it is the same; older ones go, but none that somebody changed', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  server.add('/dump.tar.gz', { size: SIZE, seed: 1 })
  const { id, nextAt } = await engine.call('repeats.add', {
    ...{ url: server.url('/dump.tar.gz'), when: 'daily 02:00', timeZone: 'UTC', options: PATIENT },
    keepLast: 2,
  })
  expect(nextAt).toBe(Date.parse('2026-11-27T02:00Z'))
  const night = async () => {
    const since = clock.now()
    const toNext = (await viewOf(engine, id)).nextAt! - since
    clock.jump(toNext)
    return ended(engine, id, since)
  }
  const forecast = async () => (await engine.call('schedule.forecast', { hours: 36 })).repeats
  const due = (iso: string) => ({ id, name: 'dump.tar.gz', queueId: 1, at: Date.parse(iso) })
  expect(await forecast()).toMatchObject([
    { ...due('2026-11-27T02:00Z'), startsAt: Date.parse('2026-11-27T02:00Z'), sizeKnown: false },
    due('2026-11-28T02:00Z'),
  ])
  const first = await night()
  expect((await forecast())[0]).toMatchObject({ ...due('2026-11-28T02:00Z'), bytes: SIZE, sizeKnown: true })
  expect(first).toMatchObject({ result: 'downloaded', deleted: [], kept: [] })
  expect(basename(first.path!)).toBe('dump 2026-11-27.tar.gz')
  expect(await readFile(first.path!)).toEqual(contentBytes(1, 0, SIZE))
  const asked = server.requests.length

  expect(await night()).toMatchObject({ result: 'unchanged', path: first.path })
  expect(server.requests.length).toBe(asked + 1)
  expect(server.requests.at(-1)).toMatchObject({ status: 304, headers: { 'if-none-match': '"1-50000"' } })

  for (const seed of [2, 3]) {
    server.add('/dump.tar.gz', { size: SIZE, seed })
    expect(await night()).toMatchObject({ result: 'downloaded' })
  }
  expect(await files(engine)).toEqual(['dump 2026-11-29.tar.gz', 'dump 2026-11-30.tar.gz'])
  expect((await engine.call('tasks.list', {})).total).toBe(2)
  const told = await engine.call('report.get', { from: Date.parse('2026-11-26T12:00Z'), to: clock.now() + HOUR })
  expect(told.repeats.map(({ repeatId, result, name, deleted }) => [repeatId, result, name, deleted])).toEqual([
    [id, 'downloaded', 'dump 2026-11-27.tar.gz', []],
    [id, 'unchanged', 'dump 2026-11-27.tar.gz', []],
    [id, 'downloaded', 'dump 2026-11-29.tar.gz', []],
    [id, 'downloaded', 'dump 2026-11-30.tar.gz', ['dump 2026-11-27.tar.gz']],
  ])
  expect(told.repeats.at(-1)!.nextAt).toBe((await viewOf(engine, id)).nextAt)
  expect(told.next).toMatchObject([{ code: 'repeat', count: 1, at: Date.parse('2026-12-01T02:00Z') }])
  // Somebody works in the oldest of them: as long as before, and yet another file.
  const edited = (await viewOf(engine, id)).results[1]!.path
  await writeFile(edited, Buffer.alloc(SIZE, 7))
  server.add('/dump.tar.gz', { size: SIZE, seed: 4 })
  expect(await night()).toMatchObject({ result: 'downloaded', deleted: [], kept: [edited] })
  expect(await files(engine)).toHaveLength(3)
  expect(await readFile(edited)).toEqual(Buffer.alloc(SIZE, 7))
})

it('on battery a run that is due asks for nothing, and is made up for with the mains', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock, settings: { onBattery: 'pause' } })
  server.add('/dump.tar.gz', { size: SIZE, seed: 1 })
  const { id, nextAt } = await engine.call('repeats.add', {
    ...{ url: server.url('/dump.tar.gz'), when: 'daily 02:00', timeZone: 'UTC', options: PATIENT },
  })
  await engine.call('power.changed', { source: 'battery' })
  clock.jump(nextAt! - clock.now())
  await engine.ticks(3)
  expect(server.requests).toEqual([])
  await engine.call('power.changed', { source: 'ac' })
  expect(await ended(engine, id, nextAt!)).toMatchObject({ result: 'downloaded' })
})

it('where a server has no validators, the bytes decide, and the double goes', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  const plain = { size: SIZE, etag: null, lastModified: null }
  server.add('/a.csv', { ...plain, seed: 1 })
  const url = server.url('/a.csv')
  const { id } = await engine.call('repeats.add', { url, when: 'daily 02:00', options: PATIENT, nameTemplate: 'a-{n}' })
  const run = async () => {
    const since = clock.now()
    await engine.call('repeats.run', { id })
    return ended(engine, id, since)
  }
  expect(await run()).toMatchObject({ result: 'downloaded' })
  const same = await run()
  expect(same).toMatchObject({ result: 'same', deleted: [expect.stringMatching(/a-2$/)] })
  expect(await files(engine)).toEqual(['a-1'])
  server.add('/a.csv', { ...plain, seed: 2 })
  expect(await run()).toMatchObject({ result: 'downloaded' })
  expect(await files(engine)).toEqual(['a-1', 'a-3'])
})

it('a request that is more than asking for a file is sent once a run', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/export', { size: SIZE, seed: 1 })
  const options = { ...PATIENT, method: 'POST' as const, body: { text: 'all' } }
  const url = server.url('/export')
  const { id } = await engine.call('repeats.add', { url, when: 'daily 02:00', options, nameTemplate: '{name}-{n}' })
  for (const result of ['downloaded', 'same']) {
    await engine.call('repeats.run', { id })
    await expect.poll(async () => (await viewOf(engine, id)).last?.result).toBe(result)
  }
  expect(server.requests.map(({ method, body }) => [method, body])).toEqual([
    ['POST', 'all'],
    ['POST', 'all'],
  ])
})

it('a host that wants to be left alone is not asked before whether the file has changed', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  for (const n of [1, 2]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/1.bin', (_request, index) => (index === 0 ? faults.status(429, { 'retry-after': '300' }) : null))
  const url = server.url('/2.bin')
  const { id } = await engine.call('repeats.add', { url, when: 'daily 02:00', options: PATIENT })
  const busy = await engine.add(server.url('/1.bin'), PATIENT)
  await engine.until(busy, 'waiting')
  const askedToWaitAt = clock.monotonic()
  await engine.call('repeats.run', { id })
  expect(server.requests).toHaveLength(1)
  await expect.poll(() => server.requests.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(1)
  expect(clock.monotonic() - askedToWaitAt).toBeGreaterThan(290_000)
  await ended(engine, id, 0)
  expect((await engine.until(busy, 'done', 'failed')).state).toBe('done')
})

it('a question whether a file has changed takes one of the places of its host, and its refusal is heard', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { connectionsPerHost: 1 } })
  for (const n of [1, 2]) server.add(`/${n}.bin`, { size: SIZE, seed: n })
  server.fault('/1.bin', (_request, index) => (index === 0 ? faults.stallAt(1000) : null))
  server.fault('/2.bin', (_request, index) => (index === 0 ? faults.status(429, { 'retry-after': '300' }) : null))
  const slow = await engine.add(server.url('/1.bin'), PATIENT)
  await server.until(() => server.held > 0)
  const { id } = await engine.call('repeats.add', { url: server.url('/2.bin'), when: 'daily 02:00', options: PATIENT })
  await engine.call('repeats.run', { id })
  expect(server.requests.map(({ path }) => path)).toEqual(['/1.bin'])
  server.release()
  await engine.until(slow, 'done')
  await expect
    .poll(async () => (await engine.call('hosts.list'))[0]?.complaint, { timeout: 20_000, interval: 5 })
    .toMatchObject({ status: 429 })
  await ended(engine, id, 0)
})

it('a host that refuses the question is asked again, rather than for the whole file', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/dump.bin', { size: SIZE, seed: 1 })
  const { id } = await engine.call('repeats.add', {
    url: server.url('/dump.bin'),
    when: 'daily 02:00',
    options: PATIENT,
  })
  const result = async () => (await viewOf(engine, id)).last?.result
  await engine.call('repeats.run', { id })
  await expect.poll(result, { timeout: 20_000, interval: 5 }).toBe('downloaded')
  const asked = server.requests.length
  server.fault('/dump.bin', (_request, index) => (index === asked ? faults.status(429, { 'retry-after': '20' }) : null))
  await engine.call('repeats.run', { id })
  await expect.poll(result, { timeout: 20_000, interval: 5 }).toBe('unchanged')
  expect(server.requests).toHaveLength(asked + 2)
})

it('is called by its link where a login page answers in place of its server', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/dump.tar.gz', { size: SIZE, seed: 1 })
  server.add('/portal/login', { size: 100, seed: 2 })
  server.fault('/dump.tar.gz', (_request, index) => (index === 0 ? faults.redirect('/portal/login') : null))
  server.fault('/portal/login', () => faults.html())
  const url = server.url('/dump.tar.gz')
  const { id } = await engine.call('repeats.add', {
    url,
    when: 'daily 02:00',
    options: PATIENT,
    nameTemplate: '{name}-{n}{ext}',
  })
  await engine.call('repeats.run', { id })
  const run = await ended(engine, id, 0)
  expect(basename(run.path!)).toBe('dump-1.tar.gz')
  expect(await readFile(run.path!)).toEqual(contentBytes(1, 0, SIZE))
})

it('a change of one option leaves the others as they are, passwords among them', async () => {
  await using engine = await startEngine()
  const url = 'http://me:s3cret@127.0.0.1:9/a'
  const { id } = await engine.call('repeats.add', { url, when: 'daily 02:00', options: { connections: 2 } })
  await engine.call('repeats.update', { id, patch: { options: { limitBytesPerSecond: 1000 } } })
  const { head } = await engine.call('list.export', { secrets: true })
  expect(head!.repeats).toMatchObject([
    { options: { user: 'me', password: 's3cret', connections: 2, limitBytesPerSecond: 1000 } },
  ])
})

it.each([
  ['run', 'downloaded'],
  ['next', 'skipped'],
] as const)('a run that was missed while nothing was on: %s', async (missed, result) => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  server.add('/a.bin', { size: SIZE, seed: 1 })
  const settings = { when: 'daily 02:00', timeZone: 'UTC', options: PATIENT, missed }
  const { id } = await engine.call('repeats.add', { url: server.url('/a.bin'), ...settings })
  await engine.stop()
  clock.jump(3 * DAY)
  const since = clock.now()
  await using next = await startEngine({ from: engine, clock })
  expect(await ended(next, id, since)).toMatchObject({ result })
  expect((await viewOf(next, id)).nextAt).toBe(Date.parse('2026-11-30T02:00Z'))
  expect(await next.call('notices.list')).toEqual([])
})

it('whoever wants to be asked is asked, and without an answer it runs', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  server.add('/a.bin', { size: SIZE, seed: 1 })
  const settings = { when: 'daily 02:00', timeZone: 'UTC', options: PATIENT, missed: 'ask' as const }
  const { id } = await engine.call('repeats.add', { url: server.url('/a.bin'), ...settings })
  const asks = async () => (await engine.call('notices.list')).map(({ code }) => code)
  clock.jump(12 * HOUR)
  await expect.poll(asks).toEqual(['repeat_missed'])
  expect(await engine.call('repeats.skip', { id })).toMatchObject({ askedUntil: null, last: { result: 'skipped' } })
  expect(await asks()).toEqual([])
  clock.jump(DAY)
  await expect.poll(asks).toEqual(['repeat_missed'])
  const since = clock.now()
  clock.jump(HOUR)
  expect(await ended(engine, id, since)).toMatchObject({ result: 'downloaded' })
  expect(await asks()).toEqual([])
})

it('a run that failed is tried again by the next, and a restart in the middle forgets nothing', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-26T20:00:00Z')
  await using engine = await startEngine({ clock })
  const url = server.url('/later.bin').replace('http://', 'http://someone:secret@')
  const { id, ...view } = await engine.call('repeats.add', { url, when: 'daily 02:00', options: PATIENT })
  expect(JSON.stringify(view)).not.toContain('secret')
  const since = clock.now()
  await engine.call('repeats.run', { id })
  expect(await ended(engine, id, since)).toMatchObject({ result: 'failed', error: { code: 'not_found' } })
  server.add('/later.bin', { size: SIZE, seed: 1 })
  await engine.call('repeats.run', { id })
  await engine.stop()

  await using next = await startEngine({ from: engine, clock })
  const done = await ended(next, id, clock.now() - 100 * HOUR)
  expect(['downloaded', 'failed']).toContain(done.result)
  await expect.poll(async () => (await viewOf(next, id)).last?.result).toBe('downloaded')
  expect((await next.call('tasks.list', {})).total).toBe(1)
  expect(await next.call('repeats.update', { id, patch: { paused: true } })).toMatchObject({ nextAt: null })
  expect(await next.call('repeats.remove', { id })).toEqual({ removed: true })
  await expect(next.call('repeats.run', { id })).rejects.toMatchObject({ code: 'repeat_not_found' })
  expect(existsSync((await next.call('tasks.get', { id: 1 })).path!)).toBe(true)
})
