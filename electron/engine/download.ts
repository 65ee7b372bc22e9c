/**
 * One run of one task: opens the partial, asks for ranges on as many connections as are useful and allowed, and ends
 * with all bytes in the file or with the reason why not. What a reply means is decided by resume-ladder.ts, who works
 * on what by segment-plan.ts; this is the shell that acts. Naming and publishing are in place.ts.
 */
import { NighthaulError } from '../../shared/errors.ts'
import {
  BLOCK_BYTES,
  type BlockChecksum,
  type TaskCheckpoint,
  type TaskPatch,
  type TaskRecord,
} from '../../shared/records.ts'
import type { SegmentView, Settings, TaskOptions } from '../../shared/schemas.ts'
import { comparingTransfer } from './comparing-body.ts'
import { toDiskError } from './disk-errors.ts'
import { SegmentWriter } from './file-sink.ts'
import type { HostController, Slot, SlotHolder } from './host-controller.ts'
import { statusError } from './http/errors.ts'
import type { HttpClient, HttpReply } from './http/http-client.ts'
import { SpeedMeter } from './metrics.ts'
import { beginPlace, type Place, restorePlace } from './place.ts'
import type { EngineDeps } from './ports.ts'
import type { TokenBucket } from './rate-limiter.ts'
import { isHtml, isStrongDate, parseReply, type ReplyFacts } from './reply.ts'
import {
  buildRequest,
  firstRung,
  judgeReply,
  type KnownFile,
  type Rung,
  rangeHeaders,
  UNKNOWN_FILE,
  type Verdict,
} from './resume-ladder.ts'
import * as plan from './segment-plan.ts'
import { sleep } from './sleep.ts'
import { remoteChanged, startTransfer, type Transfer } from './transfer.ts'

/** Below twice this a range is not worth another connection. */
const MIN_SPLIT_BYTES = BLOCK_BYTES
/** How often a free place at the host is looked for. */
const GROW_MS = 500

export type DownloadOutcome =
  | { kind: 'transferred'; partPath: string }
  /** an earlier process had already given the file its name */
  | { kind: 'published'; path: string }
  | { kind: 'failed'; error: NighthaulError; progressed: boolean }
  | { kind: 'changed'; error: NighthaulError }
  | { kind: 'stopped' }

export interface DownloadContext extends Pick<EngineDeps, 'fs' | 'clock' | 'random' | 'logger' | 'bootId'> {
  client: HttpClient
  hosts: HostController
  settings: () => Settings
  /** limits of all and of the task */
  buckets: readonly TokenBucket[]
  storedBlocks: () => BlockChecksum[]
  storedSegments: () => plan.Segment[]
  reserve: (filename: string) => boolean
  /** facts for the store: validators, size, name */
  learned: (patch: TaskPatch) => void
  /** forget stored segments and blocks */
  forget: () => void
  /** bytes came in: for the totals */
  received: (bytes: number) => void
}

interface Connection {
  /** start of the segment it works on; null between two */
  segment: number | null
  meter: SpeedMeter
  abort: AbortController
  transfer: Transfer | null
}

/** Thrown to leave a connection that was given up on purpose. */
const SHED = new NighthaulError('interrupted', 'Another download needed this connection.')
const STOPPED = new NighthaulError('interrupted', 'The download was paused; what is here is kept.')

export class Download implements SlotHolder {
  readonly #context: DownloadContext
  readonly #task: TaskRecord
  readonly #options: TaskOptions
  readonly #meter: SpeedMeter
  readonly #connections = new Set<Connection>()
  readonly #stop = new AbortController()
  #segments: plan.Segment[] = []
  #known: KnownFile
  #place: Place | null = null
  #rung: Rung
  /** nothing is held and no reply was accepted in this run */
  #fresh = true
  #rangesProven = false
  #cap: number
  #usePlainRequest = false
  #requestUrl: string
  #originalTried = false
  #heldAtStart = 0
  #segmentsDirty = false
  #failure: NighthaulError | null = null
  #growNotBefore = 0
  #failuresInARow = 0
  #wake: (() => void) | null = null
  #facts: TaskPatch = {}
  connectionsUsed: number

