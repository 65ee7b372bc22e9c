/** Messages of one turn of the event loop go to the other thread together: waking it costs more than most of them are worth. */
export class Outbox<Message> {
  readonly #send: (messages: Message[]) => void
  #waiting: Message[] = []

  constructor(send: (messages: Message[]) => void) {
    this.#send = send
  }

  post(message: Message): void {
    if (this.#waiting.push(message) > 1) return
    setImmediate(() => {
      const messages = this.#waiting
      this.#waiting = []
      this.#send(messages)
    })
  }
}
