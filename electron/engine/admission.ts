/**
 * Which tasks get the free places: asks the queues (what may work now, and how much of it), the hosts (who has room),
 * and scheduler.ts (whose turn it is). A task whose host has no room is passed over, so that no slow host holds up the
 * others. Where a link leads is seen when it is asked: a download that was led to a host without room goes back, and is
 * passed over until there is some. What runs in a queue that may not work any more goes back to its place in it, with
 * everything it has.
 */
import type { TaskRecord } from '../../shared/records.ts'
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import type { Deadlines } from './deadlines.ts'
import type { HostController } from './host-controller.ts'
import type { NetworkPresence } from './network-presence.ts'
import type { EngineDeps } from './ports.ts'
import type { Queues } from './queues.ts'
import type { Runner } from './runner.ts'
import { type Contender, holdingPlaces, nextQueue } from './scheduler.ts'

/** Links of so many hosts are remembered to lead to others, and of each so many of those: the latest. */
const MOST_REDIRECTS = 1_000
const MOST_TARGETS = 16
/**
 * So many links of a host are found out to lead where there is no room, before the rest of them wait as well: few where
 * all led to the same host so far.
 */
const MOST_LED = 32
const MOST_LED_TO_ONE = 8
/** Whoever was led to a host without room is not led there again at once. */
const LED_MS = 1_000

export interface AdmissionDeps extends Pick<EngineDeps, 'store' | 'clock'> {
  queues: Queues
  hosts: Pick<HostController, 'places' | 'states'>
  runner: Pick<Runner, 'runs' | 'applyTo'>
  network: NetworkPresence
  /** the most downloads at once, of all queues */
  places: () => number
  deadlines: Pick<Deadlines, 'orderOf' | 'takeDisplaced'>
  /** it runs, or must not run now */
  isTaken: (id: TaskId) => boolean
}

export class Admission {
  readonly #deps: AdmissionDeps
  /** the hosts that links of a host were seen to lead to (also itself), the latest last */
  readonly #redirects = new Map<string, Set<string>>()
  /** where links of single downloads led that found no room there, and when (monotonic ms) */
  readonly #led = new Map<TaskId, { host: string; at: number }>()

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /** A link led to a host: whoever comes from the same host may want places there. */
  redirected(from: string, to: string): void {
    const targets = this.#redirects.get(from) ?? new Set()
    if (targets.size === 0 && from === to) return
    this.#redirects.delete(from)
    targets.delete(to)
    targets.add(to)
    if (targets.size > MOST_TARGETS) targets.delete(targets.values().next().value!)
    if (targets.size === 1 && from === to) return
    if (this.#redirects.size >= MOST_REDIRECTS) this.#redirects.delete(this.#redirects.keys().next().value!)
    this.#redirects.set(from, targets)
  }

  /** Where its link led that there was no room for it; undefined: it found room, or was not asked yet. */
  ledTo(id: TaskId): string | undefined {
    return this.#led.get(id)?.host
  }

  /** A download was led to a host that has no room for another one: it leaves its place to others, unless it would lose something. */
  noRoom(id: TaskId, host: string): void {
    const { runner, store, clock } = this.#deps
    const run = runner.runs.find((known) => known.id === id)
    const task = store.getTask(id)
    if (!run || run.forced || task?.state !== 'active') return
    if (run.download.writtenBytes > 0 && task.acceptsRanges !== true) return
    this.#led.set(id, { host, at: clock.monotonic() })
    runner.applyTo(task, { kind: 'drained' })
  }

  /** Fills the free places; answers when to look again at the latest (epoch ms), null: when something happens. */
  fill(): number | null {
    const { runner, store, places, isTaken } = this.#deps
    this.#leaveClosedQueues()
    if (this.#deps.network.away) return this.#probe()
    this.#makeRoom()
    for (const task of store.forcedReady()) if (!isTaken(task.id)) this.#admit(task)
    let free = places() - holdingPlaces(runner.runs).filter(({ forced }) => !forced).length
    if (free <= 0) return this.#nextLook()
    const contenders = this.#contenders()
    const usage = this.#usage()
    const busy = this.#busyHosts(usage)
    while (free > 0) {
      const queue = nextQueue([...contenders.values()])
      if (!queue) break
      const isLast = free === 1 || (queue.running > 0 && queue.running + 1 === queue.downloadsAtOnce)
      const task = this.#next(queue.id, busy, isLast ? usage : null)
      if (!task) {
        contenders.delete(queue.id)
        continue
      }
      this.#admit(task)
      const host = this.#led.get(task.id)?.host ?? this.targetOf(hostOf(task))
      usage.set(host, (usage.get(host) ?? 0) + 1)
      if (this.#isBusy(host, usage)) busy.add(host)
      queue.running++
      free--
    }
    return this.#nextLook()
  }

  /**
   * `usage`, for the last place: that is for a host of which nothing runs, if one has something to do. So those that are
   * slow never have all places between them while others would be quick. A plan for a deadline knows of hosts by itself.
   */
  #next(id: QueueId, busy: ReadonlySet<string>, usage: ReadonlyMap<string, number> | null): TaskRecord | undefined {
    const spreads = usage !== null && usage.size > 0 && this.#deps.deadlines.orderOf(id) === null
    const elsewhere = spreads ? this.#nextOf(id, new Set([...busy, ...usage.keys()])) : undefined
    return elsewhere ?? this.#nextOf(id, busy)
  }

  /** While the network is away, one download now and then finds out whether it is back; each time of another host. */
  #probe(): number | null {
    const { network, runner, store, queues, isTaken } = this.#deps
    if (runner.runs.some(({ closing }) => !closing)) return this.#nextLook()
    if (!network.mayProbe) return network.away!.probeAt
    const ready = queues.records.filter(({ id }) => queues.holdOf(id) === null)
    const busy = this.#busyHosts(this.#usage())
    const next = () =>
      store.forcedReady().find((task) => !isTaken(task.id) && !network.probed.has(hostOf(task))) ??
      ready.flatMap(({ id }) => store.nextReady(id, 1, [...busy, ...network.probed], isTaken))[0]
    let task = next()
    if (!task) {
      network.probedAll()
      task = next()
    }
    if (!task) return this.#nextLook()
    network.probing(hostOf(task))
    this.#admit(task)
    return network.away!.probeAt
  }

  #admit(task: TaskRecord): void {
    const { runner, clock } = this.#deps
    runner.applyTo(task, { kind: 'admitted' }, task.startedAt === null ? { startedAt: clock.now() } : {})
  }

