/**
 * A scripted HTTP/1.1 server on raw sockets. It serves deterministic content with correct ranges, validators and
 * If-Range, and misbehaves only as told: a fault (faults.ts) edits the correct reply before it is sent. Everything asked
 * is recorded, so that a test can say what a download did on the wire.
 *
 *   await using server = await startFaultServer()
 *   server.add('/file.bin', { size: 5_000_000, seed: 1 })
 *   server.fault('/file.bin', (_request, index) => (index === 0 ? faults.resetAt(100_000) : null))
 */
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import type { Fault } from './faults.ts'
import { type PlannedReply, planReply, type RecordedRequest, type Resource } from './planned-reply.ts'

export * as faults from './faults.ts'
export type { RecordedRequest, Resource }

export type FaultScript = (request: RecordedRequest, index: number) => Fault | readonly Fault[] | null

export interface FaultServer extends AsyncDisposable {
  /** http://127.0.0.1:PORT or https://localhost:PORT */
  readonly origin: string
  readonly port: number
  /** in the order they came; the last 10,000 */
  readonly requests: readonly RecordedRequest[]
  readonly connections: { readonly total: number; readonly open: number; readonly mostOpen: number }
  /** trust this to accept the TLS variant */
  readonly caPem: string
  url(path: string): string
  /** adds or replaces */
  add(path: string, resource: Resource): void
  /** the path's script; null: behave from now on */
  fault(path: string, script: FaultScript | null): void
  /** replies that `stallAt` or `silent` hold right now */
  readonly held: number
  /** what is held goes on */
  release(): void
  /** resolves as soon as it holds; looked at whenever something happens on the wire */
  until(condition: () => boolean): Promise<void>
  /** destroys all connections, as a cut cable does; the server goes on listening */
  disconnect(): void
  close(): Promise<void>
}

const MAX_RECORDED = 10_000
const MAX_HEAD_BYTES = 256 * 1024
const CHUNK_BYTES = 64 * 1024

const fixture = (name: string) => readFileSync(new URL(`./tls/test-only-${name}.pem`, import.meta.url), 'utf8')

