import { describe, expect, test } from 'vitest'
import { NighthaulError } from '../../shared/errors.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { bodyOf, startClient } from '../helpers/http-client.ts'
import { withServer } from '../helpers/http-server.ts'

const MIB = 1024 * 1024
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('asks plainly, with ranges, and reports the reply as it is', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/a b.bin', { size: 300_000, seed: 1 })
  server.add('/a%20b.bin', { size: 300_000, seed: 1 })
  const { reply, body } = await client.read(`${server.origin}/a b.bin?x=1#fragment`, {
    headers: { range: 'bytes=100-199999', 'if-range': '"1-300000"' },
  })
  expect(body).toEqual(contentBytes(1, 100, 199_900))
  expect(reply).toMatchObject({
    status: 206,
    finalUrl: `${server.origin}/a%20b.bin?x=1`,
    redirected: false,
    httpVersion: '1.1',
    remoteAddress: '127.0.0.1',
    reused: false,
    headers: { 'content-range': 'bytes 100-199999/300000', etag: '"1-300000"' },
  })
  expect(server.requests[0]).toMatchObject({
    method: 'GET',
    path: '/a%20b.bin?x=1',
    headers: {
      range: 'bytes=100-199999',
      'if-range': '"1-300000"',
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'Nighthaul/test',
    },
  })
})

describe('connections', () => {
  test('are kept: one request after another uses one connection, even when made as the last one ends', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 200_000, seed: 1 })
    for (let i = 0; i < 5; i++) {
      const { reply } = await client.read(server.url('/f'))
      expect(reply.reused).toBe(i > 0)
    }
    const asked: Promise<unknown>[] = []
    const reply = await client.request(server.url('/f'))
    await new Promise<void>((resolve, reject) =>
      reply.consume({
        onData() {},
        onEnd() {
          asked.push(client.read(server.url('/f')))
          resolve()
        },
        onError: reject,
      }),
    )
    await Promise.all(asked)
    expect(server.connections.total).toBe(1)
  })

  test('are opened as needed, and no request waits for another', async () => {
    await using server = await startFaultServer()
    await using client = startClient({ pool: { idlePerHost: 2 } })
    server.add('/f', { size: 10_000, seed: 1 })
    server.fault('/f', () => faults.stallAt(10))
    const replies = await Promise.all(Array.from({ length: 5 }, () => client.request(server.url('/f'))))
    expect(server.connections.open).toBe(5)
    const bodies = replies.map(bodyOf)
    await server.until(() => server.held === 5)
    server.release()
    expect((await Promise.all(bodies)).every((body) => body.equals(contentBytes(1, 0, 10_000)))).toBe(true)
    // only as many as the host is allowed stay open
    await server.until(() => server.connections.open === 2)
  })

  test('that the server closed meanwhile are not the download’s fault: it asks again on a new one', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 1000, seed: 1 })
    server.fault('/f', (_request, index) => (index === 1 ? faults.closeImmediately('reset') : null))
    await client.read(server.url('/f'))
    const { body, reply } = await client.read(server.url('/f'))
    expect(body).toEqual(contentBytes(1, 0, 1000))
    expect(reply.reused).toBe(false)
    expect(server.requests.map((request) => [request.connection, request.status])).toEqual([
      [0, 200],
      [0, null],
      [1, 200],
    ])
  })

  test('that were new are not tried twice', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.fault('/f', () => faults.closeImmediately('reset'))
    await expect(client.request(server.url('/f'))).rejects.toMatchObject({ code: 'connection_reset' })
    expect(server.requests).toHaveLength(1)
  })

  test('survive `connection: close`, and idle ones can be dropped', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 1000, seed: 1 })
    server.fault('/f', (_request, index) => (index === 0 ? faults.noLength('close') : null))
    expect((await client.read(server.url('/f'))).body).toEqual(contentBytes(1, 0, 1000))
    expect((await client.read(server.url('/f'))).body).toEqual(contentBytes(1, 0, 1000))
    expect(server.connections.open).toBe(1)
    client.dropIdle()
    await server.until(() => server.connections.open === 0)
    expect((await client.read(server.url('/f'))).reply.reused).toBe(false)
  })

  test('are all closed by close(), and what ran on them is told', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 1000, seed: 1 })
    server.fault('/f', (_request, index) => (index === 0 ? faults.stallAt(10) : faults.silent()))
    const body = bodyOf(await client.request(server.url('/f')))
    const silent = client.request(server.url('/f'))
    const failures = Promise.allSettled([body, silent])
    await server.until(() => server.held === 2)
    await client.close()
    for (const result of await failures)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'interrupted' } })
    await server.until(() => server.connections.open === 0)
  })
})

