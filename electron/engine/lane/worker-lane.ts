/**
 * The engine's side of a lane in a worker thread: every call becomes a message (messages.ts). A worker that ends
 * unexpectedly takes its requests with it, which are tried again; what was written until then is known.
 */
import type { Worker } from 'node:worker_threads'
import { type ErrorInfo, NighthaulError, toErrorInfo } from '../../../shared/errors.ts'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { PartFile } from '../file-sink.ts'
import type { HttpSettings } from '../http/http-client.ts'
import type { ResolveProxy } from '../http/proxy-choice.ts'
import type { FileSystem } from '../ports.ts'
import type { TokenBucket } from '../rate-limiter.ts'
import { LaneBounds } from './bounds.ts'
import type {
  CompareEvents,
  CompareOrder,
  Lane,
  LaneReply,
  LaneRequest,
  LaneTransfer,
  ReceiveEvents,
  ReceiveOrder,
} from './lane.ts'
import { laneThread } from './lane-thread.ts'
import type { FileCall, FileMessage, FromWorker, MemoryId, Told, ToWorker } from './messages.ts'
import { Outbox } from './outbox.ts'
import { ThreadLoad } from './thread-load.ts'

/** What is under way under one id, and who hears of it. */
type Listener = (message: Told) => void

/** The bounds of a transfer: shared while it runs. */
interface Seen {
  bounds: LaneBounds
}

export interface WorkerEvents {
  onRequest(sample: RequestSample): void
  /** it ended unasked */
  onLost(error: Error): void
  /** asks the system for the proxies of a URL, where there is somebody to ask */
  resolveProxy?: ResolveProxy
}

