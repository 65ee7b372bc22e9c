/** Electron's MessagePortMain (main and utility process) as a Duplex, typed by shape: no import of electron here. */
import { Inbox } from '../../shared/inbox.ts'
import type { Duplex } from '../../shared/rpc.ts'

/** The parts of MessagePortMain used here. */
export interface EmitterMessagePort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start(): void
  close(): void
}

/** Frames cross as structured clones. `bufferedBytes` is 0: a port does not tell. */
export function electronPortDuplex(port: EmitterMessagePort): Duplex {
  const inbox = new Inbox()
  port.on('message', (event) => inbox.receive(event.data))
  port.on('close', () => inbox.close())
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
