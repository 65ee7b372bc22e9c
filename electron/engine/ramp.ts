/**
 * How many connections a download should have. Pure: a state and what was measured go in, the next state comes out.
 *
 * One connection first. Once its rate is steady the number is doubled, and doubled again as long as the total grows:
 * early where it clearly does, at the end of the trial otherwise. Connections that brought too little are given back.
 * Settled, it looks again when the total has fallen, and now and then by one connection more. Windows follow the
 * latency of the server, so that a short round trip is decided upon in tenths of a second.
 */
import type { StrategyReason } from '../../shared/strategy.ts'

/** What was measured of a download, at one time. Times are ms of a monotonic clock. */
export interface RampFacts {
  nowMs: number
  /** connections that are open or being opened */
  open: number
  /** the most that are wanted or tolerated */
  cap: number
  /** since when every open connection brings bytes; null: one of them has brought none yet */
  allDeliverSinceMs: number | null
  /** from a request to its first byte */
  latencyMs: number
  /** the host had no place for one more */
  refused: boolean
  /** a speed limit is reached */
  limited: boolean
  /** the thread that reads has no time left for more */
  busy: boolean
  remainingBytes: number
  /** when a byte came last; the start where none did */
  lastByteAtMs: number
  /** bytes per second of all connections between two times */
  rate: (fromMs: number, toMs: number) => number
}

type Phase =
  /** waits until the rate of what is open is steady */
  | { kind: 'measuring'; sinceMs: number }
  /** further connections were opened onto `from`, which brought `baseline` bytes per second */
  | { kind: 'judging'; sinceMs: number; from: number; baseline: number }
  /** nothing to do for now; `rate`: the best seen since */
  | { kind: 'settled'; sinceMs: number; rate: number }

export interface RampState {
  /** how many connections there should be */
  target: number
  phase: Phase
  /** how long to leave it alone once it is settled; grows with each try that brings nothing */
  patienceMs: number
  /** when another connection was tried last because nothing came, and how often in a row */
  stalls: { atMs: number; count: number }
  reason: StrategyReason
}

/** A total that differs by so much between two halves of a window has not settled yet... */
const UNEVEN = 1.25
/** ...and is watched for so long at least. */
const UNEVEN_MS = 2_000
/** A new connection must add this share of the total... */
const WORTH = 0.1
/** ...but of all that are tried at once no more than this is asked... */
const WORTH_OF_ALL = 0.25
/** ...and, where many are open, this share of what one of them brings. */
const WORTH_OF_MEAN = 0.5
/** A total below this share of the settled one is looked into. */
const FALLEN = 0.6
const FIRST_PATIENCE_MS = 2_500
const LONGEST_PATIENCE_MS = 300_000
/** Nobody gains by going back from two to one, and two can help each other out. */
const FEWEST_KEPT = 2

export function startRamp(nowMs: number): RampState {
  return {
    target: 1,
    phase: { kind: 'measuring', sinceMs: nowMs },
    patienceMs: FIRST_PATIENCE_MS,
    stalls: { atMs: nowMs, count: 0 },
    reason: { code: 'measuring', params: {} },
  }
}

/** How long a rate must be watched before it says something. */
export function windowMs(latencyMs: number): number {
  return Math.min(1_500, Math.max(200, 2 * latencyMs))
}

/** After so long without a byte a connection is not merely slow. */
export function silenceMs(latencyMs: number): number {
  return Math.min(3_000, Math.max(1_000, 4 * latencyMs))
}

/** When to look again if nothing happens before. */
export function lookAgainMs(state: RampState, latencyMs: number): number {
  return state.phase.kind === 'settled' ? 250 : Math.min(100, windowMs(latencyMs) / 4)
}

/** One look. Only to be taken while there is work for another connection: a download that ends is no slower line. */
export function ramp(state: RampState, facts: RampFacts): RampState {
  const stalled = afterSilence(state, facts)
  if (stalled) return stalled
  switch (state.phase.kind) {
    case 'measuring':
      return measure(state, state.phase, facts)
    case 'judging':
      return judge(state, state.phase, facts)
    case 'settled':
      return watch(state, state.phase, facts)
  }
}

