/**
 * Most of a long body goes past undici's parser, from the socket straight to whoever takes it. Within a body of known
 * length the parser has nothing to find: it would copy every byte into its own memory, only to count it. So it is told
 * how many bytes it need not see; the head, the last bytes and all that is chunked, short or without a length pass
 * through it as ever, and where a message ends is still its to say.
 *
 * This writes into undici's parser (ADR 8), and only where what is found there says exactly what is expected: within a
 * body of known length, nothing waiting before, the counter equal to what is left. Otherwise bytes go the usual way,
 * which costs time and nothing else.
 */
import type { Socket } from 'node:net'
import { kParser } from './undici.ts'

/** undici's Parser (lib/dispatcher/client-h1.js), as far as it matters here */
interface Parser {
  /** llhttp in WebAssembly; another parser has none */
  llhttp?: { memory: { readonly buffer: ArrayBuffer } }
  /** where in that memory this parser's state is; null: it is gone */
  ptr: number | null
  paused: boolean
  /** 0 before the head is complete */
  statusCode: number
  /** as announced; -1: not */
  contentLength: number
  hasTransferEncoding: boolean
  /** of the body */
  bytesRead: number
  /** ends a body that brings nothing for too long */
  timeout: { refresh?(): void } | null
}

/** `content_length` of llhttp's state: what of the body is still to come, an unsigned number of 64 bits */
const LEFT_OFFSET = 32

/** Of one connection. */
export class DirectWay {
  #taker: ((chunk: Buffer) => boolean) | null = null

  /** A body begins. `taker` is called synchronously with what comes of it; it answers false once undici was told to pause. */
  begin(taker: (chunk: Buffer) => boolean): void {
    this.#taker = taker
  }

  /** Nothing goes this way until the next body. */
  end(): void {
    this.#taker = null
  }

  /** These bytes just came from the socket: whether there may be more, or null where the parser has to see them. */
  take(socket: Socket, chunk: Buffer): boolean | null {
    const parser = this.#taker && parserOf(socket)
    if (!parser || socket.readableLength > 0 || !skip(parser, chunk.length)) return null
    const wantsMore = this.#taker!(chunk)
    // As if the parser had been told within its own call: it resumes, and counts no time until then.
    if (!wantsMore) parser.paused = true
    return wantsMore
  }
}

function parserOf(socket: Socket): Parser | null {
  return (socket as Socket & { [kParser]?: Parser | null })[kParser] ?? null
}

/** True: so many bytes lie within a body and are counted; the parser must not be given them. */
function skip(parser: Parser, bytes: number): boolean {
  if (!parser.llhttp || !parser.ptr || parser.paused || parser.statusCode < 200) return false
  if (parser.hasTransferEncoding || parser.contentLength < 0) return false
  const left = parser.contentLength - parser.bytesRead
  if (bytes >= left) return false
  const counter = new DataView(parser.llhttp.memory.buffer, parser.ptr + LEFT_OFFSET, 8)
  if (counter.getBigUint64(0, true) !== BigInt(left)) return false
  counter.setBigUint64(0, BigInt(left - bytes), true)
  parser.bytesRead += bytes
  parser.timeout?.refresh?.()
  return true
}
