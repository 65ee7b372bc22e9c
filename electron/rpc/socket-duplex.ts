/** A local socket (unix socket or named pipe) as a Duplex: one frame is one line of JSON. */
import type { Socket } from 'node:net'
import { decodeFrame, encodeFrame, MAX_FRAME_BYTES } from '../../shared/frames.ts'
import { Inbox } from '../../shared/inbox.ts'
import type { Duplex } from '../../shared/rpc.ts'
import { lineSplitter } from './line-splitter.ts'

/** How long a peer may take to read what was posted before a close. */
const LINGER_MS = 1_000

/** A line that is no JSON, or larger than `maxFrameBytes`, arrives as a frame that is none (undefined). */
export function socketDuplex(socket: Socket, options: { maxFrameBytes?: number } = {}): Duplex {
  const maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES
  const inbox = new Inbox()
  socket.on(
    'data',
    lineSplitter(maxFrameBytes, (line) => inbox.receive(decodeFrame(line))),
  )
  // a peer that was killed resets the socket; `close` always follows and says it
  socket.on('error', () => {})
  socket.on('close', () => inbox.close())
  return {
    get bufferedBytes() {
      return socket.writableLength
    },
    post(frame) {
      if (!inbox.closed) socket.write(`${encodeFrame(frame, maxFrameBytes)}\n`)
    },
    onFrame: (listener) => inbox.onFrame(listener),
    onClose: (listener) => inbox.onClose(listener),
    close() {
      if (inbox.closed) return
      inbox.close()
      socket.end()
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    },
  }
}
