/**
 * The engine's way to the network: GET requests with redirects followed, credentials kept at home, typed errors and
 * bodies with backpressure. What a reply means for a file is decided elsewhere (probe.ts, resume-ladder.ts).
 */
import { NighthaulError } from '../../../shared/errors.ts'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { Clock } from '../ports.ts'
import { type Connection, createConnections, type RequestProfile } from './connections.ts'
import { cookiesOf } from './cookies.ts'
import { headersFor, splitCredentials } from './credentials.ts'
import { toNetworkError, toProxiedError } from './errors.ts'
import { type BodySink, type Exchange, exchange } from './exchange.ts'
import { proxyFor } from './proxies.ts'
import { sampleOf } from './request-sample.ts'

export type { BodySink, RequestProfile }

export interface HttpSettings {
  connectTimeoutMs: number
  headersTimeoutMs: number
  /** no bytes for this long ends a reply with `stalled` */
  stallTimeoutMs: number
  connectionsPerHost: number
  userAgent: string
}

export interface HttpRequest {
  url: string
  /** lower-case; range, if-range: sent again after every redirect */
  headers: Record<string, string>
  /** headers, user, password, cookies, proxy, caPem, timeoutMs; one object per task: cookies are learned by it */
  options: TaskOptions
  signal: AbortSignal
  /** the link the user gave, where `url` is what it redirected to: credentials belong to its origin */
  home?: string
  /** How many bytes to read from the socket at once: small reads for what is held in memory or paid for by the byte. */
  readBytes?: () => number
  /** ms it has waited already: for a place at the host, for its turn */
  queuedMs?: number
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
   * Resolves with the reply's head (any status but a followed redirect). Rejects with network errors, `redirect_invalid`,
   * `too_many_redirects`, `invalid_input` (cookies, proxy), or with the signal's reason, `interrupted` where that is
   * not a NighthaulError.
   */
  request(request: HttpRequest): Promise<HttpReply>
  setSettings(settings: HttpSettings): void
  /** closes idle connections: after a change of network or a wake from sleep they are dead without knowing it */
  dropIdle(): void
  close(): Promise<void>
}

const MAX_REDIRECTS = 20
const SMALL_READS = () => 64 * 1024
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** A longer redirect body costs more to read than a new connection. */
const MAX_DRAINED_BYTES = 64 * 1024

export interface HttpClientDeps {
  settings: HttpSettings
  clock: Clock
  /** told at the end of every request that was tried, redirects and failures too */
  onRequest?: (sample: RequestSample) => void
}

