/**
 * What a running download remembers of its connections to plan with: what came when, how long answers take, how many
 * connections pay. It measures and asks the pure parts (ramp.ts, assignment.ts); nothing here acts.
 */
import type { StrategyReason } from '../../shared/strategy.ts'
import * as assignment from './assignment.ts'
import { ByteHistory } from './byte-history.ts'
import { answerMs, type Connection, lookMs, workersOf } from './connection.ts'
import { lookAgainMs, type RampState, ramp, startRamp, windowMs, withoutWork } from './ramp.ts'
import type { Segment } from './segment-plan.ts'

/** How things stand at one look. */
export interface Situation {
  nowMs: number
  /** all that are open */
  connections: readonly Connection[]
  segments: readonly Segment[]
  remainingBytes: number | null
  rangesProven: boolean
  cap: number
  /** the host had no place at the last try */
  refused: boolean
  /** a speed limit is reached: more is asked for than it allows */
  limited: boolean
}

/** Taken for the time to an answer until one has come. */
const UNKNOWN_LATENCY_MS = 250
/** So many latencies are kept; their middle counts. */
const LATENCIES = 5
/** One connection alone cannot be compared with others: it gets more time before it is called slow. */
const ALONE = 3
/** A thread that waits for bytes less than in a tenth of its time would not read more of them over more connections. */
const BUSY = 0.9
/** After so many doublings the wait between two replacements grows no more. */
const MOST_DOUBLINGS = 6

export class ConnectionPlanner {
  readonly #history: ByteHistory
  #ramp: RampState
  #latencies: number[] = []
  /** what a connection usually brings here; null: not known yet */
  #usual: number | null = null
  /** start of a segment -> how often a connection on it was raced or replaced */
  readonly #replacements = new Map<number, number>()
  /** when a speed limit was seen to hold last: between two turns it does not show */
  #limitedAtMs = Number.NEGATIVE_INFINITY
  #hedges = 0
  #restarts = 0
  #lastRestartAtMs = Number.NEGATIVE_INFINITY

  constructor(nowMs: number) {
    this.#history = new ByteHistory(nowMs)
    this.#ramp = startRamp(nowMs)
  }

  /** Bytes came on any connection. */
  received(bytes: number, nowMs: number): void {
    this.#history.add(bytes, nowMs)
  }

  /** An answer came, so long after it was asked for. */
  answered(afterMs: number): void {
    this.#latencies = [...this.#latencies, afterMs].slice(-LATENCIES)
  }

