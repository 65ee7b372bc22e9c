/**
 * The engine's way to the network: requests with redirects followed, challenges answered, credentials kept at home, typed
 * errors and bodies with backpressure. What a reply means for a file is decided elsewhere (probe.ts, resume-ladder.ts).
 */
import type { LookupFunction } from 'node:net'
import { NighthaulError } from '../../../shared/errors.ts'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { RequestBody, TaskOptions } from '../../../shared/schemas.ts'
import { type HopOptions, type HostRules, optionsFor } from '../host-rules.ts'
import type { Clock } from '../ports.ts'
import type { PoolLimits } from './connection-pool.ts'
import { type Connection, createConnections, type RequestProfile } from './connections.ts'
import {
  hasOwnAuthorization,
  headersFor,
  type Login,
  loginFor,
  type RequestHeaders,
  splitCredentials,
} from './credentials.ts'
import { toNetworkError, toProxiedError } from './errors.ts'
import { type BodySink, type Exchange, exchange, interruption, methodsOf, type OpenRequest } from './exchange.ts'
import type { NetrcLogin } from './netrc.ts'
import { networkChanged, OpenRequests } from './open-requests.ts'
import { isUnreachable, ProxyChoice, type ProxySettings, type ResolveProxy } from './proxy-choice.ts'
import {
  type Asked,
  askedAfter,
  isRedirect,
  MAX_REDIRECTS,
  parseUrl,
  redirectCircle,
  redirectTarget,
  tooManyRedirects,
} from './redirects.ts'
import { sampleOf } from './request-sample.ts'
import { type Session, sessionOf } from './session.ts'

export type { BodySink, RequestProfile }

/** Plain data, like HttpRequest but for its few callbacks: both may cross to another thread. */
export interface HttpSettings extends ProxySettings {
  connectTimeoutMs: number
  headersTimeoutMs: number
  /** no bytes for this long ends a reply with `stalled` */
  stallTimeoutMs: number
  /** how long one address of a name may take before the next is tried beside it */
  addressAttemptMs: number
  pool: PoolLimits
  userAgent: string
  /** what the user says about hosts; decided anew for each redirect */
  hostRules?: HostRules
}

export interface HttpRequest {
  url: string
  /** lower-case; range, if-range: sent again after every redirect */
  headers: Record<string, string>
  /** method, body, headers, credentials, proxy, certificates, timeouts; one object per task: cookies are learned by it */
  options: TaskOptions
  signal: AbortSignal
  /** the link the user gave, where `url` is what it redirected to: credentials belong to its origin */
  home?: string
  /** logins by host, for what has none of its own */
  netrc?: readonly NetrcLogin[]
  /** How many bytes to read from the socket at once: small reads for what is held in memory or paid for by the byte. */
  readBytes?: () => number
  /** ms it has waited already: for a place at the host, for its turn */
  queuedMs?: number
  /** one of many to this host: it may share an HTTP/2 connection with them */
  multiplex?: boolean
  /** a redirect to another host is not followed: the reply is that redirect, and says where it leads */
  staysAtHost?: boolean
  /** told before each redirect is followed; may throw to stay */
  follow?: (from: URL, to: URL) => void
}

export interface HttpReply {
  status: number
  /** names in lower case, values as latin1 */
  headers: Record<string, string | string[]>
  /** without user, password and fragment */
  finalUrl: string
  redirected: boolean
  /** '1.1' | '2' */
  httpVersion: string
  /** null where a proxy stands between */
  remoteAddress?: string | null
  /** sent over a connection that had served another request */
  reused?: boolean
  /** of a redirect that was not followed */
  leadsTo?: string
  /** Attach exactly once; the body is held back until then. */
  consume(sink: BodySink): void
  pause(): void
  /** The body goes on after the current call stack. */
  resume(): void
  /** Ends the request now; onEnd and onError are not called afterwards. */
  abort(): void
}

