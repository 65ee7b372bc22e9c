/**
 * One reply's body into the file: compares the overlap, cuts at the segment's end (which may move closer meanwhile),
 * obeys the rate limits and pauses the socket while the disk is behind. Whether the reply is acceptable at all was
 * decided before (resume-ladder.ts).
 */

import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { type ErrorParams, NighthaulError } from '../../shared/errors.ts'
import type { HttpReply } from './http/http-client.ts'
import type { TransferEnd } from './lane/lane.ts'
import type { Clock } from './ports.ts'

/** How long a rate limit makes a body wait before it is asked whether the limit still stands. */
export const RATE_CHECK_MS = 1_000

/** Where bytes go in order; SegmentWriter, or standard output. */
export interface OrderedWriter {
  readonly position: number
  /** takes the chunk over; false: pause until the `drained` event */
  push(chunk: Buffer): boolean
  finish(): Promise<void>
}

export interface TransferInput {
  reply: HttpReply
  writer: OrderedWriter
  /** bytes at the start of the body that are here already, and how to get them */
  compare: { bytes: number; read: () => Promise<Buffer> }
  /** one past the last byte this body announced; null: not announced */
  bodyEnd: number | null
  bounds: Bounds
  /** Content-Encoding to undo, or null */
  decode: string | null
  clock: Clock
  /** counts bytes from the network and says how long to wait before reading on, in ms; asked with 0 before the first */
  received: (bytes: number) => number
  signal: AbortSignal
}

/** How far a body is wanted; may move while it is read. Offsets in the file. */
export interface Bounds {
  /** Bytes `from` to `upTo` are at hand. One past the last that is wanted; null: all of them. */
  claim(from: number, upTo: number): number | null
  /** The end was reached and there is more: where it is now, or `stop`. */
  reached(position: number): Promise<number | null | 'stop'>
}

export const WHOLE_BODY: Bounds = { claim: () => null, reached: async () => 'stop' }

export interface Transfer {
  readonly ended: Promise<TransferEnd>
  /** the writer has room again */
  drained(): void
  /** the writer failed */
  failed(error: Error): void
}

/**
 * Starts reading. `ended` settles after every byte taken was written; it rejects with the network's or the disk's
 * typed error, with `remote_changed` where the overlap differs, or with the signal's reason.
 */
