/**
 * Who is told what, and how often: state changes at once, or a moment later where hundreds come in a second; progress
 * four times a second, once where nobody looks.
 */
import type { Subscription } from '../../shared/rpc.ts'
import type { TaskDelta, TaskId, TaskRow } from '../../shared/schemas.ts'
import type { Clock, Timer } from './ports.ts'

export const VISIBLE_MS = 250
export const HIDDEN_MS = 1_000
/** More changed rows than this are not sent one by one: the window pages again. */
const MAX_ROWS = 500
/** After a frame with new states the next one waits so long for each of its rows: small files change by the hundred. */
const REST_PER_ROW_MS = 1
const LONGEST_REST_MS = 50

interface Subscriber {
  listener: (delta: TaskDelta) => void
  visible: boolean
  /** revision of the last frame */
  since: number
  changed: Set<TaskId>
  removed: Set<TaskId>
  listChanged: boolean
  urgent: boolean
  lastFrameAt: number
}

export interface ChangesSource {
  rows: (ids: readonly TaskId[]) => TaskRow[]
  counts: () => TaskDelta['counts']
}

export class Changes {
  readonly #clock: Clock
  readonly #source: ChangesSource
  readonly #subscribers = new Set<Subscriber>()
  #rev = 1
  #timer: Timer | null = null
  #flushScheduled = false
  /** the pause before the next frame with new states */
  #rest: Timer | null = null
  /** monotonic ms until which it lasts */
  #restsUntil = 0

  constructor(clock: Clock, source: ChangesSource) {
    this.#clock = clock
    this.#source = source
  }

  get rev(): number {
    return this.#rev
  }

  get listened(): boolean {
    return this.#subscribers.size > 0
  }

  /** Progress of some tasks: goes out with the next frame. */
  progressed(ids: Iterable<TaskId>): void {
    this.#mark((s) => {
      for (const id of ids) s.changed.add(id)
    })
  }

  /** Other states, other rows: goes out at once. */
  changed(ids: Iterable<TaskId>, options: { removed?: Iterable<TaskId> } = {}): void {
    this.#mark((s) => {
      for (const id of ids) s.changed.add(id)
      for (const id of options.removed ?? []) {
        s.changed.delete(id)
        s.removed.add(id)
      }
      s.listChanged = true
      s.urgent = true
    })
    if (this.#flushScheduled || this.#subscribers.size === 0) return
    this.#flushScheduled = true
    const restMs = this.#restsUntil - this.#clock.monotonic()
    // At the end of this turn: what else changes in it goes out with the same frame.
    if (restMs <= 0) setImmediate(() => this.#flushUrgent())
    else this.#rest = this.#clock.setTimeout(() => this.#flushUrgent(), restMs)
  }

  subscribe(listener: (delta: TaskDelta) => void, options: { visible: boolean }): Subscription {
    const subscriber: Subscriber = {
      listener,
      visible: options.visible,
      since: this.#rev,
      changed: new Set(),
      removed: new Set(),
      listChanged: false,
      urgent: false,
      lastFrameAt: this.#clock.monotonic(),
    }
    this.#subscribers.add(subscriber)
    this.#tick()
    return {
      setVisible: (visible) => {
        subscriber.visible = visible
      },
      dispose: () => {
        this.#subscribers.delete(subscriber)
        if (this.#subscribers.size === 0) {
          this.#timer?.cancel()
          this.#timer = null
          if (this.#rest) this.#flushScheduled = false
          this.#rest?.cancel()
          this.#rest = null
        }
      },
    }
  }

  #mark(change: (subscriber: Subscriber) => void): void {
    this.#rev++
    for (const subscriber of this.#subscribers) change(subscriber)
  }

  #tick(): void {
    if (this.#timer || this.#subscribers.size === 0) return
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null
      const now = this.#clock.monotonic()
      this.#flush((s) => s.visible || now - s.lastFrameAt >= HIDDEN_MS - VISIBLE_MS / 2)
      this.#tick()
    }, VISIBLE_MS)
  }

  #flushUrgent(): void {
    this.#flushScheduled = false
    this.#rest = null
    const rows = this.#flush((s) => s.urgent)
    this.#restsUntil = this.#clock.monotonic() + Math.min(rows * REST_PER_ROW_MS, LONGEST_REST_MS)
  }

  /** Answers how many rows the largest frame had. */
  #flush(due: (subscriber: Subscriber) => boolean): number {
    let most = 0
    for (const subscriber of this.#subscribers) {
      const { changed, removed, listChanged } = subscriber
      if (!due(subscriber) || (changed.size === 0 && removed.size === 0 && !listChanged)) continue
      const many = changed.size > MAX_ROWS
      most = Math.max(most, changed.size)
      const delta: TaskDelta = {
        since: subscriber.since,
        rev: this.#rev,
        rows: many ? [] : this.#source.rows([...changed]),
        removed: [...removed],
        listChanged: listChanged || many,
        counts: this.#source.counts(),
      }
      subscriber.since = this.#rev
      subscriber.changed = new Set()
      subscriber.removed = new Set()
      subscriber.listChanged = false
      subscriber.urgent = false
      subscriber.lastFrameAt = this.#clock.monotonic()
      subscriber.listener(delta)
    }
    return most
  }
}
