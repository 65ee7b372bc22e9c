/** Queues by name: the part of the contract that lists and changes them. */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueView } from '../../shared/host-schemas.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { QueueId } from '../../shared/schemas.ts'
import type { EngineDeps } from './ports.ts'

export class Queues {
  readonly #store: EngineDeps['store']
  readonly #changed: () => void
  #list: QueueView[]

  /** `changed`: limits of queues, or which of them there are, are others now. */
  constructor({ store }: Pick<EngineDeps, 'store'>, changed: () => void) {
    this.#store = store
    this.#changed = changed
    this.#list = store.queues()
  }

  /** bytes per second by queue; null: no limit */
  get rates(): Map<QueueId, number | null> {
    return new Map(this.#list.map(({ id, limitBytesPerSecond }) => [id, limitBytesPerSecond]))
  }

  /** Throws `queue_not_found`. */
  check(id: QueueId): void {
    if (!this.#list.some((queue) => queue.id === id))
      throw new NighthaulError('queue_not_found', `There is no queue ${id}. Nothing was changed.`, { id })
  }

  get handlers(): Pick<Handlers<Contract>, 'queues.list' | 'queues.add' | 'queues.update' | 'queues.remove'> {
    return {
      'queues.list': () => this.#list,
      'queues.add': (input) => this.#change(() => this.#store.addQueue(input)),
      'queues.update': ({ id, patch }) => this.#change(() => this.#store.updateQueue(id, patch)),
      'queues.remove': ({ id }) => this.#change(() => ({ moved: this.#store.removeQueue(id) })),
    }
  }

  /** They were changed by somebody else. */
  reload(): void {
    this.#list = this.#store.queues()
    this.#changed()
  }

  #change<T>(change: () => T): T {
    const result = change()
    this.reload()
    return result
  }
}
