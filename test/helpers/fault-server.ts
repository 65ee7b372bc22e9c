/**
 * A scripted server on raw sockets: HTTP/1.1, over TLS if wanted, and with HTTP/2 offered beside it if wanted. It serves
 * deterministic content with correct ranges, validators and If-Range, and misbehaves only as told: a fault (faults.ts)
 * edits the correct reply before it is sent, or spoils a connection before anything is asked on it. Everything asked is
 * recorded, so that a test can say what a download did on the wire.
 *
 *   await using server = await startFaultServer()
 *   server.add('/file.bin', { size: 5_000_000, seed: 1 })
 *   server.fault('/file.bin', (_request, index) => (index === 0 ? faults.resetAt(100_000) : null))
 *   server.faultConnections(({ index }) => (index === 0 ? 'garbage' : null))
 */
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type Answer, Gone, serveHttp1, serveHttp2, type Wire } from './fault-wires.ts'
import type { Fault } from './faults.ts'
import { type PlannedReply, planReply, type RecordedRequest, type Resource } from './planned-reply.ts'

export * as faults from './faults.ts'
export type { RecordedRequest, Resource }

export type FaultScript = (request: RecordedRequest, index: number) => Fault | readonly Fault[] | null

/**
 * What becomes of a connection that was accepted, before TLS: `reset` at once; `close` as soon as the client says
 * something; `garbage` in answer to that, which is neither TLS nor HTTP; `late`: nothing until the server's release().
 */
export type ConnectionFault = 'reset' | 'close' | 'garbage' | 'late'

/** `index` counts from 0; `open` are those that are open, with this one. */
export type ConnectionScript = (connection: { index: number; open: number }) => ConnectionFault | null

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
  /** for connections accepted from now on; null: behave */
  faultConnections(script: ConnectionScript | null): void
  /** replies that `stallAt`, `silent` or `late` hold right now, and connections that are `late` */
  readonly held: number
  /** what is held goes on: all of it, or those that have not answered yet */
  release(which?: 'heads'): void
  /** resolves as soon as it holds; looked at whenever something happens on the wire */
  until(condition: () => boolean): Promise<void>
  /** destroys all connections, as a cut cable does; the server goes on listening */
  disconnect(): void
  /** destroys all connections and refuses new ones, until the function it answers is called; the port stays the same */
  goDown(): Promise<() => Promise<void>>
  close(): Promise<void>
}

const MAX_RECORDED = 10_000
const CHUNK_BYTES = 64 * 1024
const LATENESS_MS = 100

const fixture = (name: string) => readFileSync(new URL(`./tls/test-only-${name}.pem`, import.meta.url), 'utf8')

