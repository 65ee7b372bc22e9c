/**
 * The file on the server as this run knows it: where to ask, with which validator, on which rung of the ladder.
 * `ask` goes down the ladder until a reply is acceptable, or throws why none is. Nothing is written here.
 */
import { type ErrorParams, NighthaulError } from '../../shared/errors.ts'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import { statusError } from './http/errors.ts'
import { isPlainGet, MAX_REDIRECTS, tooManyRedirects } from './http/redirects.ts'
import type { Lane, LaneReply } from './lane/lane.ts'
import type { Clock } from './ports.ts'
import type { TokenBucket } from './rate-limiter.ts'
import { isHtml, isStrongDate, parseReply, type ReplyFacts } from './reply.ts'
import {
  buildRequest,
  firstRung,
  judgeReply,
  type KnownFile,
  learn,
  type RangeRequest,
  type Rung,
  rangeHeaders,
  UNKNOWN_FILE,
  type Verdict,
} from './resume-ladder.ts'
import { remoteChanged } from './transfer.ts'

export interface Wanted {
  /** first byte wanted */
  from: number
  /** one past the last; null: to the end */
  end: number | null
  /** bytes that are here directly before `from` */
  before: number
  /** bytes held anywhere, and whether that is all of them */
  heldBytes: number
  complete: boolean
  /** no other connection works on the file now: only then may the whole body be taken */
  alone: () => boolean
  /** one of many small files of its host, as far as anybody knows */
  multiplex: boolean
  /** further headers, of a fresh file's first request alone */
  firstHeaders: Readonly<Record<string, string>>
  /** limits that the body pays for */
  buckets: readonly TokenBucket[]
  /** ms it waited for its place at the host */
  queuedMs: number
}

/** Waits for a place at this host, and for the turn of a request there. `from`: the host that led there by a redirect. */
export type Pace = (host: string, from: string | null) => Promise<void>

/** A reply whose body may be used; its body is held back until somebody consumes it. */
export interface Accepted {
  verdict: Extract<Verdict, { kind: 'append' | 'whole' | 'compare' | 'complete' }>
  facts: ReplyFacts
  reply: LaneReply
}

/** Bytes that are here and were asked of a URL that brought none of them. */
export interface Sampled {
  /** one past the last byte of the reply; a server may send less than it was asked */
  end: number
  facts: ReplyFacts
  reply: LaneReply
}

export class RemoteFile {
  /** where the user pointed us: credentials belong to its origin */
  readonly #home: string
  /** where it is fetched from: that, or a mirror */
  readonly #link: string
  readonly #options: TaskOptions
  readonly #lane: Lane
  readonly #clock: Clock
  #known: KnownFile
  #rung: Rung
  /** asked without Range: ranges were refused, or the request is none that may be repeated in parts */
  #plain: boolean
  #url: string
  /** what a redirect led to may be asked directly */
  readonly #followed: boolean
  /** nothing is held and no reply was accepted in this run */
  fresh = true
  /** what is here came compressed: ranges of that are none of the file, and what comes so again is compared */
  #decodes: boolean
  /** what is here came from another URL, and this one's was not compared with it yet */
  unproven: boolean
  /** what comes is a compressed form, decoded on the way: of no use to the next run */
  encoded = false
  /** a 206 of this server was right: others may be asked for */
  rangesProven: boolean

