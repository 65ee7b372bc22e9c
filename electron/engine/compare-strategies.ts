/**
 * Compares ways to fetch one URL, politely: never more than planned in comparison-plan.ts, one way after the other, and
 * nothing more at all once the server asks to be left alone. Bytes are counted and dropped. The first request goes
 * through the engine's HTTP client, which follows redirects; the others go straight to where it led, so that each way's
 * connections are its own: no proxy stands between.
 */
import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import { NighthaulError } from '../../shared/errors.ts'
import { formatDuration } from '../../shared/format.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import {
  type ByteRange,
  type ComparisonPlan,
  type FileFacts,
  type PlannedRequest,
  planComparison,
  type Skip,
  SMALL_BYTES,
  type Step,
  type StepResult,
} from './comparison-plan.ts'
import { basic, headersFor, loginFor, splitCredentials } from './http/credentials.ts'
import { statusError, toNetworkError } from './http/errors.ts'
import type { HttpClient, HttpReply } from './http/http-client.ts'
import { contextFor } from './http/trust.ts'
import { buildConnector, Client } from './http/undici.ts'
import type { Clock } from './ports.ts'
import { type HeaderMap, parseContentRange, parseReply } from './reply.ts'

export interface ComparisonInput {
  url: string
  /** headers, user, password, caPem, timeoutMs */
  options: TaskOptions
  maxBytes: number
  maxMs: number
  signal: AbortSignal
}

export interface ComparisonDeps {
  client: HttpClient
  clock: Clock
  userAgent: string
  /** for connecting, for headers and for silence, where the options name none */
  timeoutMs: number
}

export type ComparisonEvent =
  | { kind: 'planned'; finalUrl: string; facts: FileFacts; plan: ComparisonPlan }
  | { kind: 'measured'; result: StepResult }
  | { kind: 'skipped'; skip: Skip }

/** What it took in all. */
export interface ComparisonTotals {
  requests: number
  bytes: number
  ms: number
}

/**
 * Tells what it will do and what came of each step. Rejects with network errors, with the status' error (with
 * `params.retryAfterMs` where the server named a time), with `range_mismatch` or `too_many_bytes` where replies are not
 * what was asked for, and with the signal's reason.
 */
export async function compareStrategies(
  input: ComparisonInput,
  deps: ComparisonDeps,
  tell: (event: ComparisonEvent) => void,
): Promise<ComparisonTotals> {
  const { clock } = deps
  const began = clock.monotonic()
  const totals: ComparisonTotals = { requests: 0, bytes: 0, ms: 0 }
  const deadline = began + input.maxMs
  const first = await withinTime(clock, input.maxMs, input.signal, (signal) => ask(input, deps, signal, totals))
  if (first === null) throw tooSlow(input.url)
  const plan = planComparison(first.facts, input.maxBytes)
  tell({ kind: 'planned', ...first, plan })
  for (const skip of plan.skipped) tell({ kind: 'skipped', skip })
  const target = targetOf(first.finalUrl, input, deps)
  for (const [index, step] of plan.steps.entries()) {
    const { group, strategy } = step
    const share = (deadline - clock.monotonic()) / (plan.steps.length - index)
    const outcome =
      share > 0 ? await run(step, target, { clock, ms: share, signal: input.signal, totals }) : 'time_limit'
    if (typeof outcome === 'string') tell({ kind: 'skipped', skip: { group, strategy, reason: outcome } })
    else tell({ kind: 'measured', result: outcome })
  }
  return { ...totals, ms: clock.monotonic() - began }
}

function tooSlow(url: string): NighthaulError {
  const host = new URL(url).host
  return new NighthaulError(
    'headers_timeout',
    `“${host}” did not answer within the time this may take. Nothing was compared; allow more with --max-seconds.`,
    { host },
  )
}

/** Null: the time was over before it was done. Rejects with the signal's reason. */
async function withinTime<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  signal.throwIfAborted()
  const over = new AbortController()
  const timer = clock.setTimeout(() => over.abort(), ms)
  try {
    return await work(AbortSignal.any([signal, over.signal]))
  } catch (error) {
    signal.throwIfAborted()
    if (over.signal.aborted) return null
    throw error
  } finally {
    timer.cancel()
  }
}

// ── the first request ──

