/** Pools, ways to the server, who we are to it, and what happens when the network changes: with real sockets. */
import { readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { clientCertificateOf } from '../../electron/engine/client-certificate.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { bodyOf, startClient } from '../helpers/http-client.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { startHttpProxy, startSocksProxy } from '../helpers/proxies.ts'

const FILE = { size: 100_000, seed: 1 }
const BODY = contentBytes(1, 0, 100_000)
const direct = { proxy: '' }

describe('the pool', () => {
  test('lets no more requests run than it may; the others wait their turn and use the same connections', async () => {
    await using server = await startFaultServer()
    await using client = startClient({ pool: { busyPerHost: 2 } })
    server.add('/f', FILE)
    server.fault('/f', (_request, index) => (index < 2 ? faults.stallAt(10) : null))
    const bodies = Array.from({ length: 5 }, async () => (await client.read(server.url('/f'))).body)
    await server.until(() => server.held === 2)
    expect(server.requests).toHaveLength(2)
    server.release()
    for (const body of bodies) expect(await body).toEqual(BODY)
    expect(server.connections.total).toBe(2)
  })

  test('says when none became free in time', async () => {
    const clock = createManualClock()
    await using server = await startFaultServer()
    await using client = startClient({ pool: { busyInAll: 1, waitMs: 1000 } }, { clock })
    server.add('/f', FILE)
    server.fault('/f', () => faults.stallAt(10))
    await client.request(server.url('/f'))
    const second = client.request(server.url('/f'))
    const outcome = expect(second).rejects.toMatchObject({ code: 'no_free_connection' })
    // the wait is set as soon as the request got to the pool
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(1000)
    await outcome
  })

  test('keeps no connection where settings say so', async () => {
    await using server = await startFaultServer()
    await using client = startClient({ pool: { keepAliveMs: 0 } })
    server.add('/f', FILE)
    await client.read(server.url('/f'))
    await server.until(() => server.connections.open === 0)
    expect((await client.read(server.url('/f'))).reply.reused).toBe(false)
  })
})

describe('a name with several addresses', () => {
  const both: LookupFunction = (_name, options, done) => {
    // IPv6 first, as resolvers have it
    const addresses = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]
    if (options.all) done(null, addresses)
    else done(null, addresses[0]!.address, 6)
  }

  test.each(['http', 'https'] as const)('is reached over %s at the one that answers', async (scheme) => {
    await using server = await startFaultServer({ tls: scheme === 'https' })
    await using client = startClient({ addressAttemptMs: 50 }, { lookup: both })
    server.add('/f', FILE)
    // nothing listens on ::1, and the certificate is for localhost
    const url = `${scheme}://localhost:${server.port}/f`
    const { reply, body } = await client.read(url, { options: { ...direct, caPem: server.caPem } })
    expect(body).toEqual(BODY)
    expect(reply.remoteAddress).toBe('127.0.0.1')
  })

  test('is reached although the first one swallows everything', async () => {
    await using server = await startFaultServer()
    // TEST-NET-1 (RFC 5737) leads nowhere; where a router says so at once, the next address is tried at once.
    const lookup: LookupFunction = (_name, options, done) => {
      const addresses = ['192.0.2.1', '127.0.0.1'].map((address) => ({ address, family: 4 }))
      if (options.all) done(null, addresses)
      else done(null, addresses[0]!.address, 4)
    }
    await using client = startClient({ addressAttemptMs: 20 }, { lookup })
    server.add('/f', FILE)
    const { reply } = await client.read(`http://two.test:${server.port}/f`, { options: direct })
    expect(reply.remoteAddress).toBe('127.0.0.1')
  })
})

