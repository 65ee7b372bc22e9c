/** The shaping server of the benchmark, what is read from its record, and the benchmark's command line. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPlan } from '../bench/plan.ts'
import { secondsUntil, settledRate } from '../bench/served.ts'
import { isSlow, Pace, type Shape } from '../bench/shaping.ts'
import { startShapingServer } from '../bench/shaping-server.ts'

const NEAR: Shape = { bytesPerSecond: 1_000_000, roundTripMs: 0, slow: 'never' }
const FAR: Shape = { ...NEAR, roundTripMs: 50 }

/** What a connection sends in each of `steps` steps of 10 ms when it sends all it may. */
function sends(pace: Pace, from: number, steps: number): number[] {
  pace.begin(from)
  return Array.from({ length: steps }, (_, step) => {
    const bytes = pace.allowed(from + (step + 1) * 10)
    pace.sent(bytes)
    return bytes
  })
}
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('a shaped connection', () => {
  test('sends at its rate, and a slow one at a twentieth of it', () => {
    expect(sum(sends(new Pace(NEAR, false), 0, 100))).toBe(1_000_000)
    expect(sum(sends(new Pace(NEAR, true), 0, 100))).toBe(50_000)
  })

  test('makes up for a late timer, but not without bound', () => {
    const pace = new Pace(NEAR, false)
    pace.begin(0)
    expect(pace.allowed(100)).toBe(100_000)
    pace.sent(100_000)
    expect(pace.allowed(5_000)).toBe(250_000)
  })

  test('begins a round trip late, a new one two, and doubles its window in each', () => {
    const pace = new Pace({ ...FAR, bytesPerSecond: 10_000_000 }, false)
    expect([pace.delayMs(), pace.delayMs()]).toEqual([100, 50])
    const sent = sends(pace, 1000, 40)
    const trips = [0, 5, 10].map((start) => sum(sent.slice(start, start + 5)))
    expect(trips[1]! / trips[0]!).toBeCloseTo(2, 2)
    expect(trips[2]! / trips[1]!).toBeCloseTo(2, 2)
    const full = 500_000
    expect(Math.abs(sum(sent.slice(-5)) - full)).toBeLessThan(5)
    // goes on as it was after a moment, and from the beginning after a rest
    expect(Math.abs(sum(sends(pace, 1500, 5)) - full)).toBeLessThan(5)
    expect(sum(sends(pace, 9000, 5))).toBe(trips[0])
  })

  test('is slow once, or as long as another takes the place of the slow one', () => {
    const slow = (kind: Shape['slow'], slowOpen: number) =>
      [1, 2, 3, 4, 9].map((number) => isSlow({ ...NEAR, slow: kind }, number, slowOpen))
    expect(slow('never', 0)).toEqual([false, false, false, false, false])
    expect(slow('once', 0)).toEqual([false, false, true, false, false])
    expect(slow('always', 0)).toEqual([false, false, true, true, true])
    expect(slow('always', 1)).toEqual([false, false, false, false, false])
  })
})

describe('the record of a run', () => {
  // a second of ramp, two seconds at 100 bytes a bucket, a tail of one connection
  const buckets = [...Array(10).fill(0), ...Array(10).fill(50), ...Array(40).fill(100), ...Array(4).fill(10), 0, 0]
  const served = { buckets, bytes: sum(buckets), connections: 3, mostOpen: 2 }

  test('tells the settled rate without ramp and tail, and when it was reached', () => {
    expect(settledRate(served)).toBe(2000)
    expect(secondsUntil(served, 0.5)).toBe(0.75)
    expect(secondsUntil(served, 0.9)).toBe(1.2)
  })

  test('of nothing tells nothing', () => {
    expect(() => settledRate({ buckets: [], bytes: 0, connections: 0, mostOpen: 0 })).toThrow(RangeError)
  })
})

test('the shaping server serves ranges of its files and tells what it saw of one run', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-shaping-'))
  try {
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251))
    await writeFile(join(folder, 'a.bin'), bytes)
    await using server = await startShapingServer(folder)
    await server.begin({ bytesPerSecond: 100_000_000, roundTripMs: 1, slow: 'never' })
    const whole = await fetch(`${server.origin}/a.bin`)
    expect(whole.status).toBe(200)
    expect(Buffer.from(await whole.arrayBuffer()).equals(await readFile(join(folder, 'a.bin')))).toBe(true)
    const part = await fetch(`${server.origin}/a.bin`, { headers: { range: 'bytes=100-299' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 100-299/50000'])
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 300))).toBe(true)
    const beyond = await fetch(`${server.origin}/a.bin`, { headers: { range: 'bytes=50000-' } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */50000'])
    expect((await fetch(`${server.origin}/none.bin`)).status).toBe(404)

    const seen = await server.end()
    expect(seen.bytes).toBe(50_200)
    expect(sum(seen.buckets)).toBe(50_200)
    expect(seen.connections).toBeGreaterThan(0)
    await server.begin(NEAR)
    expect(await server.end()).toEqual({ buckets: [], bytes: 0, connections: 0, mostOpen: 0 })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

describe('the command line of the benchmark', () => {
  const known = ['throughput', 'small']

  test('means all of them unless some are named', () => {
    expect(readPlan([], known)?.suites).toEqual(known)
    expect(readPlan(['small', 'all'], known)?.suites).toEqual(known)
    expect(readPlan(['small'], known)?.suites).toEqual(['small'])
  })

  test('--quick makes everything smaller, and single figures can still be chosen', () => {
    const [usual, quick] = [readPlan([], known)!, readPlan(['--quick', '--rounds', '3'], known)!]
    expect(usual).toMatchObject({ sizeBytes: 2 ** 30, largeSizeBytes: 2 ** 33, rounds: 5, json: null })
    expect(quick.rounds).toBe(3)
    for (const figure of ['sizeBytes', 'largeSizeBytes', 'smallFiles', 'shapedShare'] as const)
      expect(quick[figure]).toBeLessThan(usual[figure])
  })

  test('--help is no plan, and what is not known is refused', () => {
    expect(readPlan(['--help'], known)).toBeNull()
    expect(() => readPlan(['speed'], known)).toThrow('“speed”')
    expect(() => readPlan(['--size', 'much'], known)).toThrow('much')
    expect(() => readPlan(['--fast'], known)).toThrow('--fast')
  })
})
