/** How many connections: when more are tried, when they stay, when they go. */

import { describe, expect, it } from 'vitest'
import { ByteHistory } from '../../electron/engine/byte-history.ts'
import { type RampFacts, type RampState, ramp, startRamp, withoutWork } from '../../electron/engine/ramp.ts'
import fc from '../helpers/property.ts'

const MB = 1_000_000

interface World {
  /** bytes per second of so many connections */
  total: (connections: number) => number
  cap?: number
  places?: number
  limited?: boolean
  busy?: boolean
  remainingBytes?: number
  latencyMs?: number
}

/** Lets the time pass, a look every 50 ms; connections open and close at once as the ramp says. */
function pass(world: World, ms: number, from: { state: RampState; nowMs: number; open: number } | null = null) {
  const { cap = 8, places = 99, limited = false, busy = false, remainingBytes = 1e12, latencyMs = 20 } = world
  let { state, nowMs, open } = from ?? { state: startRamp(0), nowMs: 0, open: 1 }
  const history = new ByteHistory(nowMs - 5000)
  // what came before
  for (let at = nowMs - 4990; from !== null && at <= nowMs; at += 10) history.add(world.total(open) / 100, at)
  let deliverSinceMs = nowMs
  let refused = false
  let most = open
  const codes = new Set<string>()
  for (const end = nowMs + ms; nowMs < end; ) {
    for (let n = 0; n < 5; n++) {
      nowMs += 10
      history.add((world.total(open) * 10) / 1000, nowMs)
    }
    const facts: RampFacts = {
      nowMs,
      open,
      cap,
      allDeliverSinceMs: deliverSinceMs,
      latencyMs,
      refused,
      limited,
      busy,
      remainingBytes,
      lastByteAtMs: history.lastAtMs,
      rate: (a, b) => history.rate(a, b),
    }
    state = ramp(state, facts)
    codes.add(state.reason.code)
    const wanted = Math.min(state.target, cap)
    refused = wanted > places
    if (Math.min(wanted, places) !== open) {
      open = Math.min(wanted, places)
      deliverSinceMs = nowMs
    }
    most = Math.max(most, open)
  }
  return { state, nowMs, open, most, codes: [...codes] }
}

const capped = (n: number) => n * 2 * MB
const shared = () => 10 * MB

describe('the ramp', () => {
  it('doubles while each connection pays, up to the cap', () => {
    const { open, codes } = pass({ total: capped }, 3000)
    expect(open).toBe(8)
    expect(codes.at(-1)).toBe('cap_reached')
    expect(pass({ total: capped, cap: 5 }, 3000).open).toBe(5)
  })

  it('stays at two where one connection fills the line', () => {
    const { most, state } = pass({ total: shared }, 3000)
    expect(most).toBe(2)
    expect(state.reason).toEqual({ code: 'one_connection_enough', params: { connections: 2, gainPercent: 0 } })
  })

  it('opens no other where the thread that reads is busy already, and looks again once it is not', () => {
    const before = pass({ total: capped, busy: true }, 3000)
    expect(before.most).toBe(1)
    expect(before.state.reason).toEqual({ code: 'machine_busy', params: { connections: 1 } })
    expect(pass({ total: capped }, 5000, before).open).toBe(8)
  })

  it('gives back those that brought less than a tenth each', () => {
    const { open, most, state } = pass({ total: (n) => Math.min(n, 4) * 2 * MB }, 3500)
    expect(most).toBe(8)
    expect(open).toBe(4)
    expect(state.reason.code).toBe('ramp_stopped')
  })

  it('waits for a place where the host gives none, and goes on when it does', () => {
    const full = pass({ total: capped, places: 1 }, 3000)
    expect(full.open).toBe(1)
    expect(full.state.reason).toEqual({ code: 'host_allowance', params: { connections: 1 } })
    expect(pass({ total: capped }, 3000, full).open).toBe(8)
  })

  it('opens no further one under a speed limit, nor where the rest takes no longer than finding out', () => {
    expect(pass({ total: shared, limited: true }, 3000)).toMatchObject({
      most: 1,
      codes: ['measuring', 'rate_limited'],
    })
    expect(pass({ total: shared, remainingBytes: MB }, 3000)).toMatchObject({ most: 1 })
    expect(withoutWork(startRamp(0), 5).reason).toEqual({ code: 'small_file', params: { remainingBytes: 5 } })
  })

  it('tries others where nothing comes at all, each further one later', () => {
    const { open, state } = pass({ total: () => 0 }, 4000)
    expect(open).toBeGreaterThan(1)
    expect(open).toBeLessThan(5)
    expect(state.reason.code).toBe('stalled')
    expect(pass({ total: () => 0 }, 60_000).open).toBe(8)
    expect(pass({ total: () => 0, limited: true }, 60_000).open).toBe(1)
  })

  it('looks again when the total has fallen, and now and then', () => {
    const settled = pass({ total: shared }, 3000)
    const fallen = pass({ total: (n) => Math.min(10, n) * 0.5 * MB }, 8000, settled)
    expect(fallen.open).toBeGreaterThan(settled.open)
    // futile tries become rare
    let tries = 0
    let later: ReturnType<typeof pass> = settled
    for (let n = 0; n < 120; n++) {
      const before = later.open
      later = pass({ total: shared }, 1000, later)
      if (later.most > before) tries++
    }
    expect(tries).toBeGreaterThan(2)
    expect(tries).toBeLessThan(10)
  })

  it('never wants fewer than one, nor more than the cap, whatever is measured', () => {
    const world = fc.record({
      cap: fc.integer({ min: 1, max: 20 }),
      places: fc.integer({ min: 1, max: 20 }),
      limited: fc.boolean(),
      latencyMs: fc.constantFrom(0, 1, 20, 400, 5000),
      remainingBytes: fc.nat(100 * MB),
    })
    fc.assert(
      fc.property(world, fc.array(fc.nat(9 * MB), { minLength: 1, maxLength: 12 }), (facts, rates) => {
        const { state, most } = pass({ ...facts, total: (n) => rates[n % rates.length]! }, 5000)
        expect(state.target).toBeGreaterThanOrEqual(1)
        expect(most).toBeLessThanOrEqual(Math.max(1, Math.min(facts.cap, facts.places)))
      }),
      { numRuns: 60 },
    )
  })
})

describe('the history of bytes', () => {
  it('tells the rate between any two times it remembers', () => {
    const history = new ByteHistory(0)
    for (let at = 10; at <= 1000; at += 10) history.add(100, at)
    expect(history.rate(0, 1000)).toBeCloseTo(10_000)
    expect(history.rate(205, 405)).toBeCloseTo(10_000)
    expect(history.rate(1000, 1500)).toBe(0)
    expect(history.rate(500, 1500)).toBeCloseTo(5_000)
    expect(history.rate(5, 5)).toBe(0)
    expect(history.lastAtMs).toBe(1000)
  })

  it('does not spread what came after a silence over it', () => {
    const history = new ByteHistory(0)
    history.add(100, 10)
    history.add(100, 5000)
    expect(history.rate(1000, 4000)).toBe(0)
    expect(history.bytes).toBe(200)
  })

  it('forgets what is long past, and keeps few points', () => {
    const history = new ByteHistory(0)
    for (let at = 0; at <= 60_000; at += 1) history.add(1, at)
    expect(history.rate(55_000, 60_000)).toBeCloseTo(1000, -1)
    expect(history.bytes).toBe(60_001)
  })
})