export function startTransfer(input: TransferInput): Transfer {
  const { reply, writer, signal } = input
  const pauses = new Set<string>()
  let overlap: Buffer[] | null = input.compare.bytes > 0 ? [] : null
  let overlapBytes = 0
  let over = false
  let bodyOver = false
  let timer: { cancel(): void } | null = null
  /** The limit may be lifted before the wait is over: it is looked at again now and then. */
  const holdBack = (waitMs: number) => {
    timer?.cancel()
    if (waitMs <= 0) return unpause('rate')
    pause('rate')
    timer = input.clock.setTimeout(() => holdBack(input.received(0)), Math.min(waitMs, RATE_CHECK_MS))
  }
  const { promise: ended, resolve, reject } = Promise.withResolvers<TransferEnd>()

  const pause = (why: string) => {
    if (pauses.size === 0) reply.pause()
    pauses.add(why)
  }
  const unpause = (why: string) => {
    if (pauses.delete(why) && pauses.size === 0 && !over) reply.resume()
  }
  const end = (how: TransferEnd | Error) => {
    if (over) return
    over = true
    timer?.cancel()
    signal.removeEventListener('abort', onAbort)
    // A decoder may be content before the body is over.
    if (!bodyOver) reply.abort()
    decoder?.destroy()
    // Whatever happened, bytes that arrived are worth writing.
    writer.finish().then(() => (how instanceof Error ? reject(how) : resolve(how)), reject)
  }
  const onAbort = () => end(signal.reason)

  const decoder = input.decode ? createDecoder(input.decode) : null
  decoder?.on('data', (chunk: Buffer) => {
    if (!over && !writer.push(chunk)) {
      decoder.pause()
      pause('writer')
    }
  })
  decoder?.on('end', () => end('body'))
  decoder?.on('error', (error) => end(badlyEncoded(error)))
  decoder?.on('drain', () => unpause('decoder'))

  const take = (chunk: Buffer) => {
    const limit = input.bounds.claim(writer.position, writer.position + chunk.length)
    const room = limit === null ? chunk.length : Math.max(0, limit - writer.position)
    if (input.bodyEnd !== null && writer.position + Math.min(chunk.length, room) > input.bodyEnd)
      return end(
        new NighthaulError(
          'too_many_bytes',
          'The server sent more bytes than it announced. The surplus was refused; the partial is kept.',
        ),
      )
    const wanted = chunk.length > room ? chunk.subarray(0, room) : chunk
    if (wanted.length > 0 && !writer.push(wanted)) pause('writer')
    // With the body at its end as well there is nothing to ask, and the connection can be used again.
    if (limit !== null && writer.position >= limit && writer.position !== input.bodyEnd)
      atLimit(chunk.subarray(wanted.length))
  }

  /** Whoever split this range may have moved its end meanwhile; what came beyond it is held until that is known. */
  const atLimit = (rest: Buffer) => {
    pause('limit')
    input.bounds.reached(writer.position).then((answer) => {
      if (over) return
      if (answer === 'stop') return end('limit')
      pauses.delete('limit')
      if (rest.length > 0) take(rest)
      if (over || pauses.has('limit')) return
      if (pauses.size === 0) reply.resume()
      if (bodyOver) onBodyEnd()
    }, end)
  }

  const takeOverlap = (chunk: Buffer) => {
    overlap!.push(chunk)
    overlapBytes += chunk.length
    if (overlapBytes < input.compare.bytes) return
    const got = Buffer.concat(overlap!)
    overlap = null
    pause('compare')
    input.compare.read().then((here) => {
      if (over) return
      if (!here.equals(got.subarray(0, input.compare.bytes))) return end(remoteChanged('content'))
      take(got.subarray(input.compare.bytes))
      unpause('compare')
      if (bodyOver) onBodyEnd()
    }, end)
  }

  const onBodyEnd = () => {
    bodyOver = true
    if (over || pauses.has('compare') || pauses.has('limit')) return
    if (decoder) return void decoder.end()
    if (overlap || (input.bodyEnd !== null && writer.position < input.bodyEnd)) return end(closedEarly())
    end('body')
  }

  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  else {
    holdBack(input.received(0))
    reply.consume({
      onData(chunk) {
        if (over) return
        holdBack(input.received(chunk.length))
        if (decoder) {
          if (!decoder.write(chunk)) pause('decoder')
        } else if (overlap) takeOverlap(chunk)
        else take(chunk)
      },
      onEnd: onBodyEnd,
      onError: end,
    })
  }

  return {
    ended,
    drained() {
      decoder?.resume()
      unpause('writer')
    },
    failed: end,
  }
}

export function closedEarly(): NighthaulError {
  return new NighthaulError(
    'connection_closed',
    'The connection closed before the end. What arrived is kept; the rest will be asked for again.',
  )
}

const CHANGED = {
  validator: 'its version tag is another one',
  size: 'its size is another one',
  html: 'the server now answers with a web page',
  content: 'its bytes differ from those already here',
  shorter: 'it is shorter than what is already here',
} as const

export type ChangeReason = keyof typeof CHANGED

export function remoteChanged(reason: ChangeReason, more: ErrorParams = {}): NighthaulError {
  return new NighthaulError(
    'remote_changed',
    `The file on the server changed: ${CHANGED[reason]}. The partial is kept; download the new file or keep what is here.`,
    { reason, ...more },
  )
}

export function badlyEncoded({ message }: Error): NighthaulError {
  return new NighthaulError(
    'unsupported_encoding',
    `The server sent damaged compressed data (${message}). It will be asked again.`,
  )
}

export function createDecoder(encoding: string): Transform {
  switch (encoding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      throw new NighthaulError(
        'unsupported_encoding',
        `The server sent the file encoded as “${encoding}”, which is not supported. Nothing was written.`,
        {
          encoding,
        },
      )
  }
}