  #leaveClosedQueues(): void {
    const { queues, runner, store } = this.#deps
    for (const { id, queueId, forced } of runner.runs) {
      if (forced || queues.holdOf(queueId) === null) continue
      const task = store.getTask(id)
      // What is finishing has all its bytes: it ends in a moment.
      if (task?.state === 'active') runner.applyTo(task, { kind: 'drained' })
    }
  }

  /** What would keep something from its deadline goes back to its place. */
  #makeRoom(): void {
    const { deadlines, runner, store } = this.#deps
    const displaced = deadlines.takeDisplaced()
    for (const { id, forced } of runner.runs) {
      if (forced || !displaced.has(id)) continue
      const task = store.getTask(id)
      if (task?.state === 'active' && task.acceptsRanges === true) runner.applyTo(task, { kind: 'drained' })
    }
  }

  /** The next of a queue whose host has room: in the order in which most is there in time, where there is such a one. */
  #nextOf(id: QueueId, busy: ReadonlySet<string>): TaskRecord | undefined {
    const { deadlines, store, isTaken } = this.#deps
    const full = this.#closedHosts(busy)
    for (const planned of deadlines.orderOf(id) ?? []) {
      if (isTaken(planned)) continue
      const task = store.getTask(planned)
      const isReady = task?.state === 'queued' && task.leaseOwner === null && task.queueId === id
      if (isReady && (this.#led.has(planned) ? this.#findsRoom(planned, busy) : !full.includes(hostOf(task))))
        return task
    }
    const led = this.#nextLed(id, busy)
    const next = store.nextReady(id, 1, full, (task) => isTaken(task) || this.#led.has(task))[0]
    return led && (!next || led.position < next.position) ? led : next
  }

  /** The first that was led to a host without room, and would find some now. */
  #nextLed(id: QueueId, busy: ReadonlySet<string>): TaskRecord | undefined {
    const { store, queues, isTaken } = this.#deps
    const ready: TaskRecord[] = []
    for (const taskId of this.#led.keys()) {
      if (isTaken(taskId)) continue
      const task = store.getTask(taskId)
      if (task?.state !== 'queued' || task.leaseOwner !== null) this.#led.delete(taskId)
      else if (queues.resolve(task.queueId) === id && this.#findsRoom(taskId, busy)) ready.push(task)
    }
    return ready.sort((a, b) => a.position - b.position)[0]
  }

  #findsRoom(id: TaskId, busy: ReadonlySet<string>): boolean {
    const { host, at } = this.#led.get(id)!
    return !busy.has(host) && this.#deps.clock.monotonic() - at >= LED_MS
  }

  #contenders(): Map<number, Contender> {
    const { queues, runner } = this.#deps
    const running = Map.groupBy(holdingPlaces(runner.runs), ({ queueId }) => queues.resolve(queueId))
    return new Map(
      queues.records
        .filter(({ id }) => queues.holdOf(id) === null)
        .map(({ id, priority, weight, downloadsAtOnce: own }) => {
          const downloadsAtOnce = queues.loanOf(id)?.downloadsAtOnce ?? own
          return [id, { id, priority, weight, downloadsAtOnce, running: running.get(id)?.length ?? 0 }]
        }),
    )
  }

  /** downloads that run, by the host whose places they need */
  #usage(): Map<string, number> {
    const usage = new Map<string, number>()
    for (const run of this.#deps.runner.runs) {
      // All its bytes are here: it needs the disk, not its host.
      if (run.closing) continue
      const target = this.hostOfRun(run)
      usage.set(target, (usage.get(target) ?? 0) + 1)
    }
    return usage
  }

  /** The host that a run is at; as long as it asks where its link leads, the one where that is likely to be. */
  hostOfRun({ id, host, download }: Runner['runs'][number]): string {
    return download.host === host ? (this.#led.get(id)?.host ?? this.targetOf(host)) : download.host
  }

  /** The host that links of this one were last seen to lead to, or itself. */
  targetOf(host: string): string {
    return [...(this.#redirects.get(host) ?? [])].at(-1) ?? host
  }

  /** Hosts that have no room for another download. */
  #busyHosts(usage: ReadonlyMap<string, number>): Set<string> {
    const known = new Set([...usage.keys(), ...this.#deps.hosts.states().map(({ host }) => host)])
    return new Set([...known].filter((host) => this.#isBusy(host, usage)))
  }

  #isBusy(host: string, usage: ReadonlyMap<string, number>): boolean {
    const { allowed, quietMs } = this.#deps.hosts.places(host)
    return quietMs > 0 || (usage.get(host) ?? 0) >= allowed
  }

  /** Hosts without room, and those of links, too many of which were led to such a host. */
  #closedHosts(busy: ReadonlySet<string>): string[] {
    const { store, isTaken } = this.#deps
    const led = new Map<string, number>()
    for (const [id, { host }] of this.#led) {
      const task = busy.has(host) && !isTaken(id) ? store.getTask(id) : undefined
      if (task) led.set(hostOf(task), (led.get(hostOf(task)) ?? 0) + 1)
    }
    const most = (from: string) => ((this.#redirects.get(from)?.size ?? 0) > 1 ? MOST_LED : MOST_LED_TO_ONE)
    return [
      ...[...busy].filter((host) => !this.#redirects.has(host)),
      ...[...led].flatMap(([from, count]) => (count >= most(from) ? [from] : [])),
    ]
  }

  /** The next opening or closing of a queue, or the end of a host's quiet, whichever comes first. */
  #nextLook(): number | null {
    const { queues, hosts, clock } = this.#deps
    const led = [...this.#led.values()].map(({ at }) => at + LED_MS - clock.monotonic()).filter((ms) => ms > 0)
    const times = [
      ...led.map((ms) => Math.ceil(clock.now() + ms)),
      ...queues.records.map(({ id }) => queues.changesAt(id)),
      ...hosts.states().map(({ notBefore }) => notBefore),
    ]
    return times.reduce<number | null>((first, at) => (at === null ? first : Math.min(first ?? at, at)), null)
  }
}

/** The host that a task's next request goes to. */
export function hostOf({ url, sourceUrl }: Pick<TaskRecord, 'url' | 'sourceUrl'>): string {
  return URL.parse(sourceUrl ?? url)?.host ?? ''
}