describe('bodies', () => {
  test('wait until somebody takes them', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 100, seed: 1 })
    server.add('/empty', { size: 0, seed: 1 })
    const replies = await Promise.all([client.request(server.url('/f')), client.request(server.url('/empty'))])
    await server.until(() => server.requests.every((request) => request.finished))
    await turn()
    expect(await Promise.all(replies.map(bodyOf))).toEqual([contentBytes(1, 0, 100), Buffer.alloc(0)])
  })

  test('a paused one takes nothing more, and little piles up', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 40 * MIB, seed: 1 })
    const reply = await client.request(server.url('/f'))
    const chunks: Buffer[] = []
    let paused = false
    let takenWhilePaused = 0
    const ended = new Promise<void>((resolve, reject) =>
      reply.consume({
        onData(chunk) {
          chunks.push(chunk)
          if (paused) takenWhilePaused++
          paused = true
          return false
        },
        onEnd: resolve,
        onError: reject,
      }),
    )
    // Until the pipe between the two is full: nothing moves any more.
    let before = -1
    while (before !== server.requests[0]!.bytesSent) {
      before = server.requests[0]!.bytesSent
      for (let i = 0; i < 50; i++) await turn()
    }
    expect(chunks).toHaveLength(1)
    expect(server.requests[0]!.bytesSent).toBeLessThan(30 * MIB)
    const resume = () => {
      paused = false
      reply.resume()
    }
    while (!server.requests[0]!.finished) {
      resume()
      await turn()
    }
    const drain = setInterval(resume)
    await ended
    clearInterval(drain)
    expect(takenWhilePaused).toBe(0)
    expect(Buffer.concat(chunks).equals(contentBytes(1, 0, 40 * MIB))).toBe(true)
  })

  test('one may be resumed while another’s chunk is being handled', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 4 * MIB, seed: 1 })
    const replies = [await client.request(server.url('/f')), await client.request(server.url('/f'))] as const
    const sizes = await Promise.all(
      replies.map(
        (reply, own) =>
          new Promise<number>((resolve, reject) => {
            let bytes = 0
            reply.consume({
              onData(chunk) {
                bytes += chunk.length
                replies[1 - own]!.resume()
                setImmediate(() => reply.resume())
                return false
              },
              onEnd: () => resolve(bytes),
              onError: reject,
            })
          }),
      ),
    )
    expect(sizes).toEqual([4 * MIB, 4 * MIB])
  })

  test.each([
    ['closed early', faults.truncateAt(5000), 'connection_closed'],
    ['reset', faults.resetAt(5000), /connection_(reset|closed)/],
    ['shorter than announced', faults.lieAboutLength((real) => real + 10), 'connection_closed'],
    ['badly chunked', faults.badChunk(5000), 'protocol_error'],
    ['cut within chunks', [faults.noLength('chunked'), faults.truncateAt(5000)], 'connection_closed'],
  ] as const)('%s end with a typed error, after what had arrived', async (_what, fault, code) => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 100_000, seed: 1 })
    server.fault('/f', () => fault as never)
    const reply = await client.request(server.url('/f'))
    const chunks: Buffer[] = []
    const error = await new Promise<Error | null>((resolve) =>
      reply.consume({ onData: (chunk) => void chunks.push(chunk), onEnd: () => resolve(null), onError: resolve }),
    )
    expect(error).toBeInstanceOf(NighthaulError)
    expect((error as NighthaulError).code).toMatch(code)
    const got = Buffer.concat(chunks)
    expect(got.equals(contentBytes(1, 0, got.length))).toBe(true)
  })

  test('a mistake in the taker ends the request and is told to it', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: MIB, seed: 1 })
    const reply = await client.request(server.url('/f'))
    const error = await new Promise<unknown>((resolve) =>
      reply.consume({
        onData() {
          throw new TypeError('a mistake')
        },
        onEnd: () => resolve(null),
        onError: resolve,
      }),
    )
    expect(error).toMatchObject({ code: 'internal', params: { detail: 'a mistake' } })
    await server.until(() => server.connections.open === 0)
  })
})

