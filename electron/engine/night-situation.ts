/**
 * What the journal says was going on at each moment: whether Nighthaul ran, which queues wanted bytes and might work,
 * which downloads ran or waited, which hosts refused. From that, why nothing came. Pure.
 */
import type { EntryOf, JournalEntry } from '../../shared/journal.ts'
import type { QuietCode } from '../../shared/report.ts'
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import type { Range } from './nights.ts'

/** Why nothing came, with what the sentence about it needs. */
export interface QuietReason {
  code: QuietCode
  params: Record<string, string | number>
}

/** A time in which Nighthaul did not run, or everything stood still. */
export interface DownTime extends Range {
  code: 'not_running' | 'crashed' | 'asleep'
}

interface QueueState {
  name: string
  hold: 'window' | 'stopped' | null
  open: boolean
}

interface Place {
  queueId: QueueId
  host: string
}

/** Entries of a run that ended. */
export type RunEnd = EntryOf<
  'finished' | 'failed' | 'given_up' | 'turned' | 'deferred' | 'changed' | 'suspended' | 'left'
>

const RUN_ENDS: ReadonlySet<string> = new Set<RunEnd['kind']>([
  'finished',
  'failed',
  'given_up',
  'turned',
  'deferred',
  'changed',
  'suspended',
  'left',
])

export function isRunEnd(entry: JournalEntry): entry is RunEnd {
  return RUN_ENDS.has(entry.kind)
}

/** When Nighthaul did not run, or everything stood still, in order. `alive`: it runs at `until`. */
export function downTimes(entries: readonly JournalEntry[], until: number, alive: boolean): DownTime[] {
  const times: DownTime[] = []
  /** since when it has been down; null: it runs */
  let down: Omit<DownTime, 'to'> | null = { code: 'not_running', from: Number.NEGATIVE_INFINITY }
  /** as the engine itself keeps it, and by what it wrote last */
  let [keptAt, wroteAt] = [0, 0]
  // As they were written: where the clock was set back, what came later has an earlier time.
  for (const entry of entries.toSorted((a, b) => a.id - b.id)) {
    switch (entry.kind) {
      case 'engine_started':
        down ??= { code: 'crashed', from: Math.max(keptAt, wroteAt) }
        times.push({ ...down, to: entry.at })
        down = null
        keptAt = entry.params.aliveAt
        break
      case 'engine_stopped':
        down = { code: 'not_running', from: entry.at }
        break
      case 'slept':
        times.push({ code: 'asleep', from: entry.at - entry.params.ms, to: entry.at })
    }
    wroteAt = entry.at
  }
  const aliveAt = Math.max(keptAt, wroteAt)
  if (down === null && !alive && aliveAt < until) down = { code: 'crashed', from: aliveAt }
  if (down !== null && down.from < until) times.push({ ...down, to: until })
  return times.sort((a, b) => a.from - b.from)
}

/** The state of things after the entries that it was told. */
export class Situation {
  readonly queues = new Map<QueueId, QueueState>()
  readonly running = new Map<TaskId, Place & { since: number }>()
  readonly #waiting = new Map<TaskId, Place & { until: number; code: string; asked: boolean }>()
  readonly #suspended = new Map<TaskId, { queueId: QueueId; code: string }>()
  readonly #undecided = new Map<TaskId, QueueId>()
  readonly #refusing = new Set<string>()
  readonly #hosts = new Map<TaskId, string>()
  /** latest start that somebody asked for */
  #startsUntil = Number.NEGATIVE_INFINITY
  #away: string | null = null
  #onBattery = false

  hear(entry: JournalEntry): void {
    const { taskId, at } = entry
    if (taskId !== null) this.#hearOfTask(entry, taskId)
    switch (entry.kind) {
      case 'added':
      case 'postponed':
        this.#startsUntil = Math.max(this.#startsUntil, entry.params.startAt ?? at)
        break
      case 'removed':
        for (const id of entry.params.ids) this.#forget(id)
        break
      case 'window_opened':
      case 'queue_started':
        this.#queue(entry).hold = null
        break
      case 'window_closed':
        this.#queue(entry).hold = 'window'
        break
      case 'queue_stopped':
        this.#queue(entry).hold = 'stopped'
        break
      case 'queue_filled':
        this.#queue(entry).open = true
        break
      case 'queue_emptied':
        this.#queue(entry).open = false
        break
      case 'network_away':
        this.#away = entry.params.reason
        break
      case 'network_back':
        this.#away = null
        break
      case 'battery_waits':
        this.#onBattery = true
        break
      case 'battery_over':
        this.#onBattery = false
        break
      case 'host_refused':
        this.#refusing.add(entry.params.host)
        break
      case 'host_allowed':
        this.#refusing.delete(entry.params.host)
        break
      case 'engine_started':
        // What holds now is said next.
        this.queues.clear()
        this.running.clear()
        this.#refusing.clear()
        this.#away = null
        this.#onBattery = false
    }
  }

