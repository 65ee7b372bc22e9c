/**
 * HTTP/2 connections that many requests share: one for each origin and profile whose server offers it (ALPN). For many
 * small files at once; one big file over HTTP/2 costs twice the CPU of HTTP/1.1. Sockets are read as Node's http2 does.
 * Where one breaks, requests have connections of their own for a while: what fails over HTTP/2 need not without it.
 */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { NighthaulError } from '../../../shared/errors.ts'
import type { Clock } from '../ports.ts'
import type { OpenRequest } from './exchange.ts'
import { Client } from './undici.ts'

export interface SharedClient {
  /** of its origin and profile */
  readonly key: string
  readonly client: Client
  readonly socket: Socket
  /** requests that were begun on it */
  served: number
  /** requests under way on it */
  streams: number
  /** the same, once they were handed over */
  readonly requests: Set<OpenRequest>
  /** nothing new is asked on it; it is closed when its last request ends */
  isLeaving: boolean
}

export interface SharedConnections {
  /** The shared connection, made if need be; null: the server offers none that is any good. Rejects as connecting does. */
  acquire(origin: string, key: string, connect: buildConnector.connector): Promise<SharedClient | null>
  /** a request on it ended; `broke`: the other side or the line failed it */
  release(shared: SharedClient, broke: boolean): void
  /** Nothing new goes over those that are open. */
  drop(origin?: string): void
  close(): Promise<void>
}

/** What a connection may take at once, where the server does not say less. */
const MOST_STREAMS = 100
const MAX_HEADER_BYTES = 64 * 1024
/** How long nothing is shared after a shared connection broke. */
const AVOIDED_MS = 5 * 60_000

interface Entry {
  origin: string
  opening: Promise<SharedClient | null>
  /** once it is open */
  shared: SharedClient | null
}

export function createSharedConnections(clock: Clock, keepAliveMs: () => number): SharedConnections {
  const clients = new Map<string, Entry>()
  /** key -> monotonic ms until which nothing is shared */
  const avoided = new Map<string, number>()
  const all = new Set<SharedClient>()

  const leave = (shared: SharedClient) => {
    shared.isLeaving = true
    if (shared.streams > 0) return
    all.delete(shared)
    void shared.client.destroy()
  }

  /** Nothing new is asked on it; another may have taken its place already. */
  const retire = (shared: SharedClient) => {
    if (clients.get(shared.key)?.shared === shared) clients.delete(shared.key)
    leave(shared)
  }

  const isAvoided = (key: string): boolean => {
    const now = clock.monotonic()
    for (const [each, until] of avoided) if (until <= now) avoided.delete(each)
    return avoided.has(key)
  }

  const open = async (origin: string, key: string, connect: buildConnector.connector): Promise<SharedClient | null> => {
    const { protocol, hostname, host, port } = new URL(origin)
    const socket = await new Promise<Socket>((resolve, reject) => {
      connect({ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port }, (error, made) =>
        error ? reject(error) : resolve(made as Socket),
      )
    })
    if ((socket as Socket & { alpnProtocol?: string }).alpnProtocol !== 'h2') {
      socket.destroy()
      return null
    }
    let unused: Socket | null = socket
    const client = new Client(origin, {
      allowH2: true,
      maxConcurrentStreams: MOST_STREAMS,
      pipelining: MOST_STREAMS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: Math.max(1, keepAliveMs()),
      // This one socket, and no other after it: whoever comes then opens a connection of their own.
      connect: (_options, callback) => {
        const made = unused
        unused = null
        if (made && !made.destroyed) return callback(null, made)
        callback(Object.assign(new Error('the shared connection was closed'), { code: 'ECONNRESET' }), null)
        // After a GOAWAY undici would keep what the server did not look at until the last of the others has ended.
        retire(shared)
        queueMicrotask(() => {
          for (const request of [...shared.requests]) if (!request.answered) request.fail(notLookedAt(origin))
        })
      },
    })
    const requests = new Set<OpenRequest>()
    const shared: SharedClient = { key, client, socket, served: 0, streams: 0, requests, isLeaving: false }
    socket.once('close', () => retire(shared))
    all.add(shared)
    return shared
  }

  return {
    async acquire(origin, key, connect) {
      if (isAvoided(key)) return null
      let entry = clients.get(key)
      if (!entry) {
        entry = { origin, opening: open(origin, key, connect), shared: null }
        entry.opening.catch(() => clients.delete(key))
        clients.set(key, entry)
      }
      const shared = await entry.opening
      if (shared === null) return null
      entry.shared = shared
      shared.streams++
      shared.served++
      return shared
    },
    release(shared, broke) {
      shared.streams--
      if (broke) {
        avoided.set(shared.key, clock.monotonic() + AVOIDED_MS)
        retire(shared)
      } else if (shared.isLeaving) leave(shared)
    },
    drop(origin) {
      for (const [key, entry] of clients) {
        if (origin !== undefined && entry.origin !== origin) continue
        clients.delete(key)
        entry.opening.then((shared) => shared && leave(shared)).catch(() => undefined)
      }
    },
    async close() {
      clients.clear()
      await Promise.all([...all].map(({ client }) => client.destroy()))
    },
  }
}

function notLookedAt(origin: string): NighthaulError {
  const { host } = new URL(origin)
  return new NighthaulError(
    'connection_reset',
    `“${host}” takes no more requests on this connection. What is already here is kept; it is asked over another one.`,
    { host },
  )
}
