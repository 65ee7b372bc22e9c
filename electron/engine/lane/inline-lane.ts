/** A lane in the caller's thread: the one implementation, which a worker runs as well. */
import { comparingTransfer } from '../comparing-body.ts'
import { SegmentWriter } from '../file-sink.ts'
import { RunningDigests } from '../hashes.ts'
import { createHttpClient, type HttpClientDeps, type HttpReply } from '../http/http-client.ts'
import { release } from '../http/slabs.ts'
import type { Clock } from '../ports.ts'
import { RacingWriter } from '../racing-writer.ts'
import { Limiter, readSize } from '../rate-limiter.ts'
import * as plan from '../segment-plan.ts'
import { type Bounds, type OrderedWriter, startTransfer, type Transfer } from '../transfer.ts'
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
  TransferResult,
} from './lane.ts'
import type { ThreadLoad } from './thread-load.ts'

/** A reply in this thread, read for somebody in another one. */
export interface InlineReply extends LaneReply {
  receiveWithin(order: ReceiveOrder, events: AskingEvents, signal: AbortSignal, bounds: LaneBounds): LaneTransfer
  compareWithin(order: CompareOrder, events: CompareEvents, signal: AbortSignal, bounds: LaneBounds): LaneTransfer
}

interface AskingEvents extends Omit<ReceiveEvents, 'reached'> {
  /** the answer stands in the bounds already */
  reached: Bounds['reached']
}

export interface InlineLane extends Lane {
  request(request: LaneRequest): Promise<InlineReply>
}

export interface InlineLaneDeps extends HttpClientDeps {
  /** of the caller's thread, where it is looked at */
  load?: ThreadLoad
}

export function createInlineLane(deps: InlineLaneDeps): InlineLane {
  const { clock, load } = deps
  const client = createHttpClient(deps)
  return {
    async request({ buckets, ...request }) {
      let limiter: Limiter | null = null
      const readBytes = () => limiter?.readBytes ?? readSize(buckets)
      const reply = await client.request({ ...request, readBytes })
      const limited = (order: ReceiveOrder | CompareOrder) => {
        limiter = new Limiter(order.buckets, reply.finalUrl)
        return limiter
      }
      const { consume: _, pause: __, resume: ___, ...head } = reply
      const receiveWithin: InlineReply['receiveWithin'] = (order, events, signal, bounds) =>
        receive(reply, { order, events, signal, clock, load, limiter: limited(order) }, bounds)
      const compareWithin: InlineReply['compareWithin'] = (order, events, signal, bounds) =>
        compare(reply, { order, events, signal, clock, load, limiter: limited(order) }, bounds)
      return {
        ...head,
        receiveWithin,
        receive(order, events, signal) {
          const bounds = LaneBounds.within(order.start + order.compareBytes, order.end)
          const reached = async (position: number) => bounds.answer(events.reached(position))
          return receiveWithin(order, { ...events, reached }, signal, bounds)
        },
        compareWithin,
        compare: (order, events, signal) => compareWithin(order, events, signal, LaneBounds.within(0, null)),
        read: (mostBytes, signal) => readBody(reply, mostBytes, signal),
      }
    },
    files: (fs) => fs,
    // The cookies go with the options object.
    forget: () => undefined,
    setSettings: (settings) => client.setSettings(settings),
    dropIdle: () => client.dropIdle(),
    networkChanged: () => client.networkChanged(),
    close: () => client.close(),
  }
}

interface Work<Order, Events> {
  order: Order
  events: Events
  signal: AbortSignal
  clock: Clock
  load: ThreadLoad | undefined
  limiter: Limiter
}