/** A small range: it shows where the link leads, how large the file is, and whether ranges are honoured. */
async function ask(input: ComparisonInput, deps: ComparisonDeps, signal: AbortSignal, totals: ComparisonTotals) {
  const bytes = Math.min(SMALL_BYTES, input.maxBytes)
  // The ways that are compared know no proxy; the first request must not find another server than they do.
  const options = { ...input.options, proxy: '' }
  const reply = await deps.client.request({
    url: input.url,
    headers: { range: `bytes=0-${bytes - 1}` },
    options,
    signal,
  })
  totals.requests += 1
  const facts = factsOf(reply, bytes, deps.clock.now())
  if (facts.ranges) totals.bytes += await sizeOfBody(reply, bytes)
  else reply.abort()
  // Its connection would be one more than was announced.
  deps.client.dropIdle()
  return { finalUrl: reply.finalUrl, facts }
}

function factsOf(reply: HttpReply, askedBytes: number, now: number): FileFacts {
  const secure = reply.finalUrl.startsWith('https:')
  const { contentRange, contentLength } = parseReply(reply.status, reply.headers)
  if (reply.status === 206 && contentRange.kind === 'range' && contentRange.start === 0) {
    const { total, end } = contentRange
    if (end <= askedBytes) return { sizeBytes: total, ranges: total !== null, secure }
  }
  if (reply.status === 416 && contentRange.kind === 'unsatisfied')
    return { sizeBytes: contentRange.total, ranges: false, secure }
  reply.abort()
  if (reply.status === 206) throw wrongRange(reply.finalUrl)
  if (reply.status !== 200) throw refusal(reply.status, reply.headers, reply.finalUrl, now)
  return { sizeBytes: contentLength, ranges: false, secure }
}

function sizeOfBody(reply: HttpReply, mostBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    reply.consume({
      onData(chunk) {
        bytes += chunk.length
        if (bytes <= mostBytes) return
        reply.abort()
        reject(tooMuch(reply.finalUrl))
      },
      onEnd: () => resolve(bytes),
      onError: reject,
    })
  })
}

/** The status' error; where the server says when to come again, with that. */
function refusal(status: number, headers: HeaderMap, url: string, now: number): NighthaulError {
  const error = statusError(status, url, { redirected: false })
  const retryAfterMs = parseReply(status, headers).retryAfterMs(now)
  const wait = retryAfterMs === null ? '' : ` It asks to be left alone for ${formatDuration(retryAfterMs)}.`
  const message = `${error.message}${wait} Nothing more was sent.`
  return new NighthaulError(error.code, message, { ...error.params, ...(retryAfterMs !== null && { retryAfterMs }) })
}

function wrongRange(url: string): NighthaulError {
  const { host } = new URL(url)
  return new NighthaulError(
    'range_mismatch',
    `“${host}” answered with another range than was asked for. Nothing more was sent; what was measured stands.`,
    { host },
  )
}

function tooMuch(url: string): NighthaulError {
  const { host } = new URL(url)
  return new NighthaulError('too_many_bytes', `“${host}” sent more than was asked for. Nothing more was sent.`, {
    host,
  })
}

// ── the ways ──

interface Target {
  url: URL
  headers: (range: Record<string, string>) => Record<string, string | string[]>
  timeoutMs: number
  secureContext: SecureContext | undefined
}

function targetOf(finalUrl: string, { url, options }: ComparisonInput, deps: ComparisonDeps): Target {
  const start = splitCredentials(new URL(url))
  const target = new URL(finalUrl)
  const embedded = target.origin === start.url.origin ? start.login : null
  const login = loginFor({ url: target, start: start.url, options, embedded, rule: null, netrc: [] })
  const authorization = login && basic(login.user, login.password)
  const { userAgent } = deps
  // Without a profile there are no rules for hosts.
  const rules = { userAgent, proxy: '', headers: [], login: null }
  const hop = { url: target, start: start.url, options, authorization, cookie: null, rules, hasBody: false }
  const { caPem } = options
  return {
    url: target,
    headers: (range) => headersFor({ ...hop, range }),
    timeoutMs: options.timeoutMs ?? deps.timeoutMs,
    // Made once: it costs as much as a short round trip, which would be counted as the connection's.
    secureContext:
      target.protocol === 'https:' ? contextFor({ caPem: caPem ?? null, clientCertificate: null }) : undefined,
  }
}

/** HTTP/2 was asked for, and the server chose something else. No request was sent. */
class NotOffered extends Error {}

interface Bounds {
  clock: Clock
  ms: number
  signal: AbortSignal
  totals: ComparisonTotals
}