export function createHttpClient(deps: HttpClientDeps): HttpClient {
  let settings = deps.settings
  const { clock } = deps
  const connections = createConnections(clock, () => settings.connectionsPerHost)

  /** One hop: a request and the head of its reply. */
  const send = async (
    url: URL,
    headers: Parameters<typeof headersFor>[0],
    request: HttpRequest & { queuedMs: number },
  ) => {
    const { options, signal } = request
    const askedAt = clock.monotonic()
    const proxy = proxyFor(url, options.proxy, process.env)
    const profile: RequestProfile = {
      proxy: proxy?.href ?? null,
      caPem: options.caPem ?? null,
      connectTimeoutMs: options.timeoutMs ?? settings.connectTimeoutMs,
    }
    const attempt = async (connection: Connection) => {
      const reused = connection.served > 0
      const startedAt = clock.now()
      const beganAt = clock.monotonic()
      const queueMs = request.queuedMs + beganAt - askedAt
      connection.readBytes = request.readBytes ?? SMALL_READS
      const reply = await exchange(connection.dispatcher, {
        origin: url.origin,
        path: url.pathname + url.search,
        headers: headersFor(headers),
        headersTimeoutMs: options.timeoutMs ?? settings.headersTimeoutMs,
        stallTimeoutMs: options.timeoutMs ?? settings.stallTimeoutMs,
        signal,
        toError: (error) => (proxy ? toProxiedError(error, url.href, proxy.host) : toNetworkError(error, url.href)),
        now: () => clock.monotonic(),
        onDone: (reusable, end) => {
          const { setup } = connection
          connection.setup = null
          if (reusable) connections.release(connection)
          else connections.discard(connection)
          const endedAt = clock.monotonic()
          const { host } = url
          const about = { host, method: 'GET', httpVersion: '1.1', startedAt, beganAt, endedAt, queueMs }
          deps.onRequest?.(sampleOf({ ...about, setup, kept: reused, end }))
        },
      })
      return { reply, reused, remoteAddress: connection.socket?.remoteAddress ?? null }
    }
    const connection = connections.acquire(url.origin, profile)
    try {
      return await attempt(connection)
    } catch (error) {
      // A kept connection that the server closed meanwhile says nothing about the server (RFC 9112 §9.3.1): ask again.
      if (connection.served === 0 || signal.aborted || !isConnectionLoss(error)) throw error
      connections.dropIdle(url.origin)
      return attempt(connections.acquire(url.origin, profile))
    }
  }

  const request = async (asked: HttpRequest): Promise<HttpReply> => {
    const first = splitCredentials(parseUrl(asked.url))
    const home = asked.home === undefined ? first : splitCredentials(parseUrl(asked.home))
    const start = home.url
    const cookies = cookiesOf(asked.options)
    const seen = new Set<string>()
    let url = first.url
    let authorization = first.authorization ?? (url.origin === start.origin ? home.authorization : null)
    for (let redirects = 0; ; redirects++) {
      // Downgraded to http: whatever the cookies' flags say, they were given for a secure link.
      const downgraded = start.protocol === 'https:' && url.protocol === 'http:'
      const cookie = downgraded ? null : cookies.header(url)
      const visit = `${url.href} ${cookie ?? ''}`
      if (seen.has(visit)) throw circle(start)
      seen.add(visit)

      const { userAgent } = settings
      const hop = { url, start, options: asked.options, authorization, cookie, userAgent, range: asked.headers }
      const queuedMs = redirects === 0 ? (asked.queuedMs ?? 0) : 0
      const { reply, reused, remoteAddress } = await send(url, hop, { ...asked, queuedMs })
      cookies.learn(url, reply.headers['set-cookie'])
      if (!REDIRECTS.has(reply.status)) {
        return Object.assign(methodsOf(reply), {
          status: reply.status,
          headers: reply.headers,
          finalUrl: url.href,
          redirected: redirects > 0,
          httpVersion: '1.1',
          remoteAddress,
          reused,
        })
      }
      await drain(reply)
      if (redirects === MAX_REDIRECTS)
        throw new NighthaulError(
          'too_many_redirects',
          `“${start.host}” redirected more than ${MAX_REDIRECTS} times. What is already here is kept; check the link.`,
          { host: start.host, loop: false },
        )
      const target = redirectTarget(reply, url)
      asked.follow?.(url, target.url)
      authorization = target.authorization ?? (target.url.origin === start.origin ? home.authorization : null)
      url = target.url
    }
  }

  return {
    request,
    setSettings(next) {
      settings = next
    },
    dropIdle: () => connections.dropIdle(),
    close: () => connections.close(),
  }
}

function methodsOf(reply: Exchange): Pick<HttpReply, 'consume' | 'pause' | 'resume' | 'abort'> {
  return {
    consume: (sink) => reply.consume(sink),
    pause: () => reply.pause(),
    resume: () => reply.resume(),
    abort: () => reply.abort(),
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (!url)
    throw new NighthaulError('invalid_url', 'This link is not a URL. Nothing was sent; check how it is written.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NighthaulError(
      'unsupported_scheme',
      `Links beginning with ${url.protocol} are not supported. Nothing was sent; links begin with https:// or http://.`,
      { scheme: url.protocol },
    )
  return url
}

/** Where a redirect leads (RFC 9110 §10.2.2). Throws `redirect_invalid`. */
function redirectTarget(reply: Exchange, from: URL): { url: URL; authorization: string | null } {
  const [location] = [reply.headers.location ?? []].flat()
  const refuse = (why: string) =>
    new NighthaulError(
      'redirect_invalid',
      `“${from.host}” redirects ${why}. What is already here is kept; check the link.`,
      { host: from.host, status: reply.status },
    )
  if (!location) throw refuse('without saying where')
  const target = URL.parse(utf8OrLatin1(location), from.href)
  if (!target) throw refuse('to an address that is no URL')
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    throw refuse(`to a link beginning with ${target.protocol}, which is not supported`)
  return splitCredentials(target)
}

/** Servers put raw UTF-8 into Location. */
function utf8OrLatin1(value: string): string {
  const utf8 = Buffer.from(value, 'latin1').toString('utf8')
  return utf8.includes('\ufffd') ? value : utf8
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

function circle(start: URL): NighthaulError {
  return new NighthaulError(
    'too_many_redirects',
    `“${start.host}” redirects in a circle. What is already here is kept; check the link, it may need a login.`,
    { host: start.host, loop: true },
  )
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof NighthaulError && (error.code === 'connection_reset' || error.code === 'connection_closed')
}
