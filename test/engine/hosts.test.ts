/** What hosts ask for is obeyed by all tasks, and one quiet host never holds up the others. */
import { describe, expect, it } from 'vitest'
import { hastyClock, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 300_000

it('Retry-After keeps every task away from that host, outside the places for downloads, without costing tries', async () => {
  await using quiet = await startFaultServer()
  await using other = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 2 } })
  for (const n of [1, 2, 3]) quiet.add(`/${n}.bin`, { size: SIZE, seed: n })
  quiet.fault('/1.bin', (_request, index) => (index === 0 ? faults.retryAfter(100) : null))
  const first = await engine.add(quiet.url('/1.bin'), { retries: 1 })
  await engine.until(first, 'waiting')
  const asked = quiet.requests.length
  const later = [
    await engine.add(quiet.url('/2.bin'), { retries: 0 }),
    await engine.add(quiet.url('/3.bin'), { retries: 0 }),
  ]
  for (const id of later) {
    const task = await engine.untilTask(id, ({ strategy }) => strategy[0]?.code === 'waiting_retry_after')
    expect(task).toMatchObject({ state: 'queued', error: null, attempts: 0 })
  }
  // The places are free for another host, and nothing was asked of the quiet one.
  other.add('/x.bin', { size: SIZE, seed: 9 })
  expect((await engine.until(await engine.add(other.url('/x.bin')), 'done', 'failed')).state).toBe('done')
  expect(quiet.requests.length).toBe(asked)
  // (100 s pass in one, by the hasty clock.)
  for (const id of [first, ...later]) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})

const hostOf = (server: { origin: string }) => new URL(server.origin).host

describe('Retry-After', () => {
  it.each([
    ['seconds', 429, () => 50],
    ['a date', 429, () => new Date(hastyClock.now() + 50_000)],
    ['seconds', 503, () => 50],
    ['a date', 503, () => new Date(hastyClock.now() + 50_000)],
  ])('as %s with %i is obeyed, and shown with the host', async (_form, status, after) => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/a.bin', { size: SIZE, seed: 1 })
    server.fault('/a.bin', (_request, index) => (index === 0 ? faults.retryAfter(after(), status) : null))
    const id = await engine.add(server.url('/a.bin'), { retries: 1 })
    const task = await engine.until(id, 'waiting', 'done', 'failed')
    expect(task.state).toBe('waiting')
    const [host] = await engine.call('hosts.list')
    expect(host).toMatchObject({ host: hostOf(server), allowed: 3, most: 6, complaint: { status, count: 1 } })
    // (A date has whole seconds, and the hasty clock takes steps of a tenth; some of the wait is over already.)
    expect(host!.notBefore! - host!.complaint!.at).toBeGreaterThan(40_000)
    expect(host!.notBefore! - host!.complaint!.at).toBeLessThan(51_000)
    expect(task.retryAt).toBeGreaterThan(host!.notBefore! - 1_000)
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  })

  it('of the host that a redirect led to holds for that host, not for the one of the link', async () => {
    await using home = await startFaultServer()
    await using target = await startFaultServer()
    await using engine = await startEngine()
    home.fault('/a.bin', () => faults.redirect(target.url('/b.bin')))
    home.add('/c.bin', { size: SIZE, seed: 2 })
    target.add('/b.bin', { size: SIZE, seed: 1 })
    target.fault('/b.bin', () => faults.retryAfter(3600))
    const id = await engine.add(home.url('/a.bin'), { retries: 1 })
    await engine.until(id, 'waiting', 'failed', 'done')
    const hosts = await engine.call('hosts.list')
    expect(hosts.map(({ host, notBefore }) => [host, notBefore !== null])).toEqual([[hostOf(target), true]])
    expect((await engine.until(await engine.add(home.url('/c.bin')), 'done', 'failed')).state).toBe('done')
  })
})

describe('what a host was seen to take', () => {
  it('is remembered by the next process, which leaves it alone until the time has come', async () => {
    await using server = await startFaultServer()
    server.add('/a.bin', { size: SIZE, seed: 1 })
    server.add('/b.bin', { size: SIZE, seed: 1 })
    server.fault('/a.bin', () => faults.retryAfter(20_000))
    await using first = await startEngine()
    const id = await first.add(server.url('/a.bin'), { retries: 1 })
    await first.until(id, 'waiting', 'failed', 'done')
    await first.stop()

    await using second = await startEngine({ from: first })
    expect(await second.call('hosts.list')).toMatchObject([
      { host: hostOf(server), connections: 0, allowed: 3, complaint: { status: 429, count: 1 } },
    ])
    const other = await second.add(server.url('/b.bin'), { retries: 1 })
    const waiting = await second.untilTask(other, ({ strategy }) => strategy[0]?.code === 'waiting_retry_after')
    expect(waiting).toMatchObject({ state: 'queued', attempts: 0 })
    expect(server.requests).toHaveLength(1)
    // Told to forget, it asks again.
    expect(await second.call('hosts.forget', { host: hostOf(server) })).toEqual({ forgotten: true })
    expect(await second.call('hosts.list')).toEqual([])
    expect((await second.until(other, 'done', 'failed')).state).toBe('done')
  })
})