/** There is nothing that another connection could do. */
export function withoutWork(state: RampState, remainingBytes: number): RampState {
  if (state.target > 1 || state.phase.kind !== 'measuring') return state
  return { ...state, reason: { code: 'small_file', params: { remainingBytes } } }
}

/** Nothing comes at all: another connection may fare better. Each further one is tried later. */
function afterSilence(state: RampState, facts: RampFacts): RampState | null {
  const { nowMs, open, cap, latencyMs } = facts
  const count = facts.lastByteAtMs > state.stalls.atMs ? 0 : state.stalls.count
  const sinceMs = Math.max(facts.lastByteAtMs, state.stalls.atMs)
  if (facts.limited || open >= cap || nowMs - sinceMs < silenceMs(latencyMs) * 2 ** Math.min(count, 3)) return null
  return {
    ...state,
    target: open + 1,
    phase: { kind: 'measuring', sinceMs: nowMs },
    stalls: { atMs: nowMs, count: count + 1 },
    reason: { code: 'stalled', params: { connections: open } },
  }
}

function measure(state: RampState, phase: Phase & { kind: 'measuring' }, facts: RampFacts): RampState {
  if (facts.allDeliverSinceMs === null) return state
  const ageMs = facts.nowMs - Math.max(phase.sinceMs, facts.allDeliverSinceMs)
  const { isSettled, bytesPerSecond } = measured(facts, ageMs)
  return isSettled && bytesPerSecond > 0 ? step(state, facts, bytesPerSecond) : state
}

/**
 * The total of the time since something changed, `ageMs` ago. Servers that limit a connection send by the second: where
 * two halves of a window differ, it is watched for longer, and over all of that time.
 */
function measured(
  { nowMs, latencyMs, rate }: RampFacts,
  ageMs: number,
): { isSettled: boolean; bytesPerSecond: number } {
  const window = windowMs(latencyMs)
  const newer = rate(nowMs - window / 2, nowMs)
  const older = rate(nowMs - window, nowMs - window / 2)
  const isEven = newer > 0 && Math.max(newer, older) <= UNEVEN * Math.min(newer, older)
  return {
    isSettled: ageMs >= (isEven ? window : Math.max(4 * window, UNEVEN_MS)),
    bytesPerSecond: rate(nowMs - (isEven ? window : ageMs), nowMs),
  }
}

/** The total is `baseline`: on to more connections, unless there is a reason not to. */
function step(state: RampState, facts: RampFacts, baseline: number): RampState {
  const { nowMs, open, cap } = facts
  if (facts.limited) return settle(state, facts, baseline, { code: 'rate_limited', params: { connections: open } })
  if (facts.busy) return settle(state, facts, baseline, { code: 'machine_busy', params: { connections: open } })
  if (open >= cap) return settle(state, facts, baseline, { code: 'cap_reached', params: { connections: open } })
  if (endsSoon(facts, baseline)) {
    const { remainingBytes } = facts
    return settle(state, facts, baseline, { code: 'small_file', params: { remainingBytes } })
  }
  const phase = { kind: 'judging', sinceMs: nowMs, from: open, baseline } as const
  const reason = { code: 'ramping', params: { connections: Math.min(cap, 2 * open), before: open } } as const
  return { ...state, target: Math.min(cap, 2 * open), phase, reason }
}

/** What is left takes no longer than finding out whether another connection helps. */
function endsSoon({ remainingBytes, latencyMs }: RampFacts, bytesPerSecond: number): boolean {
  return (remainingBytes * 1000) / Math.max(1, bytesPerSecond) < 2 * latencyMs + windowMs(latencyMs)
}

