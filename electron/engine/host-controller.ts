/**
 * Places per host, shared by all tasks: never more connections than the host allows, requests spaced as asked, and a
 * host that said "later" (429, 503, Retry-After) is left alone by everybody. What a host complained about is remembered
 * until it was quiet for a day.
 *
 * Long because: places, turns and what is remembered of a host change together.
 */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { HostRecord } from '../../shared/records.ts'
import { HostQuiet, HostRefusals } from './host-refusals.ts'
import type { HostLimits } from './host-rules.ts'
import type { Clock } from './ports.ts'
import { sleep } from './sleep.ts'

/** Who holds places. `shed` gives up one connection to a host, if it can, so that another task gets its first. */
export interface SlotHolder {
  shed(host: string): boolean
}

export interface Slot {
  release(): void
}

interface Complaints {
  /** of the latest reply; null: not known */
  status: number | null
  /** epoch ms of the latest */
  at: number
  count: number
}

/** A host that is in use, or that complained. */
export interface HostState {
  host: string
  connections: number
  waiting: number
  /** the most connections it gets now */
  allowed: number
  /** epoch ms; null: it may be asked */
  notBefore: number | null
  complaints: Complaints | null
}

/** A wait longer than this is not sat out on a connection: the task waits outside and others have its place. */
const SHORT_QUIET_MS = 2_000

const FORBIDDEN = 403

/** After so long without a complaint a host is as good as new. */
export const FORGET_MS = 24 * 3600 * 1000

/** From so many hosts on, those with nothing to remember are looked for. */
const SWEEP_AT = 256

/** The places of a host. */
export interface HostPlaces {
  /** places in use, by all tasks */
  connections: number
  /** places there are */
  allowed: number
  /** places there are when the host has not asked for fewer */
  usual: number
  /** ms for which it is left alone; 0: it is not */
  quietMs: number
  /** what it complained about last is that downloads were asked for at all (403), not how many */
  forbids: boolean
}

const CROWD = 4

interface Waiter {
  holder: SlotHolder
  grant: (slot: Slot) => void
}

interface Host {
  held: Map<SlotHolder, number>
  count: number
  waiters: Waiter[]
  /** learned: null until the host complained; halves on 429/503, grows back by one per success */
  allowance: number | null
  complaints: Complaints | null
  /** monotonic ms before which nothing may be asked: a clock that is set must not lengthen it */
  notBefore: number
  /** since something came */
  refusals: HostRefusals
  /** monotonic ms at which the latest request left, or will */
  lastRequestAt: number
  /** replies that are being read */
  reading: number
}

export class HostController {
  readonly #hosts = new Map<string, Host>()
  readonly #clock: Clock
  readonly #limitsOf: (host: string) => HostLimits
  /** hosts whose record is not stored yet */
  readonly #changed = new Set<string>()
  #sweepAt = SWEEP_AT
  /** a host has room for more downloads than a moment ago */
  onRoom: () => void = () => {}

  constructor(clock: Clock, limitsOf: (host: string) => HostLimits) {
    this.#clock = clock
    this.#limitsOf = limitsOf
  }

  /** Takes effect at once: holders of more than is allowed now are asked to give up the surplus. */
  limitsChanged(): void {
    for (const [name, host] of this.#hosts) {
      const { connections } = this.#limitsOf(name)
      for (let surplus = host.count - connections; surplus > 0; surplus--) this.#askToShed(name, host)
      this.#grantNext(name)
    }
  }