describe('time limits', () => {
  test('a server that accepts and says nothing', async () => {
    await using server = await startFaultServer()
    await using client = startClient({ headersTimeoutMs: 100 })
    server.fault('/f', () => faults.silent())
    await expect(client.request(server.url('/f'))).rejects.toMatchObject({ code: 'headers_timeout' })
    expect(server.requests).toHaveLength(1)
  })

  test('a server that stops sending', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 10_000, seed: 1 })
    server.fault('/f', () => faults.stallAt(10))
    const reply = await client.request(server.url('/f'), { options: { proxy: '', timeoutMs: 100 } })
    await expect(bodyOf(reply)).rejects.toMatchObject({ code: 'stalled' })
  })

  test('a body that we hold back ourselves is not stalled', async () => {
    await using server = await startFaultServer()
    await using client = startClient({ stallTimeoutMs: 100 })
    server.add('/f', { size: 10_000, seed: 1 })
    server.fault('/silent', () => faults.silent())
    const reply = await client.request(server.url('/f'))
    // A later request runs into the same limit meanwhile.
    const other = client.request(server.url('/silent'), { options: { proxy: '', timeoutMs: 100 } })
    await expect(other).rejects.toMatchObject({ code: 'headers_timeout' })
    expect(await bodyOf(reply)).toEqual(contentBytes(1, 0, 10_000))
  })
})

describe('stopping', () => {
  const stopped = new NighthaulError('engine_stopped', 'The engine stopped.')

  test('by signal before, while connecting, before the head and in the body, with the signal’s own reason', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: MIB, seed: 1 })
    server.fault('/silent', () => faults.silent())
    server.fault('/f', () => faults.stallAt(10))
    const aborted = AbortSignal.abort(stopped)
    await expect(client.request(server.url('/f'), { signal: aborted })).rejects.toBe(stopped)
    expect(server.requests).toHaveLength(0)

    const connecting = new AbortController()
    const early = client.request(server.url('/f'), { signal: connecting.signal })
    connecting.abort(stopped)
    await expect(early).rejects.toBe(stopped)

    const waiting = new AbortController()
    const silent = client.request(server.url('/silent'), { signal: waiting.signal })
    await server.until(() => server.held === 1)
    waiting.abort()
    await expect(silent).rejects.toMatchObject({ code: 'interrupted' })

    const reading = new AbortController()
    const reply = await client.request(server.url('/f'), { signal: reading.signal })
    const body = bodyOf(reply)
    reading.abort(stopped)
    await expect(body).rejects.toBe(stopped)

    const untaken = new AbortController()
    const late = await client.request(server.url('/f'), { signal: untaken.signal })
    untaken.abort(stopped)
    await expect(bodyOf(late)).rejects.toBe(stopped)
    await server.until(() => server.connections.open === 0)
  })

  test('by abort(): silence, and the connection is gone', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 8 * MIB, seed: 1 })
    const reply = await client.request(server.url('/f'))
    const heard: string[] = []
    await new Promise<void>((resolve) =>
      reply.consume({
        onData() {
          heard.push('data')
          reply.abort()
          resolve()
        },
        onEnd: () => void heard.push('end'),
        onError: () => void heard.push('error'),
      }),
    )
    await server.until(() => server.connections.open === 0)
    await turn()
    expect(heard).toEqual(['data'])
  })
})

test('a link that is none, and a host that refuses', async () => {
  await using client = startClient()
  const server = await withServer((_request, response) => void response.end())
  await server.close()
  await expect(client.request('nonsense')).rejects.toMatchObject({ code: 'invalid_url' })
  await expect(client.request('ftp://h/x')).rejects.toMatchObject({ code: 'unsupported_scheme' })
  await expect(client.request(`${server.origin}/`)).rejects.toMatchObject({ code: 'connect_refused' })
  await expect(client.request('http://no-such-host.invalid/')).rejects.toMatchObject({ code: 'dns_not_found' })
})
