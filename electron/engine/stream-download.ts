/**
 * A download that goes to a stream in order (`get -o -`): one connection, no file, no task. Interrupted, it continues
 * by the same ladder as a file; the last bytes are kept in memory for the comparison.
 */
import type { Writable } from 'node:stream'
import { NighthaulError } from '../../shared/errors.ts'
import type { ChecksumResult } from '../../shared/integrity.ts'
import { DEFAULT_SETTINGS, type TaskOptions } from '../../shared/schemas.ts'
import { FileDigests } from './file-digests.ts'
import { RunningDigests } from './hashes.ts'
import { statusError } from './http/errors.ts'
import type { HttpClient, HttpReply } from './http/http-client.ts'
import { isPlainGet } from './http/redirects.ts'
import { SpeedMeter } from './metrics.ts'
import { checksumMismatch, compare } from './mismatch.ts'
import type { Clock } from './ports.ts'
import { Limiter, TokenBucket } from './rate-limiter.ts'
import { withRetryAfter } from './remote-file.ts'
import { parseReply } from './reply.ts'
import {
  buildRequest,
  firstRung,
  judgeReply,
  type KnownFile,
  learn,
  OVERLAP_BYTES,
  type Rung,
  rangeHeaders,
  UNKNOWN_FILE,
} from './resume-ladder.ts'
import { retryDecision } from './retry-policy.ts'
import { sleep } from './sleep.ts'
import { type OrderedWriter, remoteChanged, startTransfer, type Transfer, WHOLE_BODY } from './transfer.ts'

export interface StreamDownloadInput {
  url: string
  options: TaskOptions
  /** tries without progress before giving up */
  retries: number
  signal: AbortSignal
  onProgress?: (progress: { bytes: number; total: number | null; bytesPerSecond: number }) => void
}

export interface StreamDownloadDeps {
  client: HttpClient
  clock: Clock
  random: () => number
}

export interface StreamDownloadResult {
  finalUrl: string
  bytes: number
  seconds: number
  checksum: ChecksumResult | null
}

/** Resolves when every byte was taken by `out` (which is not ended). Rejects with a typed error or the signal's reason. */
export async function streamDownload(
  input: StreamDownloadInput,
  out: Writable,
  deps: StreamDownloadDeps,
): Promise<StreamDownloadResult> {
  const { clock } = deps
  const startedAt = clock.monotonic()
  const stream = new InOrder(input, out, clock)
  try {
    for (let attempt = 1; ; attempt++) {
      const before = stream.position
      try {
        await stream.run(deps.client)
        break
      } catch (error) {
        if (stream.gone) throw stream.gone
        if (input.signal.aborted || !(error instanceof NighthaulError)) throw error
        if (stream.position > before) attempt = 1
        const retryAfterMs = typeof error.params.retryAfterMs === 'number' ? error.params.retryAfterMs : null
        const decision = retryDecision({
          error: error.toInfo(),
          attempt,
          maxRetries: input.retries,
          retryAfterMs,
          random: deps.random(),
        })
        if (decision.action !== 'retry') throw error
        await sleep(clock, decision.delayMs, stream.signal)
      }
    }
  } finally {
    stream.dispose()
  }
  return {
    finalUrl: stream.finalUrl,
    bytes: stream.position,
    seconds: (clock.monotonic() - startedAt) / 1000,
    checksum: stream.verify(),
  }
}

class InOrder implements OrderedWriter {
  readonly #input: StreamDownloadInput
  readonly #out: Writable
  readonly #clock: Clock
  readonly #digests: FileDigests
  #running: RunningDigests
  readonly #meter: SpeedMeter
  readonly #limiter: Limiter
  #known: KnownFile = UNKNOWN_FILE
  #rung: Rung = 'overlap'
  #plain: boolean
  readonly #wholeOnly: boolean
  /** a compressed reply was begun: its bytes have no positions on the server */
  #decoding = false
  #tail: Buffer = Buffer.alloc(0)
  #transfer: Transfer | null = null
  readonly #leave = new AbortController()
  /** ends requests and waits: the person's wish, or a reader that went away */
  readonly signal: AbortSignal
  /** why nobody reads any more */
  gone: Error | null = null
  position = 0
  finalUrl: string

