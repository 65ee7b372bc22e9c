/** Serves a contract to one client over a Duplex: parses what comes in, calls handlers, forwards events. */
import { z } from 'zod'
import { NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { ClientFrame, idOf, PROTOCOL, type ServerFrame } from '../../shared/frames.ts'
import type {
  ContractShape,
  Duplex,
  EventHub,
  EventNames,
  Handlers,
  MethodNames,
  Subscription,
} from '../../shared/rpc.ts'
import type { Logger } from '../engine/ports.ts'

/** Above this many bytes waiting in a transport, events wait too: of each subscription only the newest is kept. */
const MAX_BUFFERED_BYTES = 1024 * 1024
/** How often a congested channel is looked at; transports have no common way to say that they drained. */
const DRAIN_POLL_MS = 50

export interface ServeOptions<C extends ContractShape> {
  contract: C
  handlers: Handlers<C>
  events: EventHub<C>
  /** of the application, told in the first frame */
  version: string
  /** hears of errors nobody foresaw (code `internal`) */
  logger?: Logger
  /** bytes; 1 MiB when left out */
  maxBufferedBytes?: number
}

interface Served {
  subscription: Subscription
  /** the newest event that waits for the channel to drain */
  held: ServerFrame | null
}

/**
 * Serves until either side closes; `close` closes the channel and ends all subscriptions. Calls that are under way
 * then run to their end, unanswered. Never throws at what a client sends.
 */
export function serve<C extends ContractShape>(duplex: Duplex, options: ServeOptions<C>): { close(): void } {
  const { contract, handlers, events, logger } = options
  const maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES
  const subscriptions = new Map<number, Served>()
  let drainTimer: NodeJS.Timeout | null = null
  let closed = false

  const post = (frame: ServerFrame): void => {
    if (!closed) duplex.post(frame)
  }

  const refuse = (id: number | null, error: unknown): void => {
    const info = toErrorInfo(error)
    if (info.code === 'internal') logger?.error({ err: error, id }, 'a call failed unexpectedly')
    post({ type: 'error', id, error: info })
  }

  const answer = (id: number, result: unknown): void => {
    try {
      post({ type: 'ok', id, result })
    } catch (error) {
      // too large for the transport, or nothing it can carry: the caller must still hear
      refuse(id, error)
    }
  }

  const call = async (id: number, name: string, input: unknown): Promise<void> => {
    try {
      const method = Object.hasOwn(contract, name) ? contract[name] : undefined
      if (method?.kind !== 'method') throw unknownName('method', name)
      // clients in languages without undefined say null; no method takes null
      const parsed = method.input.safeParse(input ?? undefined)
      if (!parsed.success) throw invalidInput(name, parsed.error)
      // `kind` says it is a method's name, its own schema that the input fits: beyond what the compiler can follow
      answer(id, await handlers[name as MethodNames<C>](parsed.data as never))
    } catch (error) {
      refuse(id, error)
    }
  }

  const drain = (): void => {
    drainTimer = null
    for (const served of subscriptions.values()) {
      if (!served.held) continue
      if (duplex.bufferedBytes > maxBufferedBytes) {
        drainTimer = setTimeout(drain, DRAIN_POLL_MS)
        return
      }
      post(served.held)
      served.held = null
    }
  }

  const forward = (served: Served, frame: ServerFrame): void => {
    if (duplex.bufferedBytes > maxBufferedBytes) {
      served.held = frame
      drainTimer ??= setTimeout(drain, DRAIN_POLL_MS)
      return
    }
    if (served.held) post(served.held)
    served.held = null
    post(frame)
  }

  const subscribe = (id: number, name: string, visible: boolean): void => {
    try {
      if (!Object.hasOwn(contract, name) || contract[name]?.kind !== 'event') throw unknownName('event', name)
      if (subscriptions.has(id)) {
        throw new NighthaulError('frame_invalid', `There is a subscription ${id} already; it goes on as it was.`)
      }
      const served: Served = { subscription: NOTHING, held: null }
      const listener = (payload: unknown): void => forward(served, { type: 'event', subscription: id, payload })
      served.subscription = events.subscribe(name as EventNames<C>, listener, { visible })
      subscriptions.set(id, served)
      answer(id, undefined)
    } catch (error) {
      refuse(id, error)
    }
  }

  const end = (): void => {
    if (closed) return
    closed = true
    if (drainTimer) clearTimeout(drainTimer)
    for (const { subscription } of subscriptions.values()) subscription.dispose()
    subscriptions.clear()
  }

  duplex.onClose(end)
  post({ type: 'hello', protocol: PROTOCOL, version: options.version })
  duplex.onFrame((received) => {
    const parsed = ClientFrame.safeParse(received)
    if (!parsed.success) {
      refuse(
        idOf(received),
        new NighthaulError(
          'frame_invalid',
          `The engine got a message it cannot read and left it alone: ${summary(parsed.error)}.`,
        ),
      )
      return
    }
    const frame = parsed.data
    switch (frame.type) {
      case 'call':
        void call(frame.id, frame.method, frame.input)
        return
      case 'subscribe':
        subscribe(frame.id, frame.event, frame.visible)
        return
      // the two below may cross an answer of ours that ended the subscription: unknown numbers are no error
      case 'visible':
        subscriptions.get(frame.subscription)?.subscription.setVisible(frame.visible)
        return
      case 'unsubscribe':
        subscriptions.get(frame.subscription)?.subscription.dispose()
        subscriptions.delete(frame.subscription)
    }
  })

  return {
    close() {
      end()
      duplex.close()
    },
  }
}

/** Stands in for the moment a hub may already send events while `subscribe` has not returned yet. */
const NOTHING: Subscription = { setVisible() {}, dispose() {} }

function unknownName(what: 'method' | 'event', name: string): NighthaulError {
  return new NighthaulError(
    'unknown_method',
    `There is no ${what} “${name}”; nothing was done. Use the same version on both sides.`,
    { name },
  )
}

/** One sentence about the first fault: what is wrong, and where. */
function invalidInput(method: string, error: z.ZodError): NighthaulError {
  return new NighthaulError('invalid_input', `${summary(error)}; nothing was changed.`, {
    method,
    path: z.core.toDotPath(error.issues[0]?.path ?? []),
    faults: error.issues.length,
  })
}

function summary(error: z.ZodError): string {
  const [first, ...others] = error.issues
  if (!first) return 'the input is invalid'
  const place = z.core.toDotPath(first.path)
  const message = first.message.replace(/\.$/, '')
  return `${message}${place ? ` (at ${place})` : ''}${others.length > 0 ? `, and ${others.length} more` : ''}`
}
