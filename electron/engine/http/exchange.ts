/**
 * One request on one connection, as an undici dispatch handler: resolves with the reply's head, holds the body back
 * until somebody takes it, and hands it on with backpressure. No redirects, no retries.
 */
import type { Dispatcher } from 'undici'
import { NighthaulError } from '../../../shared/errors.ts'
import type { RequestHeaders } from './credentials.ts'
import type { DirectWay } from './direct-way.ts'
import { handedOn, release } from './slabs.ts'

type Headers = Record<string, string | string[]>

/** Who takes a body. After `onEnd` or `onError` nothing more is called. */
export interface BodySink {
  /**
   * Called synchronously for each chunk, never while paused; the chunk may be kept. Answer false to pause; call the
   * reply's `resume()` then.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a taker that never pauses answers nothing
  onData(chunk: Buffer): boolean | void
  onEnd(): void
  /** always a NighthaulError */
  onError(error: Error): void
}

export interface ExchangeInput {
  origin: string
  path: string
  method: Dispatcher.HttpMethod
  headers: RequestHeaders
  /** null: none */
  body: Buffer | null
  headersTimeoutMs: number
  stallTimeoutMs: number
  signal: AbortSignal
  /** the way past undici's parser, for most of a long body; null: there is none */
  direct: DirectWay | null
  toError(error: unknown): NighthaulError
  /** called once, before anything is sent */
  onStart?(request: OpenRequest): void
  /** monotonic ms */
  now(): number
  /** called once: the connection is free again (`reusable`), or of no more use */
  onDone(reusable: boolean, end: ExchangeEnd): void
}

/** How an exchange went; moments are monotonic ms. */
export interface ExchangeEnd {
  /** null: never */
  sentAt: number | null
  headAt: number | null
  /** null: no reply */
  status: number | null
  /** of the body, as they came */
  bytes: number
  /** null: read to its end, or ended by ourselves */
  error: NighthaulError | null
}

/** A request under way, for whoever watches over the network. */
export interface OpenRequest {
  /** grows with whatever comes from the server */
  readonly progress: number
  /** nothing comes because we ask for nothing */
  readonly heldBack: boolean
  /** the reply's head has come */
  readonly answered: boolean
  /** Ends everything with this error, at once. */
  fail(error: NighthaulError): void
}

export interface Exchange {
  readonly status: number
  readonly headers: Headers
  consume(sink: BodySink): void
  pause(): void
  resume(): void
  abort(): void
}

/**
 * Rejects with what `toError` makes of a failure before the reply's head, with the signal's reason when that is a
 * NighthaulError, otherwise `interrupted`.
 */
export function exchange(dispatcher: Dispatcher, input: ExchangeInput): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const handler = new ExchangeHandler(input, resolve, reject)
    if (handler.isOver) return
    input.onStart?.(handler)
    const options = {
      origin: input.origin,
      path: input.path,
      method: input.method,
      headers: input.headers,
      body: input.body,
      headersTimeout: input.headersTimeoutMs,
      bodyTimeout: input.stallTimeoutMs,
      // read by the SOCKS agent when it makes its pool: one request at a time, so one connection
      connections: 1,
    }
    try {
      dispatcher.dispatch(options, handler)
    } catch (error) {
      handler.fail(input.toError(error))
    }
  })
}

class ExchangeHandler implements Dispatcher.DispatchHandler, Exchange, OpenRequest {
  progress = 0
  status = 0
  headers: Headers = {}
  readonly #input: ExchangeInput
  readonly #resolve: (exchange: Exchange) => void
  readonly #reject: (error: Error) => void
  #controller: Dispatcher.DispatchController | null = null
  #sink: BodySink | null = null
  /** what came while paused: undici empties a closing socket whatever we say */
  #backlog: Buffer[] = []
  /** how the body ended; told to the sink after the backlog */
  #outcome: 'end' | NighthaulError | null = null
  /** a failure between head and taker: the taker has yet to hear of it */
  #untold: NighthaulError | null = null
  #hasHead = false
  #sentAt: number | null = null
  #headAt: number | null = null
  #bytes = 0
  #paused = false
  #pumpPlanned = false
  #connectionDone = false
  #over = false

