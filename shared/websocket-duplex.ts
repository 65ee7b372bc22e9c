/** A WebSocket as a Duplex: a browser's, Node's own, or either end of the `ws` package, which all look the same. */
import { decodeFrame, encodeFrame } from './frames.ts'
import { Inbox } from './inbox.ts'
import type { Duplex } from './rpc.ts'

/** The parts of a WebSocket used here, so that no DOM types are needed. */
export interface WebSocketLike {
  readonly readyState: number
  readonly bufferedAmount: number
  send(text: string): void
  close(): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void
}

const CONNECTING = 0

/** One frame is one text message of JSON. Frames posted while the socket still connects are sent once it is open. */
export function webSocketDuplex(socket: WebSocketLike): Duplex {
  const inbox = new Inbox()
  const early: string[] = []
  socket.addEventListener('open', () => {
    for (const text of early.splice(0)) socket.send(text)
  })
  socket.addEventListener('message', (event) => inbox.receive(decodeFrame(event.data)))
  socket.addEventListener('close', () => inbox.close())
  // `close` always follows and says it; without a listener the `ws` package would throw
  socket.addEventListener('error', () => {})
  return {
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    post(frame) {
      if (inbox.closed) return
      const text = encodeFrame(frame)
      if (socket.readyState === CONNECTING) early.push(text)
      else socket.send(text)
    },
    onFrame: (listener) => inbox.onFrame(listener),
    onClose: (listener) => inbox.onClose(listener),
    close() {
      inbox.close()
      socket.close()
    },
  }
}
