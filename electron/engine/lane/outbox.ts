/**
 * Messages of one turn of the event loop go to the other thread together: waking it costs more than most of them are
 * worth. A turn that lasts does not keep the first of them back: the other thread works on while this one does.
 */

const LONGEST_MS = 1

export class Outbox<Message> {
  readonly #send: (messages: Message[]) => void
  #waiting: Message[] = []
  /** monotonic ms of the first that waits */
  #since = 0

  constructor(send: (messages: Message[]) => void) {
    this.#send = send
  }

  post(message: Message): void {
    if (this.#waiting.push(message) === 1) {
      this.#since = performance.now()
      setImmediate(() => this.#flush())
    } else if (performance.now() - this.#since >= LONGEST_MS) this.#flush()
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    const messages = this.#waiting
    this.#waiting = []
    this.#send(messages)
  }
}