export class WorkerLane implements Omit<Lane, 'files'>, Pick<FileSystem, 'stat' | 'renameExclusive'> {
  readonly #worker: Worker
  readonly #load: ThreadLoad
  readonly #outbox = new Outbox<ToWorker>((messages) => {
    if (!this.#lost) this.#worker.postMessage(messages)
  })
  readonly #listeners = new Map<number, Listener>()
  readonly #options = new WeakMap<TaskOptions, number>()
  readonly #memories = new WeakMap<SharedArrayBuffer, MemoryId>()
  readonly #gone = new FinalizationRegistry<MemoryId>((id) => this.#post({ kind: 'memoryGone', id }))
  /** of transfers that ended */
  readonly #spareBounds: SharedArrayBuffer[] = []
  readonly #exited: Promise<void>
  readonly #heardOut = Promise.withResolvers<void>()
  #lastId = 0
  #closing = false
  #lost: NighthaulError | null = null

  /** `entry`: lane-worker.ts, or what it was built to. */
  constructor(entry: URL, settings: HttpSettings, events: WorkerEvents) {
    const { resolveProxy } = events
    const asksSystem = resolveProxy !== undefined
    this.#worker = laneThread(entry)
    this.#load = new ThreadLoad((...between) => this.#worker.performance.eventLoopUtilization(...between))
    this.#post({ kind: 'begin', settings, asksSystem })
    this.#worker.on('message', (messages: FromWorker[]) => {
      for (const message of messages) {
        if (message.kind === 'resolveProxy') void this.#answer(message.question, message.url, resolveProxy)
        else if (message.kind === 'sample') events.onRequest(message.sample)
        else if (message.kind === 'farewell') this.#heardOut.resolve()
        else this.#listeners.get(message.id)?.(message)
      }
    })
    let failure: Error | null = null
    this.#worker.on('error', (error) => {
      failure = error as Error
    })
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#lose(this.#closing ? 'it was closed' : (failure?.message ?? `exit code ${code}`))
        if (!this.#closing) events.onLost(failure ?? new Error(`the worker ended with ${code}`))
        resolve()
      })
    })
  }

  /** it ended, and takes no more requests */
  get isLost(): boolean {
    return this.#lost !== null
  }

  async request({ options, signal, buckets, ...asked }: LaneRequest): Promise<LaneReply> {
    signal.throwIfAborted()
    if (this.#lost) throw this.#lost
    const id = ++this.#lastId
    const request = { ...asked, options: this.#optionsId(options), buckets: this.#idsOf(buckets) }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#abandon(id, signal.reason)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#listeners.set(id, (message) => {
        signal.removeEventListener('abort', onAbort)
        this.#listeners.delete(id)
        if (message.kind === 'failed') reject(NighthaulError.from(message.error))
        else if (message.kind === 'head') resolve(this.#reply(id, message.head))
      })
      this.#post({ kind: 'request', id, request })
    })
  }

  stat(path: string): ReturnType<FileSystem['stat']> {
    return this.#file({ name: 'stat', path })
  }

  async renameExclusive(from: string, to: string): Promise<void> {
    await this.#file({ name: 'renameExclusive', from, to })
  }

  async #file(call: FileCall): ReturnType<FileSystem['stat']> {
    if (this.#lost) throw this.#lost
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#listeners.set(id, (message) => {
        this.#listeners.delete(id)
        if (message.kind === 'filed') resolve(message.stats)
        else if (message.kind === 'failed') reject(NighthaulError.from(message.error))
        else if (message.kind === 'notFiled')
          reject(Object.assign(new Error(message.error.message), { code: message.error.code }))
      })
      this.#post({ kind: 'file', id, call })
    })
  }

  forget(options: TaskOptions): void {
    const id = this.#options.get(options)
    if (id === undefined) return
    this.#options.delete(options)
    this.#post({ kind: 'forget', id })
  }

  setSettings(settings: HttpSettings): void {
    this.#post({ kind: 'settings', settings })
  }

  dropIdle(): void {
    this.#post({ kind: 'dropIdle' })
  }

  networkChanged(): void {
    this.#post({ kind: 'networkChanged' })
  }

  async #answer(question: number, url: string, resolveProxy: ResolveProxy | undefined): Promise<void> {
    try {
      const answer = (await resolveProxy?.(url)) ?? null
      this.#post({ kind: 'proxies', question, answer, error: null })
    } catch (error) {
      this.#post({ kind: 'proxies', question, answer: null, error: toErrorInfo(error).message })
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    // What it has to say of the last requests is on its way.
    if (this.#lastId > 0) {
      this.#post({ kind: 'farewell' })
      await Promise.race([this.#heardOut.promise, this.#exited])
    }
    await this.#worker.terminate()
    await this.#exited
  }

  #optionsId(options: TaskOptions): number {
    let id = this.#options.get(options)
    if (id === undefined) {
      id = ++this.#lastId
      this.#options.set(options, id)
      this.#post({ kind: 'options', id, options })
    }
    return id
  }

  #idsOf(buckets: readonly TokenBucket[]): MemoryId[] {
    return buckets.map(({ shared }) => this.#memoryId(shared))
  }

  /** Shared memory crosses once: to hand it over costs more than all else that a small file needs of the other thread. */
  #memoryId(memory: SharedArrayBuffer): MemoryId {
    let id = this.#memories.get(memory)
    if (id === undefined) {
      id = ++this.#lastId
      this.#memories.set(memory, id)
      this.#gone.register(memory, id)
      this.#post({ kind: 'memory', id, memory })
    }
    return id
  }

  #reply(id: number, head: Omit<LaneReply, 'abort' | 'receive' | 'compare' | 'read'>): LaneReply {
    return {
      ...head,
      abort: () => this.#abandon(id, null),
      receive: (order, events, signal) => this.#receive(id, order, events, signal),
      compare: (order, events, signal) => this.#compare(id, order, events, signal),
      read: (mostBytes, signal) => this.#read(id, mostBytes, signal),
    }
  }

  #receive(
    id: number,
    { part, buckets, ...order }: ReceiveOrder,
    events: ReceiveEvents,
    signal: AbortSignal,
  ): LaneTransfer {
    const seen = { bounds: LaneBounds.within(order.start + order.compareBytes, order.end, this.#spareBounds.pop()) }
    const over = this.#endedBefore(id, signal)
    if (over) return this.#transfer(id, over, seen)
    const ended = this.#listen(id, part, seen, signal, (message) => {
      if (message.kind === 'written') events.written(message.position)
      else if (message.kind === 'reached')
        this.#post({ kind: 'answer', id, end: seen.bounds.answer(events.reached(message.position)) })
      else if (message.kind === 'takeOver')
        events.takeOver(message.position).then(
          (answer) => this.#post({ kind: 'raced', id, answer }),
          (error: unknown) => this.#post({ kind: 'raced', id, answer: { kind: 'over', error: toErrorInfo(error) } }),
        )
    })
    const shared = { file: fileOf(part), bounds: this.#memoryId(seen.bounds.memory), buckets: this.#idsOf(buckets) }
    this.#post({ kind: 'receive', id, order: { ...order, ...shared } })
    return this.#transfer(id, ended, seen)
  }

  #compare(
    id: number,
    { part, buckets, ...order }: CompareOrder,
    events: CompareEvents,
    signal: AbortSignal,
  ): LaneTransfer {
    const seen = { bounds: LaneBounds.within(0, null, this.#spareBounds.pop()) }
    const over = this.#endedBefore(id, signal)
    if (over) return this.#transfer(id, over, seen)
    const ended = this.#listen(id, part, seen, signal, (message) => {
      if (message.kind === 'advanced') events.advanced(message.start, message.position)
    })
    const shared = { file: fileOf(part), bounds: this.#memoryId(seen.bounds.memory), buckets: this.#idsOf(buckets) }
    this.#post({ kind: 'compare', id, order: { ...order, ...shared } })
    return this.#transfer(id, ended, seen)
  }

  #read(id: number, mostBytes: number, signal: AbortSignal): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#abandon(id, signal.reason)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#listeners.set(id, (message) => {
        signal.removeEventListener('abort', onAbort)
        this.#listeners.delete(id)
        if (message.kind === 'failed') reject(NighthaulError.from(message.error))
        else if (message.kind === 'body') resolve(message.bytes)
      })
      if (signal.aborted) onAbort()
      else this.#post({ kind: 'read', id, mostBytes })
    })
  }

  #transfer(id: number, ended: LaneTransfer['ended'], seen: Seen): LaneTransfer {
    const load = this.#load
    return {
      ended,
      get position() {
        return seen.bounds.claimed
      },
      get receivedBytes() {
        return seen.bounds.receivedBytes
      },
      get threadBusy() {
        return load.busy
      },
      setEnd: (end) => seen.bounds.setEnd(end),
      setBuckets: (others) => this.#post({ kind: 'buckets', id, buckets: this.#idsOf(others) }),
      flush: () => this.#post({ kind: 'flush', id }),
    }
  }

  /** The reply was given up, or its worker lost, before anybody read it: the worker would never say that it is over. */
  #endedBefore(id: number, signal: AbortSignal): Promise<never> | null {
    if (this.#lost) return Promise.reject(this.#lost)
    if (!signal.aborted) return null
    this.#abandon(id, signal.reason)
    return Promise.reject(signal.reason)
  }

  /** Until the worker says that it is over, so that nobody closes the file under it. */
  #listen(id: number, part: PartFile, seen: Seen, signal: AbortSignal, take: Listener): LaneTransfer['ended'] {
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#post({ kind: 'abort', id, reason: reasonOf(signal.reason) })
      signal.addEventListener('abort', onAbort, { once: true })
      this.#listeners.set(id, (message) => {
        if ('blocks' in message) for (const block of message.blocks) part.keepBlock(block)
        if (message.kind === 'ended' || message.kind === 'failed') {
          signal.removeEventListener('abort', onAbort)
          this.#listeners.delete(id)
          this.#part(seen)
        }
        try {
          if (message.kind === 'failed') reject(signal.aborted ? signal.reason : NighthaulError.from(message.error))
          else if (message.kind === 'ended') resolve(message.result)
          else take(message)
        } catch (error) {
          this.#abandon(id, error)
          reject(error)
        }
      })
    })
  }

  /** The worker looks at these bounds no more: as they are now they stay, and their memory serves others. */
  #part(seen: Seen): void {
    const { memory } = seen.bounds
    seen.bounds = seen.bounds.parted()
    this.#spareBounds.push(memory)
  }

  /** Nobody waits for an answer any more. */
  #abandon(id: number, reason: unknown): void {
    this.#listeners.delete(id)
    this.#post({ kind: 'abort', id, reason: reasonOf(reason) })
  }

  #post(message: ToWorker): void {
    this.#outbox.post(message)
  }

  #lose(why: string): void {
    this.#lost = new NighthaulError(
      'worker_lost',
      `The part of Nighthaul that reads from the network ended (${why}). What is here is kept; it starts again by itself.`,
    )
    const error = this.#lost.toInfo()
    for (const [id, listener] of [...this.#listeners]) listener({ kind: 'failed', id, error, blocks: [] })
  }
}

function fileOf(part: PartFile): FileMessage {
  return { path: part.path, fd: part.descriptor, create: part.takeCreation() }
}

function reasonOf(reason: unknown): ErrorInfo {
  const typed =
    reason instanceof NighthaulError ? reason : new NighthaulError('interrupted', 'The request was stopped.')
  return typed.toInfo()
}