  /** Waits for a place: for a task's first connection. Rejects with the signal's reason. */
  acquire(name: string, holder: SlotHolder, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    const free = this.tryAcquire(name, holder)
    if (free) return Promise.resolve(free)
    const host = this.#host(name)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        host.waiters = host.waiters.filter((w) => w !== waiter)
        this.#forgetIdle(name)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        holder,
        grant: (slot) => {
          signal.removeEventListener('abort', onAbort)
          resolve(slot)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      host.waiters.push(waiter)
      if (!host.held.has(holder)) this.#askToShed(name, host)
    })
  }

  /** A place if one is free and nobody waits: for additional connections. */
  tryAcquire(name: string, holder: SlotHolder): Slot | null {
    const host = this.#host(name)
    if (host.waiters.length > 0 || host.count >= this.#allowed(name, host)) {
      this.#forgetIdle(name)
      return null
    }
    return this.#grant(name, host, holder)
  }

  /** As many downloads as may have places there have them: there is none to be shared with another one. */
  isFull(name: string): boolean {
    const host = this.#hosts.get(name)
    return host !== undefined && host.held.size >= this.#allowed(name, host)
  }

  /**
   * ms to wait before a request may be sent to this host now; counts the request as sent after that wait. Throws
   * HostQuiet where the host asked for a long wait.
   */
  spacing(name: string): number {
    const quiet = this.quietMs(name)
    if (quiet > SHORT_QUIET_MS) throw new HostQuiet(name, quiet, this.#forbids(name))
    const host = this.#host(name)
    const now = this.#clock.monotonic()
    const at = Math.max(now + quiet, host.lastRequestAt + this.#gapMs(name))
    host.lastRequestAt = at
    return at - now
  }

  /** Waits for the turn of a request. Throws HostQuiet, also where the host asked for it while others had their turns. */
  async turn(name: string, signal: AbortSignal): Promise<void> {
    do await sleep(this.#clock, this.spacing(name), signal)
    while (this.quietMs(name) > 0)
  }

  /** ms for which the host asked to be left alone; 0: it did not, or that is over. */
  quietMs(name: string): number {
    return Math.max(0, (this.#hosts.get(name)?.notBefore ?? 0) - this.#clock.monotonic())
  }

  /** The host asked for less (429, 503): half the places, and nothing before `retryAfterMs` is over. */
  slowDown(name: string, retryAfterMs: number | null, status: number | null): void {
    const host = this.#host(name)
    const before = this.#allowed(name, host)
    host.allowance = Math.max(1, Math.floor(before / 2))
    host.complaints = { status, at: this.#clock.now(), count: (host.complaints?.count ?? 0) + 1 }
    const now = this.#clock.monotonic()
    host.notBefore = Math.max(host.notBefore, now + Math.max(retryAfterMs ?? 0, host.refusals.askedForLess(now)))
    this.#changed.add(name)
  }

  /** It forbids a download (403). Where it forbids one after the other, the rest of them need not be tried now. */
  forbade(name: string, id: number): void {
    const host = this.#host(name)
    const restMs = host.refusals.forbade(id, this.#clock.monotonic())
    if (restMs === 0) return
    host.allowance = 1
    host.complaints = { status: FORBIDDEN, at: this.#clock.now(), count: (host.complaints?.count ?? 0) + 1 }
    host.notBefore = Math.max(host.notBefore, this.#clock.monotonic() + restMs)
    this.#changed.add(name)
  }

  /** A transfer ended well: a slowed host gets one place back. */
  succeeded(name: string): void {
    const host = this.#hosts.get(name)
    if (host) host.refusals = new HostRefusals()
    if (!host || host.allowance === null) return
    host.allowance += 1
    if (host.allowance >= this.#limitsOf(name).connections) host.allowance = null
    this.#changed.add(name)
    this.#grantNext(name)
    this.#forgetIdle(name)
  }

  /**
   * A request failed. Where nobody answers, one download at a time finds out until somebody does: the others leave their
   * places to other hosts.
   */
  failed(name: string, { code, params }: ErrorInfo): void {
    const host = this.#host(name)
    const isSilent = code === 'connect_timeout' || code === 'headers_timeout'
    if (isSilent && host.reading === 0) host.refusals.unanswered(this.#clock.monotonic())
    else if (typeof params.status === 'number') this.#answered(host)
  }

  /** It answered, and brings bytes until the function is called: it is not silent, whatever becomes of other requests. */
  reads(name: string): () => void {
    const host = this.#host(name)
    this.#answered(host)
    host.reading++
    return () => {
      host.reading--
    }
  }

  #answered(host: Host): void {
    if (host.refusals.answered()) this.onRoom()
  }

  places(name: string): HostPlaces {
    const host = this.#hosts.get(name)
    const usual = this.#limitsOf(name).connections
    const allowed = host ? this.#allowed(name, host) : usual
    return {
      connections: host?.count ?? 0,
      allowed: host?.refusals.isSilent(this.#clock.monotonic()) ? Math.min(1, allowed) : allowed,
      usual,
      quietMs: this.quietMs(name),
      forbids: this.#forbids(name),
    }
  }

  #forbids(name: string): boolean {
    return this.#hosts.get(name)?.complaints?.status === FORBIDDEN
  }

  /** many downloads have places there: one HTTP/2 connection for all is worth trying */
  isCrowded(name: string): boolean {
    return (this.#hosts.get(name)?.held.size ?? 0) >= CROWD
  }

  connections(name: string): number {
    return this.#hosts.get(name)?.count ?? 0
  }

  /** how many hosts are held in memory */
  get remembered(): number {
    return this.#hosts.size
  }

  // ── what is remembered ──

  /** What an earlier process learned. */
  restore(records: readonly HostRecord[]): void {
    for (const record of records) {
      const host = this.#host(record.host)
      host.allowance = record.allowance
      host.complaints = { status: record.complaintStatus, at: record.complaintAt, count: record.complaints }
      // However the clock was set since: nobody is left alone for longer than it asked, or a server may ask.
      const now = Math.max(this.#clock.now(), record.complaintAt)
      const leftMs = Math.min((record.notBefore ?? 0) - now, FORGET_MS)
      if (leftMs > 0) host.notBefore = this.#clock.monotonic() + leftMs
    }
  }

  /** What was learned since the last call, to be stored. */
  takeChanged(): HostRecord[] {
    const records: HostRecord[] = []
    for (const name of this.#changed) {
      const host = this.#hosts.get(name)
      if (!host?.complaints) continue
      const { status, at, count } = host.complaints
      const { allowance } = host
      const notBefore = this.#notBefore(host)
      records.push({ host: name, allowance, notBefore, complaintStatus: status, complaintAt: at, complaints: count })
    }
    this.#changed.clear()
    return records
  }

  /** The store could not take them: they go with the next. */
  keepChanged(records: readonly HostRecord[]): void {
    for (const { host } of records) this.#changed.add(host)
  }

  /** As if it had never complained. False: it had not. */
  forget(name: string): boolean {
    const host = this.#hosts.get(name)
    this.#changed.delete(name)
    if (!host?.complaints) return false
    host.allowance = null
    host.complaints = null
    host.refusals = new HostRefusals()
    host.notBefore = 0
    this.#grantNext(name)
    this.#forgetIdle(name)
    return true
  }

  /** Hosts in use, and those that complained. */
  states(): HostState[] {
    for (const name of [...this.#hosts.keys()]) this.#forgetIdle(name)
    return [...this.#hosts]
      .filter(([, host]) => host.count > 0 || host.waiters.length > 0 || host.complaints !== null)
      .map(([name, host]) => ({
        host: name,
        connections: host.count,
        waiting: host.waiters.length,
        allowed: this.#allowed(name, host),
        notBefore: this.#notBefore(host),
        complaints: host.complaints,
      }))
  }

  // ── within ──

  #host(name: string): Host {
    let host = this.#hosts.get(name)
    if (!host) {
      this.#sweep()
      host = {
        held: new Map(),
        count: 0,
        waiters: [],
        allowance: null,
        complaints: null,
        notBefore: 0,
        refusals: new HostRefusals(),
        lastRequestAt: Number.NEGATIVE_INFINITY,
        reading: 0,
      }
      this.#hosts.set(name, host)
    }
    this.#pardon(host)
    return host
  }

  /** A day without a complaint makes up for all before. */
  #pardon(host: Host): void {
    if (!host.complaints || this.#clock.now() - host.complaints.at < FORGET_MS) return
    host.allowance = null
    host.complaints = null
  }

  #allowed(name: string, host: Host): number {
    return Math.min(this.#limitsOf(name).connections, host.allowance ?? Number.POSITIVE_INFINITY)
  }

  /** between two requests */
  #gapMs(name: string): number {
    const { requestsPerSecond, spacingMs } = this.#limitsOf(name)
    return Math.max(requestsPerSecond === null ? 0 : 1000 / requestsPerSecond, spacingMs ?? 0)
  }

  #notBefore(host: Host): number | null {
    const leftMs = host.notBefore - this.#clock.monotonic()
    return leftMs > 0 ? Math.ceil(this.#clock.now() + leftMs) : null
  }

  #grant(name: string, host: Host, holder: SlotHolder): Slot {
    host.count++
    host.held.set(holder, (host.held.get(holder) ?? 0) + 1)
    let released = false
    return {
      release: () => {
        if (released) return
        released = true
        host.count--
        const left = (host.held.get(holder) ?? 1) - 1
        if (left > 0) host.held.set(holder, left)
        else host.held.delete(holder)
        this.#grantNext(name)
        this.#forgetIdle(name)
      },
    }
  }

  #grantNext(name: string): void {
    const host = this.#hosts.get(name)
    if (!host) return
    while (host.waiters.length > 0 && host.count < this.#allowed(name, host)) {
      const waiter = host.waiters.shift()!
      waiter.grant(this.#grant(name, host, waiter.holder))
    }
  }

  /** The holder with the most places gives one up, so that no task starves behind one large file. */
  #askToShed(name: string, host: Host): void {
    const richest = [...host.held].filter(([, count]) => count > 1).sort((a, b) => b[1] - a[1])
    for (const [holder] of richest) if (holder.shed(name)) return
  }

  /** Hosts that still had to be spaced when they were left are forgotten later, a few hundred at a time. */
  #sweep(): void {
    if (this.#hosts.size < this.#sweepAt) return
    for (const name of this.#hosts.keys()) this.#forgetIdle(name)
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#hosts.size)
  }

  /** Hosts come and go by the thousand overnight; only those with something to remember stay. */
  #forgetIdle(name: string): void {
    const host = this.#hosts.get(name)
    if (!host) return
    this.#pardon(host)
    if (host.count > 0 || host.reading > 0 || host.waiters.length > 0 || host.complaints !== null) return
    if (host.refusals.counts(this.#clock.monotonic())) return
    if (Math.max(host.notBefore, host.lastRequestAt + this.#gapMs(name)) > this.#clock.monotonic()) return
    this.#hosts.delete(name)
  }
}
