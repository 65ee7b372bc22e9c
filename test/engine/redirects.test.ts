/** Redirects through a whole engine: what may be sent where, for every segment and after every resume. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { hastyClock, PATIENT, startEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
const SIZE = 6 * MIB + 99
const SECRET = 'geheim'
const SECRETS = ['authorization', 'cookie', 'x-api-key', 'proxy-authorization']
const options = {
  user: 'me',
  password: SECRET,
  cookies: `127.0.0.1\tFALSE\t/only-home\tFALSE\t0\tsession\t${SECRET}\n`,
  headers: [['X-Api-Key', SECRET]] as [string, string][],
  proxy: '',
  retries: 3,
}

const secretsIn = (server: FaultServer) =>
  server.requests.flatMap(({ headers }) => SECRETS.filter((name) => headers[name] !== undefined))

describe('redirects', () => {
  it('take no secret to another origin: not with the first request, not with any segment, not on resume', async () => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using engine = await startEngine()
    home.fault('/only-home/start', () => faults.redirect(other.url('/file.bin?token=1')))
    other.add('/file.bin', { size: SIZE, seed: 3, rateBytesPerSecond: 4 * MIB })
    const id = await engine.add(home.url('/only-home/start'), { ...options, connections: 4 })
    await engine.untilTask(id, (task) => task.connections > 1 && task.writtenBytes > MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
    const before = other.requests.length
    other.add('/file.bin', { size: SIZE, seed: 3 })
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const task = await engine.until(id, 'done', 'failed', 'changed')
    expect(task).toMatchObject({ state: 'done', finalUrl: other.url('/file.bin?token=1') })
    expect((await readFile(task.path!)).equals(contentBytes(3, 0, SIZE))).toBe(true)
    expect(before).toBeGreaterThan(1)
    expect(other.requests.length).toBeGreaterThan(before)
    expect(secretsIn(other)).toEqual([])
    for (const { headers } of home.requests)
      expect(headers).toMatchObject({ 'x-api-key': SECRET, cookie: `session=${SECRET}` })
    // the link itself was asked once: segments and the resume went to where it led
    expect(home.requests).toHaveLength(1)
  })

  it('wait for a place at the host they lead to, before they go there', async () => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using engine = await startEngine()
    await engine.call('hostRules.set', { pattern: new URL(other.url('/')).host, patch: { connections: 1 } })
    const ids: number[] = []
    for (const n of [1, 2, 3]) {
      home.fault(`/${n}`, () => faults.redirect(other.url(`/${n}.bin`)))
      other.add(`/${n}.bin`, { size: SIZE, seed: n, rateBytesPerSecond: 64 * MIB })
      ids.push(await engine.add(home.url(`/${n}`), { connections: 2 }))
    }
    for (const id of ids) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(other.connections.mostOpen).toBe(1)
  })

  it('to a host without room leave their places to those that lead elsewhere', async () => {
    await using home = await startFaultServer()
    await using slow = await startFaultServer()
    await using quick = await startFaultServer()
    await using engine = await startEngine({ settings: { ...PATIENT, downloadsAtOnce: 2 } })
    await engine.call('hostRules.set', { pattern: new URL(slow.url('/')).host, patch: { connections: 1 } })
    const add = async (path: string, server: typeof slow) => {
      home.fault(path, () => faults.redirect(server.url(path)))
      server.add(path, { size: 1000, seed: 1 })
      return engine.add(home.url(path))
    }
    slow.fault('/s0', () => faults.stallAt(100))
    const held = await Promise.all(['/s0', '/s1', '/s2', '/s3', '/s4'].map((path) => add(path, slow)))
    const others = await Promise.all(['/q0', '/q1', '/q2', '/q3', '/q4'].map((path) => add(path, quick)))
    for (const id of others) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect((await engine.get(held[0]!)).state).toBe('active')
    for (const id of held.slice(1)) expect(await engine.get(id)).toMatchObject({ state: 'queued', attempts: 0 })
    const { strategy } = await engine.get(held[1]!)
    const { host } = new URL(slow.url('/'))
    expect(strategy[0]).toEqual({ code: 'waiting_for_host', params: { host, connections: 1 } })
    slow.release()
    for (const id of held) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(slow.connections.mostOpen).toBe(1)
    // Where each leads is found out once, and asked again when its turn has come.
    expect(home.requests.length).toBeLessThanOrEqual(2 * held.length + others.length)
  })

  it('are good answers: a host of links that asks for a pause now and then is not left alone for ever longer', async () => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using engine = await startEngine({ settings: { ...PATIENT, downloadsAtOnce: 1 } })
    const { host } = new URL(home.url('/'))
    const pauses: number[] = []
    for (const path of ['/1', '/2', '/3', '/4', '/5', '/6']) {
      home.fault(path, (_request, index) =>
        index === 0 ? faults.status(429, { 'Retry-After': '1' }) : faults.redirect(other.url(path)),
      )
      other.add(path, { size: 1000, seed: 1 })
      const id = await engine.add(home.url(path))
      await engine.untilTask(id, ({ retryAt }) => retryAt !== null)
      const { notBefore } = (await engine.call('hosts.list')).find((known) => known.host === host)!
      pauses.push((notBefore ?? 0) - hastyClock.now())
      expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    }
    // A storm of refusals would be left alone for a minute, and twice as long each further time.
    expect(Math.max(...pauses)).toBeLessThan(30_000)
  })

  it('within the origin keep the secrets, for every segment and on resume', async () => {
    await using home = await startFaultServer()
    await using engine = await startEngine()
    home.fault('/start', () => faults.redirect('/file.bin'))
    home.add('/file.bin', { size: SIZE, seed: 3, rateBytesPerSecond: 4 * MIB })
    const id = await engine.add(home.url('/start'), { ...options, connections: 3 })
    await engine.untilTask(id, (task) => task.connections > 1 && task.writtenBytes > MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(home.requests.length).toBeGreaterThan(3)
    for (const { headers } of home.requests)
      expect(headers).toMatchObject({ authorization: expect.stringMatching(/^Basic /), 'x-api-key': SECRET })
  })

  it.each([
    ['403', () => faults.status(403)],
    ['404', () => faults.status(404)],
    ['410', () => faults.status(410)],
    ['a web page', () => faults.html()],
  ])(
    'to a place that expired (%s) are resolved again through the link, and the partial goes on',
    async (_name, expired) => {
      await using home = await startFaultServer()
      await using other = await startFaultServer()
      await using engine = await startEngine()
      let token = 1
      home.fault('/start', () => faults.redirect(other.url(`/token-${token}/file.bin`)))
      for (const n of [1, 2]) other.add(`/token-${n}/file.bin`, { size: SIZE, seed: 3, etag: '"same"' })
      other.fault('/token-1/file.bin', () => faults.stallAt(2 * MIB))
      const id = await engine.add(home.url('/start'), { ...options, connections: 1 })
      await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
      await engine.call('tasks.pause', { selection: { ids: [id] } })
      await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
      token = 2
      other.fault('/token-1/file.bin', expired)
      await engine.call('tasks.resume', { selection: { ids: [id] } })
      const task = await engine.until(id, 'done', 'failed', 'changed')
      expect(task).toMatchObject({
        state: 'done',
        resumedFromBytes: 2 * MIB,
        finalUrl: other.url('/token-2/file.bin'),
      })
      expect((await readFile(task.path!)).equals(contentBytes(3, 0, SIZE))).toBe(true)
      expect(home.requests).toHaveLength(2)
      expect(other.requests.at(-1)!.headers.range).toBe(`bytes=${2 * MIB}-${SIZE - 1}`)
      expect(secretsIn(other)).toEqual([])
    },
  )

  it('to a place that refuses for good are not resolved for ever', async () => {
    await using home = await startFaultServer()
    await using engine = await startEngine()
    home.fault('/start', () => faults.redirect('/refused'))
    home.fault('/refused', () => faults.status(403))
    const id = await engine.add(home.url('/start'), { retries: 2 })
    expect(await engine.until(id, 'done', 'failed')).toMatchObject({ state: 'failed', error: { code: 'forbidden' } })
    expect(home.requests.length).toBeLessThanOrEqual(12)
  })

  it('in a circle end with the reason, and nothing was written', async () => {
    await using home = await startFaultServer()
    await using engine = await startEngine()
    home.fault('/start', () => faults.redirectLoop())
    const id = await engine.add(home.url('/start'), { retries: 0 })
    expect(await engine.until(id, 'done', 'failed')).toMatchObject({
      error: { code: 'too_many_redirects' },
      partPath: null,
      writtenBytes: 0,
    })
  })
})
