/** The engine's HTTP client for one test, and bodies read to their end. */
import type { PoolLimits } from '../../electron/engine/http/connection-pool.ts'
import {
  createHttpClient,
  type HttpClientDeps,
  type HttpReply,
  type HttpRequest,
  type HttpSettings,
} from '../../electron/engine/http/http-client.ts'
import type { Clock } from '../../electron/engine/ports.ts'
import type { RequestSample } from '../../shared/request-statistics.ts'

const clock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

export interface TestClient extends AsyncDisposable {
  /** of the requests that ended, in order */
  readonly samples: readonly RequestSample[]
  request(url: string, rest?: Partial<HttpRequest>): Promise<HttpReply>
  /** status, headers and the whole body; rejects with the body's error */
  read(url: string, rest?: Partial<HttpRequest>): Promise<{ reply: HttpReply; body: Buffer }>
  dropIdle(): void
  networkChanged(): void
  close(): Promise<void>
}

const POOL: PoolLimits = {
  idlePerHost: 6,
  idleInAll: 32,
  busyPerHost: 64,
  busyInAll: 256,
  keepAliveMs: 15_000,
  waitMs: 5000,
}

export const TEST_HTTP_SETTINGS: HttpSettings = {
  connectTimeoutMs: 5000,
  headersTimeoutMs: 5000,
  stallTimeoutMs: 5000,
  addressAttemptMs: 250,
  proxyMode: 'environment',
  proxy: null,
  userAgent: 'Nighthaul/test',
  pool: POOL,
}

type TestSettings = Partial<Omit<HttpSettings, 'pool'>> & { pool?: Partial<PoolLimits> }

export function startClient(
  { pool, ...settings }: TestSettings = {},
  deps: Partial<Omit<HttpClientDeps, 'settings'>> = {},
): TestClient {
  const samples: RequestSample[] = []
  const client = createHttpClient({
    clock,
    onRequest: (sample) => samples.push(sample),
    ...deps,
    settings: { ...TEST_HTTP_SETTINGS, pool: { ...POOL, ...pool }, ...settings },
  })
  const request: TestClient['request'] = (url, rest = {}) =>
    client.request({ url, headers: {}, options: { proxy: '' }, signal: new AbortController().signal, ...rest })
  return {
    samples,
    request,
    read: async (url, rest) => {
      const reply = await request(url, rest)
      return { reply, body: await bodyOf(reply) }
    },
    dropIdle: () => client.dropIdle(),
    networkChanged: () => client.networkChanged(),
    close: () => client.close(),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

export function bodyOf(reply: HttpReply): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    reply.consume({
      onData: (chunk) => void chunks.push(chunk),
      onEnd: () => resolve(Buffer.concat(chunks)),
      onError: reject,
    })
  })
}