  constructor(task: TaskRecord, options: TaskOptions, lane: Lane, clock: Clock) {
    this.#home = task.url
    this.#link = task.sourceUrl ?? task.url
    this.#options = options
    this.#lane = lane
    this.#clock = clock
    this.#known = {
      size: task.sizeBytes,
      etag: task.etag,
      lastModified: task.lastModified,
      lastModifiedStrong: task.lastModifiedStrong,
      contentType: task.contentType,
    }
    this.#rung = firstRung(this.#known)
    const wholeOnly = !isPlainGet(options)
    this.#decodes = task.contentEncoding !== null
    this.#plain = wholeOnly
    this.#followed = !wholeOnly
    this.#url = wholeOnly ? task.url : (task.finalUrl ?? this.#link)
    this.unproven = !wholeOnly && task.acceptsRanges === null
    this.rangesProven = !wholeOnly && task.acceptsRanges === true
  }

  /** null: not known (yet) */
  get size(): number | null {
    return this.#known.size
  }

  set size(bytes: number) {
    this.#known = { ...this.#known, size: bytes }
  }

  /** host and port that the next request goes to */
  get host(): string {
    return new URL(this.#url).host
  }

  get onRedirectTarget(): boolean {
    return this.#url !== this.#link
  }

  /** The place a redirect led to is no good any more: the link itself is asked again. */
  resolveAgain(): void {
    this.#url = this.#link
  }

  /**
   * Before each request it asks for a place and a turn at the host that the request goes to (`pace`), so a redirect never
   * takes a host by surprise. Throws network errors, the status' error, integrity refusals, `remote_changed`, or the
   * signal's reason.
   */
  async ask(wanted: Wanted, pace: Pace, signal: AbortSignal): Promise<Accepted> {
    let hops = 0
    let from: string | null = null
    for (let queuedMs = wanted.queuedMs; ; queuedMs = 0) {
      const pacedFrom = this.#clock.monotonic()
      await pace(this.host, from)
      queuedMs += this.#clock.monotonic() - pacedFrom
      const { fresh } = this
      const plain = this.#plain || (this.#decodes && !fresh)
      const rung = fresh || plain ? 'none' : this.#rung
      const request = buildRequest(rung, this.#known, plain ? 0 : wanted.from, plain ? null : wanted.end, wanted.before)
      const answer = await this.#lane.request({
        url: this.#url,
        home: this.#home,
        staysAtHost: this.#followed,
        headers: { ...(plain ? {} : rangeHeaders(request)), ...(fresh ? wanted.firstHeaders : {}) },
        options: this.#options,
        buckets: wanted.buckets,
        queuedMs,
        multiplex: wanted.multiplex,
        signal,
      })
      if (answer.leadsTo !== undefined) {
        answer.abort()
        if (++hops > MAX_REDIRECTS) throw tooManyRedirects(new URL(this.#link))
        from = this.host
        this.#url = answer.leadsTo
        continue
      }
      const reply = { ...answer, redirected: answer.redirected || hops > 0 }
      try {
        const facts = parseReply(reply.status, reply.headers)
        const held = { bytes: wanted.heldBytes, complete: wanted.complete && !fresh, wholeFileRequest: plain }
        const verdict = judgeReply(fresh ? UNKNOWN_FILE : this.#known, request, facts, held)
        if (!this.#goesDown(verdict, request, wanted))
          return { verdict: this.#acceptable(verdict, facts, reply, wanted), facts, reply }
      } catch (error) {
        reply.abort()
        throw error
      }
      reply.abort()
    }
  }

  /**
   * Asks for bytes that are here, to compare them. null: ranges are not honoured; from now on the file is asked for
   * whole. Throws as `ask`, and `not_resumable` where no size is known that the two could have in common.
   */
  async sample(
    range: { start: number; end: number },
    held: { bytes: number; complete: boolean },
    wanted: Pick<Wanted, 'buckets' | 'queuedMs'>,
    pace: Pace,
    signal: AbortSignal,
  ): Promise<Sampled | null> {
    if (this.#known.size === null) throw notResumable()
    await pace(this.host, null)
    const request: RangeRequest = { rung: 'overlap', ...range, overlap: 0, ifRange: null }
    const reply = await this.#lane.request({
      url: this.#url,
      home: this.#home,
      headers: rangeHeaders(request),
      options: this.#options,
      ...wanted,
      multiplex: false,
      signal,
    })
    try {
      const facts = parseReply(reply.status, reply.headers)
      const verdict = judgeReply(this.#known, request, facts, { ...held, wholeFileRequest: false })
      if (verdict.kind === 'append') return { end: verdict.end, facts, reply }
      if (verdict.kind !== 'compare' && verdict.kind !== 'ask-plain')
        this.#acceptable(verdict, facts, reply, { alone: () => true })
      this.#plain = true
      reply.abort()
      return null
    } catch (error) {
      reply.abort()
      throw error
    }
  }

  /** The samples were the same: by what these replies said of the file, this URL is known from now on. */
  confirm(samples: readonly Sampled[]): TaskPatch {
    const { facts, reply } = samples.at(-1)!
    if (samples.some((other) => other.facts.etag !== facts.etag)) throw remoteChanged('validator')
    const { etag, lastModified, lastModifiedStrong } = learn(this.#known, facts, this.#known.size)
    this.#known = { ...this.#known, etag, lastModified, lastModifiedStrong }
    this.#rung = firstRung(this.#known)
    this.unproven = false
    this.rangesProven = true
    return {
      ...{ etag, lastModified, lastModifiedStrong },
      httpVersion: reply.httpVersion,
      acceptsRanges: true,
      ...this.follow(reply),
    }
  }

  /** What the first good reply of a fresh file taught; `size` null: not announced, or of a compressed form. */
  begin(facts: ReplyFacts, reply: LaneReply, size: number | null, ranges: boolean): TaskPatch {
    const { etag, lastModified, contentType, contentEncoding } = facts
    const lastModifiedStrong = isStrongDate(lastModified, facts.date)
    this.#known = { size, etag, lastModified, lastModifiedStrong, contentType }
    this.#rung = firstRung(this.#known)
    this.rangesProven = ranges && size !== null
    this.encoded = contentEncoding !== null
    this.#decodes = false
    this.fresh = false
    this.unproven = false
    return {
      etag,
      lastModified,
      lastModifiedStrong,
      contentType,
      contentEncoding,
      httpVersion: reply.httpVersion,
      acceptsRanges: ranges,
      sizeBytes: size,
      ...this.follow(reply),
    }
  }

  /** Later requests of this run go where the redirect led: mirrors behind one link need not be equal. */
  follow(reply: LaneReply): TaskPatch {
    if (reply.redirected && this.#followed) this.#url = reply.finalUrl
    return { finalUrl: reply.finalUrl }
  }

  /** True: ask again, differently. A rung never goes back up, so this ends. Others may have gone down it already. */
  #goesDown(verdict: Verdict, request: RangeRequest, wanted: Wanted): boolean {
    if (verdict.kind === 'ask-again') {
      if (request.rung === verdict.rung) throw notResumable()
      this.#rung = verdict.rung
      return true
    }
    if (verdict.kind === 'ask-plain') {
      if (this.#plain || !wanted.alone()) throw notResumable()
      this.#plain = true
      return true
    }
    return false
  }

  #acceptable(
    verdict: Verdict,
    facts: ReplyFacts,
    reply: LaneReply,
    wanted: Pick<Wanted, 'alone'>,
  ): Accepted['verdict'] {
    switch (verdict.kind) {
      case 'append':
      case 'complete':
        return verdict
      case 'whole':
        if (this.fresh) return verdict
        // Nothing is held, but it is known which file it was: what comes is written where it is missing.
        if (!wanted.alone() || (verdict.decoded && !this.#decodes)) throw notResumable()
        return { ...verdict, kind: 'compare' }
      case 'compare':
        if (!wanted.alone() || (verdict.decoded && !this.#decodes)) throw notResumable()
        return verdict
      case 'changed':
        throw remoteChanged(verdict.reason, strayPage(this.#known, facts, reply))
      case 'refuse':
        throw new NighthaulError(
          verdict.code,
          'The server’s reply does not fit what was asked for, so nothing of it was written. The partial is as it was; the server will be asked again.',
          verdict.params,
        )
      case 'status':
        throw withRetryAfter(statusError(verdict.status, reply.finalUrl, reply), facts.retryAfterMs(this.#clock.now()))
      case 'ask-again':
      case 'ask-plain':
        throw notResumable()
    }
  }
}

/** Where a web page came in place of a file, it matters who sent it. */
function strayPage(known: KnownFile, facts: ReplyFacts, reply: LaneReply): ErrorParams {
  if (!isHtml(facts.contentType) || isHtml(known.contentType)) return {}
  return { html: true, host: new URL(reply.finalUrl).host }
}

export function notResumable(): NighthaulError {
  return new NighthaulError(
    'not_resumable',
    'The server did not honour the range that was asked for. The partial is kept.',
  )
}

/** The error with the server's Retry-After, for the retry policy. */
export function withRetryAfter(error: NighthaulError, retryAfterMs: number | null): NighthaulError {
  if (retryAfterMs === null) return error
  return new NighthaulError(error.code, error.message, { ...error.params, retryAfterMs })
}
