/**
 * One request on a simulated connection, as undici would carry it out: dials where that is needed, tells the handler what
 * comes and when, obeys its pauses, and fails with the codes of sockets and of undici.
 */
import type { Dispatcher } from 'undici'
import type { Timer } from '../../electron/engine/ports.ts'
import { contentAt } from './content.ts'
import type { Asked } from './journal.ts'
import type { NightNetwork, SimulatedConnection } from './network.ts'
import { portalAnswer, type ServerReply } from './servers.ts'

type Headers = Record<string, string>

/** Bytes that come at once: of a slow line few, so that it is never silent for long. */
const MOST_AT_ONCE = 256 * 1024
const LEAST_AT_ONCE = 4 * 1024
const AT_ONCE_MS = 250

export class SimulatedRequest {
  readonly #network: NightNetwork
  readonly #connection: SimulatedConnection
  readonly #options: Dispatcher.DispatchOptions
  readonly #handler: Dispatcher.DispatchHandler
  readonly #asked: Asked
  readonly #controller: Dispatcher.DispatchController
  #paused = false
  #over = false
  #reply: ServerReply | null = null
  #sentBytes = 0
  /** bytes are on their way */
  #delivery: Timer | null = null
  /** bytes that came while nobody wanted any */
  #held: Buffer | null = null
  #silence: Timer | null = null
  #heardAt = 0