/** `clientCa`: TLS, for clients with a certificate of this authority (PEM) alone. `http2`: TLS, and HTTP/2 is offered. */
export async function startFaultServer(
  options: { tls?: boolean; http2?: boolean; clientCa?: string } = {},
): Promise<FaultServer> {
  const isTls = options.tls || options.http2
  const resources = new Map<string, Resource>()
  const scripts = new Map<string, FaultScript>()
  const counts = new Map<string, number>()
  const active = new Map<string, number>()
  const requests: RecordedRequest[] = []
  const sockets = new Set<Socket>()
  const cables = new Set<Socket>()
  const held = new Map<() => void, Pick<RecordedRequest, 'status'>>()
  let connectionScript: ConnectionScript | null = null
  const waiting = new Set<() => void>()
  let total = 0
  let mostOpen = 0
  const changed = () => {
    for (const look of waiting) look()
  }

  const answerOn =
    (connection: number): Answer =>
    async (wire, head) => {
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
        spoilt: false,
      }
      requests.push(request)
      if (requests.length > MAX_RECORDED) requests.shift()
      changed()
      try {
        const reply = planReply(request, resources.get(key))
        const due = { ...reply, headers: { ...reply.headers } }
        const found = scripts.get(key)?.(request, index) ?? []
        for (const fault of [found].flat() as Fault[])
          fault(reply, { request, resource: resources.get(key), change: (next) => resources.set(key, next) })
        request.spoilt = reply.cut === null && !isSame(reply, due)
        return await send(wire, request, reply)
      } finally {
        active.set(key, active.get(key)! - 1)
        request.finished = true
        changed()
      }
    }

  const send = async (wire: Wire, request: RecordedRequest, reply: PlannedReply): Promise<'keep' | 'close'> => {
    if (reply.late) await stalled(wire.channel, request)
    if (reply.status !== null) {
      await wire.head(reply)
      request.status = reply.status
      changed()
    }
    const wanted = request.method === 'HEAD' ? 0 : reply.bodyBytes
    // A reply that is all there cannot stall: its connection goes on to the next request.
    const isWhole = reply.framing === 'length' && reply.status !== null && (reply.cut?.at ?? 0) >= reply.bodyBytes
    const cut = reply.cut?.how === 'stall' && isWhole && reply.bodyBytes > 0 ? null : reply.cut
    const line = resources.get(request.path.split('?')[0]!)?.lineBytesPerSecond
    const share = () =>
      line === undefined ? Number.POSITIVE_INFINITY : line / active.get(request.path.split('?')[0]!)!
    const pace = createPace(() => Math.min(share(), reply.bytesPerSecond ?? Number.POSITIVE_INFINITY))
    const until = async (end: number) => {
      while (request.bytesSent < end) {
        if (wire.channel.destroyed) throw new Gone()
        const length = Math.min(pace.chunkBytes, end - request.bytesSent)
        await wire.body(reply, reply.body(request.bytesSent, length))
        request.bytesSent += length
        changed()
        await pace.wait(length)
      }
    }
    // Once all announced bytes were sent the reply is over, and the connection is the client's to use again.
    const isOver = cut?.how === 'stall' && cut.at > 0 && cut.at === wanted && reply.framing === 'length'
    if (cut && cut.at <= wanted && !isOver) {
      await until(cut.at)
      request.spoilt = true
      if (cut.how !== 'stall') {
        await wire.cut(cut.how)
        return 'close'
      }
      await stalled(wire.channel, request)
    }
    await until(wanted)
    await wire.end(reply, request.method !== 'HEAD')
    const asked = request.headers.connection?.toLowerCase() === 'close'
    return reply.framing === 'close' || reply.closeAfter || asked || reply.status === null ? 'close' : 'keep'
  }

  /** Resolves on release(); rejects when the connection ends. */
  const stalled = (channel: Duplex, request: Pick<RecordedRequest, 'status'>) =>
    new Promise<void>((resolve, reject) => {
      const settle = (how: () => void) => () => {
        held.delete(go)
        channel.off('close', gone)
        how()
      }
      const go = settle(resolve)
      const gone = settle(() => reject(new Gone()))
      held.set(go, request)
      channel.once('close', gone)
      changed()
    })

  const onConnection = (socket: Socket, connection: number) => {
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
    const serve = (socket as Partial<TLSSocket>).alpnProtocol === 'h2' ? serveHttp2 : serveHttp1
    serve(socket, answerOn(connection))
  }

  /** by the client's port */
  const numbers = new Map<number, number>()
  const { clientCa } = options
  const tlsOptions = {
    key: fixture('server-key'),
    cert: fixture('server'),
    ...(options.http2 && { ALPNProtocols: ['h2', 'http/1.1'] }),
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  }
  const tlsServer = isTls
    ? createTlsServer(tlsOptions, (socket) => onConnection(socket, numbers.get(socket.remotePort!)!))
    : null
  // A client that refuses the certificate is a test, too.
  tlsServer?.on('tlsClientError', () => {})

  /** The connection as it was accepted: spoilt as scripted, or served. */
  const accept = async (raw: Socket) => {
    const connection = total++
    cables.add(raw)
    raw.on('error', () => {})
    raw.on('close', () => {
      cables.delete(raw)
      changed()
    })
    changed()
    const fault = connectionScript?.({ index: connection, open: cables.size }) ?? null
    if (fault === 'reset') return void raw.resetAndDestroy()
    if (fault === 'late') await stalled(raw, { status: null })
    if (fault === 'close' || fault === 'garbage') {
      await new Promise((resolve) => raw.once('data', resolve))
      if (fault === 'close') raw.destroy()
      else raw.end('this is neither TLS nor HTTP\r\n')
      return
    }
    if (!tlsServer) return onConnection(raw, connection)
    numbers.set(raw.remotePort!, connection)
    tlsServer.emit('connection', raw)
  }
  const server = createServer((raw) => {
    accept(raw).catch((error: unknown) => {
      if (!(error instanceof Gone)) throw error
    })
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => resolve(void server.off('error', reject)))
    })
  await listen(0)
  const { port } = server.address() as AddressInfo
  const origin = isTls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
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
    faultConnections: (script) => {
      connectionScript = script
    },
    get held() {
      return held.size
    },
    release: (which) => {
      for (const [go, { status }] of [...held]) if (which !== 'heads' || status === null) go()
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
    async goDown() {
      await close()
      return () => listen(port)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const isSame = (one: PlannedReply, other: PlannedReply) =>
  one.body === other.body && JSON.stringify(one) === JSON.stringify(other)

function createPace(bytesPerSecond: () => number): { readonly chunkBytes: number; wait(bytes: number): Promise<void> } {
  let due = performance.now()
  return {
    get chunkBytes() {
      return Math.max(1, Math.min(CHUNK_BYTES, Math.floor(bytesPerSecond() / 50)))
    },
    async wait(bytes) {
      const now = performance.now()
      // A timer that was late is made up for, so that a busy machine serves no slower.
      due = Math.max(due, now - LATENESS_MS) + (bytes / bytesPerSecond()) * 1000
      if (due > now) await new Promise((resolve) => setTimeout(resolve, due - now))
    },
  }
}
