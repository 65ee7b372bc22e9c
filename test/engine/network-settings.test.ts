/** Network settings of a whole engine: what is shown of them, and what they do. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Settings } from '../../shared/schemas.ts'
import { PATIENT, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { startHttpProxy } from '../helpers/proxies.ts'

const FILE = { size: 10_000, seed: 1 }

test('the proxy’s user and password can be set, are used, and are shown to nobody', async () => {
  await using server = await startFaultServer()
  await using proxy = await startHttpProxy()
  const logged: unknown[] = []
  const log = (data: object) => void logged.push(data)
  await using engine = await startEngine({ logger: { debug: log, info: log, warn: log, error: log } })
  server.add('/f', FILE)
  const told: Settings[] = []
  engine.engine.events.subscribe('settings.changed', (settings) => told.push(settings), { visible: true })
  const shown = `http://…@${proxy.host}`
  const secret = `http://me:geheim@${proxy.host}`
  expect((await engine.call('settings.set', { proxy: secret })).proxy).toBe(shown)
  // a window sends back what it was shown
  expect((await engine.call('settings.set', { proxy: shown, retries: 3 })).retries).toBe(3)
  expect((await engine.call('settings.get')).proxy).toBe(shown)
  await engine.until(await engine.add(server.url('/f')), 'done', 'failed')
  await engine.call('url.probe', { url: server.url('/f') })
  const basic = `Basic ${Buffer.from('me:geheim').toString('base64')}`
  expect(proxy.authorizations).toEqual([basic, basic])
  expect(JSON.stringify([told, logged])).not.toContain('geheim')

  // they do not go along to another address
  await expect(engine.call('settings.set', { proxy: 'http://…@evil.test:1' })).rejects.toMatchObject({
    code: 'invalid_input',
    params: { field: 'proxy' },
  })
  await expect(engine.call('settings.set', { proxy: 'gopher://x' })).rejects.toMatchObject({ code: 'invalid_input' })
  expect((await engine.call('settings.get')).proxy).toBe(shown)
  expect((await engine.call('settings.set', { proxy: null })).proxy).toBeNull()
})

test('a netrc file is read as it is now, for downloads and probes; one that is not there is said', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  const netrcFile = join(engine.profile, 'netrc')
  server.add('/f', FILE)
  const good = `Basic ${Buffer.from('me:geheim').toString('base64')}`
  server.fault('/f', (request) => (request.headers.authorization === good ? null : faults.status(401)))
  await engine.call('settings.set', { netrcFile, proxyMode: 'none' })
  const missing = await engine.until(await engine.add(server.url('/f')), 'failed')
  expect(missing.error).toMatchObject({ code: 'invalid_input', params: { path: netrcFile, reason: 'ENOENT' } })
  expect(server.requests).toHaveLength(0)
  await writeFile(netrcFile, 'machine 127.0.0.1 login me password wrong')
  expect((await engine.until(await engine.add(server.url('/f')), 'failed')).error?.code).toBe('unauthorized')
  await writeFile(netrcFile, 'machine 127.0.0.1 login me password geheim')
  await engine.until(await engine.add(server.url('/f')), 'done')
  expect((await engine.call('url.probe', { url: server.url('/f') })).size).toBe(FILE.size)
  // a task may do without
  await expect(engine.call('url.probe', { url: server.url('/f'), options: { netrcFile: '' } })).rejects.toMatchObject({
    code: 'unauthorized',
  })
})

test('no more requests run at once than the settings allow, and each of them is served', async () => {
  await using server = await startFaultServer()
  // One request for each file, its connection free for the next, and patience: one that is closed and replaced may look
  // to the server like two at once.
  const kept = { connectionsPerDownload: 1, keepAliveMs: 3_600_000, connectionWaitMs: 3_600_000 }
  const settings = { ...PATIENT, ...kept, busyConnections: 2, downloadsAtOnce: 8, proxyMode: 'none' } as const
  await using engine = await startEngine({ settings })
  for (let n = 0; n < 6; n++) server.add(`/${n}`, { size: 300_000, seed: n })
  server.fault('/0', () => faults.stallAt(1000))
  server.fault('/1', () => faults.stallAt(1000))
  const ids = await Promise.all(Array.from({ length: 6 }, (_, n) => engine.add(server.url(`/${n}`))))
  await server.until(() => server.held === 2)
  expect(server.connections.open).toBe(2)
  // raised while they run, the others go on
  await engine.call('settings.set', { busyConnections: 4 })
  for (const id of ids.slice(2)) await engine.until(id, 'done')
  expect(server.connections.mostOpen).toBeLessThanOrEqual(4)
  server.release()
  for (const id of ids) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})

test('each time limit of a task goes before the settings’', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ settings: { proxyMode: 'none', retries: 0 } })
  server.add('/f', FILE)
  server.fault('/f', () => faults.stallAt(100))
  server.fault('/silent', () => faults.silent())
  const stalled = engine.add(server.url('/f'), { stallTimeoutMs: 100, timeoutMs: 100_000, connections: 1 })
  const silent = engine.add(server.url('/silent').replace('127.0.0.1', 'localhost'), { headersTimeoutMs: 100 })
  expect((await engine.until(await stalled, 'failed')).error?.code).toBe('stalled')
  expect((await engine.until(await silent, 'failed')).error?.code).toBe('headers_timeout')
})

test('a cURL command means what it says, and its files stay unread', async () => {
  await using engine = await startEngine()
  const parsed = await engine.call('curl.parse', { command: "curl 'https://a.example/f' -X POST -H 'A: b'" })
  expect(parsed).toEqual({
    items: [{ url: 'https://a.example/f', options: { method: 'POST', headers: [['A', 'b']] } }],
  })
  await expect(
    engine.call('curl.parse', { command: 'curl -d @/etc/passwd https://a.example/f' }),
  ).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('window may not') })
})