/** Requests of one step, each taken by the next lane that is free; a lane has one request under way. */
async function run(step: Step, target: Target, bounds: Bounds): Promise<StepResult | Skip['reason']> {
  const { clock, totals } = bounds
  const { strategy, group, connections } = step
  const clients = new Set<Client>()
  const open = () => {
    const client = connect(target, strategy === 'http2')
    clients.add(client)
    return client
  }
  const waiting = [...step.requests]
  const times: number[] = []
  const before = totals.bytes
  const lane = async (kept: Client | null, signal: AbortSignal) => {
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const client = kept ?? open()
      const asked = clock.monotonic()
      try {
        await fetchOne(client, request, target, totals, signal, clock)
      } catch (error) {
        // The server said no to one of us: nobody asks again.
        waiting.length = 0
        throw error
      }
      times.push(clock.monotonic() - asked)
      if (kept === null) await client.destroy()
    }
  }
  const began = clock.monotonic()
  let ended = began
  try {
    await withinTime(clock, bounds.ms, bounds.signal, async (signal) => {
      const shared = strategy === 'http2' ? open() : null
      const lanes = shared ? step.requests.length : connections
      await Promise.all(
        Array.from({ length: lanes }, () => lane(strategy === 'fresh' ? null : (shared ?? open()), signal)),
      )
    })
    ended = clock.monotonic()
  } catch (error) {
    if (error instanceof NotOffered) return 'http2_not_offered'
    throw error
  } finally {
    await Promise.all([...clients].map((client) => client.destroy()))
  }
  const bytes = totals.bytes - before
  // What was cut off in the middle counts as bytes, not as a request.
  if (group === 'small' ? times.length === 0 : bytes === 0) return 'time_limit'
  const medianMs = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? null
  return { group, strategy, connections, requests: times.length, bytes, ms: ended - began, medianMs }
}

const H2_WINDOW_BYTES = 8 * 1024 * 1024

function connect({ url, timeoutMs, secureContext }: Target, http2: boolean): Client {
  const connector = buildConnector({
    timeout: timeoutMs,
    allowH2: http2,
    preferH2: http2,
    ...(secureContext && { secureContext }),
  })
  return new Client(url.origin, {
    allowH2: http2,
    pipelining: 1,
    // Large enough that the line is what is measured, not the window of a default.
    h2Options: { connectionWindowSize: H2_WINDOW_BYTES, settings: { initialWindowSize: H2_WINDOW_BYTES } },
    connect: (options, callback) =>
      connector(options, (...result) => {
        const [error, socket] = result
        if (error !== null || !http2 || ('alpnProtocol' in socket && socket.alpnProtocol === 'h2'))
          return callback(...result)
        socket.destroy()
        callback(new NotOffered(), null)
      }),
  })
}

/** Sends one request and drops its body. Resolves once all of it came, or as much as was wanted. */
function fetchOne(
  client: Client,
  { range, bytes }: PlannedRequest,
  target: Target,
  totals: ComparisonTotals,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const { url, timeoutMs } = target
  return new Promise((resolve, reject) => {
    let control: Dispatcher.DispatchController | null = null
    let left = bytes
    const settle = (end: () => void) => {
      signal.removeEventListener('abort', stop)
      end()
    }
    /** Ends the request, with an error or because enough came. */
    const leave = (error: unknown) => {
      settle(error === null ? resolve : () => reject(error))
      control?.abort(new Error('enough'))
    }
    const stop = () => leave(signal.reason)
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        control = controller
        if (signal.aborted) controller.abort(new Error('too late'))
        else totals.requests += 1
      },
      onResponseStart(_controller, status, headers) {
        if (status < 200) return
        if (status !== (range === null ? 200 : 206))
          return leave(status === 200 ? wrongRange(url.href) : refusal(status, headers, url.href, clock.now()))
        if (range !== null && !isAsked(parseContentRange(headers['content-range']), range)) leave(wrongRange(url.href))
      },
      onResponseData(_controller, chunk) {
        totals.bytes += chunk.length
        left -= chunk.length
        if (left < 0 && range !== null) leave(tooMuch(url.href))
        else if (left <= 0 && range === null) leave(null)
      },
      onResponseEnd: () => settle(resolve),
      onResponseError: (_controller, error) =>
        settle(() => reject(error instanceof NotOffered ? error : toNetworkError(error, url.href))),
    }
    client.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: target.headers(range === null ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      },
      handler,
    )
  })
}

function isAsked(got: ReturnType<typeof parseContentRange>, { start, end }: ByteRange): boolean {
  return got.kind === 'range' && got.start === start && got.end === end
}
