/** MessagePortMain and MessageChannelMain over Node's own ports, and the relay that carries ports to other processes. */
import { EventEmitter } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'

/** Electron's emitter shape: events carry `data` and `ports`; nothing arrives before `start`. */
export class MessagePortMain extends EventEmitter {
  readonly raw: MessagePort

  constructor(raw: MessagePort) {
    super()
    this.raw = raw
    raw.on('close', () => this.emit('close'))
  }

  start(): void {
    this.raw.on('message', (data) => this.emit('message', { data, ports: [] }))
  }

  postMessage(message: unknown): void {
    this.raw.postMessage(message)
  }

  close(): void {
    this.raw.close()
  }
}

export class MessageChannelMain {
  readonly port1: MessagePortMain
  readonly port2: MessagePortMain

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.port1 = new MessagePortMain(port1)
    this.port2 = new MessagePortMain(port2)
  }
}

export type PortFrame = { kind: 'port-frame'; port: number; data: unknown } | { kind: 'port-close'; port: number }

/** Carries ports over a channel that can only send values: a number stands for a port on both sides. */
export class PortRelay {
  readonly #ports = new Map<number, MessagePort>()
  readonly #send: (frame: PortFrame) => void
  #last = 0

  constructor(send: (frame: PortFrame) => void) {
    this.#send = send
  }

  /** gives a port of this side away; the number to tell the other side */
  give(port: MessagePortMain): number {
    this.#last += 1
    this.#relay(this.#last, port.raw)
    return this.#last
  }

  /** a port of the other side, by its number */
  take(number: number): MessagePortMain {
    const { port1, port2 } = new MessageChannel()
    this.#relay(number, port1)
    return new MessagePortMain(port2)
  }

  receive(frame: PortFrame): void {
    if (frame.kind === 'port-frame') this.#ports.get(frame.port)?.postMessage(frame.data)
    else this.#ports.get(frame.port)?.close()
  }

  closeAll(): void {
    for (const port of this.#ports.values()) port.close()
  }

  #relay(number: number, port: MessagePort): void {
    this.#ports.set(number, port)
    port.on('message', (data) => this.#send({ kind: 'port-frame', port: number, data }))
    port.on('close', () => {
      this.#ports.delete(number)
      this.#send({ kind: 'port-close', port: number })
    })
  }
}
