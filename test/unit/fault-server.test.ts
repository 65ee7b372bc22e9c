import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:http'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { get as secureGet } from 'node:https'
import { expect, test } from 'vitest'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const KIB = 1024

async function read(url: string, headers: Record<string, string> = {}, ca?: string, agent?: false) {
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = url.startsWith('https:')
      ? secureGet(url, { headers, ca, agent }, resolve)
      : get(url, { headers, agent }, resolve)
    request.on('error', reject)
  })
  const chunks: Buffer[] = []
  let error: unknown = null
  try {
    for await (const chunk of reply) chunks.push(chunk)
  } catch (thrown) {
    error = thrown
  }
  return { status: reply.statusCode, headers: reply.headers, body: Buffer.concat(chunks), error }
}

test('content is a function of its offset, however it is cut', () => {
  const whole = contentBytes(7, 0, 3_000_000)
  for (const [offset, length] of [
    [0, 1],
    [4094, 5],
    [4097, 2],
    [1_048_570, 10_000],
    [2_999_999, 1],
  ] as const)
    expect(contentBytes(7, offset, length)).toEqual(whole.subarray(offset, offset + length))
  expect(contentBytes(8, 0, 64)).not.toEqual(whole.subarray(0, 64))
  expect(contentSha256(7, whole.length)).toBe(createHash('sha256').update(whole).digest('hex'))
})

test('serves ranges, If-Range and 416 as the standard says', async () => {
  await using server = await startFaultServer()
  server.add('/f', { size: 200 * KIB, seed: 1 })
  const url = server.url('/f')
  const whole = await read(url)
  expect(whole.status).toBe(200)
  expect(whole.body).toEqual(contentBytes(1, 0, 200 * KIB))
  const etag = whole.headers.etag!

  const part = await read(url, { range: 'bytes=5000-99999', 'if-range': etag })
  expect(part).toMatchObject({ status: 206, headers: { 'content-range': `bytes 5000-99999/${200 * KIB}` } })
  expect(part.body).toEqual(contentBytes(1, 5000, 95_000))
  expect(await read(url, { range: 'bytes=5000-', 'if-range': '"other"' })).toMatchObject({ status: 200 })
  expect((await read(url, { range: 'bytes=-10' })).body).toEqual(contentBytes(1, 200 * KIB - 10, 10))
  expect(await read(url, { range: `bytes=${200 * KIB}-` })).toMatchObject({
    status: 416,
    headers: { 'content-range': `bytes */${200 * KIB}` },
  })
  expect(await read(server.url('/none'))).toMatchObject({ status: 404 })
  expect(server.requests.map((request) => request.status)).toEqual([200, 206, 200, 206, 416, 404])
  expect(server.requests[1]).toMatchObject({
    index: 1,
    bytesSent: 95_000,
    finished: true,
    headers: { 'if-range': etag },
  })
})

