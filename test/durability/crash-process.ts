/** The process that is killed, from the outside. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import type { InputOf, MethodNames, ResultOf } from '../../shared/rpc.ts'
import type { Tell } from './crash-child.ts'

export class CrashProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #asked = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  readonly ready = Promise.withResolvers<void>()
  /** when checkpoints were committed, on the machine's clock */
  readonly committedAt: number[] = []
  #lastId = 0
  #waiting: { count: number; resolve: () => void }[] = []

  constructor(profile: string, folder: string, haste: number) {
    this.#child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'crash-child.ts'), profile, folder, String(haste)],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    )
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.on('message', (message: Tell) => this.#take(message))
    this.ready.promise.catch(() => undefined)
    void this.#exited.then(() => {
      const gone = new Error('the process is gone')
      this.ready.reject(gone)
      for (const { reject } of this.#asked.values()) reject(gone)
    })
  }

  /** Rejects where it was killed before it answered, or refused. */
  call<K extends MethodNames<Contract>>(method: K, input: InputOf<Contract, K>): Promise<ResultOf<Contract, K>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as (result: unknown) => void, reject })
      this.#child.send({ id, method, input }, (error) => error && reject(error))
    })
  }

  /** Resolves after so many checkpoints more. */
  committed(count: number): Promise<void> {
    const wanted = this.committedAt.length + count
    return new Promise((resolve) => (count === 0 ? resolve() : this.#waiting.push({ count: wanted, resolve })))
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #take(message: Tell): void {
    switch (message.kind) {
      case 'ready':
        this.ready.resolve()
        return
      case 'committed':
        this.committedAt.push(message.at)
        for (const { count, resolve } of this.#waiting) if (count <= this.committedAt.length) resolve()
        return
      case 'answer':
        this.#asked.get(message.id)?.resolve(message.result)
        return
      case 'refusal':
        this.#asked.get(message.id)?.reject(new Error(message.message))
    }
  }
}
