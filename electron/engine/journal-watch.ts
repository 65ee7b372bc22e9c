/**
 * Writes into the journal what happens to queues, hosts and the machine: looks once a second and notes what is another
 * than before. Bytes by queue are collected here as well.
 */
import type { QueueHold } from '../../shared/queues.ts'
import type { QueueRecord, TaskStore } from '../../shared/records.ts'
import type { QueueId } from '../../shared/schemas.ts'
import type { HostState } from './host-controller.ts'
import type { Journal } from './journal.ts'
import type { Clock } from './ports.ts'
import { CollectedSince } from './statistics.ts'

export interface JournalWatchDeps {
  store: Pick<TaskStore, 'openByQueue' | 'stillAlive' | 'addQueueBytes' | 'pruneJournal'>
  clock: Pick<Clock, 'now' | 'monotonic'>
  journal: Journal
  version: string
  queues: { readonly records: readonly QueueRecord[]; holdOf(id: QueueId): QueueHold; resolve(id: QueueId): QueueId }
  hosts: () => readonly HostState[]
  /** why the network is away; null: it is there */
  away: () => string | null
  /** what is not forced waits for mains power */
  waitsForPower: () => boolean
  /** the name of the profile that holds */
  profile: () => string
  keepDays: () => number
}

/** A clock this far from where it should be was set, or the machine slept. */
const JUMP_MS = 15_000
const ALIVE_MS = 60_000
/** A host that has not complained for so long, and may be asked, is over it. */
const FORGIVEN_MS = 30_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Entries that are forgotten in one go. */
const PRUNED = 5_000

interface QueueState {
  hold: QueueHold
  open: boolean
}

interface Refusal {
  /** complaints of the host before it, and when the latest came */
  before: number
  count: number
  latestAt: number
}

export class JournalWatch {
  readonly #deps: JournalWatchDeps
  readonly #queues = new Map<QueueId, QueueState>()
  readonly #refusals = new Map<string, Refusal>()
  /** complaints already known of hosts */
  readonly #complaints = new Map<string, number>()
  #bytes = new Map<QueueId, number>()
  #started: number | null = null
  #aliveAt = 0
  #prunedAt = 0
  #profile: string
  readonly #since: CollectedSince
  #last: { at: number; monotonicMs: number } | null = null
  #isAway = false
  #onBattery = false

  constructor(deps: JournalWatchDeps) {
    this.#deps = deps
    this.#since = new CollectedSince(deps.clock)
    this.#profile = deps.profile()
  }

  /** The engine begins its work. */
  started(): void {
    const { clock, journal, version } = this.#deps
    this.#aliveAt = clock.now()
    this.#started = journal.note('engine_started', { version, aliveAt: this.#aliveAt })
    // What was said in an earlier life counts only where it still holds.
    for (const { host, complaints, notBefore } of this.#deps.hosts()) {
      const count = complaints?.count ?? 0
      this.#complaints.set(host, count)
      if (notBefore === null || complaints === null) continue
      this.#refusals.set(host, { before: count, count, latestAt: this.#aliveAt })
      const facts = { host, status: complaints.status, until: notBefore }
      journal.note('host_refused', { ...facts, complaints: 0, total: count })
    }
    this.step()
  }

