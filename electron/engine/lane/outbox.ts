/** Messages of one moment go to the other thread together: waking it costs more than most of them are worth. */
export class Outbox<Message> {
  readonly #send: (messages: Message[]) => void
  #waiting: Message[] = []

  constructor(send: (messages: Message[]) => void) {
    this.#send = send
  }

  post(message: Message): void {
    if (this.#waiting.push(message) > 1) return
    queueMicrotask(() => {
      const messages = this.#waiting
      this.#waiting = []
      this.#send(messages)
    })
  }
}
