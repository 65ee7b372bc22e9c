import { Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { release, TLS_SLAB_BYTES } from '../../electron/engine/http/slabs.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startFaultServer } from '../helpers/fault-server.ts'
import { startClient } from '../helpers/http-client.ts'
import { withServer } from '../helpers/http-server.ts'

const MIB = 1024 * 1024
const SIZE = 12 * MIB

afterEach(() => vi.restoreAllMocks())

/** Counts what goes into the streams of sockets to this port: on its way to undici's parser. */
function watchStreams(port: number): { readonly bytes: number } {
  const seen = { bytes: 0 }
  const { push } = Socket.prototype
  vi.spyOn(Socket.prototype, 'push').mockImplementation(function (this: Socket, chunk, encoding) {
    if (this.remotePort === port && Buffer.isBuffer(chunk)) seen.bytes += chunk.length
    return push.call(this, chunk, encoding)
  })
  return seen
}

const portOf = (origin: string) => Number(new URL(origin).port)

describe('a long body', () => {
  for (const tls of [false, true])
    test(`goes past the parser over ${tls ? 'https' : 'http'}, and its connection serves the next request`, async () => {
      await using server = await startFaultServer({ tls })
      await using client = startClient()
      server.add('/f', { size: SIZE, seed: 1 })
      const parsed = watchStreams(portOf(server.origin))
      for (let i = 0; i < 3; i++) {
        const { reply, body } = await client.read(server.url('/f'), { options: { proxy: '', caPem: server.caPem } })
        expect(reply.reused).toBe(i > 0)
        expect(body.equals(contentBytes(1, 0, SIZE))).toBe(true)
      }
      expect(server.connections.total).toBe(1)
      // heads, what came together with them, and the last chunk of each
      expect(parsed.bytes).toBeLessThan(SIZE)
    })

  test('is whole and in order when its taker pauses ever again', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: SIZE, seed: 2 })
    const reply = await client.request(server.url('/f'))
    const chunks: Buffer[] = []
    let pauses = 0
    let calledWhilePaused = 0
    await new Promise<void>((resolve, reject) => {
      let isPaused = false
      reply.consume({
        onData(chunk) {
          if (isPaused) calledWhilePaused++
          chunks.push(Buffer.from(chunk))
          if (chunks.length % 3 !== 0) return true
          pauses++
          isPaused = true
          setImmediate(() => {
            isPaused = false
            reply.resume()
          })
          return false
        },
        onEnd: resolve,
        onError: reject,
      })
    })
    expect(Buffer.concat(chunks).equals(contentBytes(2, 0, SIZE))).toBe(true)
    expect(pauses).toBeGreaterThan(1)
    expect(calledWhilePaused).toBe(0)
  })

  test('goes the usual way where the parser is not as expected', async () => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: SIZE, seed: 3 })
    const parsed = watchStreams(portOf(server.origin))
    vi.spyOn(DataView.prototype, 'getBigUint64').mockReturnValue(1n)
    const { body } = await client.read(server.url('/f'))
    expect(body.equals(contentBytes(3, 0, SIZE))).toBe(true)
    expect(parsed.bytes).toBeGreaterThanOrEqual(SIZE)
  })

  test('that ends early is an error, however little is missing', async () => {
    await using server = await withServer((request, reply) => {
      reply.writeHead(200, { 'content-length': SIZE })
      reply.write(contentBytes(4, 0, SIZE - 1), () => request.socket.destroySoon())
    })
    await using client = startClient()
    await expect(client.read(`${server.origin}/f`)).rejects.toMatchObject({ code: /^connection_(closed|reset)$/ })
  })

  test('does not count as stalled while bytes come', async () => {
    const pieces = 12
    await using server = await withServer((_request, reply) => {
      reply.writeHead(200, { 'content-length': pieces * 100_000 })
      let sent = 0
      const send = () => {
        reply.write(contentBytes(5, sent * 100_000, 100_000))
        if (++sent < pieces) setTimeout(send, 250)
        else reply.end()
      }
      send()
    })
    await using client = startClient({ stallTimeoutMs: 1000 })
    const { body } = await client.read(`${server.origin}/f`)
    expect(body.equals(contentBytes(5, 0, pieces * 100_000))).toBe(true)
  })

  for (const tls of [false, true])
    test(`may be held back for longer than a stall would last, over ${tls ? 'https' : 'http'}`, async () => {
      await using server = await startFaultServer({ tls })
      await using client = startClient({ stallTimeoutMs: 1000 })
      server.add('/f', { size: SIZE, seed: 7 })
      const reply = await client.request(server.url('/f'), { options: { proxy: '', caPem: server.caPem } })
      let bytes = 0
      let heldBackAt: number | null = null
      let cameMeanwhile = 0
      await new Promise<void>((resolve, reject) => {
        reply.consume({
          onData(chunk) {
            bytes += chunk.length
            if (bytes < MIB || heldBackAt !== null) return true
            heldBackAt = bytes
            setTimeout(() => {
              cameMeanwhile = bytes - heldBackAt!
              reply.resume()
            }, 3500)
            return false
          },
          onEnd: resolve,
          onError: reject,
        })
      })
      expect(bytes).toBe(SIZE)
      expect(cameMeanwhile).toBe(0)
    })

  test('of one request does not leak into the next on its connection when that one is chunked', async () => {
    await using server = await withServer((request, reply) => {
      if (request.url === '/known') reply.setHeader('content-length', SIZE)
      reply.end(contentBytes(6, 0, SIZE))
    })
    await using client = startClient()
    for (const path of ['/known', '/chunked', '/known', '/chunked']) {
      const { body } = await client.read(`${server.origin}${path}`)
      expect(body.equals(contentBytes(6, 0, SIZE))).toBe(true)
    }
    expect(server.connections).toBe(1)
  })
})

describe('memory that sockets read into', () => {
  for (const tls of [false, true])
    test(`serves one small file after the other over ${tls ? 'https' : 'http'}`, async () => {
      await using server = await startFaultServer({ tls })
      await using client = startClient()
      server.add('/f', { size: 65_536, seed: 1 })
      const make = vi.spyOn(Buffer, 'allocUnsafeSlow')
      for (let n = 0; n < 100; n++) {
        const reply = await client.request(server.url('/f'), { options: { proxy: '', caPem: server.caPem } })
        await new Promise<void>((resolve, reject) =>
          reply.consume({ onData: release, onEnd: resolve, onError: reject }),
        )
      }
      expect(server.connections.total).toBe(1)
      const slabs = make.mock.calls.filter(([bytes]) => bytes >= TLS_SLAB_BYTES)
      // A head may lie across the end of one.
      expect(slabs.length).toBeLessThanOrEqual(5)
    })
})