  constructor(task: TaskRecord, context: DownloadContext) {
    this.#task = task
    this.#context = context
    const proxy = task.options.proxy ?? context.settings().proxy
    this.#options = { ...task.options, ...(proxy ? { proxy } : {}) }
    this.#meter = new SpeedMeter(context.clock.monotonic())
    this.#known = {
      size: task.sizeBytes,
      etag: task.etag,
      lastModified: task.lastModified,
      lastModifiedStrong: task.lastModifiedStrong,
      contentType: task.contentType,
    }
    this.#rung = firstRung(this.#known)
    this.#requestUrl = task.finalUrl ?? task.url
    this.#cap = this.#wantedConnections()
    this.connectionsUsed = task.connectionsUsed
  }

  // ── what the engine and the window see ──

  get writtenBytes(): number {
    return plan.writtenBytes(this.#segments)
  }

  get bytesPerSecond(): number {
    return this.#meter.bytesPerSecond(this.#context.clock.monotonic())
  }

  get openConnections(): number {
    return this.#connections.size
  }

  /** how many bytes this run found in the partial and trusted */
  get resumedFromBytes(): number {
    return this.#heldAtStart
  }

  segmentViews(): SegmentView[] {
    const now = this.#context.clock.monotonic()
    return this.#segments.map((segment) => {
      const connection = [...this.#connections].find((c) => c.segment === segment.start)
      return {
        start: segment.start,
        end: segment.end,
        writtenBytes: segment.written - segment.start,
        durableBytes: segment.durable - segment.start,
        active: connection !== undefined,
        bytesPerSecond: connection?.meter.bytesPerSecond(now) ?? 0,
      }
    })
  }

  /** What changed since the last call, for one transaction with all other tasks; null: nothing. */
  takeCheckpoint(): TaskCheckpoint | null {
    const blocks = this.#place?.part.takeBlocks() ?? []
    if (!this.#segmentsDirty && blocks.length === 0) return null
    this.#segmentsDirty = false
    return {
      id: this.#task.id,
      writtenBytes: this.writtenBytes,
      bootId: this.#context.bootId,
      segments: this.#segments,
      blocks,
    }
  }

  /** fdatasync, then the marks: only bytes written before it began count as durable. */
  async syncMarks(): Promise<void> {
    const part = this.#place?.part
    if (!part || this.#segments.every((s) => s.durable === s.written)) return
    const marks = new Map(this.#segments.map((s) => [s.start, s.written]))
    await part.datasync()
    this.#segments = plan.markDurable(this.#segments, marks)
    this.#segmentsDirty = true
  }

  // ── control ──

  /** Ends the run; `run` resolves with `stopped` once all bytes at hand are written. */
  stop(): void {
    this.#stop.abort(STOPPED)
  }

  /** Gives up one of several connections for another task's first one. */
  shed(): boolean {
    if (this.#connections.size < 2) return false
    const last = [...this.#connections].at(-1)!
    if (last.abort.signal.aborted) return false
    last.abort.abort(SHED)
    return true
  }

  settingsChanged(): void {
    this.#cap = this.#wantedConnections()
    this.#wake?.()
  }

  async run(): Promise<DownloadOutcome> {
    try {
      const published = await this.#restore()
      if (published) return { kind: 'published', path: published }
      if (this.#fresh || !plan.isComplete(this.#segments)) await this.#transferAll()
      return { kind: 'transferred', partPath: this.#place!.part.path }
    } catch (error) {
      if (this.#stop.signal.aborted) return { kind: 'stopped' }
      const typed = error instanceof NighthaulError ? error : toDiskError(error, this.#task.folder)
      if (typed.code === 'remote_changed') return { kind: 'changed', error: typed }
      return { kind: 'failed', error: typed, progressed: this.writtenBytes > this.#heldAtStart }
    }
  }

  /** Closes the partial; marks and checksums stay readable through `takeCheckpoint`. */
  async close(): Promise<void> {
    await this.#place?.part.close()
  }

  // ── before the first request ──

  async #restore(): Promise<string | null> {
    const { bootId, clock } = this.#context
    const place = await restorePlace(this.#task, this.#context)
    if (place.kind === 'published') return place.path
    if (place.kind === 'nothing') {
      if (place.lost) this.#context.forget()
      return null
    }
    this.#place = place.place
    let segments = plan.mergeDone(this.#context.storedSegments())
    const checked = await this.#checkBlocks(segments)
    segments = plan.trustAfterBoot(segments, this.#task.bootId === bootId, (index) => checked.get(index) ?? null)
    segments = plan.clipToFile(segments, await place.place.part.size())
    this.#segments = segments
    this.#segmentsDirty = true
    this.#heldAtStart = plan.writtenBytes(segments)
    // A decoded body cannot be continued; nothing held means nothing to protect.
    const decoded = this.#task.contentEncoding !== null
    this.#fresh = (this.#heldAtStart === 0 && !plan.isComplete(segments)) || (decoded && !plan.isComplete(segments))
    if (this.#fresh) {
      this.#segments = []
      this.#heldAtStart = 0
      this.#context.forget()
    }
    this.#rangesProven = this.#task.acceptsRanges === true
    this.#context.logger.info(
      { task: this.#task.id, heldBytes: this.#heldAtStart, at: clock.now() },
      'partial restored',
    )
    return null
  }

  /** Under another boot, blocks between the two marks are compared with their stored CRC-32. */
  async #checkBlocks(segments: readonly plan.Segment[]): Promise<Map<number, boolean>> {
    const result = new Map<number, boolean>()
    if (this.#task.bootId === this.#context.bootId) return result
    const stored = new Map(this.#context.storedBlocks().map((b) => [b.index, b]))
    for (const segment of segments) {
      for (let index = Math.floor(segment.durable / BLOCK_BYTES); index * BLOCK_BYTES < segment.written; index++) {
        const block = stored.get(index)
        if (!block) continue
        const crc = await this.#place!.part.blockChecksum(index, block.bytes)
        result.set(index, crc === block.crc32)
      }
    }
    return result
  }

  // ── the transfer ──

  async #transferAll(): Promise<void> {
    let grow: { cancel(): void } | null = null
    const running = new Set<Promise<void>>()
    const spawn = (slot: Slot | null) => {
      const connection = this.#connection(slot).finally(() => {
        running.delete(connection)
        this.#wake?.()
      })
      running.add(connection)
    }
    const tick = () => {
      this.#wake?.()
      grow = this.#context.clock.setTimeout(tick, GROW_MS)
    }
    grow = this.#context.clock.setTimeout(tick, GROW_MS)
    try {
      spawn(null)
      for (;;) {
        if (this.#failure || this.#stop.signal.aborted) break
        if (running.size === 0) {
          if (!this.#fresh && plan.isComplete(this.#segments)) return
          spawn(null)
        } else if (this.#mayGrow(running.size)) {
          const slot = this.#context.hosts.tryAcquire(this.#host(), this)
          if (slot) {
            spawn(slot)
            continue
          }
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      grow.cancel()
      if (this.#failure) for (const connection of this.#connections) connection.abort.abort(STOPPED)
      await Promise.allSettled(running)
    }
    throw this.#failure ?? STOPPED
  }

  #mayGrow(active: number): boolean {
    if (!this.#rangesProven || this.#fresh || active >= this.#cap) return false
    if (this.#context.clock.monotonic() < this.#growNotBefore) return false
    return this.#nextAssignment() !== null
  }

  #nextAssignment(): plan.Assignment | null {
    const now = this.#context.clock.monotonic()
    const busy = new Map<number, { bytesPerSecond: number }>()
    for (const c of this.#connections)
      if (c.segment !== null) busy.set(c.segment, { bytesPerSecond: c.meter.bytesPerSecond(now) })
    return plan.nextAssignment(this.#segments, busy, { minSplitBytes: MIN_SPLIT_BYTES, canSplit: this.#rangesProven })
  }

  /** One connection from its slot to its end: segment after segment while there is work. Never rejects. */
  async #connection(granted: Slot | null): Promise<void> {
    const { clock, hosts } = this.#context
    const connection: Connection = {
      segment: null,
      meter: new SpeedMeter(clock.monotonic()),
      abort: new AbortController(),
      transfer: null,
    }
    const forward = () => connection.abort.abort(this.#stop.signal.reason)
    this.#stop.signal.addEventListener('abort', forward, { once: true })
    if (this.#stop.signal.aborted) forward()
    let slot = granted
    const host = this.#host()
    try {
      slot ??= await hosts.acquire(host, this, connection.abort.signal)
      this.#connections.add(connection)
      this.connectionsUsed = Math.max(this.connectionsUsed, this.#connections.size)
      while (!connection.abort.signal.aborted && !this.#failure && this.#connections.size <= this.#cap) {
        if (this.#fresh) connection.segment = 0
        else {
          const next = this.#nextAssignment()
          if (!next) break
          if (next.kind === 'split') {
            this.#segments = plan.split(this.#segments, next.victim, next.at)
            this.#segmentsDirty = true
          }
          connection.segment = next.kind === 'split' ? next.at : next.start
        }
        connection.meter = new SpeedMeter(clock.monotonic())
        await this.#fetch(connection, host)
        connection.segment = null
        this.#failuresInARow = 0
        hosts.succeeded(host)
      }
    } catch (error) {
      this.#connectionFailed(connection, host, error)
    } finally {
      this.#stop.signal.removeEventListener('abort', forward)
      this.#connections.delete(connection)
      slot?.release()
    }
  }

  /** Decides whether one connection's failure is the run's failure. */
  #connectionFailed(connection: Connection, host: string, error: unknown): void {
    if (this.#stop.signal.aborted || this.#failure || error === SHED) return
    const typed =
      error instanceof NighthaulError ? error : toDiskError(error, this.#place?.part.path ?? this.#task.folder)
    const { clock, hosts, logger, random } = this.#context
    logger.info({ task: this.#task.id, code: typed.code, segment: connection.segment }, 'a connection failed')
    if (typed.code === 'too_many_requests' || typed.params.status === 503)
      hosts.slowDown(host, typeof typed.params.retryAfterMs === 'number' ? typed.params.retryAfterMs : null)
    const fatal = typed.kind === 'changed' || typed.kind === 'disk' || typed.kind === 'usage'
    const others = [...this.#connections].some((c) => c !== connection && c.segment !== null)
    if (!fatal && others) {
      // The others work: the server allows no more than these, or the line hiccuped. Try again later, more gently.
      const refused = typed.kind === 'http' || typed.kind === 'integrity'
      if (refused) this.#cap = Math.max(1, this.#connections.size - 1)
      this.#failuresInARow++
      const waitMs = Math.min(30_000, 1_000 * 2 ** Math.min(this.#failuresInARow, 5)) * (0.5 + random() / 2)
      this.#growNotBefore = clock.monotonic() + waitMs
      return
    }
    // A redirect's target may have expired or gone while the link itself still works.
    if (!fatal && this.#requestUrl !== this.#task.url && !this.#originalTried) {
      this.#originalTried = true
      this.#requestUrl = this.#task.url
      return
    }
    this.#failure = typed
  }

  /** Asks for the rest of the connection's segment and reads it; climbs down the ladder as replies demand. */
  async #fetch(connection: Connection, host: string): Promise<void> {
    const { clock, client, hosts } = this.#context
    const signal = connection.abort.signal
    for (;;) {
      const waitMs = hosts.spacing(host)
      if (waitMs > 0) await sleep(clock, waitMs, signal)
      const fresh = this.#fresh
      const segment = fresh ? null : this.#segments.find((s) => s.start === connection.segment)!
      const from = segment?.written ?? 0
      const wholeFileRequest = this.#usePlainRequest
      const request = buildRequest(
        fresh ? 'none' : this.#rung,
        this.#known,
        from,
        segment?.end ?? null,
        this.#bytesBefore(from),
      )
      const reply = await client.request({
        url: this.#requestUrl,
        headers: wholeFileRequest ? {} : rangeHeaders(request),
        options: this.#options,
        home: this.#task.url,
        signal,
      })
      try {
        const facts = parseReply(reply.status, reply.headers)
        const held = { bytes: this.writtenBytes, complete: plan.isComplete(this.#segments) && !fresh, wholeFileRequest }
        const verdict = judgeReply(fresh ? UNKNOWN_FILE : this.#known, request, facts, held)
        if (this.#climbDown(verdict, connection)) {
          reply.abort()
          continue
        }
        return await this.#accept(verdict, facts, reply, connection, fresh)
      } catch (error) {
        reply.abort()
        throw error
      }
    }
  }

  /** True: ask again, differently. A rung never goes back up, so this ends. */
  #climbDown(verdict: Verdict, connection: Connection): boolean {
    if (verdict.kind === 'ask-again') {
      if (this.#rung === verdict.rung && !this.#usePlainRequest) throw notResumable()
      this.#rung = verdict.rung
      this.#usePlainRequest = false
      return true
    }
    if (verdict.kind === 'ask-plain') {
      if (this.#usePlainRequest || this.#otherConnections(connection)) throw notResumable()
      this.#usePlainRequest = true
      return true
    }
    return false
  }

  async #accept(
    verdict: Verdict,
    facts: ReplyFacts,
    reply: HttpReply,
    connection: Connection,
    fresh: boolean,
  ): Promise<void> {
    switch (verdict.kind) {
      case 'append': {
        if (fresh) await this.#begin(facts, reply, verdict.total, true)
        return this.#receive(reply, connection, verdict.start, verdict.end, verdict.compare, null)
      }
      case 'whole': {
        if (!fresh) throw notResumable()
        const decode = verdict.decoded ? facts.contentEncoding : null
        await this.#begin(facts, reply, decode ? null : verdict.size, false)
        return this.#receive(reply, connection, 0, decode ? null : verdict.size, 0, decode)
      }
      case 'compare': {
        if (this.#otherConnections(connection) || verdict.decoded) throw notResumable()
        this.#rangesProven = false
        this.#learn({ acceptsRanges: false })
        return this.#compareWhole(reply, connection, verdict.size)
      }
      case 'complete':
        reply.abort()
        this.#segments = this.#segments.map((s) => ({ ...s, end: s.end ?? s.written }))
        this.#segmentsDirty = true
        return
      case 'changed':
        throw remoteChanged(verdict.reason)
      case 'refuse':
        throw refusal(verdict)
      case 'status':
        throw withRetryAfter(
          statusError(verdict.status, reply.finalUrl, { redirected: reply.redirected }),
          facts,
          this.#context.clock.now(),
        )
      default:
        throw notResumable()
    }
  }

  /** The first good reply of a fresh file: what it is, what it is called, room for it. */
  async #begin(facts: ReplyFacts, reply: HttpReply, size: number | null, ranges: boolean): Promise<void> {
    this.#known = {
      size,
      etag: facts.etag,
      lastModified: facts.lastModified,
      lastModifiedStrong: isStrongDate(facts.lastModified, facts.date),
      contentType: facts.contentType,
    }
    this.#rung = firstRung(this.#known)
    this.#rangesProven = ranges && size !== null
    if (reply.redirected) this.#requestUrl = reply.finalUrl
    this.#learn({
      finalUrl: reply.finalUrl,
      etag: facts.etag,
      lastModified: facts.lastModified,
      lastModifiedStrong: this.#known.lastModifiedStrong,
      contentType: facts.contentType,
      contentEncoding: facts.contentEncoding,
      httpVersion: reply.httpVersion,
      acceptsRanges: ranges,
      sizeBytes: size,
    })
    const html = isHtml(facts.contentType) && !this.#options.acceptHtml
    const disposition = reply.headers['content-disposition']
    this.#place = await beginPlace(this.#task, this.#context, this.#place, {
      contentDisposition: Array.isArray(disposition) ? disposition[0] : disposition,
      finalUrl: reply.finalUrl,
      contentType: facts.contentType,
      size,
      html,
    })
    this.#segments = plan.freshPlan(size)
    this.#segmentsDirty = true
    this.#fresh = false
  }

  async #receive(
    reply: HttpReply,
    connection: Connection,
    bodyStart: number,
    bodyEnd: number | null,
    compare: number,
    decode: string | null,
  ): Promise<void> {
    const part = this.#place!.part
    const start = connection.segment!
    const from = bodyStart + compare
    if (bodyEnd !== null && from >= bodyEnd && this.#segments.length === 0) return reply.abort()
    const writer = await SegmentWriter.at(part, from, (position) => this.#bytesBefore(from) >= from - position, {
      written: (position) => this.#advance(start, position),
      drained: () => transfer.drained(),
      failed: (error) => transfer.failed(error),
    })
    const transfer = startTransfer({
      reply,
      writer,
      compare: { bytes: compare, read: () => part.read(bodyStart, compare) },
      bodyEnd,
      limit: () => this.#segments.find((s) => s.start === start)?.end ?? null,
      decode,
      clock: this.#context.clock,
      received: (bytes) => this.#received(bytes, connection),
      signal: connection.abort.signal,
    })
    connection.transfer = transfer
    const ended = await transfer.ended
    connection.transfer = null
    if (this.#known.size === null && ended === 'body') this.#endKnown(writer.position)
    if (writer.position === this.#known.size) writer.endOfFile()
    this.#wake?.()
  }

  /** Ladder step 5: the whole file comes again; compare what is here, write what is not. */
  async #compareWhole(reply: HttpReply, connection: Connection, size: number | null): Promise<void> {
    const end = await comparingTransfer({
      reply,
      part: this.#place!.part,
      segments: () => this.#segments,
      advance: (start, position) => this.#advance(start, position),
      working: (start) => {
        connection.segment = start
      },
      clock: this.#context.clock,
      received: (bytes) => this.#received(bytes, connection),
      signal: connection.abort.signal,
    })
    if (size === null && this.#known.size === null) this.#endKnown(end)
  }

  #endKnown(size: number): void {
    this.#segments = plan.setSize(this.#segments, size)
    this.#known = { ...this.#known, size }
    this.#segmentsDirty = true
    this.#learn({ sizeBytes: size })
  }

  #advance(start: number, position: number): void {
    this.#segments = plan.advance(this.#segments, start, position)
    this.#segmentsDirty = true
  }

  #received(bytes: number, connection: Connection): number {
    const now = this.#context.clock.monotonic()
    connection.meter.add(bytes, now)
    this.#meter.add(bytes, now)
    this.#context.received(bytes)
    let waitMs = 0
    for (const bucket of this.#context.buckets) waitMs = Math.max(waitMs, bucket.take(bytes, now))
    return waitMs
  }

  #learn(patch: TaskPatch): void {
    this.#facts = { ...this.#facts, ...patch }
    this.#context.learned(patch)
  }

  #otherConnections(connection: Connection): boolean {
    return [...this.#connections].some((c) => c !== connection && c.segment !== null)
  }

  /** Bytes that are here in one run directly before `position`. */
  #bytesBefore(position: number): number {
    const run = plan.coverage(this.#segments).find((r) => r.start < position && position <= r.end)
    return run ? position - run.start : 0
  }

  #host(): string {
    return new URL(this.#requestUrl).host
  }

  #wantedConnections(): number {
    return this.#options.connections ?? this.#context.settings().connectionsPerDownload
  }
}

function refusal(verdict: Extract<Verdict, { kind: 'refuse' }>): NighthaulError {
  return new NighthaulError(
    verdict.code,
    'The server’s reply does not fit what was asked for, so nothing of it was written. The partial is as it was; the server will be asked again.',
    verdict.params,
  )
}

function notResumable(): NighthaulError {
  return new NighthaulError(
    'not_resumable',
    'The server did not honour the range that was asked for. The partial is kept.',
  )
}

function withRetryAfter(error: NighthaulError, facts: ReplyFacts, now: number): NighthaulError {
  const retryAfterMs = facts.retryAfterMs(now)
  return retryAfterMs === null
    ? error
    : new NighthaulError(error.code, error.message, { ...error.params, retryAfterMs })
}