  stopped(): void {
    if (this.#last === null) return
    this.flush()
    this.#deps.journal.note('engine_stopped', {})
    this.#last = null
  }

  received(queueId: QueueId, bytes: number): void {
    this.#since.heard()
    this.#bytes.set(queueId, (this.#bytes.get(queueId) ?? 0) + bytes)
  }

  step(): void {
    const now = this.#deps.clock.now()
    this.#lookAtClock(now)
    this.#lookAtNetwork()
    this.#lookAtPower()
    const open = this.#lookAtQueues()
    this.#lookAtHosts(now)
    const profile = this.#deps.profile()
    if (profile !== this.#profile) this.#deps.journal.note('profile_changed', { profile })
    this.#profile = profile
    this.flush()
    if (open && this.#started !== null && Math.abs(now - this.#aliveAt) >= ALIVE_MS) {
      this.#deps.store.stillAlive(this.#started, now)
      this.#aliveAt = now
    }
    if (Math.abs(now - this.#prunedAt) >= HOUR_MS) {
      const before = now - this.#deps.keepDays() * DAY_MS
      // More than one go takes: the rest goes with the next step.
      if (this.#deps.store.pruneJournal(before, PRUNED) < PRUNED) this.#prunedAt = now
    }
  }

  /** Stores the bytes that came since the last call. */
  flush(): void {
    const at = this.#since.flushed()
    if (this.#bytes.size === 0) return
    const bytes = new Map<QueueId, number>()
    for (const [id, count] of this.#bytes) {
      const queueId = this.#deps.queues.resolve(id)
      bytes.set(queueId, (bytes.get(queueId) ?? 0) + count)
    }
    this.#deps.store.addQueueBytes(at, bytes)
    this.#bytes = new Map()
  }

  #lookAtNetwork(): void {
    const reason = this.#deps.away()
    if ((reason !== null) === this.#isAway) return
    this.#isAway = reason !== null
    if (reason === null) this.#deps.journal.note('network_back', {})
    else this.#deps.journal.note('network_away', { reason })
  }

  #lookAtPower(): void {
    const waits = this.#deps.waitsForPower()
    if (waits === this.#onBattery) return
    this.#onBattery = waits
    this.#deps.journal.note(waits ? 'battery_waits' : 'battery_over', {})
  }

  /** Timers come late when the machine sleeps, or the wall clock runs ahead of the other. */
  #lookAtClock(now: number): void {
    const { clock, journal } = this.#deps
    const monotonicMs = clock.monotonic()
    const last = this.#last
    this.#last = { at: now, monotonicMs }
    if (last === null) return
    const passedMs = now - last.at
    const setMs = passedMs - (monotonicMs - last.monotonicMs)
    if (setMs < -JUMP_MS) journal.note('clock_set_back', { ms: Math.round(-setMs) })
    else if (passedMs > JUMP_MS) journal.note('slept', { ms: Math.round(passedMs) })
  }

  /** Whether anything wants bytes. */
  #lookAtQueues(): boolean {
    const { store, queues, journal } = this.#deps
    const open = new Map<QueueId, number>()
    for (const [id, count] of store.openByQueue()) {
      const queueId = queues.resolve(id)
      open.set(queueId, (open.get(queueId) ?? 0) + count)
    }
    for (const { id, name } of queues.records) {
      const before = this.#queues.get(id) ?? { hold: null, open: false }
      const now: QueueState = { hold: queues.holdOf(id), open: (open.get(id) ?? 0) > 0 }
      const facts = { queueId: id, queue: name }
      if (before.hold !== now.hold) {
        if (before.hold === 'stopped') journal.note('queue_started', facts)
        if (now.hold === 'stopped') journal.note('queue_stopped', facts)
        if (now.hold === 'window') journal.note('window_closed', facts)
        if (before.hold === 'window') journal.note('window_opened', facts)
      }
      if (before.open !== now.open) journal.note(now.open ? 'queue_filled' : 'queue_emptied', facts)
      this.#queues.set(id, now)
    }
    const known = new Set(queues.records.map(({ id }) => id))
    for (const id of this.#queues.keys()) if (!known.has(id)) this.#queues.delete(id)
    return [...open.values()].some((count) => count > 0)
  }

  /** A storm of refusals is one refusal, until the host may be asked and has not complained for a while. */
  #lookAtHosts(now: number): void {
    const { journal } = this.#deps
    const states = new Map(this.#deps.hosts().map((state) => [state.host, state]))
    for (const { host, complaints, notBefore } of states.values()) {
      const count = complaints?.count ?? 0
      const known = this.#complaints.get(host) ?? 0
      this.#complaints.set(host, count)
      if (complaints === null || count <= known) continue
      const refusal = this.#refusals.get(host)
      if (refusal) Object.assign(refusal, { count, latestAt: now })
      else this.#refusals.set(host, { before: known, count, latestAt: now })
      if (refusal) continue
      const facts = { host, status: complaints.status, until: notBefore }
      journal.note('host_refused', { ...facts, complaints: count - known, total: count })
    }
    for (const [host, refusal] of this.#refusals) {
      if ((states.get(host)?.notBefore ?? null) !== null || now - refusal.latestAt < FORGIVEN_MS) continue
      this.#refusals.delete(host)
      journal.note('host_allowed', { host, complaints: refusal.count - refusal.before, total: refusal.count })
    }
    for (const host of this.#complaints.keys()) if (!states.has(host)) this.#complaints.delete(host)
  }
}