  #queue({ params }: { params: { queueId: QueueId; queue: string } }): QueueState {
    const state = this.queues.get(params.queueId) ?? { name: params.queue, hold: null, open: false }
    state.name = params.queue
    this.queues.set(params.queueId, state)
    return state
  }

  #hearOfTask(entry: JournalEntry, id: TaskId): void {
    const host = this.#hosts.get(id) ?? ''
    this.#forget(id)
    switch (entry.kind) {
      case 'started':
        this.#hosts.set(id, entry.params.host)
        this.running.set(id, { queueId: entry.params.queueId, host: entry.params.host, since: entry.at })
        break
      case 'failed':
      case 'deferred': {
        const { queueId, retryAt } = entry.params
        const asked = entry.kind === 'deferred' && entry.code !== 'network_away'
        this.#waiting.set(id, { queueId, host, until: retryAt, code: entry.code ?? '', asked })
        break
      }
      case 'suspended':
        this.#suspended.set(id, { queueId: entry.params.queueId, code: entry.code ?? '' })
        break
      case 'changed':
        this.#undecided.set(id, entry.params.queueId)
    }
  }

  #forget(id: TaskId): void {
    this.running.delete(id)
    this.#waiting.delete(id)
    this.#suspended.delete(id)
    this.#undecided.delete(id)
  }

  /** Why nothing came at a moment for a queue (null: for any); null: nothing wanted bytes. */
  whyQuiet(at: number, down: DownTime | null, only: QueueId | null): QuietReason | null {
    const concerns = (queueId: QueueId) => only === null || queueId === only
    const open = [...this.queues].filter(([id, queue]) => queue.open && concerns(id))
    const suspended = [...this.#suspended.values()].filter(({ queueId }) => concerns(queueId))
    const undecided = [...this.#undecided.values()].filter(concerns).length
    if (open.length === 0 && suspended.length === 0 && undecided === 0) return null
    if (down !== null) return { code: down.code, params: {} }
    if (this.#away !== null) return { code: 'network_away', params: { reason: this.#away } }
    const free = open.filter(([, { hold }]) => hold === null)
    if (free.length > 0 && this.#onBattery) return { code: 'battery', params: {} }
    if (free.length > 0) return this.#whyIdle(at, new Set(free.map(([id]) => id)))
    if (open.length > 0) {
      const isWindow = open.some(([, { hold }]) => hold === 'window')
      const names = open.map(([, { name }]) => name)
      return { code: isWindow ? 'window_closed' : 'queue_stopped', params: { queues: names.join(', ') } }
    }
    if (suspended.length > 0)
      return {
        code: 'disk',
        params: { downloads: suspended.length, error: mostFrequent(suspended.map((s) => s.code)) },
      }
    return { code: 'waiting_for_decision', params: { downloads: undecided } }
  }

  /** These queues might work, and nothing came. */
  #whyIdle(at: number, queues: ReadonlySet<QueueId>): QuietReason {
    const running = [...this.running.values()].filter(({ queueId }) => queues.has(queueId))
    const waiting = [...this.#waiting.values()].filter(({ queueId, until }) => queues.has(queueId) && until > at)
    const refusing = [...this.#refusing]
    const isRefused = ({ host }: Place) => this.#refusing.has(host)
    const refused = (): QuietReason => ({ code: 'host_refused', params: { hosts: refusing.sort().join(', ') } })
    if (running.length > 0) {
      if (running.every(isRefused)) return refused()
      return { code: 'silent', params: { downloads: running.length } }
    }
    if (waiting.length > 0) {
      if (waiting.every((wait) => wait.asked || isRefused(wait)) && refusing.length > 0) return refused()
      const error = mostFrequent(waiting.map(({ code }) => code))
      return { code: 'waiting_to_retry', params: { downloads: waiting.length, error } }
    }
    if (refusing.length > 0) return refused()
    return this.#startsUntil > at ? { code: 'not_due', params: {} } : { code: 'no_place', params: {} }
  }

  /** Whether a queue may work; a queue that was never heard of may. */
  mayWork(id: QueueId): boolean {
    return (this.queues.get(id)?.hold ?? null) === null
  }
}

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? ''
}