export interface HttpClient {
  /**
   * Resolves with the reply's head (any status but a followed redirect or an answered challenge). Rejects with network
   * errors, `no_free_connection`, `redirect_invalid`, `redirect_refused`, `too_many_redirects`, `invalid_input` (cookies,
   * proxy, certificates), or with the signal's reason, `interrupted` where that is not a NighthaulError.
   */
  request(request: HttpRequest): Promise<HttpReply>
  setSettings(settings: HttpSettings): void
  /** closes idle connections */
  dropIdle(): void
  /**
   * After a change of network or a wake from sleep connections are dead without knowing it: idle ones are closed, what is
   * known of proxies is forgotten, and GET requests that hear nothing for a few seconds now fail with `connection_reset`.
   */
  networkChanged(): void
  close(): Promise<void>
}

const SMALL_READS = () => 64 * 1024
/** A longer redirect body costs more to read than a new connection. */
const MAX_DRAINED_BYTES = 64 * 1024

export interface HttpClientDeps {
  settings: HttpSettings
  clock: Clock
  /** asks the system for the proxies of a URL, where there is somebody to ask */
  resolveProxy?: ResolveProxy
  /** how names become addresses; Node's own where left out */
  lookup?: LookupFunction
  /** told at the end of every request that was tried, redirects and failures too */
  onRequest?: (sample: RequestSample) => void
  /** the way to servers; sockets of this machine where left out */
  openConnections?: typeof createConnections
}

/** One request of a chain of redirects. */
interface Hop {
  url: URL
  start: URL
  asked: Asked
  /** a login from a URL, while it belongs to this hop */
  embedded: Login | null
  /** what the user's rules say about its host */
  rules: HopOptions
  /** ms it has waited before it came here */
  queuedMs: number
}

interface Sent {
  reply: Exchange
  reused: boolean
  remoteAddress: string | null
  httpVersion: string
}

