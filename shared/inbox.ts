/** The receiving half of every Duplex adapter: keeps frames until somebody listens, and closes exactly once. */

export class Inbox {
  #frames: unknown[] = []
  #onFrame: ((frame: unknown) => void) | null = null
  #onClose: (() => void)[] = []
  #closed = false

  get closed(): boolean {
    return this.#closed
  }

  receive(frame: unknown): void {
    if (this.#closed) return
    if (this.#onFrame) this.#onFrame(frame)
    else this.#frames.push(frame)
  }

  /** The channel is gone. Frames that came before and nobody has heard yet still reach a listener. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const listener of this.#onClose.splice(0)) listener()
  }

  /** One listener per channel: the client or the server. */
  onFrame(listener: (frame: unknown) => void): void {
    this.#onFrame = listener
    for (const frame of this.#frames.splice(0)) listener(frame)
  }

  /** Called at once when the channel is gone already. */
  onClose(listener: () => void): void {
    if (this.#closed) listener()
    else this.#onClose.push(listener)
  }
}
