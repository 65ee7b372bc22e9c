/**
 * One run of one task: opens the partial, asks for ranges on as many connections as are useful and allowed, and ends
 * with all bytes in the file or with the reason why not. Which connection does what is in connections.ts, what a reply
 * is worth in remote-file.ts, where the bytes lie in place.ts.
 *
 * Long because: the steps of a run share its remote file, its place and its progress.
 */
import { dirname } from 'node:path'
import type { NighthaulError } from '../../shared/errors.ts'
import type { BlockChecksum, TaskCheckpoint, TaskRecord } from '../../shared/records.ts'
import type { SegmentView, TaskOptions } from '../../shared/schemas.ts'
import type { StrategyReason } from '../../shared/strategy.ts'
import { asks, type Connection, liveViews, phaseOf, STOPPED, segmentOf } from './connection.ts'
import { Connections } from './connections.ts'
import { losesWrites, toDiskError } from './disk-errors.ts'
import type { DownloadContext, DownloadOutcome } from './download-context.ts'
import { FileDigests } from './file-digests.ts'
import type { LaneReply } from './lane/lane.ts'
import { SpeedMeter } from './metrics.ts'
import { beginPlace, checkSize, demandsOf, foresee, type Place, restorePlace, sizeExpected } from './place.ts'
import { Progress, trustedSegments } from './progress.ts'
import { Draw } from './rate-limiter.ts'
import { type Accepted, notResumable, RemoteFile } from './remote-file.ts'
import { isHtml, type ReplyFacts } from './reply.ts'
import * as plan from './segment-plan.ts'
import { proveSource } from './source-proof.ts'
import { remoteChanged } from './transfer.ts'

export class Download {
  readonly #context: DownloadContext
  readonly #task: TaskRecord
  readonly #options: TaskOptions
  readonly #meter: SpeedMeter
  readonly #connections: Connections
  readonly #stop = new AbortController()
  readonly #progress = new Progress()
  readonly #remote: RemoteFile
  /** undefined: as the settings say */
  #connectionsWanted: number | undefined
  #place: Place | null = null
  /** the partial's name survives a power cut */
  #nameIsDurable = false
  /** what an fsync of the partial failed with */
  #lost: NighthaulError | null = null
  #heldAtStart = 0
  #foreseen: ReturnType<typeof foresee> = null
  readonly #digests: FileDigests