describe('a client certificate', () => {
  const fixture = (name: string) => readFileSync(new URL(`../helpers/tls/test-only-${name}`, import.meta.url))
  const clientCa = fixture('client-ca.pem').toString()
  const pem = clientCertificateOf(fixture('client.pem'), fixture('client-key.pem'), 'test-only')
  const pfx = clientCertificateOf(fixture('client.p12'), null, 'test-only')

  test.each([
    ['PEM', pem],
    ['PKCS #12', pfx],
  ])('opens the door as %s, and nobody else gets in', async (_what, clientCertificate) => {
    await using server = await startFaultServer({ tls: true, clientCa })
    await using client = startClient()
    server.add('/f', FILE)
    const trusting = { ...direct, caPem: server.caPem }
    const options = { ...trusting, clientCertificate }
    expect((await client.read(server.url('/f'), { options })).body).toEqual(BODY)
    expect((await client.read(server.url('/f'), { options })).reply.reused).toBe(true)
    await expect(client.read(server.url('/f'), { options: trusting })).rejects.toMatchObject({
      code: expect.stringMatching(/tls_failed|connection_/),
    })
    expect(server.requests).toHaveLength(2)
  })

  test('is shown through a proxy’s tunnel, and not to a site that a redirect leads to', async () => {
    await using home = await startFaultServer({ tls: true, clientCa })
    await using other = await startFaultServer({ tls: true, clientCa })
    await using proxy = await startHttpProxy()
    await using client = startClient()
    home.add('/f', FILE)
    other.add('/f', FILE)
    home.fault('/start', () => faults.redirect(other.url('/f')))
    const options = { proxy: `http://${proxy.host}`, caPem: home.caPem, clientCertificate: pem }
    expect((await client.read(home.url('/f'), { options })).body).toEqual(BODY)
    await expect(client.read(home.url('/start'), { options })).rejects.toMatchObject({
      code: expect.stringMatching(/tls_failed|connection_/),
    })
    expect(home.requests.map(({ path }) => path)).toEqual(['/f', '/start'])
    expect(other.requests).toHaveLength(0)
  })

  test.each([
    ['a wrong passphrase', { ...pem, passphrase: 'wrong' }],
    ['no passphrase', clientCertificateOf(fixture('client.pem'), fixture('client-key.pem'), undefined)],
    ['what is no certificate', { pfxBase64: 'bm9uc2Vuc2U=' }],
  ])('with %s is refused before anything is sent', async (_what, clientCertificate) => {
    await using server = await startFaultServer({ tls: true, clientCa })
    await using client = startClient()
    const refused = client.request(server.url('/f'), { options: { ...direct, clientCertificate } })
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.not.stringContaining('wrong'),
    })
    expect(server.connections.total).toBe(0)
  })
})

describe('the system’s proxies', () => {
  const system = { proxyMode: 'system' as const }

  test('are asked for and used, the next where one does not work, which is tried last from then on', async () => {
    await using server = await startFaultServer()
    await using http = await startHttpProxy()
    await using socks = await startSocksProxy()
    const gone = await startHttpProxy()
    await gone[Symbol.asyncDispose]()
    server.add('/f', FILE)
    const asked: string[] = []
    let answer = `PROXY ${gone.host}; SOCKS5 ${socks.host}; DIRECT`
    const resolveProxy = async (url: string) => {
      asked.push(url)
      return answer
    }
    await using client = startClient(system, { resolveProxy })
    expect((await client.read(server.url('/f'), { options: {} })).body).toEqual(BODY)
    expect(socks.asked).toHaveLength(1)
    expect(asked).toEqual([server.url('/f')])
    // the answer is remembered, and so is the failure
    await client.read(server.url('/f'), { options: {} })
    expect(asked).toHaveLength(1)
    // another network: ask again
    answer = `PROXY ${http.host}`
    client.networkChanged()
    await client.read(server.url('/f'), { options: {} })
    expect(asked).toHaveLength(2)
    expect(http.asked).toEqual([`GET ${server.url('/f')}`])
  })

  test('are not asked for where the task, or the settings, name one', async () => {
    await using server = await startFaultServer()
    await using proxy = await startHttpProxy()
    server.add('/f', FILE)
    const resolveProxy = () => Promise.reject(new Error('was not to be asked'))
    await using client = startClient(system, { resolveProxy })
    await client.read(server.url('/f'), { options: direct })
    expect(proxy.asked).toHaveLength(0)
    await using withOwn = startClient({ ...system, proxy: `http://${proxy.host}` }, { resolveProxy })
    await withOwn.read(server.url('/f'), { options: {} })
    expect(proxy.asked).toHaveLength(1)
    await withOwn.read(server.url('/f'), { options: direct })
    await using none = startClient({ proxyMode: 'none' }, { resolveProxy })
    await none.read(server.url('/f'), { options: {} })
    expect(proxy.asked).toHaveLength(1)
  })

  test('that all fail are the proxy’s failure; a server that fails is not', async () => {
    await using proxy = await startHttpProxy()
    const gone = await startHttpProxy()
    await gone[Symbol.asyncDispose]()
    const resolveProxy = async () => `PROXY ${gone.host}; PROXY ${gone.host}`
    await using client = startClient(system, { resolveProxy })
    await expect(client.request('http://127.0.0.1:9/f', { options: {} })).rejects.toMatchObject({
      code: 'proxy_failed',
    })
    await using other = startClient(system, { resolveProxy: async () => `PROXY ${proxy.host}; DIRECT` })
    expect((await other.read('http://127.0.0.1:9/f', { options: {} })).reply.status).toBe(502)
    expect(proxy.asked).toHaveLength(1)
  })
})