  constructor(
    network: NightNetwork,
    connection: SimulatedConnection,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.#network = network
    this.#connection = connection
    this.#options = options
    this.#handler = handler
    const [path = ''] = options.path.split('?')
    this.#asked = {
      at: network.clock.now(),
      host: connection.host,
      file: connection.server?.fileAt(path)?.number ?? null,
      range: this.#header('range'),
      status: null,
      failure: null,
      bytes: 0,
      lastByteAt: null,
      endedAt: null,
      probe: this.#header('range') === 'bytes=0-0',
    }
    this.#controller = this.#makeController()
  }

  begin(): void {
    const { server, state } = this.#connection
    this.#network.asks(this.#asked, server)
    if (state === 'new') this.#dial()
    else this.#send()
  }

  fail(code: string): void {
    if (this.#over) return
    this.#end()
    this.#asked.failure = code
    this.#connection.close()
    const error = Object.assign(new Error(`simulated ${code}`), { code })
    this.#handler.onResponseError?.(this.#controller, error)
  }

  /** The engine is no more: nobody hears of it. */
  forget(): void {
    if (!this.#over) this.#end()
  }

  #header(name: string): string | null {
    return (this.#options.headers as Headers)[name] ?? null
  }

  /** In the world: not if it ended meanwhile, nor on a connection that nobody answers on. */
  #after(ms: number, happen: () => void): Timer {
    return this.#network.clock.after(ms, () => {
      if (!this.#over && this.#connection.state !== 'dead') happen()
    })
  }

  #dial(): void {
    const connection = this.#connection
    const roundTripMs = connection.server?.plan.roundTripMs ?? 20
    connection.dialled()
    const way = this.#network.wayTo(connection.server)
    // As the operating system says it: at once where no interface leads out, never where nobody answers.
    if (way === 'unreachable') return void this.#after(1, () => this.fail('ENETUNREACH'))
    const patience = this.#network.clock.setTimeout(
      () => this.fail('UND_ERR_CONNECT_TIMEOUT'),
      connection.connectTimeoutMs,
    )
    if (way === 'silent') return
    const answered = (happen: () => void) =>
      this.#after(connection.secure ? 2 * roundTripMs : roundTripMs, () => {
        patience.cancel()
        happen()
      })
    if (way === 'refuses') return void answered(() => this.fail('ECONNREFUSED'))
    if (way === 'portal' && connection.secure) return void answered(() => this.fail('ERR_TLS_CERT_ALTNAME_INVALID'))
    answered(() => {
      connection.state = 'open'
      connection.toPortal = way === 'portal'
      connection.setup = { connectMs: roundTripMs, tlsMs: connection.secure ? roundTripMs : null }
      this.#send()
    })
  }

  #send(): void {
    const { clock } = this.#network
    const { server } = this.#connection
    this.#handler.onRequestStart?.(this.#controller, {})
    if (this.#over) return
    this.#listen(this.#options.headersTimeout ?? 0, 'UND_ERR_HEADERS_TIMEOUT')
    const halfTripMs = (server?.plan.roundTripMs ?? 20) / 2
    this.#after(halfTripMs, () => {
      const [path = '', query = ''] = this.#options.path.split('?')
      const request = { path, query, range: this.#header('range'), ifRange: this.#header('if-range') }
      const reply =
        this.#connection.toPortal || !server
          ? portalAnswer(this.#connection.host)
          : server.answer(request, clock.world())
      this.#after(halfTripMs, () => this.#head(reply))
    })
  }

  /** Nothing comes for so long (while something is wanted): that is a failure. */
  #listen(ms: number, code: string): void {
    this.#silence?.cancel()
    const { clock } = this.#network
    this.#heardAt = clock.monotonic()
    if (ms <= 0) return
    const look = () => {
      const leftMs = this.#heardAt + ms - clock.monotonic()
      if (leftMs <= 0 && !this.#paused) return this.fail(code)
      this.#silence = clock.setTimeout(look, leftMs > 0 ? leftMs : ms)
    }
    this.#silence = clock.setTimeout(look, ms)
  }

  #head(reply: ServerReply): void {
    const { clock } = this.#network
    const { server } = this.#connection
    this.#reply = reply
    this.#asked.status = reply.status
    const retryAfter = reply.headers['retry-after']
    if (server && retryAfter !== undefined)
      server.waitUntil = Math.max(server.waitUntil, clock.world() + Number(retryAfter) * 1000)
    this.#listen(this.#options.bodyTimeout ?? 0, 'UND_ERR_BODY_TIMEOUT')
    this.#handler.onResponseStart?.(this.#controller, reply.status, reply.headers, '')
    this.#next()
  }

  get #lengthBytes(): number {
    const body = this.#reply?.body ?? null
    if (body === null) return 0
    return 'text' in body ? body.text.length : body.bytes
  }

  /** The next bytes leave, or it is over. */
  #next(): void {
    if (this.#over || this.#paused || this.#delivery || this.#held || !this.#reply) return
    const { cutAfter, body } = this.#reply
    const leftBytes = this.#lengthBytes - this.#sentBytes
    if (leftBytes === 0) this.#done()
    else if (cutAfter !== null && this.#sentBytes >= cutAfter) this.fail('UND_ERR_SOCKET')
    else if (body !== null && 'text' in body) this.#arrived(Buffer.from(body.text))
    else this.#deliver(body!, cutAfter === null ? leftBytes : cutAfter - this.#sentBytes)
  }

  /** The next bytes of a file, of which so many may come. */
  #deliver({ content, from }: { content: number; from: number }, mostBytes: number): void {
    const { server } = this.#connection
    const each = server?.plan.bytesPerSecondEach ?? 0
    const atOnce = Math.min(MOST_AT_ONCE, Math.max(LEAST_AT_ONCE, Math.ceil((each * AT_ONCE_MS) / 1000)))
    const bytes = Math.max(1, Math.min(mostBytes, atOnce, this.#connection.readBytes()))
    const chunk = contentAt(content, from + this.#sentBytes, bytes)
    const at = this.#network.deliveryAt(server, this.#connection.freeAt, chunk.length)
    this.#connection.freeAt = at
    this.#delivery = this.#after(at - this.#network.clock.world(), () => {
      this.#delivery = null
      this.#arrived(chunk)
    })
  }

  #arrived(chunk: Buffer): void {
    if (this.#paused) {
      this.#held = chunk
      return
    }
    this.#heardAt = this.#network.clock.monotonic()
    this.#sentBytes += chunk.length
    this.#network.came(this.#asked, chunk.length)
    this.#handler.onResponseData?.(this.#controller, chunk)
    this.#next()
  }

  #done(): void {
    this.#end()
    this.#handler.onResponseEnd?.(this.#controller, {})
  }

  #end(): void {
    this.#over = true
    this.#asked.endedAt = this.#network.clock.now()
    this.#silence?.cancel()
    this.#delivery?.cancel()
    this.#held = null
  }

  #makeController(): Dispatcher.DispatchController {
    const request = this
    return {
      get aborted() {
        return request.#over
      },
      get paused() {
        return request.#paused
      },
      reason: null,
      rawHeaders: null,
      rawTrailers: null,
      pause() {
        request.#paused = true
      },
      resume() {
        if (!request.#paused) return
        request.#paused = false
        request.#heardAt = request.#network.clock.monotonic()
        // As a socket does: never within the call.
        queueMicrotask(() => {
          const held = request.#held
          request.#held = null
          if (held && !request.#over) request.#arrived(held)
          else request.#next()
        })
      },
      abort() {
        if (!request.#over) request.#end()
      },
    } as Dispatcher.DispatchController
  }
}