describe('a rule for a host', () => {
  it('bounds the connections of all downloads from it, also when it is set while they run', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    await engine.call('hostRules.set', { pattern: hostOf(server), patch: { connections: 1 } })
    for (const path of ['/a.bin', '/b.bin'])
      server.add(path, { size: 40 * SIZE, seed: 1, rateBytesPerSecond: 40 * SIZE })
    const ids = [await engine.add(server.url('/a.bin')), await engine.add(server.url('/b.bin'))]
    await engine.untilTask(ids[0]!, (task) => task.writtenBytes > 0)
    expect(server.connections.mostOpen).toBe(1)
    const [host] = await engine.call('hosts.list')
    expect(host).toMatchObject({ connections: 1, most: 1, patterns: [hostOf(server)] })
    await engine.call('hostRules.remove', { pattern: hostOf(server) })
    for (const id of ids) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(server.connections.mostOpen).toBeGreaterThan(1)
  })

  it('sends its headers and login to hosts that match, and not where those lead', async () => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using engine = await startEngine({ settings: { userAgent: 'ours' } })
    const secret = 'top-secret'
    await engine.call('hostRules.set', {
      pattern: hostOf(home),
      patch: {
        headers: [['X-Key', secret]],
        user: 'me',
        password: secret,
        userAgent: 'theirs',
        referer: 'https://r.example/',
      },
    })
    home.fault('/a.bin', () => faults.redirect(other.url('/b.bin')))
    other.add('/b.bin', { size: SIZE, seed: 1 })
    expect((await engine.until(await engine.add(home.url('/a.bin')), 'done', 'failed')).state).toBe('done')
    const basic = `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`
    for (const { headers } of home.requests)
      expect(headers).toMatchObject({
        'x-key': secret,
        authorization: basic,
        'user-agent': 'theirs',
        referer: 'https://r.example/',
      })
    expect(other.requests.length).toBeGreaterThan(0)
    for (const { headers } of other.requests) {
      expect(headers['user-agent']).toBe('ours')
      expect(JSON.stringify(headers)).not.toMatch(/top-secret|Basic|r\.example/)
    }
    // Nor does any of it come back out.
    expect(JSON.stringify(await engine.call('hostRules.list'))).not.toContain(secret)
  })

  it('gives way to what the download itself says', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    await engine.call('hostRules.set', {
      pattern: hostOf(server),
      patch: {
        headers: [
          ['X-Key', 'rule'],
          ['X-Other', 'rule'],
        ],
        user: 'rule',
        password: 'rule',
      },
    })
    server.add('/a.bin', { size: SIZE, seed: 1 })
    const options = { headers: [['x-key', 'task']] as [string, string][], user: 'task', password: 'task' }
    expect((await engine.until(await engine.add(server.url('/a.bin'), options), 'done', 'failed')).state).toBe('done')
    expect(server.requests[0]!.headers).toMatchObject({
      'x-key': 'task',
      'x-other': 'rule',
      authorization: `Basic ${Buffer.from('task:task').toString('base64')}`,
    })
  })

  it('spaces requests of all downloads by the engine’s clock', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ settings: { downloadsAtOnce: 8 } })
    await engine.call('hostRules.set', { pattern: hostOf(server), patch: { spacingMs: 10_000 } })
    const from = hastyClock.monotonic()
    const ids: number[] = []
    for (let n = 0; n < 4; n++) {
      server.add(`/${n}.bin`, { size: 1000, seed: n })
      ids.push(await engine.add(server.url(`/${n}.bin`)))
    }
    for (const id of ids) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(hastyClock.monotonic() - from).toBeGreaterThanOrEqual(3 * 10_000)
  })

  it('that would say nothing, or is about no host, is refused and nothing changes', async () => {
    await using engine = await startEngine()
    const set = (pattern: string, patch: object) => engine.call('hostRules.set', { pattern, patch })
    await set('a.example', { connections: 2 })
    await expect(set('b.example', {})).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(set('a.example', { connections: null })).rejects.toMatchObject({ code: 'invalid_input' })
    expect(await engine.call('hostRules.list')).toEqual([{ pattern: 'a.example', connections: 2, hasPassword: false }])
    expect(await engine.call('hostRules.remove', { pattern: 'a.example' })).toEqual({ removed: true })
    expect(await engine.call('hostRules.remove', { pattern: 'a.example' })).toEqual({ removed: false })
  })
})
