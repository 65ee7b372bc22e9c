/**
 * Statistics of requests and throughput: collects what is measured, hands it to the store once a second, and answers
 * questions about it. Hours and their limits are the store's (store/statistics.ts), arithmetic is shared.
 */
import type { StatisticsBatch, TaskStore } from '../../shared/records.ts'
import {
  addSample,
  addTally,
  emptyTally,
  figuresOf,
  OTHER_HOSTS,
  type RequestSample,
  type Tally,
  totalsOf,
} from '../../shared/request-statistics.ts'
import type {
  HourFigures,
  StatsSummary,
  StatsSummaryInput,
  StatsThroughput,
  StatsThroughputInput,
  StatsTotals,
} from '../../shared/schemas.ts'
import type { Clock } from './ports.ts'

/** What was collected for longer came lately, as when the machine slept meanwhile. */
const COLLECTED_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Hosts collected between two batches; where the store takes none for long, later ones count together. */
const MAX_COLLECTED_HOSTS = 1_000
/** Hosts in one summary; the others count together. */
const MAX_SUMMARY_HOSTS = 1_000

type Store = Pick<
  TaskStore,
  'addStatistics' | 'clearStatistics' | 'requestTallies' | 'statisticsBegin' | 'requestTotals' | 'receivedBytes'
>

/** Notes when what is collected between two flushes came: a minute may have ended meanwhile, or the machine slept. */
export class CollectedSince {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  /** monotonic ms of the last flush */
  #flushedAt: number
  /** epoch ms at which the first was heard of */
  #heardAt: number | null = null

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock
    this.#flushedAt = clock.monotonic()
  }

  /** Something came. */
  heard(): void {
    this.#heardAt ??= this.#clock.now()
  }

  /** The time that all of it counts for, epoch ms: what is collected as a minute ends is of that minute. */
  flushed(): number {
    const [now, monotonicMs] = [this.#clock.now(), this.#clock.monotonic()]
    const middle = Math.floor(now - Math.min(monotonicMs - this.#flushedAt, COLLECTED_MS) / 2)
    const at = Math.min(this.#heardAt ?? now, middle)
    this.#flushedAt = monotonicMs
    this.#heardAt = null
    return at
  }
}

export class Statistics {
  readonly #store: Store
  readonly #clock: Clock
  #hosts = new Map<string, Tally>()
  #receivedBytes = 0
  readonly #since: CollectedSince
  #keepDays: number

  /** `keepDays`: how long they are kept; 0: not at all */
  constructor(store: Store, clock: Clock, keepDays: number) {
    this.#store = store
    this.#clock = clock
    this.#keepDays = keepDays
    this.#since = new CollectedSince(clock)
  }

  /** 0 also forgets at once what there is. */
  setKeepDays(days: number): void {
    if (days === 0 && this.#keepDays > 0) {
      this.#store.clearStatistics()
      this.#hosts = new Map()
      this.#receivedBytes = 0
    }
    this.#keepDays = days
  }

  /** One request ended. */
  readonly ended = (sample: RequestSample): void => {
    if (this.#keepDays === 0) return
    this.#since.heard()
    addSample(tallyOf(this.#hosts, sample.host, MAX_COLLECTED_HOSTS), sample)
  }

  received(bytes: number): void {
    if (this.#keepDays === 0) return
    this.#since.heard()
    this.#receivedBytes += bytes
  }

  /** Stores what came since the last call, if anything. Throws what the store throws, and keeps everything then. */
  flush(): void {
    const at = this.#since.flushed()
    if (this.#hosts.size === 0 && this.#receivedBytes === 0) return
    const batch: StatisticsBatch = {
      at,
      receivedBytes: this.#receivedBytes,
      hosts: this.#hosts,
      keepDays: this.#keepDays,
    }
    this.#store.addStatistics(batch)
    this.#hosts = new Map()
    this.#receivedBytes = 0
  }

  /** Whole hours. Gives way to other work after each day, since a quarter of a year may hold very many rows. */
  async summary({ from, to, host }: StatsSummaryInput): Promise<StatsSummary> {
    this.flush()
    const now = this.#clock.now()
    const begin = this.#store.statisticsBegin() ?? now
    const first = Math.floor(Math.max(from ?? begin, Math.min(begin, now)) / HOUR_MS) * HOUR_MS
    const end = Math.ceil(Math.min(to ?? Number.POSITIVE_INFINITY, now + 1) / HOUR_MS) * HOUR_MS
    const hosts = new Map<string, Tally>()
    const hours: HourFigures[] = []
    for (let at = first; at < end; at += DAY_MS) {
      const day = this.#store.requestTallies({ from: at, to: Math.min(at + DAY_MS, end), host })
      for (const [name, tally] of day.hosts) addTally(tallyOf(hosts, name, Number.POSITIVE_INFINITY), tally)
      hours.push(...day.hours)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const all = emptyTally()
    for (const tally of hosts.values()) addTally(all, tally)
    const until = Math.min(to ?? now, now)
    const seconds = Math.max(1, (until - first) / 1000)
    return {
      from: first,
      to: end,
      requestsPerSecond: all.requests / seconds,
      overall: figuresOf(all),
      hosts: busiest(hosts).map(([name, tally]) => ({ host: name, ...figuresOf(tally) })),
      hours,
    }
  }

  throughput({ from, to, stepMs }: StatsThroughputInput): StatsThroughput {
    this.flush()
    const first = Math.floor(from / stepMs) * stepMs
    return { from: first, stepMs, steps: this.#store.receivedBytes({ from: first, to, stepMs }) }
  }

  /** Everything since statistics are kept. */
  totals(): StatsTotals {
    this.flush()
    const { all, hosts } = this.#store.requestTotals()
    return { all: totalsOf(all), hosts: hosts.map(({ host, tally }) => ({ host, ...totalsOf(tally) })) }
  }
}

function tallyOf(hosts: Map<string, Tally>, host: string, most: number): Tally {
  const name = hosts.has(host) || hosts.size < most ? host : OTHER_HOSTS
  let tally = hosts.get(name)
  if (!tally) {
    tally = emptyTally()
    hosts.set(name, tally)
  }
  return tally
}

/** The hosts with the most requests; the others, and those the store did not keep apart, come last as one. */
function busiest(hosts: Map<string, Tally>): [string, Tally][] {
  const named = [...hosts].filter(([host]) => host !== OTHER_HOSTS).sort(([, a], [, b]) => b.requests - a.requests)
  const others = hosts.get(OTHER_HOSTS) ?? emptyTally()
  for (const [, tally] of named.slice(MAX_SUMMARY_HOSTS)) addTally(others, tally)
  const kept = named.slice(0, MAX_SUMMARY_HOSTS)
  return others.requests > 0 ? [...kept, [OTHER_HOSTS, others]] : kept
}