describe('when the network changes', () => {
  test('idle connections are closed, and requests that hear nothing end so that they are made again', async () => {
    const clock = createManualClock()
    await using server = await startFaultServer()
    await using client = startClient({}, { clock })
    server.add('/f', FILE)
    for (const path of ['/kept', '/silent', '/stalled', '/busy']) server.add(path, FILE)
    server.fault('/kept', (_request, index) => (index === 0 ? faults.silent() : null))
    server.fault('/silent', () => faults.silent())
    server.fault('/stalled', () => faults.stallAt(10))
    server.fault('/busy', () => faults.stallAt(10))
    await client.read(server.url('/f'))
    // the first of them goes over the connection that was kept
    const kept = client.read(server.url('/kept'))
    const silent = client.request(server.url('/silent'))
    const stalled = bodyOf(await client.request(server.url('/stalled')))
    const heldBack = await client.request(server.url('/busy'))
    await client.read(server.url('/f'))
    await server.until(() => server.held === 4)
    expect(server.connections.open).toBe(5)
    client.networkChanged()
    await server.until(() => server.connections.open === 4)
    const outcomes = Promise.allSettled([silent, stalled])
    clock.advance(5000)
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'connection_reset' } })
    }
    // a connection that had served before is not the server's fault: it was asked again by itself
    expect((await kept).body).toEqual(BODY)
    // what we did not ask for is no proof of a dead line
    const body = bodyOf(heldBack)
    server.release()
    expect(await body).toEqual(BODY)
  })

  test('downloads that wait because of it go on at once; those that a server told to wait do not', async () => {
    await using server = await startFaultServer()
    const clock = createManualClock()
    await using engine = await startEngine({ clock, random: () => 0.9, settings: { proxyMode: 'none' } })
    server.add('/f', FILE)
    server.add('/later', FILE)
    server.fault('/f', (_request, index) => (index === 0 ? faults.closeImmediately('reset') : null))
    server.fault('/later', () => faults.retryAfter(3600, 503))
    const cut = await engine.add(server.url('/f'))
    const told = await engine.add(server.url('/later').replace('127.0.0.1', 'localhost'))
    await engine.until(cut, 'waiting')
    await engine.until(told, 'waiting')
    expect(await engine.call('network.changed', { reason: 'offline' })).toEqual({ retried: 0 })
    expect(await engine.call('network.changed', { reason: 'wake' })).toEqual({ retried: 1 })
    expect((await engine.until(cut, 'done')).attempts).toBe(0)
    expect((await engine.get(told)).state).toBe('waiting')
    expect(server.requests.filter(({ path }) => path === '/later')).toHaveLength(1)
  })

  test('the engine notices other addresses by itself', async () => {
    await using server = await startFaultServer()
    const clock = createManualClock()
    let address = '192.0.2.10'
    const networkInterfaces = () => ({ eth0: [{ address, internal: false }] })
    await using engine = await startEngine({
      clock,
      random: () => 0.9,
      networkInterfaces,
      settings: { proxyMode: 'none', retries: 5 },
    })
    server.add('/f', FILE)
    let cut = true
    server.fault('/f', () => (cut ? faults.closeImmediately('reset') : null))
    const id = await engine.add(server.url('/f'))
    // after five failures the pause is longer than the look that follows
    for (let tries = 0; tries < 5; tries++) {
      await engine.untilTask(id, ({ state, attempts }) => state === 'waiting' && attempts > tries)
      if (tries < 4) {
        const { retryAt } = await engine.get(id)
        clock.advance(retryAt! - clock.now() + 1)
      }
    }
    cut = false
    address = '192.0.2.11'
    clock.advance(5000)
    expect((await engine.until(id, 'done')).state).toBe('done')
  })
})
