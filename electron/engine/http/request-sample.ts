/**
 * What is measured of one request: how long its connection took to come about, and from that, the moments of the
 * exchange and its end the sample that http-client.ts hands on. Measures; what becomes of it is request-statistics.ts.
 */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { Clock } from '../ports.ts'
import type { ExchangeEnd } from './exchange.ts'

/** How long a connection took to come about. */
export interface Setup {
  /** name lookup and connection */
  connectMs: number
  /** null: plain http */
  tlsMs: number | null
}

/** The same connector, which notes how long it took each time it succeeds, before it calls back. */
export function timed(
  connector: buildConnector.connector,
  clock: Clock,
  connection: { setup: Setup | null },
): buildConnector.connector {
  return (options, callback) => {
    const beganAt = clock.monotonic()
    let connectedAt: number | null = null
    // The types say void, but undici's connectors answer the socket, which alone knows when TLS began.
    const socket = connector(options, (...result) => {
      const readyAt = clock.monotonic()
      if (result[1]) {
        const tlsMs = connectedAt === null ? null : readyAt - connectedAt
        connection.setup = { connectMs: (connectedAt ?? readyAt) - beganAt, tlsMs }
      }
      callback(...result)
    }) as unknown as Socket | undefined
    if (options.protocol === 'https:')
      socket?.once('connect', () => {
        connectedAt = clock.monotonic()
      })
  }
}

/** Moments are monotonic ms. `setup` null: no connection was made, or a proxy hides how. */
export function sampleOf(request: {
  host: string
  method: string
  httpVersion: string
  startedAt: number
  beganAt: number
  endedAt: number
  queueMs: number
  setup: Setup | null
  /** the connection had served before; it may have been made anew all the same */
  kept: boolean
  end: ExchangeEnd
}): RequestSample {
  const { beganAt, setup, end } = request
  const reused = request.kept && setup === null
  // Before it is sent, a request waits for nothing but its connection.
  const unseenMs = reused || end.sentAt === null ? null : end.sentAt - beganAt
  return {
    host: request.host,
    method: request.method,
    startedAt: request.startedAt,
    queueMs: request.queueMs,
    connectMs: setup?.connectMs ?? unseenMs,
    tlsMs: setup?.tlsMs ?? null,
    firstByteMs: end.sentAt === null || end.headAt === null ? null : end.headAt - end.sentAt,
    durationMs: request.endedAt - beganAt,
    bytes: end.bytes,
    status: end.status,
    errorCode: end.error?.code ?? null,
    reused: reused && end.sentAt !== null,
    httpVersion: request.httpVersion,
  }
}