export function createHttpClient(deps: HttpClientDeps): HttpClient {
  const { clock } = deps
  let settings = deps.settings
  const connections = (deps.openConnections ?? createConnections)(clock, settings.pool, deps.lookup)
  const proxies = new ProxyChoice({ clock, environment: process.env, resolveProxy: deps.resolveProxy })
  const openRequests = new OpenRequests(clock)

  /** One hop over one way to the server. */
  const sendThrough = async (
    proxy: URL | null,
    hop: Hop,
    headers: RequestHeaders,
    request: HttpRequest,
  ): Promise<Sent> => {
    const { options, signal } = request
    const askedAt = clock.monotonic()
    // It waited once, however often it is sent.
    const waitedMs = hop.queuedMs
    hop.queuedMs = 0
    const { url, asked } = hop
    const repeatable = asked.method === 'GET'
    const profile: RequestProfile = {
      proxy: proxy?.href ?? null,
      caPem: options.caPem ?? null,
      // Who the user is belongs where they pointed us, like their password.
      clientCertificate: isHome(hop) ? (options.clientCertificate ?? null) : null,
      connectTimeoutMs: options.connectTimeoutMs ?? options.timeoutMs ?? settings.connectTimeoutMs,
      addressAttemptMs: settings.addressAttemptMs,
    }
    // What must not be sent twice is not sent where the server may just have hung up.
    const acquire = () => connections.acquire(url.origin, profile, { fresh: !repeatable, signal })
    const mayShare = request.multiplex === true && repeatable && proxy === null && url.protocol === 'https:'
    const acquireShared = async () => (mayShare ? await connections.acquireShared(url.origin, profile) : null)
    const attempt = async (connection: Connection) => {
      const reused = connection.served > 0
      const startedAt = clock.now()
      const beganAt = clock.monotonic()
      const queueMs = waitedMs + beganAt - askedAt
      connection.readBytes = request.readBytes ?? SMALL_READS
      let open: OpenRequest | null = null
      const reply = await exchange(connection.dispatcher, {
        origin: url.origin,
        path: url.pathname + url.search,
        method: asked.method,
        headers,
        body: asked.body ? bytesOf(asked.body) : null,
        headersTimeoutMs: options.headersTimeoutMs ?? options.timeoutMs ?? settings.headersTimeoutMs,
        stallTimeoutMs: options.stallTimeoutMs ?? options.timeoutMs ?? settings.stallTimeoutMs,
        signal,
        direct: connection.direct,
        toError: (error) => (proxy ? toProxiedError(error, url.href, proxy.host) : toNetworkError(error, url.href)),
        onStart: (started) => {
          open = started
          connection.shared?.requests.add(started)
          if (repeatable) openRequests.add(started)
        },
        now: () => clock.monotonic(),
        onDone: (reusable, end) => {
          if (open) for (const all of [openRequests, connection.shared?.requests]) all?.delete(open)
          const { setup } = connection
          connection.setup = null
          if (reusable) connections.release(connection)
          else connections.discard(connection, end.error !== null)
          const endedAt = clock.monotonic()
          const about = {
            host: url.host,
            method: asked.method,
            httpVersion: versionOf(connection),
            startedAt,
            beganAt,
            endedAt,
            queueMs,
          }
          deps.onRequest?.(sampleOf({ ...about, setup, kept: reused, end }))
        },
      })
      const remoteAddress = connection.socket?.remoteAddress ?? null
      return { reply, reused, remoteAddress, httpVersion: versionOf(connection) }
    }
    let connection: Connection
    try {
      connection = (await acquireShared()) ?? (await acquire())
    } catch (error) {
      throw error instanceof NighthaulError ? error : toNetworkError(error, url.href)
    }
    try {
      return await attempt(connection)
    } catch (error) {
      // A kept connection that the server closed meanwhile says nothing about the server (RFC 9112 §9.3.1): ask again.
      if (connection.served === 0 || signal.aborted || !isConnectionLoss(error)) throw error
      connections.dropIdle(url.origin)
      return attempt(await acquire())
    }
  }

  /** One hop, over the first way that leads to the server. */
  const send = async (hop: Hop, headers: RequestHeaders, request: HttpRequest): Promise<Sent> => {
    const ways = await proxies.choose(hop.url, hop.rules.proxy, settings)
    for (const [index, way] of ways.entries()) {
      try {
        return await sendThrough(way, hop, headers, request)
      } catch (error) {
        if (request.signal.aborted) throw interruption(request.signal)
        if (index === ways.length - 1 || !isUnreachable(error, way)) throw error
        proxies.failed(way)
      }
    }
    throw new Error('there is always a way to try')
  }

  /** One hop, its challenge answered where we can. */
  const ask = async (hop: Hop, session: Session, request: HttpRequest, cookie: string | null): Promise<Sent> => {
    const { url, start, asked, rules } = hop
    const { options, headers: range } = request
    const login = loginOf(hop, request)
    for (let answers = 0; ; answers++) {
      const answered = login && session.authorize(url, asked.method, login, options.auth)
      const authorization = tokenOf(hop, options) ?? answered?.value ?? null
      const hasBody = asked.body !== null
      const headers = headersFor({ url, start, options, authorization, cookie, rules, hasBody, range })
      const sent = await send(hop, headers, request)
      if (sent.reply.status !== 401 || !login || answers === MAX_ANSWERS) return sent
      if (!session.learn(url, sent.reply.headers['www-authenticate'], answered)) return sent
      await drain(sent.reply)
    }
  }

  const request = async (asked: HttpRequest): Promise<HttpReply> => {
    const first = splitCredentials(parseUrl(asked.url))
    const home = asked.home === undefined ? first : splitCredentials(parseUrl(asked.home))
    const start = home.url
    const session = sessionOf(asked.options)
    const { method = 'GET', body = null } = asked.options
    // Where a redirect led is asked plainly: the body was meant for the link.
    const begin: Asked = first.url.origin === start.origin ? { method, body } : { method: 'GET', body: null }
    const seen = new Set<string>()
    const embeddedAt = (url: URL, own: Login | null) => own ?? (url.origin === start.origin ? home.login : null)
    const { hostRules = [], proxy, userAgent } = settings
    const hopTo = (url: URL, what: Asked, own: Login | null, queuedMs = 0): Hop => ({
      url,
      start,
      asked: what,
      embedded: embeddedAt(url, own),
      rules: optionsFor(url, start, asked.options, hostRules, { proxy, userAgent }),
      queuedMs,
    })
    let hop = hopTo(first.url, begin, first.login, asked.queuedMs)
    for (let redirects = 0; ; redirects++) {
      const { url } = hop
      // Downgraded to http: whatever the cookies' flags say, they were given for a secure link.
      const downgraded = start.protocol === 'https:' && url.protocol === 'http:'
      const cookie = downgraded ? null : await session.cookies.header(url)
      const visit = `${hop.asked.method} ${url.href} ${cookie ?? ''}`
      if (seen.has(visit)) throw redirectCircle(start)
      seen.add(visit)
      const { reply, reused, remoteAddress, httpVersion } = await ask(hop, session, asked, cookie)
      await session.cookies.learn(url, reply.headers['set-cookie'])
      const answer = (more: Pick<HttpReply, 'leadsTo'> = {}) =>
        Object.assign(methodsOf(reply), {
          ...{ status: reply.status, headers: reply.headers, finalUrl: url.href, redirected: redirects > 0 },
          ...{ httpVersion, remoteAddress, reused, ...more },
        })
      if (!isRedirect(reply.status)) return answer()
      await drain(reply)
      if (redirects === MAX_REDIRECTS) throw tooManyRedirects(start)
      const target = redirectTarget(reply, url)
      // A login in its address belongs to this one chain.
      if (asked.staysAtHost && target.url.host !== url.host && !target.login)
        return answer({ leadsTo: target.url.href })
      const next = askedAfter(reply.status, hop.asked, url, target.url)
      asked.follow?.(url, target.url)
      hop = hopTo(target.url, next, target.login)
    }
  }

  return {
    request,
    setSettings(next) {
      settings = next
      connections.setLimits(next.pool)
    },
    dropIdle: () => connections.dropIdle(),
    networkChanged() {
      connections.dropIdle()
      proxies.forget()
      openRequests.suspect(networkChanged)
    },
    close() {
      openRequests.close()
      return connections.close()
    },
  }
}

