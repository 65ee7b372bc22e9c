/**
 * HTTP/2 connections that many requests share: one for each origin and profile whose server offers it (ALPN). For many
 * small files at once; one big file over HTTP/2 costs twice the CPU of HTTP/1.1. Sockets are read as Node's http2 does.
 */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { Client } from './undici.ts'

export interface SharedClient {
  readonly client: Client
  readonly socket: Socket
  /** requests that were begun on it */
  served: number
  /** requests under way on it */
  streams: number
  /** nothing new is asked on it; it is closed when its last request ends */
  isLeaving: boolean
}

export interface SharedConnections {
  /** The shared connection, made if need be; null: the server does not offer HTTP/2. Rejects as connecting does. */
  acquire(origin: string, key: string, connect: buildConnector.connector): Promise<SharedClient | null>
  /** a request on it ended */
  release(shared: SharedClient): void
  /** Nothing new goes over those that are open. */
  drop(origin?: string): void
  close(): Promise<void>
}

/** What a connection may take at once, where the server does not say less. */
const MOST_STREAMS = 100
const MAX_HEADER_BYTES = 64 * 1024

export function createSharedConnections(keepAliveMs: () => number): SharedConnections {
  const clients = new Map<string, { origin: string; opening: Promise<SharedClient | null> }>()
  const all = new Set<SharedClient>()

  const leave = (shared: SharedClient) => {
    shared.isLeaving = true
    if (shared.streams > 0) return
    all.delete(shared)
    void shared.client.destroy()
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
        if (made && !made.destroyed) callback(null, made)
        else callback(Object.assign(new Error('the shared connection was closed'), { code: 'ECONNRESET' }), null)
      },
    })
    const shared: SharedClient = { client, socket, served: 0, streams: 0, isLeaving: false }
    socket.once('close', () => {
      clients.delete(key)
      leave(shared)
    })
    all.add(shared)
    return shared
  }

  return {
    async acquire(origin, key, connect) {
      let entry = clients.get(key)
      if (!entry) {
        entry = { origin, opening: open(origin, key, connect) }
        entry.opening.catch(() => clients.delete(key))
        clients.set(key, entry)
      }
      const shared = await entry.opening
      if (shared === null) return null
      shared.streams++
      shared.served++
      return shared
    },
    release(shared) {
      shared.streams--
      if (shared.isLeaving) leave(shared)
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