  /** ms until the next look, if nothing happens before */
  get lookAgainMs(): number {
    return lookAgainMs(this.#ramp, this.#latencyMs)
  }

  /** how many connections there should be */
  get target(): number {
    return this.#ramp.target
  }

  /** Why there are as many connections as there are. */
  get reason(): StrategyReason {
    return this.#ramp.reason
  }

  /** What was done about slow connections. */
  reliefs(connections: readonly Connection[]): StrategyReason[] {
    const races = connections.flatMap(({ racesFor }): StrategyReason[] =>
      racesFor === null ? [] : [{ code: 'hedging', params: { segmentStart: racesFor, hedges: this.#hedges } }],
    )
    if (this.#restarts > 0) races.push({ code: 'restarted', params: { restarts: this.#restarts } })
    return races
  }

  /** The next piece of work for a free connection; looks at how many there should be. */
  look(situation: Situation): assignment.Assignment | null {
    if (situation.limited) this.#limitedAtMs = situation.nowMs
    const work = this.nextAssignment(situation)
    if (work === null) this.#ramp = withoutWork(this.#ramp, situation.remainingBytes ?? 0)
    // Where only races are left the download ends: the total falls, whatever the line.
    else if (work.kind !== 'hedge') this.#ramp = ramp(this.#ramp, this.#rampFacts(situation))
    return work
  }

  /** The next piece of work for a free connection; null: there is none. */
  nextAssignment(situation: Situation): assignment.Assignment | null {
    const alone = situation.connections.filter(({ segment }) => segment !== null).length === 1
    const spanMs = lookMs(this.#latencyMs) * (alone ? ALONE : 1)
    const workers = this.#workers(situation, spanMs, windowMs(this.#latencyMs))
    this.#usual = assignment.usualSpeed(
      this.#usual,
      workers.flatMap(({ bytesPerSecond }) => bytesPerSecond ?? []),
    )
    return assignment.nextAssignment(situation.segments, workers, this.#options(situation))
  }

  /** The connection that is to be replaced now; null: none. */
  laggard(situation: Situation): Connection | null {
    const watchMs = 2 * lookMs(this.#latencyMs)
    // Where new connections are no faster, they are tried ever more rarely.
    const pauseMs = watchMs * 2 ** Math.min(this.#restarts, MOST_DOUBLINGS)
    if (situation.nowMs < this.#lastRestartAtMs + pauseMs) return null
    const workers = this.#workers(situation, watchMs, watchMs)
    const found = assignment.findLaggard(situation.segments, workers, this.#options(situation))
    if (!found) return null
    return (
      situation.connections.find(({ segment, abort }) => segment === found.segment && !abort.signal.aborted) ?? null
    )
  }

  /** A laggard on this segment is replaced. */
  replaced(segment: number, nowMs: number): void {
    this.#countReplacement(segment)
    this.#restarts++
    this.#lastRestartAtMs = nowMs
  }

  /** A connection begins to race for this segment. */
  raced(segment: number): void {
    this.#countReplacement(segment)
    this.#hedges++
  }

  /** A race whose request is not answered in time ties up its segment for nothing. */
  isHopeless({ racesFor, answeredAtMs, askedAtMs }: Connection, nowMs: number): boolean {
    if (racesFor === null || answeredAtMs !== null) return false
    return nowMs - askedAtMs > answerMs(this.#latencyMs) * 2 ** this.#replacementsOf(racesFor)
  }

  get #latencyMs(): number {
    return this.#latencies.length === 0 ? UNKNOWN_LATENCY_MS : assignment.median(this.#latencies)
  }

  #isLimited(nowMs: number): boolean {
    return nowMs - this.#limitedAtMs < windowMs(this.#latencyMs)
  }

  #countReplacement(segment: number): void {
    this.#replacements.set(segment, this.#replacementsOf(segment) + 1)
  }

  #replacementsOf(segment: number): number {
    return this.#replacements.get(segment) ?? 0
  }

  #rampFacts(situation: Situation): Parameters<typeof ramp>[1] {
    const owners = situation.connections.filter(({ racesFor, abort }) => racesFor === null && !abort.signal.aborted)
    let allDeliverSinceMs: number | null = Number.NEGATIVE_INFINITY
    for (const { deliversSinceMs } of owners) {
      if (deliversSinceMs === null || allDeliverSinceMs === null) allDeliverSinceMs = null
      else allDeliverSinceMs = Math.max(allDeliverSinceMs, deliversSinceMs)
    }
    return {
      ...situation,
      limited: this.#isLimited(situation.nowMs),
      busy: owners.some(({ transfer }) => transfer !== null && transfer.threadBusy > BUSY),
      open: owners.length,
      allDeliverSinceMs: owners.length === 0 ? null : allDeliverSinceMs,
      latencyMs: this.#latencyMs,
      remainingBytes: situation.remainingBytes ?? Number.POSITIVE_INFINITY,
      lastByteAtMs: this.#history.lastAtMs,
      rate: (fromMs, toMs) => this.#history.rate(fromMs, toMs),
    }
  }

  #options({ rangesProven, connections, nowMs }: Situation): assignment.AssignmentOptions {
    return {
      canSplit: rangesProven,
      raced: new Set(connections.flatMap(({ racesFor }) => racesFor ?? [])),
      mayReplace: !this.#isLimited(nowMs),
      latencyMs: this.#latencyMs,
      bytesPerSecond: this.#usual,
    }
  }

  #workers({ connections, segments, nowMs }: Situation, spanMs: number, leastMs: number): assignment.Worker[] {
    const speed = { spanMs, leastMs, latencyMs: this.#latencyMs }
    return workersOf(connections, segments, nowMs, speed, (segment) => this.#replacementsOf(segment))
  }
}
