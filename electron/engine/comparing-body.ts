/**
 * Ladder step 5: the server sends the whole file though only the rest was wanted. What is here is compared with what
 * comes, what is not here is written; on the first difference it is another file and nothing more is written.
 */
import { pipeline } from 'node:stream'
import { NighthaulError } from '../../shared/errors.ts'
import { type PartFile, SegmentWriter } from './file-sink.ts'
import type { HttpReply } from './http/http-client.ts'
import type { Clock } from './ports.ts'
import { coverage, type Segment } from './segment-plan.ts'
import { sleep } from './sleep.ts'
import { badlyEncoded, closedEarly, createDecoder, RATE_CHECK_MS, remoteChanged } from './transfer.ts'

export interface ComparingInput {
  reply: HttpReply
  part: PartFile
  segments: () => readonly Segment[]
  /** of the file; null: not known */
  size: number | null
  /** content coding to undo; null: none */
  decode: string | null
  advance: (start: number, position: number) => void
  clock: Clock
  /** as in TransferInput */
  received: (bytes: number) => number
  signal: AbortSignal
}

/** Resolves with the position where the body ended, all bytes written. */
export async function comparingTransfer(input: ComparingInput): Promise<number> {
  const { part, signal } = input
  let position = 0
  let writer: { target: SegmentWriter; end: number | null } | null = null
  let writeError: Error | null = null
  let room = () => {}
  const finishWriter = async () => {
    await writer?.target.finish()
    writer = null
    if (writeError) throw writeError
  }
  try {
    for await (const chunk of input.decode ? decoded(input, input.decode) : chunksOf(input)) {
      let rest = chunk
      while (rest.length > 0) {
        if (signal.aborted) throw signal.reason
        if (writer && writer.end !== null && position >= writer.end) await finishWriter()
        if (!writer) {
          const here = coverage(input.segments()).find((run) => run.start <= position && position < run.end)
          if (here) {
            const piece = rest.subarray(0, Math.min(rest.length, here.end - position))
            if (!(await part.read(position, piece.length)).equals(piece)) throw remoteChanged('content')
            position += piece.length
            rest = rest.subarray(piece.length)
            continue
          }
          writer = await openGap(position)
        }
        const piece = writer.end === null ? rest : rest.subarray(0, Math.min(rest.length, writer.end - position))
        if (!writer.target.push(piece)) await new Promise<void>((resolve) => (room = resolve))
        position += piece.length
        rest = rest.subarray(piece.length)
        if (writeError) throw writeError
      }
    }
    const held = coverage(input.segments()).at(-1)
    if (held && position < held.end && !writer) throw remoteChanged('shorter')
    // A body of unannounced length may end anywhere; that must not look like success, or it is asked for ever.
    if (input.size !== null && position < input.size) throw input.decode ? remoteChanged('shorter') : closedEarly()
    ;(writer as { target: SegmentWriter } | null)?.target.endOfFile()
  } finally {
    await finishWriter()
  }
  return position

  async function openGap(at: number): Promise<{ target: SegmentWriter; end: number | null }> {
    const segment = input.segments().find((s) => s.written === at && (s.end === null || at < s.end))
    if (!segment)
      throw new NighthaulError(
        'too_many_bytes',
        'The server sent more bytes than it announced. The surplus was refused; the partial is kept.',
      )
    const target = await SegmentWriter.at(part, at, () => true, {
      written: (to) => input.advance(segment.start, to),
      drained: () => room(),
      failed: (error) => {
        writeError = error
        room()
      },
    })
    return { target, end: segment.end }
  }
}

/** The body with its content coding undone. Throws `unsupported_encoding` where it is damaged or breaks off. */
async function* decoded(input: ComparingInput, encoding: string): AsyncGenerator<Buffer> {
  let failure: unknown
  const coded = async function* () {
    try {
      yield* chunksOf(input)
    } catch (error) {
      failure = error
      throw error
    }
  }
  const decoder = createDecoder(encoding)
  // What goes wrong reaches the decoder's reader.
  pipeline(coded, decoder, () => {})
  try {
    yield* decoder
  } catch (error) {
    throw failure ?? badlyEncoded(error as Error)
  }
}

/** The body as it comes, one chunk at a time, the socket paused while one is being handled. */
async function* chunksOf(input: ComparingInput): AsyncGenerator<Buffer> {
  const { reply, signal } = input
  const queue: Buffer[] = []
  let ended = false
  let failure: Error | null = null
  let wake: (() => void) | null = null
  const notify = () => {
    wake?.()
    wake = null
  }
  signal.addEventListener('abort', notify)
  reply.consume({
    onData(chunk) {
      queue.push(chunk)
      reply.pause()
      notify()
    },
    onEnd() {
      ended = true
      notify()
    },
    onError(error) {
      failure = error
      notify()
    },
  })
  try {
    for (;;) {
      if (signal.aborted) throw signal.reason
      const chunk = queue.shift()
      if (chunk) {
        for (let waitMs = input.received(chunk.length); waitMs > 0; waitMs = input.received(0))
          await sleep(input.clock, Math.min(waitMs, RATE_CHECK_MS), signal)
        yield chunk
      } else if (failure) throw failure
      else if (ended) return
      else {
        reply.resume()
        if (queue.length > 0 || ended || failure) continue
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', notify)
    if (!ended) reply.abort()
  }
}
