/** Queues by name: what each says, whether it may work now, and the part of the contract that lists and changes them. */
import { isAbsolute, resolve } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { Loan, QueueOutlook } from '../../shared/forecast.ts'
import type { QueueHold, QueuePatch, QueueView } from '../../shared/queues.ts'
import type { QueueRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../shared/schemas.ts'
import { parseWindows } from '../../shared/windows.ts'
import type { MissedWindows } from './missed-windows.ts'
import type { EngineDeps } from './ports.ts'
import { systemTimeZone, timeZone, type WindowState, windowState } from './window-times.ts'

export interface QueuesDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  /** limits of queues, or which of them there are, are others now */
  changed: () => void
  /** tasks that run, by queue */
  running: (id: QueueId) => number
  /** a window that was missed, and until when a queue works to make up for it */
  missed: () => Pick<MissedWindows, 'of' | 'until'>
  outlookOf: (id: QueueId) => QueueOutlook | null
  /** what holds all of them */
  held: () => QueueHold
}

export class Queues {
  readonly #deps: QueuesDeps
  #records: QueueRecord[]
  readonly listeners = new Set<(queues: QueueView[]) => void>()
  /** as they were last told, to tell only what is new */
  #told = ''
  #loans: ReadonlyMap<QueueId, Loan> = new Map()
  readonly #windows = new Map<QueueId, { state: WindowState; from: number }>()

  constructor(deps: QueuesDeps) {
    this.#deps = deps
    this.#records = deps.store.queues()
  }

  /** in order */
  get records(): readonly QueueRecord[] {
    return this.#records
  }

  /** bytes per second by queue, as they hold now; null: no limit */
  get rates(): Map<QueueId, number | null> {
    return new Map(
      this.#records.map(({ id, limitBytesPerSecond: own }) => [id, this.loanOf(id)?.limitBytesPerSecond ?? own]),
    )
  }

  /** The queue that tasks with this number are in: those of one that is gone are in the default one. */
  of(id: QueueId): QueueRecord {
    return this.#records.find((queue) => queue.id === id) ?? this.#default
  }

  resolve(id: QueueId): QueueId {
    return this.of(id).id
  }

  get #default(): QueueRecord {
    return this.#records.find((queue) => queue.id === DEFAULT_QUEUE_ID)!
  }

  /** Why nothing of a queue may start now; null: it may. */
  holdOf(id: QueueId): QueueHold {
    const queue = this.of(id)
    if (queue.stopped) return 'stopped'
    if (queue.windows !== null && !this.#window(queue).open && this.#deps.missed().until(id) === null) return 'window'
    return this.#deps.held()
  }

  /** Epoch ms at which its window opens or closes next; null: never. */
  changesAt(id: QueueId): number | null {
    const queue = this.of(id)
    if (queue.windows === null) return null
    const { open, changesAt } = this.#window(queue)
    const until = this.#deps.missed().until(queue.id)
    if (until === null) return changesAt
    return open ? changesAt && Math.max(changesAt, until) : Math.min(changesAt ?? until, until)
  }

  #window(queue: QueueRecord): WindowState {
    const now = this.#deps.clock.now()
    const known = this.#windows.get(queue.id)
    // Between two changes nothing changes; but a clock may be set back.
    if (known && now >= known.from && now < (known.state.changesAt ?? Infinity)) return known.state
    const state = windowState(parseWindows(queue.windows!), queue.timeZone ?? systemTimeZone(), now)
    this.#windows.set(queue.id, { state, from: now })
    return state
  }

  /** What queues do with from now on, so that others are done in time. */
  lend(loans: ReadonlyMap<QueueId, Loan>): void {
    this.#loans = loans
  }

  /** What a queue does with now; null: with all that is its own. */
  loanOf(id: QueueId): Loan | null {
    const loan = this.#loans.get(this.resolve(id))
    // Before its own window opens, nobody has to do with less for a queue.
    return loan?.to.some((borrower) => this.holdOf(borrower) === null) ? loan : null
  }

  /** Throws `queue_not_found`. */
  check(id: QueueId): void {
    if (!this.#records.some((queue) => queue.id === id))
      throw new NighthaulError('queue_not_found', `There is no queue ${id}. Nothing was changed.`, { id })
  }

  get handlers(): Pick<Handlers<Contract>, 'queues.list' | 'queues.add' | 'queues.update' | 'queues.remove'> {
    const { store } = this.#deps
    return {
      'queues.list': () => this.#views(),
      'queues.add': (input) => this.#change(() => store.addQueue({ ...input, ...sound(input) })),
      'queues.update': ({ id, patch }) => this.#change(() => store.updateQueue(id, { ...patch, ...sound(patch) })),
      'queues.remove': ({ id }) => {
        const moved = store.removeQueue(id)
        this.reload()
        return { moved }
      },
    }
  }

  #views(): QueueView[] {
    const open = this.#deps.store.openByQueue()
    return this.#records.map((queue) => this.#view(queue, open.get(queue.id) ?? 0))
  }

  /** Tells listeners what became of the queues since the last time. */
  tell(): void {
    if (this.listeners.size === 0) return
    const queues = this.#views()
    const text = JSON.stringify(queues)
    if (text === this.#told) return
    this.#told = text
    for (const listener of this.listeners) listener(queues)
  }

  #view(queue: QueueRecord, open: number): QueueView {
    const { id } = queue
    return {
      ...queue,
      ...{ hold: this.holdOf(id), changesAt: this.changesAt(id), missedWindow: this.#deps.missed().of(id) },
      ...{ open, running: this.#deps.running(id) },
      ...{ outlook: this.#deps.outlookOf(id), lends: this.loanOf(id) },
    }
  }

  viewOf(id: QueueId): QueueView {
    return this.#view(this.of(id), this.#deps.store.openByQueue().get(id) ?? 0)
  }

  #change(change: () => QueueRecord): QueueView {
    const { id } = change()
    this.reload()
    return this.viewOf(id)
  }

  /** They were changed, perhaps by somebody else. */
  reload(): void {
    this.#records = this.#deps.store.queues()
    this.#windows.clear()
    this.#deps.changed()
    this.tell()
  }
}

/** What of a patch only this machine can judge. Throws `invalid_input`. */
function sound({ folder, timeZone: zone }: Omit<QueuePatch, 'name'>): Omit<QueuePatch, 'name'> {
  if (folder && !isAbsolute(folder))
    throw new NighthaulError('invalid_input', `“${folder}” is not an absolute folder. Nothing was changed.`, { folder })
  return { ...(folder && { folder: resolve(folder) }), ...(zone && { timeZone: timeZone(zone) }) }
}