test('misbehaves as told, and only as told', async () => {
  await using server = await startFaultServer()
  server.add('/f', { size: 100 * KIB, seed: 2 })
  const url = server.url('/f')
  const range = { range: 'bytes=1000-1999' }
  const script = (...list: ReturnType<typeof faults.ignoreRange>[]) => server.fault('/f', () => list)

  script(faults.ignoreRange())
  expect(await read(url, range)).toMatchObject({ status: 200, body: contentBytes(2, 0, 100 * KIB) })
  script(faults.wrongContentRange({ shift: 1 }))
  expect((await read(url, range)).headers['content-range']).toBe(`bytes 1001-2000/${100 * KIB}`)
  script(faults.wrongContentRange('missing'))
  expect((await read(url, range)).headers['content-range']).toBeUndefined()
  script(faults.multipart())
  expect((await read(url, range)).headers['content-type']).toMatch(/^multipart\/byteranges/)
  script(faults.extraBytes(3))
  expect((await read(url, range)).body).toEqual(Buffer.concat([contentBytes(2, 1000, 1000), Buffer.from('xxx')]))
  script(faults.noLength('chunked'))
  expect(await read(url, range)).toMatchObject({
    headers: { 'transfer-encoding': 'chunked' },
    body: contentBytes(2, 1000, 1000),
  })
  script(faults.noLength('close'))
  expect((await read(url, range)).body).toEqual(contentBytes(2, 1000, 1000))
  script(faults.contentEncodingOnRange())
  expect((await read(url, range)).headers['content-encoding']).toBe('gzip')
  script(faults.retryAfter(7))
  expect(await read(url, range)).toMatchObject({ status: 429, headers: { 'retry-after': '7' } })
  script(faults.html())
  expect((await read(url, range)).headers['content-type']).toMatch(/^text\/html/)
  script(faults.weakEtag())
  expect((await read(url)).headers.etag).toMatch(/^W\//)
  script(faults.changeContent({ seed: 3 }))
  expect((await read(url, range)).body).toEqual(contentBytes(3, 1000, 1000))
  server.fault('/f', null)
  expect((await read(url, range)).body).toEqual(contentBytes(3, 1000, 1000))

  for (const fault of [faults.truncateAt(500), faults.resetAt(500), faults.badChunk(500)]) {
    script(fault)
    const broken = await read(url, range)
    expect(broken.error).toBeInstanceOf(Error)
    expect(contentBytes(3, 1000, 1000).subarray(0, broken.body.length)).toEqual(broken.body)
  }
  script(faults.closeImmediately())
  await expect(read(url)).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test('holds a reply until it is released', async () => {
  await using server = await startFaultServer()
  server.add('/f', { size: 10 * KIB, seed: 4 })
  server.fault('/f', () => faults.stallAt(4000))
  const reply = read(server.url('/f'))
  await server.until(() => server.held === 1)
  expect(server.requests[0]).toMatchObject({ bytesSent: 4000, finished: false })
  server.release()
  expect((await reply).body).toEqual(contentBytes(4, 0, 10 * KIB))
})

test('speaks TLS with a certificate of its own authority', async () => {
  await using server = await startFaultServer({ tls: true })
  server.add('/f', { size: 10, seed: 5 })
  expect((await read(server.url('/f'), {}, server.caPem)).body).toEqual(contentBytes(5, 0, 10))
  await expect(read(server.url('/f'))).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
})

test('spoils connections before anything is asked on them', async () => {
  for (const tls of [false, true]) {
    await using server = await startFaultServer({ tls })
    server.add('/f', { size: 10, seed: 5 })
    const ask = () => read(server.url('/f'), {}, server.caPem, false)
    server.faultConnections(() => 'reset')
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' })
    server.faultConnections(() => 'close')
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' })
    server.faultConnections(() => 'garbage')
    await expect(ask()).rejects.toMatchObject({ code: expect.stringMatching(tls ? /^(EPROTO|ERR_SSL)/ : /^HPE_/) })
    server.faultConnections(() => 'late')
    const late = ask()
    await server.until(() => server.held === 1)
    expect(server.requests).toHaveLength(0)
    server.release()
    expect((await late).body).toEqual(contentBytes(5, 0, 10))
    expect(server.requests[0]).toMatchObject({ connection: 3, nth: 0 })
    await server.until(() => server.connections.open === 0)
    server.faultConnections(faults.mostConnections(1))
    expect((await ask()).status).toBe(200)
  }
})

test('speaks HTTP/2 where it is offered, with the same faults', async () => {
  await using server = await startFaultServer({ http2: true })
  server.add('/f', { size: 100 * KIB, seed: 6 })
  const session = () => connect(server.origin, { ca: server.caPem }).on('error', () => {})
  const get = async (client: ClientHttp2Session, headers: Record<string, string> = {}) => {
    const stream = client.request({ ':path': '/f', ...headers })
    const chunks: Buffer[] = []
    let error: unknown = null
    const [reply] = await once(stream, 'response').catch((thrown: unknown) => [{ error: thrown }])
    try {
      for await (const chunk of stream) chunks.push(chunk as Buffer)
    } catch (thrown) {
      error = thrown
    }
    return { status: reply[':status'] as number | undefined, body: Buffer.concat(chunks), error, rst: stream.rstCode }
  }
  const client = session()
  expect(await get(client, { range: 'bytes=5-9' })).toMatchObject({ status: 206, body: contentBytes(6, 5, 5) })
  expect(server.requests[0]).toMatchObject({ httpVersion: '2', nth: 0, status: 206, headers: { range: 'bytes=5-9' } })
  server.fault('/f', () => faults.resetAt(5000))
  expect(await get(client)).toMatchObject({ status: 200, rst: constants.NGHTTP2_INTERNAL_ERROR })
  server.fault('/f', () => faults.closeImmediately('reset'))
  expect(await get(client)).toMatchObject({ status: undefined, rst: constants.NGHTTP2_REFUSED_STREAM })
  server.fault('/f', () => faults.stallAt(5000))
  const stalled = get(client)
  await server.until(() => server.held === 1)
  server.fault('/f', null)
  expect(await get(client, { range: 'bytes=0-0' })).toMatchObject({ status: 206 })
  server.release()
  expect((await stalled).body).toEqual(contentBytes(6, 0, 100 * KIB))

  server.fault('/f', () => faults.goAway())
  const last = once(client, 'goaway')
  expect(await get(client)).toMatchObject({ status: 200, body: contentBytes(6, 0, 100 * KIB) })
  expect((await last)[0]).toBe(constants.NGHTTP2_NO_ERROR)
  for (const fault of [faults.goAwayUnanswered(), faults.goAwayAt(100)]) {
    server.fault('/f', () => fault)
    const another = session()
    const goAway = once(another, 'goaway')
    void get(another)
    await goAway
    another.destroy()
  }
  client.destroy()
})