function receive(
  reply: HttpReply,
  { order, events, signal, clock, load, limiter }: Work<ReceiveOrder, AskingEvents>,
  bounds: LaneBounds,
): LaneTransfer {
  const { part, start, compareBytes, bodyEnd } = order
  const from = start + compareBytes
  let writer: SegmentWriter | RacingWriter | null = null

  const run = async (): Promise<TransferResult> => {
    let transfer: Transfer | null = null
    const writerEvents = {
      written: (position: number) => events.written(position),
      drained: () => transfer?.drained(),
      failed: (error: Error) => transfer?.failed(error),
    }
    const open = (at: number, blockHeld: boolean) => SegmentWriter.at(part, at, () => blockHeld, writerEvents)
    const { takeOver } = events
    const target = order.races
      ? new RacingWriter({ from, takeOver, open, ...writerEvents })
      : await open(from, order.blockHeld)
    writer = target
    const digests = order.digests.length > 0 && from === 0 && !order.races ? new RunningDigests(order.digests) : null
    transfer = startTransfer({
      reply,
      writer: digests ? digesting(target, digests) : target,
      compare: { bytes: compareBytes, read: () => part.read(start, compareBytes) },
      bodyEnd,
      bounds: {
        claim: (from, upTo) => bounds.claim(from, upTo),
        reached: events.reached,
      },
      decode: order.decode,
      clock,
      received: (bytes) => {
        bounds.received(bytes)
        return limiter.take(bytes, clock.monotonic())
      },
      signal,
    })
    const how = await transfer.ended
    const { position } = target
    // The end of a range proves nothing about the end of the file.
    const complete = position === order.size || (order.size === null && order.whole && how === 'body')
    if (complete) target.endOfFile()
    return { how, position, digests: complete && digests ? digests.digest() : null }
  }

  return transferOf(run(), { bounds, limiter, clock, load, flush: () => writer?.flush() })
}

function compare(
  reply: HttpReply,
  { order, events, signal, clock, load, limiter }: Work<CompareOrder, CompareEvents>,
  bounds: LaneBounds,
): LaneTransfer {
  let segments = [...order.segments]
  const ended = comparingTransfer({
    reply,
    part: order.part,
    segments: () => segments,
    size: order.size,
    decode: order.decode,
    advance: (start, position) => {
      segments = plan.advance(segments, start, position)
      events.advanced(start, position)
    },
    clock,
    received: (bytes) => {
      bounds.received(bytes)
      return limiter.take(bytes, clock.monotonic())
    },
    signal,
  })
  const whole = ended.then((position) => ({ how: 'body' as const, position, digests: null }))
  return transferOf(whole, { bounds, limiter, clock, load, flush: () => undefined })
}

/** A small body into memory; null: it is longer. */
function readBody(reply: HttpReply, mostBytes: number, signal: AbortSignal): Promise<Uint8Array | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>()
  const onAbort = () => {
    reply.abort()
    reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  else
    reply.consume({
      onData(chunk) {
        bytes += chunk.length
        if (bytes > mostBytes) {
          reply.abort()
          resolve(null)
          return
        }
        chunks.push(Buffer.from(chunk))
        release(chunk)
      },
      onEnd: () => resolve(Buffer.concat(chunks)),
      onError: reject,
    })
  return promise.finally(() => signal.removeEventListener('abort', onAbort))
}

/** Digests what is written while it is hot. */
function digesting(writer: OrderedWriter, digests: RunningDigests): OrderedWriter {
  return {
    get position() {
      return writer.position
    },
    push(chunk) {
      digests.update(chunk)
      return writer.push(chunk)
    },
    finish: () => writer.finish(),
  }
}

function transferOf(
  ended: LaneTransfer['ended'],
  {
    bounds,
    limiter,
    clock,
    load,
    flush,
  }: Pick<Work<never, never>, 'limiter' | 'clock' | 'load'> & {
    bounds: LaneBounds
    flush: () => void
  },
): LaneTransfer {
  return {
    ended: ended.finally(() => limiter.close(clock.monotonic())),
    get position() {
      return bounds.claimed
    },
    get receivedBytes() {
      return bounds.receivedBytes
    },
    get threadBusy() {
      return load?.busy ?? 0
    },
    setEnd: (end) => bounds.setEnd(end),
    setBuckets: (buckets) => limiter.move(buckets, clock.monotonic()),
    flush,
  }
}
