/** What the HTTP client tells about each request, over real sockets. No figure is asserted to be fast or slow. */
import { describe, expect, test } from 'vitest'
import { NighthaulError } from '../../shared/errors.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { bodyOf, startClient } from '../helpers/http-client.ts'
import { startHttpProxy } from '../helpers/proxies.ts'

const number = expect.any(Number)
const FILE = { size: 100_000, seed: 1 }

describe('a request that went well', () => {
  test('tells connecting, first byte, duration and bytes; the next one that its connection was there', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', FILE)
    const before = Date.now()
    await client.read(server.url('/f'), { queuedMs: 250 })
    await client.read(server.url('/f'))
    const host = `127.0.0.1:${server.port}`
    const common = {
      host,
      method: 'GET',
      tlsMs: null,
      bytes: 100_000,
      status: 200,
      errorCode: null,
      httpVersion: '1.1',
    }
    expect(client.samples).toEqual([
      {
        ...common,
        startedAt: number,
        queueMs: number,
        connectMs: number,
        firstByteMs: number,
        durationMs: number,
        reused: false,
      },
      {
        ...common,
        startedAt: number,
        queueMs: number,
        connectMs: null,
        firstByteMs: number,
        durationMs: number,
        reused: true,
      },
    ])
    const [first, second] = client.samples
    expect(first!.queueMs).toBeGreaterThanOrEqual(250)
    expect(second!.queueMs).toBeLessThan(250)
    expect(first!.startedAt).toBeGreaterThanOrEqual(before)
    expect(first!.durationMs).toBeGreaterThanOrEqual(first!.connectMs! + first!.firstByteMs!)
  })

  test('over TLS tells the handshake apart', async () => {
    await using server = await startFaultServer({ tls: true })
    await using client = startClient()
    server.add('/f', FILE)
    await client.read(server.url('/f'), { options: { proxy: '', caPem: server.caPem } })
    await client.read(server.url('/f'), { options: { proxy: '', caPem: server.caPem } })
    expect(client.samples).toMatchObject([
      { connectMs: number, tlsMs: number, reused: false },
      { connectMs: null, tlsMs: null, reused: true },
    ])
    expect(client.samples[0]!.tlsMs).toBeGreaterThan(0)
  })

  test('through a proxy counts all of the way as connecting', async () => {
    await using server = await startFaultServer({ tls: true })
    await using proxy = await startHttpProxy()
    await using client = startClient()
    server.add('/f', FILE)
    const options = { proxy: `http://${proxy.host}`, caPem: server.caPem }
    await client.read(server.url('/f'), { options })
    await client.read(server.url('/f'), { options })
    expect(client.samples).toMatchObject([
      { host: `localhost:${server.port}`, connectMs: number, tlsMs: null, reused: false },
      { connectMs: null, tlsMs: null, reused: true },
    ])
  })

  test('after redirects comes last: each hop is a request, and only the first one waited', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/from', FILE)
    server.add('/to', FILE)
    server.fault('/from', () => faults.redirect('/to'))
    await client.read(server.url('/from'), { queuedMs: 5_000 })
    expect(client.samples).toMatchObject([
      { status: 302, errorCode: null, reused: false },
      { status: 200, errorCode: null, reused: true, bytes: 100_000 },
    ])
    expect(client.samples.map(({ queueMs }) => queueMs >= 5_000)).toEqual([true, false])
  })
})

describe('a request that failed', () => {
  test('for want of a server names the error', async () => {
    await using client = startClient()
    await expect(client.request('http://127.0.0.1:1/f')).rejects.toThrow()
    expect(client.samples).toMatchObject([
      {
        host: '127.0.0.1:1',
        status: null,
        errorCode: 'connect_refused',
        connectMs: null,
        firstByteMs: null,
        bytes: 0,
        reused: false,
      },
    ])
  })

  test('halfway tells what had come and why it ended', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', FILE)
    server.fault('/f', () => faults.resetAt(40_000))
    await expect(client.read(server.url('/f'))).rejects.toThrow()
    expect(client.samples).toMatchObject([{ status: 200, errorCode: 'connection_reset', firstByteMs: number }])
    expect(client.samples[0]!.bytes).toBeLessThanOrEqual(40_000)
  })

  test('in the taker of its body names that error', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', FILE)
    const reply = await client.request(server.url('/f'))
    await new Promise<void>((resolve) =>
      reply.consume({
        onData() {
          throw new NighthaulError('disk_full', 'the disk is full')
        },
        onEnd() {},
        onError: () => resolve(),
      }),
    )
    expect(client.samples).toMatchObject([{ status: 200, errorCode: 'disk_full' }])
  })
})

describe('a request that we ended ourselves', () => {
  test('after its head is no failure', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 50_000_000, seed: 1 })
    const abort = new AbortController()
    const replies = [
      await client.request(server.url('/f')),
      await client.request(server.url('/f'), { signal: abort.signal }),
    ]
    replies[0]!.abort()
    const failed = bodyOf(replies[1]!).catch((error) => error)
    abort.abort(new NighthaulError('interrupted', 'paused'))
    await failed
    expect(client.samples).toMatchObject([
      { status: 200, errorCode: null },
      { status: 200, errorCode: null },
    ])
  })

  test('before its head has neither status nor error', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', FILE)
    server.fault('/f', () => faults.silent())
    const abort = new AbortController()
    const asked = client.request(server.url('/f'), { signal: abort.signal }).catch((error) => error)
    await server.until(() => server.held === 1)
    abort.abort()
    await asked
    expect(client.samples).toMatchObject([{ status: null, errorCode: null, connectMs: number, firstByteMs: null }])
  })
})
