/** A MessagePort of the web (window) or of Node's worker_threads as a Duplex. Electron's own is in electron/rpc/. */
import { Inbox } from './inbox.ts'
import type { Duplex } from './rpc.ts'

/** The parts of a MessagePort used here, so that neither DOM nor Node types are needed. */
export interface WebMessagePort {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { type: string; data?: unknown }) => void): void
  addEventListener(type: 'messageerror' | 'close', listener: () => void): void
  start(): void
  close(): void
}

/** Frames cross as structured clones. `bufferedBytes` is 0: a port does not tell. */
export function messagePortDuplex(port: WebMessagePort): Duplex {
  const inbox = new Inbox()
  port.addEventListener('message', (event) => inbox.receive(event.data))
  // could not be cloned back: a frame that is none
  port.addEventListener('messageerror', () => inbox.receive(undefined))
  port.addEventListener('close', () => inbox.close())
  port.start()
  return {
    bufferedBytes: 0,
    post(frame) {
      if (!inbox.closed) port.postMessage(frame)
    },
    onFrame: (listener) => inbox.onFrame(listener),
    onClose: (listener) => inbox.onClose(listener),
    close() {
      inbox.close()
      port.close()
    },
  }
}