/** A challenge, and once more where the server's nonce had grown old meanwhile. */
const MAX_ANSWERS = 2

function isHome({ url, start }: Hop): boolean {
  return url.origin === start.origin
}

function tokenOf(hop: Hop, { bearer }: TaskOptions): string | null {
  return isHome(hop) && bearer !== undefined ? `Bearer ${bearer}` : null
}

/** Null also where the user gave a token, or wrote an Authorization of their own: no challenge is answered then. */
function loginOf(hop: Hop, { options, netrc = [] }: HttpRequest): Login | null {
  if (isHome(hop) && (options.bearer !== undefined || hasOwnAuthorization(options))) return null
  const { url, start, embedded, rules } = hop
  return loginFor({ url, start, options, embedded, rule: rules.login, netrc })
}

function versionOf({ shared }: Connection): string {
  return shared ? '2' : '1.1'
}

function bytesOf(body: RequestBody): Buffer {
  return 'text' in body ? Buffer.from(body.text, 'utf8') : Buffer.from(body.base64, 'base64')
}

/**
 * Frees the connection of a reply that nobody wants, by reading what little there is or by closing it. Waits one turn
 * of the event loop: a body that came with the head is read by then, and the next hop finds its connection.
 */
function drain(reply: Exchange): Promise<void> {
  let bytes = 0
  if (Number(reply.headers['content-length'] ?? 0) > MAX_DRAINED_BYTES) reply.abort()
  else
    reply.consume({
      onData(chunk) {
        bytes += chunk.length
        if (bytes > MAX_DRAINED_BYTES) reply.abort()
      },
      onEnd() {},
      onError() {},
    })
  return new Promise((resolve) => setImmediate(resolve))
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof NighthaulError && (error.code === 'connection_reset' || error.code === 'connection_closed')
}