  constructor(input: ExchangeInput, resolve: (exchange: Exchange) => void, reject: (error: Error) => void) {
    this.#input = input
    this.#resolve = resolve
    this.#reject = reject
    if (input.signal.aborted) this.#onAbort()
    else input.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get isOver(): boolean {
    return this.#over
  }

  get answered(): boolean {
    return this.#hasHead
  }

  get heldBack(): boolean {
    return this.#hasHead && (this.#paused || !this.#sink || this.#backlog.length > 0 || this.#outcome !== null)
  }

  // undici's side

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    this.progress++
    this.#sentAt = this.#input.now()
    if (this.#over) controller.abort(new Error('aborted'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: object): void {
    this.progress++
    if (status < 200 || this.#over) return
    this.status = status
    this.headers = headers as Headers
    this.#hasHead = true
    this.#headAt = this.#input.now()
    controller.pause()
    this.#input.direct?.begin((chunk) => {
      this.onResponseData(controller, chunk)
      return !this.#paused
    })
    this.#resolve(this)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // undici's parser announces nothing again whenever it is resumed
    if (chunk.length === 0) return
    handedOn(chunk)
    if (this.#over) {
      release(chunk)
      return
    }
    this.progress += chunk.length
    this.#bytes += chunk.length
    if (!this.#sink || this.#paused || this.#backlog.length > 0) this.#backlog.push(chunk)
    else this.#deliver(chunk)
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#outcome = 'end'
    this.#connectionOver(true)
    this.#settle()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#over) return
    const ours = this.#input.toError(error)
    if (!this.#hasHead) {
      this.fail(ours)
      return
    }
    this.#outcome = ours
    this.#connectionOver(false, ours)
    this.#settle()
  }

  // the taker's side

  consume(sink: BodySink): void {
    if (this.#sink) throw new Error('the body was taken already')
    this.#sink = sink
    this.#planPump()
  }

  pause(): void {
    this.#paused = true
    this.#controller?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#planPump()
  }

  abort(): void {
    if (this.#over) return
    this.#close()
    this.#connectionOver(false)
  }

  /** Ends everything with this error, at once. `broke`: what it says of the exchange; null: it was given up. */
  fail(error: NighthaulError, broke: NighthaulError | null = error): void {
    if (this.#over) return
    this.#close()
    this.#connectionOver(false, broke)
    if (!this.#hasHead) this.#reject(error)
    else if (this.#sink) tell(() => this.#sink!.onError(error))
    else this.#untold = error
  }

  #deliver(chunk: Buffer): void {
    try {
      if (this.#sink!.onData(chunk) === false) this.pause()
    } catch (error) {
      this.fail(this.#input.toError(error))
    }
  }

  /** Tells the sink how it ended, once everything before it was told. */
  #settle(): void {
    const outcome = this.#outcome
    const sink = this.#sink
    if (this.#over || !sink || !outcome || this.#paused || this.#backlog.length > 0) return
    this.#close()
    tell(() => (outcome === 'end' ? sink.onEnd() : sink.onError(outcome)))
  }

  /**
   * Never within the caller's own call: undici's parser is one for all connections and must not be entered while
   * another connection's chunk is being handled.
   */
  #planPump(): void {
    if (this.#pumpPlanned) return
    this.#pumpPlanned = true
    queueMicrotask(() => {
      this.#pumpPlanned = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#untold) {
      this.#sink?.onError(this.#untold)
      this.#untold = null
    }
    while (!this.#over && !this.#paused && this.#sink && this.#backlog.length > 0) this.#deliver(this.#backlog.shift()!)
    if (this.#over || this.#paused || !this.#sink) return
    if (this.#outcome) this.#settle()
    else this.#controller?.resume()
  }

  #close(): void {
    this.#over = true
    this.#outcome = null
    this.#backlog = []
    this.#input.signal.removeEventListener('abort', this.#onAbort)
  }

  #connectionOver(reusable: boolean, error: NighthaulError | null = null): void {
    if (this.#connectionDone) return
    this.#connectionDone = true
    this.#input.direct?.end()
    if (!reusable) this.#controller?.abort(new Error('aborted'))
    this.#input.onDone(reusable, {
      sentAt: this.#sentAt,
      headAt: this.#headAt,
      status: this.#hasHead ? this.status : null,
      bytes: this.#bytes,
      error,
    })
  }

  readonly #onAbort = (): void => {
    this.fail(interruption(this.#input.signal), null)
  }
}

/** Why an aborted request ends: the signal's own reason where that is one of our errors. */
export function interruption({ reason }: AbortSignal): NighthaulError {
  if (reason instanceof NighthaulError) return reason
  return new NighthaulError('interrupted', 'The request was stopped. What is already here is kept.')
}

/** What of an exchange belongs to whoever takes its body. */
export function methodsOf(exchange: Exchange): Pick<Exchange, 'consume' | 'pause' | 'resume' | 'abort'> {
  return {
    consume: (sink) => exchange.consume(sink),
    pause: () => exchange.pause(),
    resume: () => exchange.resume(),
    abort: () => exchange.abort(),
  }
}

/** undici would swallow what a taker throws at the end; there is nobody left to tell but the process. */
function tell(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
