/**
 * What lines and hosts bring: what was measured in the last week, by hour of the day and by host, and what runs now.
 * Numbers are bytes per second of what a host or the line gave, not of what limits left.
 */
import type { RateBasis } from '../../shared/forecast.ts'
import type { Tally } from '../../shared/request-statistics.ts'
import type { EngineDeps } from './ports.ts'

export interface LineRates {
  /** of each hour of the day of this machine, 0 to 23 */
  byHour: readonly { bytesPerSecond: number; basis: RateBasis }[]
}

export interface HostRate {
  /** Infinity: as much as the line brings */
  bytesPerSecond: number
  /** from the request to the first byte */
  firstByteMs: number
}

/** What comes from a host now. */
export interface Flowing {
  host: string
  bytesPerSecond: number
  /** a limit of ours may be all that it shows */
  limited: boolean
}

/** Where nothing was ever measured. */
const ASSUMED = 1_000_000
const ASSUMED_FIRST_BYTE_MS = 200
/** Fewer minutes in which something came say nothing. */
const FEWEST_MINUTES = 3
/** Of the minutes of an hour: many are begun, ended or waited through, so that the better ones tell what is possible. */
const QUANTILE = 0.8
const LEAST_BYTES = 1_000_000
/** Before that, what runs is still growing. */
const SETTLED_MS = 10_000
/** What ran so long ago is no present any more. */
const STALE_MS = 600_000
/** The weight of a moment halves in about twenty seconds. */
const SMOOTH_MS = 30_000
/** A host whose downloads are so much slower than others' is slow itself; the others share the line. */
const SLOW = 0.5

const MINUTE_MS = 60_000
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS
const FRESH_MS = 600_000

/** What single minutes brought, as rates of hours. `hourOf`: of the day, 0 to 23. Pure. */
export function ratesByHour(
  minutes: readonly { at: number; bytes: number }[],
  hourOf: (at: number) => number,
): LineRates['byHour'] {
  const all = minutes.filter(({ bytes }) => bytes > 0)
  const rateOf = (some: typeof all) => {
    const sorted = some.map(({ bytes }) => bytes / 60).sort((a, b) => a - b)
    return sorted.length < FEWEST_MINUTES ? null : sorted[Math.floor((sorted.length - 1) * QUANTILE)]!
  }
  const hours = Map.groupBy(all, ({ at }) => hourOf(at))
  const lately = rateOf(all)
  return Array.from({ length: 24 }, (_, hour) => {
    const own = rateOf(hours.get(hour) ?? [])
    if (own !== null) return { bytesPerSecond: own, basis: 'hour' }
    return lately === null ? { bytesPerSecond: ASSUMED, basis: 'assumed' } : { bytesPerSecond: lately, basis: 'lately' }
  })
}

/** What one connection brings while bytes come, and how long it waits for the first; null: too little is known. Pure. */
export function connectionRate(tally: Tally | undefined): { bytesPerSecond: number; firstByteMs: number } | null {
  if (!tally || tally.bytes < LEAST_BYTES) return null
  const { duration, firstByte } = tally.timings
  const seconds = (duration.sumUs - firstByte.sumUs) / 1e6
  if (seconds <= 0 || tally.succeeded === 0) return null
  return { bytesPerSecond: tally.bytes / seconds, firstByteMs: firstByte.sumUs / 1000 / tally.requests }
}

interface Present {
  bytesPerSecond: number
  downloads: number
  limited: boolean
  /** how long it has been looked at, and when last (monotonic ms) */
  observedMs: number
  at: number
}

export class MeasuredRates {
  readonly #deps: Pick<EngineDeps, 'store' | 'clock'>
  readonly #present = new Map<string, Present>()
  #byHour: LineRates['byHour'] = []
  #readAt = Number.NEGATIVE_INFINITY
  readonly #stored = new Map<string, ReturnType<typeof connectionRate>>()
  #observedAt: number | null = null

  constructor(deps: Pick<EngineDeps, 'store' | 'clock'>) {
    this.#deps = deps
  }