  constructor(input: StreamDownloadInput, out: Writable, clock: Clock) {
    this.#input = input
    this.#out = out
    this.#clock = clock
    this.#meter = new SpeedMeter(clock.monotonic())
    const bucket = new TokenBucket(input.options.limitBytesPerSecond ?? null, clock.monotonic())
    // Bytes are held in memory until the reader takes them, hence the small reads.
    this.#limiter = new Limiter([bucket], input.url, 64 * 1024)
    // There is no file beside which others could lie.
    const { verifyFound } = DEFAULT_SETTINGS
    this.#digests = new FileDigests({ ...input, foundDigests: [] }, () => ({ verifyFound, findChecksums: false }))
    this.#running = new RunningDigests(this.#digests.wanted)
    this.finalUrl = input.url
    // From the start again: what came before is passed over, after comparing its end.
    this.#wholeOnly = !isPlainGet(input.options)
    this.#plain = this.#wholeOnly
    this.signal = AbortSignal.any([input.signal, this.#leave.signal])
    out.on('drain', this.#onDrain)
    out.on('error', this.#onGone)
    out.on('close', this.#onGone)
  }

  readonly #onDrain = (): void => this.#transfer?.drained()
  /** A reader may go away between two tries as well, when nothing is being written. */
  readonly #onGone = (error?: Error): void => {
    this.gone ??= error ?? new Error('the stream was closed before the end')
    this.#leave.abort(this.gone)
    this.#transfer?.failed(this.gone)
  }

  dispose(): void {
    this.#out.off('drain', this.#onDrain)
    this.#out.off('error', this.#onGone)
    this.#out.off('close', this.#onGone)
  }

  push(chunk: Buffer): boolean {
    this.position += chunk.length
    this.#running.update(chunk)
    // The overlap is kept as a copy, so that nothing larger stays in memory because of it.
    this.#tail =
      chunk.length >= OVERLAP_BYTES
        ? Buffer.from(chunk.subarray(chunk.length - OVERLAP_BYTES))
        : Buffer.concat([this.#tail, chunk]).subarray(-OVERLAP_BYTES)
    return this.#out.write(chunk)
  }

  async finish(): Promise<void> {
    // The stream keeps what it was given; there is nothing to wait for.
  }

  verify(): ChecksumResult | null {
    const verdict = compare(this.#digests.expected, this.#running.digest())
    if (verdict.kind === 'bad') throw checksumMismatch(verdict, null, 'over')
    return verdict.checksum
  }

  async run(client: HttpClient): Promise<void> {
    for (;;) {
      const fresh = this.position === 0
      const request = buildRequest(fresh ? 'none' : this.#rung, this.#known, this.position, null, this.#tail.length)
      const reply = await client.request({
        url: this.#input.url,
        headers: { ...(this.#plain ? {} : rangeHeaders(request)), ...(fresh ? this.#digests.headers : {}) },
        options: this.#input.options,
        readBytes: () => this.#limiter.readBytes,
        signal: this.signal,
      })
      try {
        if (await this.#handle(reply, request, fresh)) return
      } finally {
        reply.abort()
      }
    }
  }

  /** True when the stream is complete. */
  async #handle(reply: HttpReply, request: ReturnType<typeof buildRequest>, fresh: boolean): Promise<boolean> {
    const facts = parseReply(reply.status, reply.headers)
    const verdict = judgeReply(this.#known, request, facts, {
      bytes: this.position,
      complete: this.position === this.#known.size,
      wholeFileRequest: this.#plain,
    })
    switch (verdict.kind) {
      case 'ask-again':
        this.#rung = verdict.rung
        return false
      case 'ask-plain':
        this.#plain = true
        return false
      case 'complete':
        return true
      case 'changed':
        throw remoteChanged(verdict.reason)
      case 'refuse':
        throw new NighthaulError(
          verdict.code,
          'The server’s reply does not fit what was asked for, so nothing of it was used.',
          verdict.params,
        )
      case 'status':
        throw withRetryAfter(statusError(verdict.status, reply.finalUrl, reply), facts.retryAfterMs(this.#clock.now()))
    }
    if (this.#decoding)
      throw new NighthaulError(
        'remote_changed',
        'The server compressed this file on the way and the connection broke: what was sent on cannot be continued.',
      )
    this.finalUrl = reply.finalUrl
    const size = verdict.kind === 'append' ? verdict.total : verdict.size
    if (fresh) {
      this.#known = learn(UNKNOWN_FILE, facts, size)
      this.#digests.begin(facts, reply.headers)
      this.#running = new RunningDigests(this.#digests.wanted)
      if (!this.#wholeOnly) this.#rung = firstRung(this.#known)
    }
    const decode = verdict.kind === 'append' ? null : verdict.decoded ? facts.contentEncoding : null
    this.#decoding = decode !== null
    const compare = verdict.kind === 'append' ? verdict.compare : verdict.kind === 'compare' ? this.#tail.length : 0
    const tail = this.#tail.subarray(this.#tail.length - compare)
    // A server that ignores ranges sends it all again; what went out before the kept tail is passed over.
    const body = verdict.kind === 'compare' ? skipping(reply, this.position - compare) : reply
    this.#transfer = startTransfer({
      reply: body,
      writer: this,
      compare: { bytes: compare, read: async () => tail },
      bodyEnd: verdict.kind === 'append' ? verdict.end : decode ? null : verdict.size,
      bounds: WHOLE_BODY,
      decode,
      clock: this.#clock,
      received: (bytes) => this.#received(bytes),
      signal: this.signal,
    })
    await this.#transfer.ended
    return verdict.kind !== 'append' || (verdict.total !== null && this.position >= verdict.total)
  }

  #received(bytes: number): number {
    const now = this.#clock.monotonic()
    this.#meter.add(bytes, now)
    this.#input.onProgress?.({
      bytes: this.position,
      total: this.#known.size,
      bytesPerSecond: this.#meter.bytesPerSecond(now),
    })
    return this.#limiter.take(bytes, now)
  }
}

/** The same reply without its first bytes. */
function skipping(reply: HttpReply, bytes: number): HttpReply {
  let left = bytes
  return {
    ...reply,
    consume: (sink) =>
      reply.consume({
        ...sink,
        onData(chunk) {
          const skip = Math.min(left, chunk.length)
          left -= skip
          return skip < chunk.length ? sink.onData(chunk.subarray(skip)) : undefined
        },
        onEnd: () => sink.onEnd(),
        onError: (error) => sink.onError(error),
      }),
  }
}
