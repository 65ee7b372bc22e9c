/**
 * The headless host's HTTP side: the built window, the contract on the WebSocket `/rpc`, `/metrics` and `/healthz`.
 * Whoever starts it (`nighthaul serve`) opens store and engine, takes the queue lock and drains the engine afterwards.
 */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex as Stream } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { contract } from '../shared/contract.ts'
import { NighthaulError } from '../shared/errors.ts'
import { MAX_FRAME_BYTES } from '../shared/frames.ts'
import { webSocketDuplex } from '../shared/websocket-duplex.ts'
import type { EngineApi } from './engine/api.ts'
import type { Logger } from './engine/ports.ts'
import {
  type Bound,
  isLoopback,
  isOwnHost,
  isOwnOrigin,
  type TokenGuard,
  tokenGuard,
  urlOf,
} from './headless/access.ts'
import { type ProcessFigures, watchProcess } from './headless/process-figures.ts'
import { METRICS_TYPE, metricsText, scrape } from './headless/prometheus.ts'
import { checkedToken, keptToken } from './headless/token.ts'
import { plainPage, type Reply, securityHeaders, windowFile } from './headless/window-files.ts'
import { serve } from './rpc/server.ts'

/** How often a WebSocket must answer a ping; one that did not is gone (a laptop that went to sleep). */
const HEARTBEAT_MS = 30_000
/** How long a client may take over its goodbye. */
const LINGER_MS = 1_000

export interface DaemonOptions {
  profile: string
  /** name or address to listen on; 127.0.0.1 is only this machine */
  host: string
  /** 0: a free one */
  port: number
  /** null or left out: the profile's own */
  token?: string | null
  /** folder of the built window, with its index.html */
  windowFolder: string
  engine: Pick<EngineApi, 'handlers' | 'events'>
  version: string
  logger: Logger
}

export interface Daemon {
  /** without a slash at the end */
  url: string
  port: number
  token: string
  /** Hangs up on all clients and stops listening. Idempotent; the engine goes on. */
  close(): Promise<void>
}

/**
 * Listens once it resolves.
 * @throws NighthaulError `usage` when the address, the port or the token cannot be used
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { engine, version, logger } = options
  const token = typeof options.token === 'string' ? checkedToken(options.token) : keptToken(options.profile)
  const server = createServer({ shouldUpgradeCallback: isWebSocket })
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES })
  const served = { contract, handlers: engine.handlers, events: engine.events, version, logger }
  const sessions = new Map<WebSocket, { close(): void }>()

  const bound: Bound = { host: options.host, port: await listen(server, options) }
  const guard = tokenGuard(token, bound.port)
  if (!isLoopback(options.host)) {
    process.stderr.write(
      `nighthaul: listening on ${options.host}: other machines can reach this, and the token and your downloads cross the network unencrypted.\n`,
    )
  }

  server.on('request', (request, response) => {
    replyTo(request, bound, guard, { ...options, processFigures: watch.read }).then(
      (reply) => send(request, response, reply),
      (error) => {
        logger.error({ err: error, path: pathOf(request) }, 'a request failed unexpectedly')
        send(request, response, plainPage(500, 'Something went wrong', 'The log in the profile folder says what.'))
      },
    )
  })

  server.on('upgrade', (request, socket, head) => {
    const refusal =
      refusalOf(request, bound, guard) ??
      (pathOf(request) === '/rpc' ? null : plainPage(404, 'Not found', 'WebSockets are served at /rpc.'))
    if (refusal) return refuseUpgrade(request, socket, refusal)
    sockets.handleUpgrade(request, socket, head, (client) => {
      watchHeartbeat(client)
      const duplex = webSocketDuplex(client)
      sessions.set(client, serve(duplex, served))
      client.on('close', () => sessions.delete(client))
    })
  })

  const watch = watchProcess()
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    watch.close()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const session of sessions.values()) session.close()
    const impatience = setTimeout(() => {
      for (const client of sockets.clients) client.terminate()
      server.closeAllConnections()
    }, LINGER_MS)
    server.closeIdleConnections()
    await closed
    clearTimeout(impatience)
  }
  return { url: urlOf(bound), port: bound.port, token, close: () => (closing ??= close()) }
}

/** Resolves with the port. */
async function listen(server: ReturnType<typeof createServer>, { host, port }: DaemonOptions): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    const why = LISTEN_FAULTS[code] ?? `cannot be used (${code})`
    throw new NighthaulError(
      'usage',
      `The address ${host} with port ${port} ${why}; nothing was started. Choose another with --host and --port (0 takes any free port).`,
      { host, port, code },
      { cause },
    )
  }
  return (server.address() as AddressInfo).port
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EACCES: 'needs more rights than this user has',
  EADDRNOTAVAIL: 'is none of this machine',
  ENOTFOUND: 'is no known name',
  ERR_SOCKET_BAD_PORT: 'is out of range (0 to 65535)',
}

