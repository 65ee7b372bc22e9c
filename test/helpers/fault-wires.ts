/** How the fault server's replies go out: as HTTP/1.1 on a raw socket, or on a stream of an HTTP/2 connection. */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { PlannedReply } from './planned-reply.ts'

/** The connection, or the stream of it, ended while something was being sent. */
export class Gone extends Error {}

export interface RequestHead {
  method: string
  path: string
  body: string
  headers: Record<string, string>
  httpVersion: '1.1' | '2'
  /** requests before it on the same connection */
  nth: number
}

/** What a reply goes out on. Each resolves when more may be sent, and rejects with Gone. */
export interface Wire {
  /** ends with what the other end does */
  readonly channel: Duplex
  head(reply: PlannedReply): Promise<void>
  body(reply: PlannedReply, bytes: Buffer): Promise<void>
  /** after the last byte of a whole body; `hasBody`: even of an empty one */
  end(reply: PlannedReply, hasBody: boolean): Promise<void>
  /** breaks off, as the fault wants it */
  cut(how: 'close' | 'reset' | 'garbage' | 'goaway'): Promise<void>
}

export type Answer = (wire: Wire, head: RequestHead) => Promise<'keep' | 'close'>

const MAX_HEAD_BYTES = 256 * 1024

/** Resolves when the channel takes more. */
function write(channel: Duplex, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (channel.destroyed) return reject(new Gone())
    const gone = () => reject(new Gone())
    channel.once('close', gone)
    channel.write(bytes, (error) => {
      channel.off('close', gone)
      if (error) reject(new Gone())
      else resolve()
    })
  })
}

// ── HTTP/1.1 ──

/** Reads requests off a connection and answers them one after another. */
export function serveHttp1(socket: Socket, answer: Answer): void {
  let pending = Buffer.alloc(0)
  let busy = false
  let nth = 0
  const wire = http1Wire(socket)
  const next = () => {
    const end = pending.indexOf('\r\n\r\n')
    if (busy || end < 0) {
      if (pending.length > MAX_HEAD_BYTES) socket.destroy()
      return
    }
    const head = parseHead(pending.toString('latin1', 0, end), nth)
    const bodyEnd = end + 4 + Number(head.headers['content-length'] ?? 0)
    if (pending.length < bodyEnd) return
    head.body = pending.toString('utf8', end + 4, bodyEnd)
    pending = pending.subarray(bodyEnd)
    busy = true
    nth++
    answer(wire, head).then(
      (how) => {
        busy = false
        if (how === 'close') socket.end(() => socket.destroy())
        else next()
      },
      (error: unknown) => {
        socket.destroy()
        if (!(error instanceof Gone)) throw error
      },
    )
  }
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk])
    next()
  })
}

function http1Wire(socket: Socket): Wire {
  return {
    channel: socket,
    head(reply) {
      if (reply.framing === 'chunked') reply.headers['transfer-encoding'] = 'chunked'
      if (reply.framing === 'length') reply.headers['content-length'] = String(reply.announcedBytes ?? reply.bodyBytes)
      if (reply.framing === 'close') reply.headers.connection = 'close'
      const lines = Object.entries(reply.headers).map(([name, value]) => `${name}: ${value}\r\n`)
      return write(socket, Buffer.from(`HTTP/1.1 ${reply.status} Scripted\r\n${lines.join('')}\r\n`, 'latin1'))
    },
    body: (reply, bytes) => write(socket, reply.framing === 'chunked' ? chunkOf(bytes) : bytes),
    async end(reply, hasBody) {
      if (reply.framing === 'chunked' && hasBody) await write(socket, Buffer.from('0\r\n\r\n'))
    },
    async cut(how) {
      if (how === 'garbage') await write(socket, Buffer.from('this is no chunk\r\n'))
      if (how === 'reset') await reset(socket)
    },
  }
}

function parseHead(text: string, nth: number): RequestHead {
  const [first, ...lines] = text.split('\r\n')
  const [method = '', path = ''] = first!.split(' ')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const at = line.indexOf(':')
    const name = line.slice(0, at).toLowerCase()
    const value = line.slice(at + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { method, path, headers, body: '', httpVersion: '1.1', nth }
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

async function reset(socket: Socket): Promise<never> {
  // A turn of the loop, so that what was sent before goes first.
  await new Promise((resolve) => setImmediate(resolve))
  // Node resets plain TCP only; through TLS the cut without a close_notify does the same.
  if (socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
  throw new Gone()
}

// ── HTTP/2 ──

/** Answers the requests of a connection as they come, beside each other. Bodies of requests are not read. */
export function serveHttp2(socket: Socket, answer: Answer): void {
  const session = performServerHandshake(socket)
  let nth = 0
  // A client that goes away is what tests do.
  session.on('error', () => {})
  session.on('stream', (stream, incoming) => {
    stream.on('error', () => {})
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(incoming)) if (!name.startsWith(':')) headers[name] = String(value)
    const head: RequestHead = {
      method: incoming[':method'] ?? '',
      path: incoming[':path'] ?? '',
      headers,
      body: '',
      httpVersion: '2',
      nth: nth++,
    }
    answer(http2Wire(session, stream), head).catch((error: unknown) => {
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL)
      if (!(error instanceof Gone)) throw error
    })
  })
}

function http2Wire(session: ServerHttp2Session, stream: ServerHttp2Stream): Wire {
  let isWhole = false
  // Node would end the stream in good order before it resets it, and a body that broke off would look whole.
  stream.on('wantTrailers', () => {
    if (isWhole) stream.sendTrailers({})
  })
  return {
    channel: stream,
    async head(reply) {
      if (stream.destroyed) throw new Gone()
      // All up to this one are served, and no other after it.
      if (reply.goAway) session.goaway(constants.NGHTTP2_NO_ERROR, stream.id)
      const length = reply.framing === 'length' && { 'content-length': reply.announcedBytes ?? reply.bodyBytes }
      stream.respond({ ':status': reply.status!, ...reply.headers, ...length }, { waitForTrailers: true })
    },
    body: (_reply, bytes) => write(stream, bytes),
    async end(reply) {
      isWhole = true
      stream.end()
      if (reply.closeAfter) session.close()
    },
    async cut(how) {
      // A turn of the loop, so that what was sent before goes first.
      await new Promise((resolve) => setImmediate(resolve))
      const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants
      if (how === 'reset') stream.close(stream.headersSent ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_REFUSED_STREAM)
      // This request and all after it were not looked at (RFC 9113 §6.8).
      else if (how === 'goaway' && !stream.headersSent) session.goaway(NGHTTP2_NO_ERROR, stream.id! - 2)
      else if (how === 'goaway') session.destroy(undefined, NGHTTP2_INTERNAL_ERROR)
      else session.socket.destroy()
    },
  }
}
