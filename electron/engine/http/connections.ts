/**
 * Keep-alive connections by origin and profile. Each holds one undici dispatcher that runs one request at a time (a
 * Client, or a proxy agent around one), so that a request made as another ends finds its connection free; undici's own
 * Pool would open a second one. How many may be open at once is the caller's business (host slots).
 */
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import { NighthaulError } from '../../../shared/errors.ts'
import type { Clock } from '../ports.ts'
import { type Setup, timed } from './request-sample.ts'
import { SLAB_BYTES, SlabReader } from './slabs.ts'
import { buildConnector, Client, Pool, ProxyAgent, Socks5ProxyAgent } from './undici.ts'

/** What a dispatcher depends on, beside the origin. */
export interface RequestProfile {
  proxy: string | null
  caPem: string | null
  connectTimeoutMs: number
}

export interface Connection {
  readonly dispatcher: Dispatcher
  readonly origin: string
  /** origin and profile */
  readonly key: string
  /** the socket in use; null before the first connect, and always behind a proxy */
  socket: Socket | null
  /** how long it took to come about, for the request that ends next; null: told already, or behind a proxy */
  setup: Setup | null
  /** requests finished on it */
  served: number
  /** how many bytes the present request wants to read at once */
  readBytes: () => number
  idleSinceMs: number
}

/** An idle connection is kept this long, unless the server announced less. */
const KEEP_ALIVE_MS = 10_000
/** A server may announce more, up to this. */
const KEEP_ALIVE_MAX_MS = 60_000
const MAX_HEADER_BYTES = 64 * 1024
const MAX_CACHED = 16

const CLIENT_OPTIONS = {
  pipelining: 1,
  // One big file over HTTP/2 costs twice the CPU of HTTP/1.1 (PERFORMANCE.md).
  allowH2: false,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
} satisfies Client.Options

export interface Connections {
  /** an idle connection, the last used first, or a new one (not connected yet) */
  acquire(origin: string, profile: RequestProfile): Connection
  /** gives a connection back after a reply that was read to its end */
  release(connection: Connection): void
  /** closes a connection at once, whatever it is doing */
  discard(connection: Connection): void
  /** closes idle connections, of one origin or of all */
  dropIdle(origin?: string): void
  /** closes all connections, also those in use; their requests fail */
  close(): Promise<void>
}

/** `maxIdle`: how many idle connections are kept for one origin and profile. */
export function createConnections(clock: Clock, maxIdle: () => number): Connections {
  const idle = new Map<string, Connection[]>()
  const inUse = new Set<Connection>()
  /** TLS sessions by origin and profile: a further connection need not verify the certificate again */
  const sessions = new Map<string, Buffer>()
  const contexts = new Map<string, SecureContext>()

  const destroy = (connection: Connection): Promise<void> => connection.dispatcher.destroy()
  const discard = (connection: Connection) => {
    inUse.delete(connection)
    void destroy(connection)
  }

  const contextFor = (caPem: string | null): SecureContext | undefined =>
    // Node's default certificates need no context of our own; parsing all of them takes milliseconds, hence the cache.
    caPem === null ? undefined : cached(contexts, caPem, () => contextWith(caPem))

  const open = (origin: string, profile: RequestProfile, key: string): Connection => {
    const secureContext = contextFor(profile.caPem)
    const timeout = profile.connectTimeoutMs
    const connectionOf = (dispatcher: Dispatcher): Connection => ({
      dispatcher,
      origin,
      key,
      socket: null,
      setup: null,
      served: 0,
      readBytes: () => SLAB_BYTES,
      idleSinceMs: 0,
    })
    if (profile.proxy !== null) return connectionOf(proxied(profile.proxy, timeout, secureContext))
    const client = new Client(origin, {
      ...CLIENT_OPTIONS,
      connect: (options, callback) => {
        const tls = options.protocol === 'https:' ? { secureContext, session: sessions.get(key) } : null
        const connect = timed(slabConnector(timeout, connection, tls), clock, connection)
        connect(options, (...result) => {
          const socket = result[1]
          connection.socket = socket
          if (tls) socket?.on('session', (session: Buffer) => keep(sessions, key, session))
          callback(...result)
        })
      },
    })
    const connection = connectionOf(client)
    return connection
  }

  const isStale = (connection: Connection) =>
    clock.monotonic() - connection.idleSinceMs > KEEP_ALIVE_MAX_MS ||
    connection.socket?.destroyed === true ||
    // Behind a proxy nothing can be seen of the socket: count on the shortest time.
    (connection.socket === null && clock.monotonic() - connection.idleSinceMs > KEEP_ALIVE_MS)

  const prune = () => {
    for (const [key, list] of idle) {
      const kept = list.filter((connection) => {
        const stale = isStale(connection)
        if (stale) discard(connection)
        return !stale
      })
      if (kept.length > 0) idle.set(key, kept)
      else idle.delete(key)
    }
  }

  return {
    acquire(origin, profile) {
      const key = JSON.stringify([origin, profile.proxy, profile.caPem, profile.connectTimeoutMs])
      prune()
      const connection = idle.get(key)?.pop() ?? open(origin, profile, key)
      inUse.add(connection)
      return connection
    },
    release(connection) {
      if (!inUse.delete(connection)) return
      connection.served++
      connection.idleSinceMs = clock.monotonic()
      const list = idle.get(connection.key) ?? []
      if (list.length >= maxIdle()) return discard(connection)
      list.push(connection)
      idle.set(connection.key, list)
    },
    discard,
    dropIdle(origin) {
      for (const [key, list] of idle) {
        if (origin !== undefined && list[0]?.origin !== origin) continue
        idle.delete(key)
        list.forEach(discard)
      }
    },
    async close() {
      const all = [...inUse, ...[...idle.values()].flat()]
      inUse.clear()
      idle.clear()
      await Promise.all(all.map(destroy))
    },
  }
}