type Served = Pick<DaemonOptions, 'windowFolder' | 'engine'> & { processFigures: () => ProcessFigures }

async function replyTo(
  request: IncomingMessage,
  bound: Bound,
  guard: TokenGuard,
  { windowFolder: folder, engine, processFigures }: Served,
): Promise<Reply> {
  const path = pathOf(request)
  const refusal = refusalOf(request, bound, guard)
  if (refusal) return refusal
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return withHeader(plainPage(405, 'Not allowed', 'Only GET and HEAD are served here.'), 'allow', 'GET, HEAD')
  }
  if (path === '/healthz') return { status: 200, headers: JSON_HEADERS, body: '{"status":"ok"}\n' }
  if (path === '/rpc') {
    return withHeader(
      plainPage(426, 'A WebSocket is needed', 'Connect to /rpc as a WebSocket.'),
      'upgrade',
      'websocket',
    )
  }
  // Before a token in the address becomes a cookie: what reads this keeps none.
  if (path === '/metrics') {
    const body = metricsText(await scrape(engine.handlers, processFigures()))
    return { status: 200, headers: { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' }, body }
  }
  const query = queryOf(request)
  if (query.has('token')) return withoutToken(request, path, query, guard)
  const file = await windowFile(folder, path, request.headers['if-none-match'])
  if (file) return file
  if (path !== '/') return plainPage(404, 'Not found', 'There is nothing at this address.')
  return plainPage(
    503,
    'The window is not built yet',
    'Run “npm run build” in the folder of Nighthaul, then reload this page.',
  )
}

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** The first page load: the browser keeps a cookie, and the token leaves the address bar and the history. */
function withoutToken(request: IncomingMessage, path: string, query: URLSearchParams, guard: TokenGuard): Reply {
  query.delete('token')
  // with the host, which was checked, so that no path can lead elsewhere
  const location = `http://${request.headers.host}${path}${query.size > 0 ? `?${query}` : ''}`
  return {
    status: 303,
    headers: { location, 'set-cookie': guard.cookie, 'cache-control': 'no-store' },
    body: '',
  }
}

/** Why a request is not let in, or null. `/healthz` needs no token. */
function refusalOf(request: IncomingMessage, bound: Bound, guard: TokenGuard): Reply | null {
  const { host, origin, authorization, cookie } = request.headers
  if (!isOwnHost(host, bound)) {
    return plainPage(403, 'Refused', `This server does not go by that name. Open it as ${urlOf(bound)}.`)
  }
  const mayComeFromElsewhere = (request.method === 'GET' || request.method === 'HEAD') && !isWebSocket(request)
  if (!mayComeFromElsewhere && !isOwnOrigin(origin, host)) {
    return plainPage(403, 'Refused', 'Pages of other sites may not talk to this server.')
  }
  if (pathOf(request) === '/healthz') return null
  if (guard.accepts({ authorization, cookie, query: queryOf(request).get('token') })) return null
  const page = plainPage(
    401,
    'The token is missing or wrong',
    'Open this address with ?token= and the token that “nighthaul serve” printed when it started, or send it as “Authorization: Bearer”.',
  )
  return withHeader(page, 'www-authenticate', 'Bearer realm="Nighthaul"')
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, { ...headersFor(request), ...reply.headers, 'content-length': lengthOf(reply) })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

function refuseUpgrade(request: IncomingMessage, socket: Stream, reply: Reply): void {
  // nobody hears how the goodbye went
  socket.on('error', () => socket.destroy())
  const length = String(lengthOf(reply))
  const headers = { ...headersFor(request), ...reply.headers, connection: 'close', 'content-length': length }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status]}\r\n${lines.join('')}\r\n${reply.body}`)
}

function headersFor(request: IncomingMessage): Record<string, string> {
  // what a stranger calls us (a 403) has no place in our headers
  const host = request.headers.host ?? ''
  return securityHeaders(/^[\w.:[\]-]+$/.test(host) ? host : '')
}

function withHeader(reply: Reply, name: string, value: string): Reply {
  return { ...reply, headers: { ...reply.headers, [name]: value } }
}

function lengthOf(reply: Reply): number {
  return Buffer.byteLength(reply.body)
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket'
}

/** The path as it was sent, so that dot segments are seen; it begins with one slash, whatever was sent. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!.replace(/^\/*/, '/')
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? ''
  return new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
}

function watchHeartbeat(client: WebSocket): void {
  let answered = true
  client.on('pong', () => {
    answered = true
  })
  const timer = setInterval(() => {
    if (!answered) return client.terminate()
    answered = false
    client.ping()
  }, HEARTBEAT_MS)
  timer.unref()
  client.on('close', () => clearInterval(timer))
}