function judge(state: RampState, phase: Phase & { kind: 'judging' }, facts: RampFacts): RampState {
  const { nowMs, open, latencyMs, rate } = facts
  const { from, baseline } = phase
  const window = windowMs(latencyMs)
  const added = open - from
  if (added < 0) return { ...state, target: open, phase: { kind: 'measuring', sinceMs: nowMs } }
  if (added === 0) {
    if (!facts.refused) return state
    // Waiting for a place: what is open is measured afresh meanwhile.
    const reason: StrategyReason = { code: 'host_allowance', params: { connections: open } }
    return { ...state, phase: { ...phase, sinceMs: nowMs, baseline: rate(nowMs - 2 * window, nowMs) }, reason }
  }
  const gain = (fromMs: number) => rate(fromMs, nowMs) / Math.max(1, baseline) - 1
  if (facts.allDeliverSinceMs === null)
    return nowMs - phase.sinceMs < Math.max(1_000, 6 * latencyMs) ? state : giveBack(state, phase, facts, gain)
  const ageMs = nowMs - Math.max(phase.sinceMs, facts.allDeliverSinceMs)
  const clear = (WORTH_OF_MEAN * added) / from
  const { isSettled, bytesPerSecond } = measured(facts, ageMs)
  const isOver = isSettled && ageMs >= 2 * window
  const isClear = ageMs >= window / 2 && gain(nowMs - window / 2) >= clear
  if (isClear || (isOver && bytesPerSecond >= baseline * (1 + Math.min(WORTH * added, WORTH_OF_ALL, clear))))
    return step(
      { ...state, patienceMs: FIRST_PATIENCE_MS },
      facts,
      isOver ? bytesPerSecond : rate(nowMs - window / 2, nowMs),
    )
  return isOver ? giveBack(state, phase, facts, gain) : state
}

function giveBack(
  state: RampState,
  phase: Phase & { kind: 'judging' },
  facts: RampFacts,
  gain: (fromMs: number) => number,
): RampState {
  const target = Math.max(phase.from, Math.min(FEWEST_KEPT, facts.open))
  const gainPercent = Math.max(0, Math.round(100 * gain(facts.nowMs - windowMs(facts.latencyMs))))
  const code = phase.from === 1 ? 'one_connection_enough' : 'ramp_stopped'
  const patienceMs = Math.min(LONGEST_PATIENCE_MS, 2 * state.patienceMs)
  return {
    ...settle(state, facts, phase.baseline, { code, params: { connections: target, gainPercent } }),
    target,
    patienceMs,
  }
}

function watch(state: RampState, phase: Phase & { kind: 'settled' }, facts: RampFacts): RampState {
  const { nowMs, open, cap, rate } = facts
  const ageMs = nowMs - phase.sinceMs
  const measure = (): RampState => ({ ...state, target: open, phase: { kind: 'measuring', sinceMs: nowMs } })

  // A higher number was asked for, or what settled it is over.
  if (state.reason.code === 'cap_reached' && open < cap) return state.target < cap ? measure() : state
  const window = Math.max(1_000, 2 * windowMs(facts.latencyMs))
  if (ageMs < window) return state
  const current = rate(nowMs - window, nowMs)
  if (state.reason.code === 'rate_limited') return facts.limited ? state : measure()
  if (state.reason.code === 'machine_busy') return facts.busy ? state : measure()
  const best = Math.max(phase.rate, current)
  if (open >= cap || ageMs < state.patienceMs / 2) return { ...state, phase: { ...phase, rate: best } }
  if (current < FALLEN * best) return measure()
  if (ageMs < state.patienceMs || endsSoon(facts, current)) return { ...state, phase: { ...phase, rate: best } }
  return {
    ...state,
    target: open + 1,
    phase: { kind: 'judging', sinceMs: nowMs, from: open, baseline: current },
  }
}

function settle(state: RampState, facts: RampFacts, rate: number, reason: StrategyReason): RampState {
  return { ...state, phase: { kind: 'settled', sinceMs: facts.nowMs, rate }, reason }
}