/**
 * Reads into slabs (net.connect's and tls.connect's `onread`), which needs a connector of its own for each socket. TLS
 * hands over one record of 16 KiB at a time: they are collected and pushed once a turn of the event loop.
 */
function slabConnector(
  timeout: number,
  connection: Connection,
  tls: { secureContext: SecureContext | undefined; session: Buffer | undefined } | null,
): buildConnector.connector {
  const reader = new SlabReader()
  let pushPlanned = false
  const push = (): boolean => {
    pushPlanned = false
    const { socket } = connection
    // The socket is known since the connect callback, which comes before any byte.
    if (reader.pendingBytes === 0 || !socket || socket.destroyed) return true
    return socket.push(reader.take())
  }
  const onread = {
    buffer: () => {
      if (reader.isFull) push()
      return reader.room(connection.readBytes())
    },
    callback: (bytes: number) => {
      reader.add(bytes)
      if (!tls) return push()
      if (!pushPlanned) setImmediate(push)
      pushPlanned = true
      const waiting = (connection.socket?.readableLength ?? 0) + reader.pendingBytes
      return connection.socket !== null && waiting < connection.readBytes()
    },
  }
  // The stream behind the socket holds one read at a time: whoever pauses it is owed no more than that.
  const connect = buildConnector({ timeout, allowH2: false, onread, highWaterMark: 1, ...tls } as never)
  return (options, callback) =>
    connect(options, (...result) => {
      const socket = result[1]
      if (socket) {
        // The end of the stream must not overtake what was collected.
        const pushToStream = socket.push
        if (tls)
          socket.push = function (chunk, encoding) {
            if (chunk === null) push()
            return pushToStream.call(this, chunk, encoding)
          }
        socket.once('close', () => reader.end())
      } else reader.end()
      callback(...result)
    })
}

function proxied(proxy: string, timeout: number, secureContext: SecureContext | undefined): Dispatcher {
  const tls = { timeout, allowH2: false, ...(secureContext && { secureContext }) }
  if (proxy.startsWith('socks5:')) return new Socks5ProxyAgent(proxy, { connectTimeout: timeout, requestTls: tls })
  return new ProxyAgent({
    ...CLIENT_OPTIONS,
    uri: proxy,
    connectTimeout: timeout,
    proxyTls: tls,
    requestTls: tls,
    // One request at a time, so one client; undici would put a pool here.
    factory: (origin, options) => new Client(origin, options),
    // The proxy's answer to CONNECT belongs to the time that connecting may take.
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeout }),
  })
}

/** An extra authority adds to those trusted anyway: Node's, those of NODE_EXTRA_CA_CERTS, and the system's. */
function contextWith(caPem: string): SecureContext {
  const trusted = new Set([...getCACertificates('default'), ...getCACertificates('system')])
  try {
    // createSecureContext takes any text without a word.
    new X509Certificate(caPem)
    return createSecureContext({ ca: [...trusted, caPem] })
  } catch (error) {
    throw new NighthaulError(
      'invalid_input',
      'The extra certificate authority cannot be read. Nothing was sent; give a file with certificates in PEM format.',
      {},
      { cause: error },
    )
  }
}

/** A small cache: the oldest entry goes when it is full. */
function cached<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    keep(map, key, value)
  }
  return value
}

function keep<V>(map: Map<string, V>, key: string, value: V): void {
  const oldest = map.keys().next()
  if (!map.has(key) && map.size >= MAX_CACHED && !oldest.done) map.delete(oldest.value)
  map.set(key, value)
}
