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
  /** Infinity: as much as the line brings; 0: it does not answer */
  bytesPerSecond: number
  /** from the request to the first byte */
  firstByteMs: number
}

/** What a download does: waits for a place or its turn, has asked, or reads what comes. */
export type Phase = 'waits' | 'asks' | 'reads'

/** A download that runs now. */
export interface Flowing {
  host: string
  phase: Phase
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
/** A look after a longer time weighs no more. */
const MOST_AT_ONCE_MS = 10_000
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

/** What came between two looks. */
interface Moment {
  bytesPerSecond: number
  downloads: number
  passedMs: number
  /** monotonic ms */
  at: number
}

interface Average {
  bytesPerSecond: number
  downloads: number
  /** how long it has been looked at, and when last (monotonic ms) */
  observedMs: number
  at: number
}

interface Present {
  all: Average
  /** over times in which nothing else ran: then the line was its own */
  alone: Average | null
  limited: boolean
  /** clearly slower than those that ran beside it */
  slow: boolean
  /** nothing of it answers, for long enough to say so */
  mute: boolean
}

export class MeasuredRates {
  readonly #deps: Pick<EngineDeps, 'store' | 'clock'>
  readonly #present = new Map<string, Present>()
  /** bytes by host since the latest look */
  #came = new Map<string, number>()
  /** hosts of which nothing answers, and since when (monotonic ms) */
  #mute = new Map<string, number>()
  /** what all bring together, and what they do while several are held back by the line alone */
  #together: Average | null = null
  #shared: Average | null = null
  #byHour: LineRates['byHour'] = []
  #readAt = Number.NEGATIVE_INFINITY
  readonly #stored = new Map<string, ReturnType<typeof connectionRate>>()
  #observedAt: number | null = null
  /** the latest look that told something of what runs, or at which nothing ran */
  #toldAt: number | null = null

  constructor(deps: Pick<EngineDeps, 'store' | 'clock'>) {
    this.#deps = deps
  }

  /** Bytes came from a host. */
  received(host: string, bytes: number): void {
    this.#came.set(host, (this.#came.get(host) ?? 0) + bytes)
  }

  /** Looks at what runs, one entry a download; about once a second. */
  observe(flowing: readonly Flowing[]): void {
    const now = this.#deps.clock.monotonic()
    const passedMs = now - (this.#observedAt ?? now)
    const came = this.#came
    this.#came = new Map()
    this.#observedAt = now
    const heard = this.#heard(flowing, now)
    // Between two files nothing is told, and what was known holds.
    if (flowing.length === 0 || heard.length > 0 || came.size > 0) this.#toldAt = now
    if (passedMs === 0) return
    const hosts = Map.groupBy(heard, ({ host }) => host)
    // What came and went between two looks counts by its bytes.
    for (const host of came.keys()) if (!hosts.has(host)) hosts.set(host, [])
    if (hosts.size === 0) return
    const momentOf = (bytes: number, downloads: number): Moment => ({
      ...{ bytesPerSecond: (bytes * 1000) / passedMs, downloads, passedMs, at: now },
    })
    const isMute = (host: string) => !came.has(host) && hosts.get(host)!.every(({ phase }) => phase === 'asks')
    const isAlone = [...hosts.keys()].filter((host) => !isMute(host)).length === 1
    for (const [host, flows] of hosts) {
      const mute = isMute(host)
      const known = this.#present.get(host)
      // Whether it answers is another state, and no rate.
      const before = known?.mute === mute ? known : undefined
      const moment = momentOf(came.get(host) ?? 0, flows.length)
      this.#present.set(host, {
        all: averaged(before?.all, moment),
        alone: isAlone && !mute ? averaged(before?.alone, moment) : (before?.alone ?? null),
        limited: flows.length > 0 ? flows.some(({ limited }) => limited) : (before?.limited ?? false),
        slow: before?.slow ?? false,
        mute,
      })
    }
    // Who ran beside a host is known now, and not any more when it has long been idle.
    const beside = [...hosts.keys()]
      .map((host) => this.#present.get(host)!)
      .filter(({ all, mute }) => isSettled(all, now) && !mute)
    for (const present of beside) present.slow = isSlow(present, beside)
    const all = momentOf(
      [...came.values()].reduce((sum, bytes) => sum + bytes, 0),
      heard.length,
    )
    this.#together = averaged(this.#together, all)
    if (beside.filter(({ slow }) => !slow).length > 1) this.#shared = averaged(this.#shared, all)
  }