  constructor(task: TaskRecord, context: DownloadContext) {
    this.#task = task
    this.#context = context
    this.#options = task.options
    this.#digests = new FileDigests(task, context.settings)
    this.#connectionsWanted = task.options.connections
    this.#meter = new SpeedMeter(context.clock.monotonic())
    this.#remote = new RemoteFile(task, this.#options, context.lane, context.clock)
    this.#connections = new Connections(
      {
        ...context,
        id: task.id,
        progress: this.#progress,
        remote: this.#remote,
        wanted: () => this.#connectionsWanted ?? context.connectionsUsually(),
        path: () => this.#place?.part.path ?? task.folder,
        received: (bytes) => {
          this.#meter.add(bytes, context.clock.monotonic())
          context.received(bytes)
        },
        fetch: (connection) => this.#fetch(connection),
      },
      task.connectionsUsed,
    )
  }

  // ── what the engine and the window see ──

  get writtenBytes(): number {
    return this.#progress.writtenBytes
  }

  get bytesPerSecond(): number {
    this.#connections.count()
    return this.#meter.bytesPerSecond(this.#context.clock.monotonic())
  }

  /** the most connections that were open at once */
  get connectionsUsed(): number {
    return this.#connections.used
  }

  get openConnections(): number {
    return this.#connections.size
  }

  get phase() {
    return phaseOf(this.#connections)
  }

  /** why it is fetched the way it is, the weightiest reason first */
  get strategy(): StrategyReason[] {
    return this.#connections.strategy
  }

  /** how many bytes this run found in the partial and trusted */
  get resumedFromBytes(): number {
    return this.#heldAtStart
  }

  /** that its next request goes to: of its link, or where that led */
  get host(): string {
    return this.#remote.host
  }

  segmentViews(): SegmentView[] {
    this.#connections.count()
    return liveViews(this.#progress.segments, [...this.#connections], this.#context.clock.monotonic())
  }

  /** What changed since the last call, for one transaction with all other tasks; null: nothing. */
  takeCheckpoint(): TaskCheckpoint | null {
    this.#connections.count()
    return this.#progress.takeCheckpoint(this.#task.id, this.#context.bootId, this.#newBlocks())
  }

  /** Checksums that are new to the store. A block that came again as another one ends the run. */
  #newBlocks(): BlockChecksum[] {
    const blocks = this.#progress.sameAgain(this.#place?.part.takeBlocks() ?? [])
    if (this.#progress.hasOthers) this.#connections.look(remoteChanged('content'))
    return blocks
  }

  /** The store could not take it: it goes with the next one. */
  keepCheckpoint(checkpoint: TaskCheckpoint): void {
    this.#progress.keepCheckpoint()
    for (const block of checkpoint.blocks ?? []) this.#place?.part.keepBlock(block)
  }

  /** Hands what slow connections have collected to the kernel, so that a crash costs seconds whatever the speed. */
  flush(): void {
    for (const connection of this.#connections) connection.transfer?.flush()
  }

  /** fdatasync of the partial and its marks. Bytes that are to be found again need their name as well. */
  async syncMarks(): Promise<void> {
    const part = this.#place?.part
    if (!part) return
    await this.#progress.syncMarks(async () => {
      await part.datasync().catch((error: NighthaulError) => {
        if (losesWrites(error)) this.#lost ??= error
        this.#connections.look(this.#lost)
        throw error
      })
      if (this.#nameIsDurable) return
      await this.#context.fs.syncFolder(dirname(part.path))
      this.#nameIsDurable = true
    })
  }

  /** How the run ended, once no fsync is under way: not well where one failed. What it may have cost is fetched again. */
  afterSync(outcome: DownloadOutcome): DownloadOutcome {
    if (!this.#lost) return outcome
    this.#progress.set(plan.dropUnsynced(this.#progress.segments))
    return outcome.kind === 'stopped' ? outcome : { kind: 'failed', error: this.#lost, progressed: false }
  }

  // ── control ──

  /** Ends the run; `run` resolves with `stopped` once all bytes at hand are written. */
  stop(): void {
    this.#stop.abort(STOPPED)
  }

  /** Another number of connections may be wanted, and other limits hold. */
  settingsChanged(): void {
    this.#connections.settingsChanged()
    this.#connections.limitsChanged()
  }

  setConnections(wanted: number | undefined): void {
    this.#connectionsWanted = wanted
    this.settingsChanged()
  }

  async run(): Promise<DownloadOutcome> {
    try {
      const published = await this.#restore()
      if (published) return { kind: 'published', path: published }
      if (this.#remote.fresh || !this.#progress.complete) await this.#connections.run(this.#stop.signal)
      if (this.#cameAsOthers()) throw remoteChanged('content')
      return { kind: 'transferred', partPath: this.#place!.part.path, digests: this.#digests.made }
    } catch (error) {
      if (this.#cameAsOthers()) this.#progress.dropOthers()
      if (this.#stop.signal.aborted) return { kind: 'stopped' }
      const typed = toDiskError(error, this.#task.folder)
      // With nothing held there is nothing to decide: the next try begins with the new file.
      const holds = this.writtenBytes > 0 || this.#repairs
      if (typed.code === 'remote_changed' && holds) return { kind: 'changed', error: typed }
      // Progress is what the next try can build upon: a decoded body begins anew every time.
      const progressed = this.writtenBytes > this.#heldAtStart && !this.#remote.encoded
      return { kind: 'failed', error: typed, progressed }
    }
  }

  #cameAsOthers(): boolean {
    for (const block of this.#newBlocks()) this.#place!.part.keepBlock(block)
    return this.#progress.hasOthers
  }

  /** Bad parts of a file that was here are fetched again: what comes must be the file that it was. */
  get #repairs(): boolean {
    return this.#task.verification?.repairing === true
  }

  /** Closes the partial; marks and checksums stay readable through `takeCheckpoint`. */
  async close(): Promise<void> {
    this.#context.lane.forget(this.#options)
    await this.#place?.part.close()
  }

  async #restore(): Promise<string | null> {
    const place = await restorePlace(this.#task, this.#context)
    if (place.kind === 'published') return place.path
    if (place.kind === 'nothing') {
      if (place.lost) this.#context.forget()
      this.#foreseen = foresee(this.#task, this.#context)
      return null
    }
    this.#place = place.place
    const segments = await trustedSegments(this.#task, this.#context, place.place.part)
    this.#progress.set(segments)
    this.#heldAtStart = plan.writtenBytes(segments)
    // Nothing held means nothing to protect, and a decoded body cannot be continued. Empty files hold all they have.
    const whole = this.#progress.complete && (segments.length > 0 || this.#task.sizeBytes === 0)
    const nothing = this.#heldAtStart === 0 && !this.#repairs
    this.#remote.fresh = !whole && (nothing || (this.#task.contentEncoding !== null && !this.#repairs))
    if (this.#remote.fresh) {
      this.#progress.set([])
      this.#heldAtStart = 0
      this.#context.forget()
    } else {
      if (this.#repairs || this.#task.bootId !== this.#context.bootId)
        this.#progress.expectAgain(this.#context.storedBlocks())
      const held = { ...this.#task, writtenBytes: this.#heldAtStart }
      const copiedBytes = await this.#context.begunBytes()
      const partFolder = dirname(place.place.part.path)
      await this.#context.makeRoom(demandsOf(held, partFolder, copiedBytes, () => this.#leftBytes()))
    }
    this.#context.logger.info({ task: this.#task.id, heldBytes: this.#heldAtStart }, 'partial restored')
    return null
  }

  /** Asks for the rest of the connection's segment and reads it. */
  async #fetch(connection: Connection): Promise<void> {
    if (this.#remote.unproven && !this.#remote.fresh) await this.#prove(connection)
    const segment = this.#remote.fresh ? null : this.#progress.at(segmentOf(connection))!
    const from = segment?.written ?? 0
    const accepted = await this.#remote.ask(
      {
        from,
        end: segment?.end ?? null,
        before: this.#progress.bytesBefore(from),
        heldBytes: this.writtenBytes,
        complete: this.#progress.complete,
        alone: () => !this.#connections.othersWork(connection),
        buckets: this.#context.buckets(connection.host),
        queuedMs: connection.queuedMs,
        firstHeaders: this.#digests.headers,
        multiplex: this.#remote.fresh && this.#context.hosts.isCrowded(connection.host),
      },
      (host, from) => this.#pace(connection, host, from),
      connection.abort.signal,
    )
    try {
      connection.abort.signal.throwIfAborted()
      const { host } = new URL(accepted.reply.finalUrl)
      // What is no plain GET was redirected on its way. Where that host asked to be left alone, this ends here.
      if (host !== connection.host) this.#context.hosts.spacing(host)
      await this.#moveSlot(connection, host)
      connection.draw = new Draw(this.#context.buckets(connection.host))
      await this.#take(accepted, connection)
    } catch (error) {
      accepted.reply.abort()
      throw error
    }
  }

  /** Its place and its turn at this host. */
  async #pace(connection: Connection, host: string, from: string | null): Promise<void> {
    const { hosts, noRoom } = this.#context
    // A redirect is a good answer: its host does not refuse.
    if (from !== null && from !== host) hosts.succeeded(from)
    if (host !== connection.host && !this.#connections.othersWork(connection) && hosts.isFull(host)) noRoom(host)
    await this.#moveSlot(connection, host)
    await this.#context.hosts.turn(host, connection.abort.signal)
    asks(connection, this.#context.clock.monotonic())
  }

  /** What is here came from another URL: it is compared with this one before anything is added. */
  async #prove(connection: Connection): Promise<void> {
    const learned = await proveSource({
      ...{ remote: this.#remote, part: this.#place!.part, progress: this.#progress, connection },
      buckets: this.#context.buckets(connection.host),
      pace: (host, from) => this.#pace(connection, host, from),
      reading: (transfer) => this.#connections.reading(connection, transfer),
    })
    if (learned) this.#context.learned(learned)
    connection.queuedMs = 0
  }

  /** A redirect led to another host: its places are the ones that count. */
  async #moveSlot(connection: Connection, host: string): Promise<void> {
    if (host === connection.host) return
    connection.slot?.release()
    connection.slot = null
    connection.host = host
    connection.slot = await this.#context.hosts.acquire(host, this.#connections, connection.abort.signal)
  }

  async #take({ verdict, facts, reply }: Accepted, connection: Connection): Promise<void> {
    if (!this.#remote.fresh && reply.redirected) this.#context.learned(this.#remote.follow(reply))
    switch (verdict.kind) {
      case 'append': {
        connection.proven = true
        if (this.#remote.fresh) await this.#begin(facts, reply, verdict.total, true)
        else if (this.#remote.size === null && verdict.total !== null) this.#endKnown(verdict.total)
        const { start, end, compare } = verdict
        return this.#receive(reply, connection, { start, end, compare, decode: null, whole: false })
      }
      case 'whole': {
        const decode = verdict.decoded ? facts.contentEncoding : null
        await this.#begin(facts, reply, verdict.size, false)
        return this.#receive(reply, connection, { start: 0, end: verdict.size, compare: 0, decode, whole: true })
      }
      case 'compare':
        // Another connection may have come since the reply was judged: two must not write the same bytes.
        if (this.#connections.othersWork(connection)) throw notResumable()
        this.#remote.rangesProven = false
        this.#context.learned({ acceptsRanges: false })
        return this.#compareWhole(reply, connection, verdict.decoded ? facts.contentEncoding : null)
      case 'complete':
        reply.abort()
        if (this.#remote.size === null) this.#endKnown(verdict.size)
    }
  }

  /** The first good reply of a fresh file: what it is, what it is called, room for it. */
  async #begin(facts: ReplyFacts, reply: LaneReply, size: number | null, ranges: boolean): Promise<void> {
    checkSize(size, sizeExpected(this.#task))
    this.#place = await beginPlace(this.#task, this.#context, this.#place, {
      contentDisposition: [reply.headers['content-disposition']].flat()[0],
      ...{ finalUrl: reply.finalUrl, contentType: facts.contentType, size, foreseen: this.#foreseen },
      left: () => this.#leftBytes(),
      html: isHtml(facts.contentType) && !this.#options.acceptHtml,
    })
    const digests = this.#digests.begin(facts, reply.headers)
    this.#context.learned({ ...this.#remote.begin(facts, reply, size, ranges), ...digests })
    this.#context.began(reply, size)
    this.#progress.set(plan.freshPlan(size))
    this.#connections.look()
  }

  async #receive(
    reply: LaneReply,
    connection: Connection,
    body: { start: number; end: number | null; compare: number; decode: string | null; whole: boolean },
  ): Promise<void> {
    const start = segmentOf(connection)
    // An empty file has no segment to write into.
    if (this.#progress.segments.length === 0) return reply.abort()
    const transfer = reply.receive(
      {
        part: this.#place!.part,
        start: body.start,
        compareBytes: body.compare,
        bodyEnd: body.end,
        end: this.#progress.at(start)!.end,
        decode: body.decode,
        blockHeld: this.#progress.holdsBlockTo(body.start + body.compare),
        races: connection.racesFor !== null,
        size: this.#remote.size,
        whole: body.whole,
        digests: this.#digests.wanted,
        buckets: connection.draw!.buckets,
      },
      {
        written: (position) => this.#progress.advance(start, position),
        reached: (position) => this.#connections.reached(connection, position),
        takeOver: (position) => this.#connections.takeOver(connection, position),
      },
      connection.abort.signal,
    )
    const { how, position, digests } = await this.#connections.reading(connection, transfer)
    if (digests) this.#digests.made = digests
    if (this.#remote.size === null && how === 'body' && body.whole) this.#endKnown(position)
    this.#connections.look()
  }

  /** Ladder step 5: the whole file comes again; compare what is here, write what is not. */
  async #compareWhole(reply: LaneReply, connection: Connection, decode: string | null): Promise<void> {
    const { segments } = this.#progress
    const transfer = reply.compare(
      { part: this.#place!.part, segments, size: this.#remote.size, decode, buckets: connection.draw!.buckets },
      {
        advanced: (start, position) => {
          connection.segment = start
          this.#progress.advance(start, position)
        },
      },
      connection.abort.signal,
    )
    const { position: end } = await this.#connections.reading(connection, transfer)
    if (this.#progress.segments.at(-1)?.end === null) this.#endKnown(end)
  }

  /** null: not known (yet) */
  #leftBytes(): number | null {
    return this.#progress.segments.length === 0 ? null : this.#progress.remainingBytes
  }

  #endKnown(size: number): void {
    checkSize(size, sizeExpected(this.#task))
    this.#progress.setSize(size)
    this.#remote.size = size
    this.#context.learned({ sizeBytes: size })
  }
}