  /** Looks at what runs, one entry a download; about once a second. */
  observe(flowing: readonly Flowing[]): void {
    const now = this.#deps.clock.monotonic()
    const passedMs = Math.min(now - (this.#observedAt ?? now), 10_000)
    this.#observedAt = now
    for (const [host, flows] of Map.groupBy(flowing, ({ host }) => host)) {
      const rate = flows.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0)
      const before = this.#present.get(host)
      const known = before && now - before.at < STALE_MS ? before : { bytesPerSecond: rate, observedMs: 0 }
      const observedMs = known.observedMs + passedMs
      // While it grows the latest counts, then the mean, and after a while what is recent.
      const settledMs = observedMs - SETTLED_MS
      const share = settledMs <= passedMs ? 1 : Math.max(passedMs / settledMs, 1 - Math.exp(-passedMs / SMOOTH_MS))
      this.#present.set(host, {
        bytesPerSecond: known.bytesPerSecond + (rate - known.bytesPerSecond) * share,
        downloads: flows.length,
        limited: flows.some(({ limited }) => limited),
        observedMs,
        at: now,
      })
    }
  }

  #settled(): Map<string, Present> {
    const now = this.#deps.clock.monotonic()
    for (const [host, { at }] of this.#present) if (now - at >= STALE_MS) this.#present.delete(host)
    return new Map([...this.#present].filter(([, { observedMs }]) => observedMs >= SETTLED_MS))
  }

  /** What runs at this moment, not minutes ago. */
  #running(): Map<string, Present> {
    return new Map([...this.#settled()].filter(([, { at }]) => at === this.#observedAt))
  }

  /** What the line brings at each hour of the day. */
  line(): LineRates['byHour'] {
    this.#read()
    const running = [...this.#running().values()]
    if (running.length === 0) return this.#byHour
    const now = running.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0)
    const limited = running.some((present) => present.limited)
    const shared = running.length - running.filter((present) => isSlow(present, running)).length > 1
    return this.#byHour.map((usual) => {
      // Several hosts that get the same are held back by the line alone: that is what it brings tonight.
      if (shared && !limited) return { bytesPerSecond: now, basis: 'now' }
      return usual.basis === 'assumed' || now > usual.bytesPerSecond ? { bytesPerSecond: now, basis: 'now' } : usual
    })
  }

  /** `connections`: that it may be asked over at once */
  host(name: string, connections: number): HostRate {
    this.#read()
    const stored = this.#connectionRate(name)
    const firstByteMs = stored?.firstByteMs ?? ASSUMED_FIRST_BYTE_MS
    const usual = stored === null ? Infinity : stored.bytesPerSecond * connections
    const settled = this.#settled()
    const present = settled.get(name)
    if (!present) return { bytesPerSecond: usual, firstByteMs }
    const beside = [...settled.values()].filter(({ at }) => at === present.at)
    const held = !present.limited && (beside.length === 1 || isSlow(present, beside))
    const bytesPerSecond = held ? present.bytesPerSecond : Math.max(usual, present.bytesPerSecond)
    return { bytesPerSecond, firstByteMs }
  }

  #connectionRate(host: string): ReturnType<typeof connectionRate> {
    const known = this.#stored.get(host)
    if (known !== undefined) return known
    const now = this.#deps.clock.now()
    const { hosts } = this.#deps.store.requestTallies({ from: now - WEEK_MS, to: now, host })
    const rate = connectionRate(hosts.get(host))
    this.#stored.set(host, rate)
    return rate
  }

  /** The store is asked now and then. */
  #read(): void {
    const { clock, store } = this.#deps
    if (clock.monotonic() - this.#readAt < FRESH_MS) return
    this.#readAt = clock.monotonic()
    this.#stored.clear()
    const now = Math.floor(clock.now() / MINUTE_MS) * MINUTE_MS
    const minutes = store.receivedBytes({ from: now - WEEK_MS, to: now, stepMs: MINUTE_MS })
    this.#byHour = ratesByHour(minutes, (at) => new Date(at).getHours())
  }
}

function isSlow({ bytesPerSecond, downloads }: Present, beside: readonly Present[]): boolean {
  const best = Math.max(...beside.map((other) => other.bytesPerSecond / other.downloads))
  return bytesPerSecond / downloads < best * SLOW
}
