/**
 * The machine and the work on it: on which power it runs, whether something is at work, and what happens when nothing
 * is any more. Decides nothing itself: power.ts, work-watch.ts and when-done.ts do.
 */
import type { Contract } from '../../shared/contract.ts'
import type { QueueHold } from '../../shared/queues.ts'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { QueueId, Settings } from '../../shared/schemas.ts'
import type { Activity, PowerSource } from '../../shared/unattended.ts'
import type { Journal } from './journal.ts'
import type { Lane } from './lane/lane.ts'
import type { NetworkPresence } from './network-presence.ts'
import type { Notices } from './notices.ts'
import type { EngineDeps } from './ports.ts'
import { limitOnPower, waitsForPower } from './power.ts'
import type { Queues } from './queues.ts'
import type { TaskEvent } from './task-machine.ts'
import { WhenDone } from './when-done.ts'
import { WorkWatch } from './work-watch.ts'

/** What is tried again within this time is at work: a machine that sleeps until then would miss it. */
const SOON_MS = 15 * 60_000
/** What begins within this time is of the same night: a machine that was turned off before would not be there for it. */
const NIGHT_MS = 12 * 3_600_000

export interface MachineDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger' | 'lease' | 'runProgram'> {
  settings: () => Settings
  queues: () => Queues
  network: NetworkPresence
  notices: Notices
  journal: Pick<Journal, 'note'>
  storeReport: () => Promise<string | null>
  lane: () => Lane
  running: () => number
  /** files that are moved or compared on request, or wait for it */
  filesAtWork: () => number
  /** limits or what may run are others now */
  changed: () => void
}

type MachineMethods = 'power.changed' | 'activity.get' | 'countdown.get' | 'countdown.cancel'

export class Machine {
  readonly #deps: MachineDeps
  readonly activityListeners = new Set<(activity: Activity) => void>()
  readonly whenDone: WhenDone
  readonly #work = new WorkWatch()
  #source: PowerSource = 'ac'
  #activity: Activity = { working: false, keepAwake: false, files: 0 }

  constructor(deps: MachineDeps) {
    this.#deps = deps
    this.whenDone = new WhenDone({
      ...deps,
      queues: { of: (id) => deps.queues().of(id) },
      isBusy: () => this.#isWorking() || this.#isAwaited() || deps.filesAtWork() > 0,
    })
  }

  /** Why nothing that was not forced may run; null: it may. */
  get hold(): Extract<QueueHold, 'battery'> | null {
    return waitsForPower(this.#source, this.#deps.settings()) ? 'battery' : null
  }

  /** bytes per second of all downloads together; null: no limit */
  get limitBytesPerSecond(): number | null {
    return limitOnPower(this.#source, this.#deps.settings())
  }

  /** Settings as they hold on the power there is. */
  onPower(settings: Settings): Settings {
    return { ...settings, limitBytesPerSecond: limitOnPower(this.#source, settings) }
  }

  /** What tasks hear, as they were before. */
  heard(tasks: readonly TaskRecord[], event: TaskEvent, patch: TaskPatch): void {
    const { lease, clock, queues } = this.#deps
    if (lease !== null) return
    for (const task of tasks) this.#work.heard(task, queues().resolve(task.queueId), event, patch, clock.now())
  }

  /** Downloads were taken away by hand, off the list or into another queue. */
  removed(): void {
    this.#work.removed()
  }

  /** Once a second. */
  step(): void {
    const { settings, queues, clock } = this.#deps
    if (this.#work.isWatching && this.#deps.running() === 0) {
      const records = queues().records
      const finished = this.#work.take({
        now: clock.now(),
        open: this.#open(),
        stopped: new Set(records.filter(({ stopped }) => stopped).map(({ id }) => id)),
        nameOf: (id) => records.find((queue) => queue.id === id)?.name ?? null,
      })
      for (const work of finished) this.whenDone.finished(work)
    }
    this.whenDone.step()
    const working = this.#isWorking() || this.whenDone.isCounting
    const files = this.#deps.filesAtWork()
    const keepAwake = (working || files > 0) && settings().inhibitSleep
    const before = this.#activity
    if (working !== before.working || keepAwake !== before.keepAwake || files !== before.files) {
      this.#activity = { working, keepAwake, files }
      for (const listener of this.activityListeners) listener(this.#activity)
    }
  }

  /** Downloads that want bytes or may yet, by queue: what changed and waits for an answer is one of them. */
  #open(): Map<QueueId, number> {
    const { store, settings, queues } = this.#deps
    const open = new Map(store.openByQueue())
    if (settings().changedAfterMinutes !== null)
      for (const { queueId } of store.tasksInStates(['changed'])) {
        const id = queues().resolve(queueId)
        open.set(id, (open.get(id) ?? 0) + 1)
      }
    return open
  }

  #isWorking(): boolean {
    const { running, store, clock, network, queues } = this.#deps
    if (running() > 0) return true
    const open = queues().records.some(({ id }) => queues().holdOf(id) === null)
    if (!open) return false
    if (network.away && store.countsByState().queued > 0) return true
    return (store.nextRetryAt() ?? Number.POSITIVE_INFINITY) - clock.now() < SOON_MS
  }

  /** Something is to begin later in the night: a window opens for it, or its own time comes. */
  #isAwaited(): boolean {
    const { store, clock } = this.#deps
    const queues = this.#deps.queues()
    const open = store.openByQueue()
    const isSoon = (at: number | null) => at !== null && at - clock.now() < NIGHT_MS
    const waiting = queues.records.filter(({ id, stopped }) => !stopped && (open.get(id) ?? 0) > 0)
    const opens = waiting.some(({ id }) => queues.holdOf(id) === 'window' && isSoon(queues.changesAt(id)))
    return opens || (waiting.length > 0 && isSoon(store.nextRetryAt()))
  }

  get handlers(): Pick<Handlers<Contract>, MachineMethods> {
    return {
      'power.changed': ({ source }) => {
        if (source !== this.#source) {
          this.#source = source
          this.#deps.logger.info({ source }, 'the source of power changed')
          this.#deps.changed()
        }
        return { source }
      },
      // Of files as of now: who closes the window may not wait for the next step.
      'activity.get': () => ({ ...this.#activity, files: this.#deps.filesAtWork() }),
      ...this.whenDone.handlers,
    }
  }
}
