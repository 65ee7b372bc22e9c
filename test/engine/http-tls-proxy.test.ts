/** TLS with an extra authority, and requests through HTTP and SOCKS5 proxies. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { startFaultServer } from '../helpers/fault-server.ts'
import { startClient } from '../helpers/http-client.ts'
import { withServer } from '../helpers/http-server.ts'
import { startHttpProxy, startSocksProxy } from '../helpers/proxies.ts'

const FILE = { size: 100_000, seed: 1 }
const BODY = contentBytes(1, 0, 100_000)

describe('https', () => {
  test('is refused with a certificate nobody vouches for, and accepted with its authority', async () => {
    await using server = await startFaultServer({ tls: true })
    await using client = startClient()
    server.add('/f', FILE)
    await expect(client.request(server.url('/f'))).rejects.toMatchObject({
      code: 'tls_failed',
      params: { certificate: true },
    })
    const options = { proxy: '', caPem: server.caPem }
    expect((await client.read(server.url('/f'), { options })).body).toEqual(BODY)
    expect((await client.read(server.url('/f'), { options })).reply.reused).toBe(true)
    // The authority of one task is not the authority of another.
    await expect(client.request(server.url('/f'))).rejects.toMatchObject({ code: 'tls_failed' })
  })

  test('is refused where the certificate names another host', async () => {
    await using server = await startFaultServer({ tls: true })
    await using client = startClient()
    const headers: [string, string][] = [['Host', 'other.test']]
    const options = { proxy: '', caPem: server.caPem, headers }
    await expect(client.request(server.url('/f'), { options })).rejects.toMatchObject({
      code: 'tls_failed',
      params: { certificate: true },
    })
    expect(server.requests).toHaveLength(0)
  })

  test('fails with a sentence where the server speaks plain http, or the authority is no certificate', async () => {
    await using server = await withServer((_request, response) => void response.end())
    await using client = startClient()
    const url = `${server.origin.replace('http:', 'https:')}/f`
    await expect(client.request(url)).rejects.toMatchObject({ code: 'tls_failed', params: { certificate: false } })
    await expect(client.request(url, { options: { proxy: '', caPem: 'nonsense' } })).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})

describe('through a proxy', () => {
  test('http is forwarded, one connection after another request', async () => {
    await using server = await startFaultServer()
    await using proxy = await startHttpProxy()
    await using client = startClient()
    server.add('/f', FILE)
    const options = { proxy: `http://me:s%20ecret@${proxy.host}` }
    expect((await client.read(server.url('/f'), { options })).body).toEqual(BODY)
    expect((await client.read(server.url('/f'), { options, headers: { range: 'bytes=5-' } })).reply.status).toBe(206)
    expect(proxy.asked).toEqual([`GET ${server.url('/f')}`, `GET ${server.url('/f')}`])
    expect(proxy.authorizations[0]).toBe(`Basic ${Buffer.from('me:s ecret').toString('base64')}`)
    expect(server.requests[0]!.headers['proxy-authorization']).toBeUndefined()
  })

  test('https goes through a tunnel, which is kept', async () => {
    await using server = await startFaultServer({ tls: true })
    await using proxy = await startHttpProxy()
    await using client = startClient()
    server.add('/f', FILE)
    const options = { proxy: `http://${proxy.host}`, caPem: server.caPem }
    for (let i = 0; i < 3; i++) expect((await client.read(server.url('/f'), { options })).body).toEqual(BODY)
    expect(proxy.asked).toEqual([`CONNECT localhost:${server.port}`])
    expect(server.connections.total).toBe(1)
    expect((await client.read(server.url('/f'), { options })).reply.remoteAddress).toBeNull()
  })

  test('SOCKS5 carries both, names unresolved', async () => {
    await using secure = await startFaultServer({ tls: true })
    await using plain = await startFaultServer()
    await using proxy = await startSocksProxy()
    await using client = startClient()
    secure.add('/f', FILE)
    plain.add('/f', FILE)
    const options = { proxy: `socks5://${proxy.host}`, caPem: secure.caPem }
    for (let i = 0; i < 2; i++) expect((await client.read(secure.url('/f'), { options })).body).toEqual(BODY)
    expect((await client.read(plain.url('/f'), { options })).body).toEqual(BODY)
    expect(proxy.asked).toEqual([`SOCKS localhost:${secure.port}`, `SOCKS 127.0.0.1:${plain.port}`])
  })

  test('that is reached by https, with its user and password, for http and https alike', async () => {
    await using secure = await startFaultServer({ tls: true })
    await using plain = await startFaultServer()
    await using proxy = await startHttpProxy({ tls: true })
    await using client = startClient()
    secure.add('/f', FILE)
    plain.add('/f', FILE)
    const options = { proxy: `https://me:geheim@${proxy.host.replace('127.0.0.1', 'localhost')}`, caPem: secure.caPem }
    expect((await client.read(secure.url('/f'), { options })).body).toEqual(BODY)
    expect((await client.read(plain.url('/f'), { options })).body).toEqual(BODY)
    expect(proxy.asked).toEqual([`CONNECT localhost:${secure.port}`, `GET ${plain.url('/f')}`])
    const basic = `Basic ${Buffer.from('me:geheim').toString('base64')}`
    expect(proxy.authorizations).toEqual([basic, basic])
    expect(JSON.stringify([...secure.requests, ...plain.requests])).not.toContain(basic)
  })

  test('SOCKS5 lets in whoever has the password, and the error of who has not holds none', async () => {
    await using server = await startFaultServer()
    await using proxy = await startSocksProxy({ login: 'me:ge@heim' })
    await using client = startClient()
    server.add('/f', FILE)
    const ask = (login: string) =>
      client.read(server.url('/f'), { options: { proxy: `socks5h://${login}@${proxy.host}` } })
    expect((await ask('me:ge%40heim')).body).toEqual(BODY)
    const failure = await ask('me:wrong-one').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'proxy_failed' })
    expect(`${failure} ${JSON.stringify(failure)}`).not.toContain('wrong-one')
    expect(proxy.asked).toHaveLength(1)
  })

  test('what the proxy refuses or cannot do is its failure, and typed', async () => {
    await using server = await startFaultServer({ tls: true })
    await using forbidding = await startHttpProxy({ refuse: 403 })
    await using asking = await startHttpProxy({ refuse: 407 })
    await using socks = await startSocksProxy({ refuse: true })
    await using client = startClient()
    const gone = await startHttpProxy()
    await gone[Symbol.asyncDispose]()
    const ask = (proxy: string, url = server.url('/f')) => client.request(url, { options: { proxy } })
    const failed = { code: 'proxy_failed' }
    await expect(ask(`http://${forbidding.host}`)).rejects.toMatchObject(failed)
    await expect(ask(`http://${asking.host}`)).rejects.toMatchObject(failed)
    await expect(ask(`http://${asking.host}`, 'http://nowhere.invalid/')).rejects.toMatchObject(failed)
    await expect(ask(`socks5://${socks.host}`)).rejects.toMatchObject(failed)
    await expect(ask(`http://${gone.host}`)).rejects.toMatchObject({ ...failed, params: { host: gone.host } })
    await expect(ask(`socks5://${gone.host}`)).rejects.toMatchObject(failed)
    await expect(ask('gopher://x')).rejects.toMatchObject({ code: 'invalid_input' })
    expect(server.requests).toHaveLength(0)
  })

  describe('of the environment', () => {
    afterEach(() => vi.unstubAllEnvs())

    test('unless no_proxy names the host', async () => {
      await using server = await startFaultServer()
      await using proxy = await startHttpProxy()
      await using client = startClient()
      server.add('/f', FILE)
      for (const name of ['NO_PROXY', 'no_proxy', 'HTTP_PROXY']) vi.stubEnv(name, '')
      vi.stubEnv('http_proxy', `http://${proxy.host}`)
      await client.read(server.url('/f'), { options: {} })
      expect(proxy.asked).toHaveLength(1)
      vi.stubEnv('no_proxy', '127.0.0.0/8')
      await client.read(server.url('/f'), { options: {} })
      expect(proxy.asked).toHaveLength(1)
      expect(server.requests).toHaveLength(2)
    })
  })
})
