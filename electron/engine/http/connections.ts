/**
 * Opens connections: each holds one undici dispatcher that runs one request at a time (a Client, or a proxy agent around
 * one), so that a request made as another ends finds its connection free; undici's own Pool would open a second one.
 * Which may be used again, and how many there may be, is connection-pool.ts's to know.
 */
import type { LookupFunction, Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { Clock } from '../ports.ts'
import { ConnectionPool, type Pooled, type PoolLimits } from './connection-pool.ts'
import { DirectWay } from './direct-way.ts'
import { type Setup, timed } from './request-sample.ts'
import { createSharedConnections, type SharedClient } from './shared-connections.ts'
import { SLAB_BYTES, SlabReader, TLS_SLAB_BYTES } from './slabs.ts'
import { identityOf, type Trust, TrustContexts } from './trust.ts'
import { buildConnector, Client, Pool, ProxyAgent, Socks5ProxyAgent } from './undici.ts'

/** What a dispatcher depends on, beside the origin. */
export interface RequestProfile extends Trust {
  proxy: string | null
  connectTimeoutMs: number
  /** how long one address of a name may take before the next is tried beside it (RFC 8305) */
  addressAttemptMs: number
}

export interface Connection extends Pooled {
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
  /** the way past undici's parser; null: there is none */
  readonly direct: DirectWay | null
  /** HTTP/2, with other requests on it; null: this one alone, over HTTP/1.1 */
  readonly shared: SharedClient | null
}

const MAX_HEADER_BYTES = 64 * 1024
const MAX_CACHED = 16

const CLIENT_OPTIONS = {
  pipelining: 1,
  // One big file over HTTP/2 costs twice the CPU of HTTP/1.1 (PERFORMANCE.md).
  allowH2: false,
  maxHeaderSize: MAX_HEADER_BYTES,
} satisfies Client.Options

export interface Connections {
  /** an idle connection, the last used first, or a new one (not connected yet); waits where as many are busy as may be */
  acquire(origin: string, profile: RequestProfile, how: { fresh?: boolean; signal: AbortSignal }): Promise<Connection>
  /** A place on an HTTP/2 connection that many share; null: the server offers none. Not through a proxy. */
  acquireShared(origin: string, profile: RequestProfile): Promise<Connection | null>
  /** gives a connection back after a reply that was read to its end */
  release(connection: Connection): void
  /** closes a connection at once, whatever it is doing; a shared one is only left. `broke`: its request failed on it */
  discard(connection: Connection, broke: boolean): void
  /** closes idle connections, of one origin or of all */
  dropIdle(origin?: string): void
  setLimits(limits: PoolLimits): void
  /** closes all connections, also those in use; their requests fail */
  close(): Promise<void>
}

/** `lookup`: how names become addresses; Node's own where left out. */
export function createConnections(clock: Clock, limits: PoolLimits, lookup?: LookupFunction): Connections {
  /** TLS sessions by origin and profile: a further connection need not verify the certificate again */
  const sessions = new Map<string, Buffer>()
  const trusts = new TrustContexts()
  const pool = new ConnectionPool<Connection>(clock, limits, ({ dispatcher }) => void dispatcher.destroy())

  const sharedConnections = createSharedConnections(clock, () => pool.limits.keepAliveMs)

  const racingOf = ({ addressAttemptMs }: RequestProfile) => ({
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
    ...(lookup && { lookup }),
  })

  const open = (origin: string, profile: RequestProfile, key: string): Connection => {
    // What cannot be read is said before anything is sent.
    trusts.of(profile)
    const timeout = profile.connectTimeoutMs
    const racing = racingOf(profile)
    const keepAliveMs = Math.max(1, pool.limits.keepAliveMs)
    // A server may announce less, which undici obeys, and never more.
    const keepAlive = { keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs }
    const connectionOf = (dispatcher: Dispatcher, direct: DirectWay | null): Connection => ({
      dispatcher,
      origin,
      key,
      socket: null,
      setup: null,
      served: 0,
      readBytes: () => SLAB_BYTES,
      direct,
      shared: null,
      get alive() {
        return this.socket?.destroyed !== true
      },
    })
    if (profile.proxy !== null) {
      // A proxy's own agent cannot be asked to try once more; and a company that has one has an authority as well.
      const contextAt = (url: string, trust: Trust) => (url.startsWith('https:') ? trusts.wide(trust) : undefined)
      const contexts = {
        secureContext: contextAt(origin, profile),
        // Who we are is the server's business, not the proxy's.
        toProxy: contextAt(profile.proxy, { caPem: profile.caPem, clientCertificate: null }),
      }
      return connectionOf(proxied(profile.proxy, { ...racing, timeout }, contexts, keepAlive), null)
    }
    const client = new Client(origin, {
      ...CLIENT_OPTIONS,
      ...keepAlive,
      connect: (options, callback) => {
        const isSecure = options.protocol === 'https:'
        const attempt = (context: SecureContext | undefined, done: buildConnector.Callback) => {
          const tls = isSecure ? { secureContext: context, session: sessions.get(key) } : null
          const connecting = slabConnector({ ...racing, timeout }, connection, tls)
          timed(
            connecting,
            clock,
            connection,
          )(options, (...result) => {
            const socket = result[1]
            connection.socket = socket
            if (tls) socket?.on('session', (session: Buffer) => keep(sessions, key, session))
            done(...result)
          })
        }
        const usual = isSecure ? trusts.of(profile) : undefined
        attempt(usual, (...result) => {
          const wider = isSecure && result[0] ? trusts.widened(profile, usual, result[0]) : null
          if (wider === null) callback(...result)
          else attempt(wider, callback)
        })
      },
    })
    const connection = connectionOf(client, new DirectWay())
    return connection
  }

  return {
    acquire(origin, profile, how) {
      const key = keyOf(origin, profile)
      return pool.acquire({ origin, key, ...how }, () => open(origin, profile, key))
    },
    async acquireShared(origin, profile) {
      const key = keyOf(origin, profile)
      const made: { setup: Setup | null } = { setup: null }
      const options = { ...racingOf(profile), timeout: profile.connectTimeoutMs, secureContext: trusts.of(profile) }
      const connector = buildConnector({ ...options, allowH2: true, preferH2: true } as never)
      const shared = await sharedConnections.acquire(origin, key, timed(connector, clock, made))
      if (shared === null) return null
      const { client, socket, served } = shared
      const { setup } = made
      return {
        ...{ dispatcher: client, origin, key, socket, setup, shared },
        served: served - 1,
        readBytes: () => SLAB_BYTES,
        direct: null,
        alive: true,
      }
    },
    release(connection) {
      if (connection.shared) return sharedConnections.release(connection.shared, false)
      connection.served++
      pool.release(connection)
    },
    discard(connection, broke) {
      if (connection.shared) sharedConnections.release(connection.shared, broke)
      else pool.discard(connection)
    },
    dropIdle(origin) {
      pool.dropIdle(origin)
      sharedConnections.drop(origin)
    },
    setLimits: (next) => pool.setLimits(next),
    async close() {
      await Promise.all([sharedConnections.close(), ...pool.clear().map(({ dispatcher }) => dispatcher.destroy())])
    },
  }
}

/** Requests with the same key may follow each other on a connection. */
function keyOf(origin: string, profile: RequestProfile): string {
  const { proxy, connectTimeoutMs, addressAttemptMs } = profile
  return JSON.stringify([origin, proxy, identityOf(profile), connectTimeoutMs, addressAttemptMs])
}

/**
 * Reads into slabs (net.connect's and tls.connect's `onread`), which needs a connector of its own for each socket. TLS
 * hands over one record of 16 KiB at a time: they are collected and pushed once a turn of the event loop.
 */
function slabConnector(
  connecting: object,
  connection: Connection,
  tls: { secureContext: SecureContext | undefined; session: Buffer | undefined } | null,
): buildConnector.connector {
  const reader = new SlabReader(tls ? TLS_SLAB_BYTES : SLAB_BYTES)
  let pushPlanned = false
  const push = (): boolean => {
    pushPlanned = false
    const { socket } = connection
    // The socket is known since the connect callback, which comes before any byte.
    if (reader.pendingBytes === 0 || !socket || socket.destroyed) return true
    const chunk = reader.take()
    const wantsMore = connection.direct?.take(socket, chunk) ?? null
    if (wantsMore === null) return socket.push(chunk)
    // The socket may have been stopped while this was collected. Reading from its stream would start it again; so does this.
    if (wantsMore && tls) socket.read(0)
    return wantsMore
  }
  const onread = {
    buffer: () => reader.room(connection.readBytes()),
    callback: (bytes: number) => {
      reader.add(bytes)
      // A full slab is handed on at once: what is read next lies in another one.
      if (!tls || reader.isFull) return push()
      if (!pushPlanned) setImmediate(push)
      pushPlanned = true
      const waiting = (connection.socket?.readableLength ?? 0) + reader.pendingBytes
      return connection.socket !== null && waiting < connection.readBytes()
    },
  }
  // The stream behind the socket holds one read at a time: whoever pauses it is owed no more than that.
  const connect = buildConnector({ ...connecting, allowH2: false, onread, highWaterMark: 1, ...tls } as never)
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

function proxied(
  proxy: string,
  connecting: { timeout: number },
  contexts: { secureContext: SecureContext | undefined; toProxy: SecureContext | undefined },
  keepAlive: Client.Options,
): Dispatcher {
  const { timeout } = connecting
  const tlsWith = (secureContext: SecureContext | undefined) =>
    ({ ...connecting, allowH2: false, ...(secureContext && { secureContext }) }) as buildConnector.BuildOptions
  if (proxy.startsWith('socks5:'))
    return withoutWarning(
      () =>
        new Socks5ProxyAgent(proxy, {
          connectTimeout: timeout,
          connect: buildConnector({ ...connecting, allowH2: false } as never),
          requestTls: tlsWith(contexts.secureContext),
        }),
    )
  return new ProxyAgent({
    ...CLIENT_OPTIONS,
    ...keepAlive,
    uri: proxy,
    connectTimeout: timeout,
    proxyTls: tlsWith(contexts.toProxy),
    requestTls: tlsWith(contexts.secureContext),
    // One request at a time, so one client; undici would put a pool here.
    factory: (origin, options) => new Client(origin, options),
    // The proxy's answer to CONNECT belongs to the time that connecting may take.
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeout }),
  })
}

/** undici calls its SOCKS5 agent experimental on standard error, which is no news to whoever downloads through it. */
function withoutWarning<T>(make: () => T): T {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return make()
  } finally {
    process.emitWarning = emitWarning
  }
}

/** In a small cache: the oldest entry goes when it is full. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  const oldest = map.keys().next()
  if (!map.has(key) && map.size >= MAX_CACHED && !oldest.done) map.delete(oldest.value)
  map.set(key, value)
}