/** `clientCa`: TLS, for clients with a certificate of this authority (PEM) alone. */
export async function startFaultServer(options: { tls?: boolean; clientCa?: string } = {}): Promise<FaultServer> {
  const resources = new Map<string, Resource>()
  const scripts = new Map<string, FaultScript>()
  const counts = new Map<string, number>()
  const active = new Map<string, number>()
  const requests: RecordedRequest[] = []
  const sockets = new Set<Socket>()
  const cables = new Set<Socket>()
  const held = new Set<() => void>()
  const waiting = new Set<() => void>()
  let total = 0
  let mostOpen = 0
  const changed = () => {
    for (const look of waiting) look()
  }

  const answer = async (socket: Socket, connection: number, head: RequestHead): Promise<'keep' | 'close'> => {
    const key = head.path.split('?')[0]!
    const index = counts.get(key) ?? 0
    counts.set(key, index + 1)
    const running = (active.get(key) ?? 0) + 1
    active.set(key, running)
    const request: RecordedRequest = {
      ...head,
      index,
      connection,
      active: running,
      status: null,
      bytesSent: 0,
      finished: false,
    }
    requests.push(request)
    if (requests.length > MAX_RECORDED) requests.shift()
    changed()
    try {
      const reply = planReply(request, resources.get(key))
      const found = scripts.get(key)?.(request, index) ?? []
      for (const fault of [found].flat() as Fault[])
        fault(reply, { request, resource: resources.get(key), change: (next) => resources.set(key, next) })
      return await send(socket, request, reply)
    } finally {
      active.set(key, active.get(key)! - 1)
      request.finished = true
      changed()
    }
  }

  const send = async (socket: Socket, request: RecordedRequest, reply: PlannedReply): Promise<'keep' | 'close'> => {
    if (reply.status !== null) {
      if (reply.framing === 'chunked') reply.headers['transfer-encoding'] = 'chunked'
      if (reply.framing === 'length') reply.headers['content-length'] = String(reply.announcedBytes ?? reply.bodyBytes)
      if (reply.framing === 'close') reply.headers.connection = 'close'
      const lines = Object.entries(reply.headers).map(([name, value]) => `${name}: ${value}\r\n`)
      await write(socket, Buffer.from(`HTTP/1.1 ${reply.status} Scripted\r\n${lines.join('')}\r\n`, 'latin1'))
      request.status = reply.status
      changed()
    }
    const wanted = request.method === 'HEAD' ? 0 : reply.bodyBytes
    // A reply that is all there cannot stall: its connection goes on to the next request.
    const isWhole = reply.framing === 'length' && reply.status !== null && (reply.cut?.at ?? 0) >= reply.bodyBytes
    const cut = reply.cut?.how === 'stall' && isWhole && reply.bodyBytes > 0 ? null : reply.cut
    const pace = createPace(reply.bytesPerSecond)
    const until = async (end: number) => {
      while (request.bytesSent < end) {
        if (socket.destroyed) throw new Gone()
        const length = Math.min(pace.chunkBytes, end - request.bytesSent)
        await write(socket, framed(reply, reply.body(request.bytesSent, length)))
        request.bytesSent += length
        changed()
        await pace.wait(length)
      }
    }
    // Once all announced bytes were sent the reply is over, and the connection is the client's to use again.
    const isOver = cut?.how === 'stall' && cut.at > 0 && cut.at === wanted && reply.framing === 'length'
    if (cut && cut.at <= wanted && !isOver) {
      await until(cut.at)
      if (cut.how === 'garbage') await write(socket, Buffer.from('this is no chunk\r\n'))
      if (cut.how === 'reset') await reset(socket)
      if (cut.how !== 'stall') return 'close'
      await stalled(socket)
    }
    await until(wanted)
    if (reply.framing === 'chunked' && wanted > 0) await write(socket, Buffer.from('0\r\n\r\n'))
    const asked = request.headers.connection?.toLowerCase() === 'close'
    return reply.framing === 'close' || reply.closeAfter || asked || reply.status === null ? 'close' : 'keep'
  }

  /** Resolves on release(); rejects when the connection ends. */
  const stalled = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      const settle = (how: () => void) => () => {
        held.delete(go)
        socket.off('close', gone)
        how()
      }
      const go = settle(resolve)
      const gone = settle(() => reject(new Gone()))
      held.add(go)
      socket.once('close', gone)
      changed()
    })

  const onConnection = (socket: Socket) => {
    const connection = total++
    sockets.add(socket)
    mostOpen = Math.max(mostOpen, sockets.size)
    socket.setNoDelay(true)
    // A client that goes away is what tests do; what it meant is in `requests`.
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      changed()
    })
    changed()
    serve(socket, (head) => answer(socket, connection, head))
  }

  const server = options.tls
    ? createTlsServer(
        {
          key: fixture('server-key'),
          cert: fixture('server'),
          ...(options.clientCa !== undefined && { ca: options.clientCa, requestCert: true, rejectUnauthorized: true }),
        },
        onConnection,
      )
    : createServer(onConnection)
  // Before the TLS handshake; a client that refuses the certificate is a test, too.
  server.on('connection', (raw: Socket) => {
    cables.add(raw)
    raw.on('close', () => cables.delete(raw))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const origin = options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  const disconnect = () => {
    for (const cable of cables) cable.destroy()
  }
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      disconnect()
    })

  return {
    origin,
    port,
    requests,
    connections: {
      get total() {
        return total
      },
      get open() {
        return sockets.size
      },
      get mostOpen() {
        return mostOpen
      },
    },
    caPem: fixture('ca'),
    url: (path) => origin + path,
    add: (path, resource) => void resources.set(path, resource),
    fault: (path, script) => void (script ? scripts.set(path, script) : scripts.delete(path)),
    get held() {
      return held.size
    },
    release: () => {
      for (const go of [...held]) go()
    },
    until: (condition) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!condition()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    disconnect,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The connection ended while something was being sent on it. */
class Gone extends Error {}

interface RequestHead {
  method: string
  path: string
  body: string
  headers: Record<string, string>
}

/** Reads requests off a connection and answers them one after another. */
function serve(socket: Socket, answer: (head: RequestHead) => Promise<'keep' | 'close'>): void {
  let pending = Buffer.alloc(0)
  let busy = false
  const next = () => {
    const end = pending.indexOf('\r\n\r\n')
    if (busy || end < 0) {
      if (pending.length > MAX_HEAD_BYTES) socket.destroy()
      return
    }
    const head = parseHead(pending.toString('latin1', 0, end))
    const bodyEnd = end + 4 + Number(head.headers['content-length'] ?? 0)
    if (pending.length < bodyEnd) return
    head.body = pending.toString('utf8', end + 4, bodyEnd)
    pending = pending.subarray(bodyEnd)
    busy = true
    answer(head).then(
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

function parseHead(text: string): RequestHead {
  const [first, ...lines] = text.split('\r\n')
  const [method = '', path = ''] = first!.split(' ')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const at = line.indexOf(':')
    const name = line.slice(0, at).toLowerCase()
    const value = line.slice(at + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { method, path, headers, body: '' }
}

function framed(reply: PlannedReply, bytes: Buffer): Buffer {
  if (reply.framing !== 'chunked') return bytes
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** Resolves when the socket takes more. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) return reject(new Gone())
    const gone = () => reject(new Gone())
    socket.once('close', gone)
    socket.write(bytes, () => {
      socket.off('close', gone)
      resolve()
    })
  })
}

async function reset(socket: Socket): Promise<never> {
  // A turn of the loop, so that what was sent before goes first.
  await new Promise((resolve) => setImmediate(resolve))
  // Node resets plain TCP only; through TLS the cut without a close_notify does the same.
  if (socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
  throw new Gone()
}

function createPace(bytesPerSecond: number | null): { chunkBytes: number; wait(bytes: number): Promise<void> } {
  if (bytesPerSecond === null) return { chunkBytes: CHUNK_BYTES, wait: async () => {} }
  return {
    chunkBytes: Math.max(1, Math.min(CHUNK_BYTES, Math.floor(bytesPerSecond / 50))),
    wait: (bytes) => new Promise((resolve) => setTimeout(resolve, (bytes / bytesPerSecond) * 1000)),
  }
}