  /** What tells how fast hosts are. What only asked so far does not, unless nothing of its host answers for long. */
  #heard(flowing: readonly Flowing[], now: number): Flowing[] {
    const hostsIn = (wanted: Phase) => flowing.filter(({ phase }) => phase === wanted).map(({ host }) => host)
    const reading = new Set(hostsIn('reads'))
    const mute = hostsIn('asks').filter((host) => !reading.has(host))
    this.#mute = new Map(mute.map((host) => [host, this.#mute.get(host) ?? now]))
    const isMute = (host: string) => now - (this.#mute.get(host) ?? now) >= SETTLED_MS
    return flowing.filter(({ host, phase }) => phase === 'reads' || (phase === 'asks' && isMute(host)))
  }

  /** What the line brings at each hour of the day. */
  line(): LineRates['byHour'] {
    this.#read()
    const together = this.#atPresent(this.#together)
    if (together === null) return this.#byHour
    const shared = this.#atPresent(this.#shared)
    const limited = [...this.#present.values()].some((one) => one.limited && one.all.at === this.#toldAt)
    return this.#byHour.map((usual) => {
      // Several hosts that get the same are held back by the line alone: that is what it brings tonight.
      if (shared !== null && !limited) return { bytesPerSecond: shared, basis: 'now' }
      return usual.basis === 'assumed' || together > usual.bytesPerSecond
        ? { bytesPerSecond: together, basis: 'now' }
        : usual
    })
  }

  /** Of what runs at this moment, not minutes ago; null: it does not, or for too short a time. */
  #atPresent(average: Average | null): number | null {
    if (average === null || average.at !== this.#toldAt || average.observedMs < SETTLED_MS) return null
    return average.bytesPerSecond
  }

  /** `connections`: that it may be asked over at once */
  host(name: string, connections: number): HostRate {
    this.#read()
    const stored = this.#connectionRate(name)
    const firstByteMs = stored?.firstByteMs ?? ASSUMED_FIRST_BYTE_MS
    const usual = stored === null ? Infinity : stored.bytesPerSecond * connections
    const present = this.#present.get(name)
    const now = this.#deps.clock.monotonic()
    if (present?.mute && now - present.all.at < STALE_MS) return { bytesPerSecond: 0, firstByteMs }
    if (!present || !isSettled(present.all, now)) return { bytesPerSecond: usual, firstByteMs }
    const { all, alone, limited, slow } = present
    if (!limited && slow) return { bytesPerSecond: all.bytesPerSecond, firstByteMs }
    const most = !limited && alone !== null && isSettled(alone, now) ? alone.bytesPerSecond : usual
    return { bytesPerSecond: Math.max(most, all.bytesPerSecond), firstByteMs }
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
    for (const [host, { all }] of this.#present) if (this.#readAt - all.at >= STALE_MS) this.#present.delete(host)
    this.#stored.clear()
    const now = Math.floor(clock.now() / MINUTE_MS) * MINUTE_MS
    const minutes = store.receivedBytes({ from: now - WEEK_MS, to: now, stepMs: MINUTE_MS })
    this.#byHour = ratesByHour(minutes, (at) => new Date(at).getHours())
  }
}

function averaged(before: Average | null | undefined, moment: Moment): Average {
  const { at } = moment
  const passedMs = Math.min(moment.passedMs, MOST_AT_ONCE_MS)
  const known = before && at - before.at < STALE_MS ? before : { ...moment, observedMs: 0 }
  const observedMs = known.observedMs + passedMs
  // While it grows the latest counts, then the mean, and after a while what is recent.
  const settledMs = observedMs - SETTLED_MS
  const share = settledMs <= passedMs ? 1 : Math.max(passedMs / settledMs, 1 - Math.exp(-passedMs / SMOOTH_MS))
  const towards = (from: number, to: number) => from + (to - from) * share
  return {
    bytesPerSecond: towards(known.bytesPerSecond, moment.bytesPerSecond),
    downloads: towards(known.downloads, moment.downloads),
    ...{ observedMs, at },
  }
}

function isSettled({ observedMs, at }: Average, now: number): boolean {
  return observedMs >= SETTLED_MS && now - at < STALE_MS
}

/** Compared with all that ran beside it, together: the best of several is often so by chance. */
function isSlow(present: Present, beside: readonly Present[]): boolean {
  const others = beside.filter((other) => other !== present)
  const sum = (key: 'bytesPerSecond' | 'downloads') => others.reduce((total, { all }) => total + all[key], 0)
  const { bytesPerSecond, downloads } = present.all
  return bytesPerSecond * sum('downloads') < sum('bytesPerSecond') * downloads * SLOW
}
