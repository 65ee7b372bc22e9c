/**
 * The frames that cross every transport: their schemas, the protocol version, the size bound, and their text form for
 * transports that carry text. Who sends them when is in docs/protocol.md.
 */
import { z } from 'zod'
import { NighthaulError } from './errors.ts'

/** Raised when an older peer could no longer understand a frame; a peer that hears another number hangs up. */
export const PROTOCOL = 1

/** The largest frame a byte transport carries, UTF-8. 100,000 links of 600 characters in one `tasks.add` fit. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024

/** Chosen by the client, unique per channel; shared by calls and subscriptions. */
const Id = z.int().min(0)
const Name = z.string().max(200)

export const ClientFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('call'), id: Id, method: Name, input: z.unknown().optional() }),
  z.object({ type: z.literal('subscribe'), id: Id, event: Name, visible: z.boolean().default(true) }),
  z.object({ type: z.literal('visible'), subscription: Id, visible: z.boolean() }),
  z.object({ type: z.literal('unsubscribe'), subscription: Id }),
])
/** What a client sends. */
export type ClientFrame = z.input<typeof ClientFrame>

const ErrorFrame = z.object({
  type: z.literal('error'),
  /** null: the answer to a frame whose id could not be read */
  id: Id.nullable(),
  error: z.object({
    code: z.string(),
    message: z.string(),
    params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
})

export const ServerFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), protocol: z.int(), version: z.string() }),
  z.object({ type: z.literal('ok'), id: Id, result: z.unknown().optional() }),
  ErrorFrame,
  z.object({ type: z.literal('event'), subscription: Id, payload: z.unknown().optional() }),
])
/** What a server sends. */
export type ServerFrame = z.input<typeof ServerFrame>

/** The id in something that is no valid frame, so that even its error reaches whoever waits for it. */
export function idOf(frame: unknown): number | null {
  if (typeof frame !== 'object' || frame === null || !('id' in frame)) return null
  const parsed = Id.safeParse(frame.id)
  return parsed.success ? parsed.data : null
}

/** @throws NighthaulError `frame_invalid` when the frame is no JSON or larger than `maxBytes` */
export function encodeFrame(frame: unknown, maxBytes = MAX_FRAME_BYTES): string {
  let text: string
  try {
    text = JSON.stringify(frame)
  } catch (cause) {
    throw new NighthaulError(
      'frame_invalid',
      'This message holds something JSON cannot carry; it was not sent.',
      {},
      { cause },
    )
  }
  if (exceeds(text, maxBytes)) {
    throw new NighthaulError(
      'frame_invalid',
      `This message is larger than ${Math.floor(maxBytes / 1024 / 1024)} MiB; it was not sent. Send it in parts.`,
      { maxBytes },
    )
  }
  return text
}

/** The frame in a text; undefined, which is no valid frame, when the text is no JSON. */
export function decodeFrame(text: unknown): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a text takes more than `maxBytes` as UTF-8. Counts only where its length leaves a doubt. */
function exceeds(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true
  if (text.length * 3 <= maxBytes || !/[\u0080-\uffff]/.test(text)) return false
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // a surrogate pair is 4 bytes: 2 for each of its halves
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes > maxBytes
}
