/** What a free connection does next: every byte gets one owner, and nothing is asked for that would be there sooner. */

import { describe, expect, it } from 'vitest'
import {
  type AssignmentOptions,
  findLaggard,
  nextAssignment,
  usualSpeed,
  type Worker,
} from '../../electron/engine/assignment.ts'
import { advance, coverage, freshPlan, isComplete, type Segment, split } from '../../electron/engine/segment-plan.ts'
import { BLOCK_BYTES as BLOCK } from '../../shared/records.ts'
import fc from '../helpers/property.ts'

const MB = 1_000_000
const segment = (start: number, end: number | null, written = start): Segment => ({
  start,
  end,
  written,
  durable: start,
})
const worker = (start: number, bytesPerSecond: number | null, more: Partial<Worker> = {}): Worker => ({
  segment: start,
  position: start,
  bytesPerSecond,
  proven: true,
  replacements: 0,
  ...more,
})
const USUAL: AssignmentOptions = {
  canSplit: true,
  raced: new Set(),
  mayReplace: true,
  latencyMs: 20,
  bytesPerSecond: 2 * MB,
}

describe('a free connection', () => {
  const plan = [segment(0, 8 * BLOCK, 8 * BLOCK), segment(8 * BLOCK, 16 * BLOCK), segment(16 * BLOCK, 40 * BLOCK)]

  it('first takes what nobody works on, the lowest start first', () => {
    expect(nextAssignment(plan, [], USUAL)).toEqual({ kind: 'take', start: 8 * BLOCK })
    expect(nextAssignment(plan, [worker(8 * BLOCK, 1)], USUAL)).toEqual({ kind: 'take', start: 16 * BLOCK })
  })

  it('leaves alone what a race is run for, though its owner is gone', () => {
    const raced = new Set([8 * BLOCK])
    expect(nextAssignment(plan, [], { ...USUAL, raced })).toEqual({ kind: 'take', start: 16 * BLOCK })
  })

  it('halves the segment that would be finished last', () => {
    const workers = [worker(8 * BLOCK, 2 * MB), worker(16 * BLOCK, 2 * MB)]
    expect(nextAssignment(plan, workers, USUAL)).toEqual({ kind: 'split', victim: 16 * BLOCK, at: 28 * BLOCK })
  })

  it('leaves a slow owner what it can bring in the same time, and no more', () => {
    const workers = [worker(8 * BLOCK, 2 * MB), worker(16 * BLOCK, 0.1 * MB)]
    const found = nextAssignment(plan, workers, USUAL)
    expect(found).toEqual({ kind: 'split', victim: 16 * BLOCK, at: 17 * BLOCK })
    const silent = [worker(8 * BLOCK, 2 * MB), worker(16 * BLOCK, 0, { position: 18 * BLOCK + 5 })]
    expect(nextAssignment(plan, silent, USUAL)).toEqual({ kind: 'split', victim: 16 * BLOCK, at: 19 * BLOCK })
  })

  it('takes an owner that is too young to tell for one of the usual speed', () => {
    const workers = [worker(8 * BLOCK, 0.01 * MB), worker(16 * BLOCK, null)]
    expect(nextAssignment(plan, workers, USUAL)).toMatchObject({ kind: 'split', victim: 8 * BLOCK })
    expect(nextAssignment(plan, [worker(8 * BLOCK, null), worker(16 * BLOCK, null)], USUAL)).toMatchObject({
      kind: 'split',
      victim: 16 * BLOCK,
    })
  })

  it('cuts nothing that its owner would have read before a new request could help', () => {
    const workers = [worker(8 * BLOCK, 2 * MB), worker(16 * BLOCK, 2 * MB)]
    expect(nextAssignment(plan, workers, { ...USUAL, latencyMs: 60_000 })).toBeNull()
    const fast = workers.map((w) => ({ ...w, bytesPerSecond: 2000 * MB }))
    expect(nextAssignment(plan, fast, { ...USUAL, bytesPerSecond: 2000 * MB })).toBeNull()
  })

  it('races for the last bytes of an owner that needs far longer than a new request would', () => {
    const last = [segment(0, BLOCK)]
    expect(nextAssignment(last, [worker(0, 0.1 * MB)], USUAL)).toEqual({ kind: 'hedge', victim: 0 })
    expect(nextAssignment(last, [worker(0, 0)], USUAL)).toEqual({ kind: 'hedge', victim: 0 })
    expect(nextAssignment(last, [worker(0, 2 * MB)], USUAL)).toBeNull()
    // not twice at once, not where its request is not answered yet, not where a limit makes it slow
    expect(nextAssignment(last, [worker(0, 0.1 * MB)], { ...USUAL, raced: new Set([0]) })).toBeNull()
    expect(nextAssignment(last, [worker(0, 0.1 * MB, { proven: false })], USUAL)).toBeNull()
    expect(nextAssignment(last, [worker(0, 0.1 * MB)], { ...USUAL, mayReplace: false })).toBeNull()
    // each time less readily
    expect(nextAssignment(last, [worker(0, 0.1 * MB, { replacements: 4 })], USUAL)).toBeNull()
  })

  it('finds nothing to do where ranges are not to be had, or the length is not known', () => {
    expect(nextAssignment([segment(0, 99 * BLOCK)], [worker(0, 1)], { ...USUAL, canSplit: false })).toBeNull()
    expect(nextAssignment([segment(0, null)], [worker(0, 1)], USUAL)).toBeNull()
  })
})

describe('a connection far behind the others', () => {
  const plan = [segment(0, 100 * BLOCK), segment(100 * BLOCK, 200 * BLOCK), segment(200 * BLOCK, 300 * BLOCK)]
  const others = [worker(0, 2 * MB), worker(100 * BLOCK, 2.2 * MB)]

  it('is found below a third of their middle, and only where a new one would be done sooner', () => {
    const slow = worker(200 * BLOCK, 0.1 * MB)
    expect(findLaggard(plan, [...others, slow], USUAL)).toBe(slow)
    expect(findLaggard(plan, [...others, worker(200 * BLOCK, 0.9 * MB)], USUAL)).toBeNull()
    expect(findLaggard(plan, [...others, { ...slow, position: 300 * BLOCK - 5000 }], USUAL)).toBeNull()
    expect(findLaggard(plan, [...others, slow], { ...USUAL, raced: new Set([200 * BLOCK]) })).toBeNull()
    expect(findLaggard(plan, [...others, slow], { ...USUAL, mayReplace: false })).toBeNull()
  })

  it('is not one where all are slow, or nobody else was watched long enough', () => {
    expect(findLaggard(plan, [worker(0, 0), worker(100 * BLOCK, 0)], USUAL)).toBeNull()
    expect(findLaggard(plan, [worker(0, null), worker(100 * BLOCK, 1)], USUAL)).toBeNull()
  })
})

describe('the usual speed', () => {
  it('is the middle of those that bring bytes', () => {
    expect(usualSpeed(null, [])).toBeNull()
    expect(usualSpeed(7, [])).toBe(7)
    expect(usualSpeed(7, [0, 0])).toBe(7)
    expect(usualSpeed(null, [5, 0, 1, 9])).toBe(5)
  })

  it('follows one that is alone, unless that falls far behind what was usual', () => {
    expect(usualSpeed(10, [5])).toBe(5)
    expect(usualSpeed(10, [0.5])).toBe(10)
    expect(usualSpeed(null, [0.5])).toBe(0.5)
  })
})

describe('whatever the connections do', () => {
  const scenario = fc.record({
    size: fc.integer({ min: 1, max: 60 * BLOCK }),
    speeds: fc.array(fc.integer({ min: BLOCK / 4, max: 4 * BLOCK }), { minLength: 1, maxLength: 9 }),
    stalls: fc.array(fc.boolean(), { maxLength: 300 }),
    latencyMs: fc.integer({ min: 0, max: 3_000 }),
    usual: fc.option(fc.integer({ min: 1, max: 4 * BLOCK }), { nil: null }),
  })

  it('a byte never has two owners, none is without one, and all arrive', () => {
    fc.assert(
      fc.property(scenario, ({ size, speeds, stalls, latencyMs, usual }) => {
        let plan = freshPlan(size)
        /** by connection: the segment it owns, or races for */
        const work: ({ start: number; races: boolean } | null)[] = speeds.map(() => null)
        const options = (): AssignmentOptions => ({
          canSplit: true,
          mayReplace: true,
          latencyMs,
          bytesPerSecond: usual,
          raced: new Set(work.flatMap((w) => (w?.races ? w.start : []))),
        })
        const workers = () =>
          work.flatMap((w, index) => (w && !w.races ? worker(w.start, speeds[index]!, positionOf(w.start)) : []))
        const positionOf = (start: number) => ({ position: plan.find((s) => s.start === start)!.written })
        const requests = { count: 0 }
        for (let turn = 0; !isComplete(plan); turn++) {
          // the slowest alone, a lost turn a stall, and a turn for each request
          expect(turn).toBeLessThan(size / Math.min(...speeds) + stalls.length + requests.count + 10)
          work.forEach((mine, index) => {
            if (mine === null) {
              const next = nextAssignment(plan, workers(), options())
              if (next === null) return
              requests.count++
              if (next.kind === 'split') plan = split(plan, next.victim, next.at)
              const start = next.kind === 'take' ? next.start : next.kind === 'split' ? next.at : next.victim
              const owners = work.filter((w) => w?.start === start && !w.races)
              const racers = work.filter((w) => w?.start === start && w.races)
              expect(owners.length + racers.length).toBe(next.kind === 'hedge' ? 1 : 0)
              work[index] = { start, races: next.kind === 'hedge' }
              return
            }
            if (stalls.pop()) {
              work[index] = null
              return
            }
            if (mine.races) {
              // it passes the owner, which stops
              const owner = work.findIndex((w) => w?.start === mine.start && !w.races)
              if (owner >= 0) work[owner] = null
              work[index] = { start: mine.start, races: false }
              return
            }
            const { end, written } = plan.find((s) => s.start === mine.start)!
            plan = advance(plan, mine.start, Math.min(end!, written + speeds[index]!))
            if (written + speeds[index]! >= end!) work[index] = null
          })
          for (const [index, w] of work.entries()) {
            const at = w && plan.find((s) => s.start === w.start)!
            if (at && at.written === at.end) work[index] = null
          }
        }
        expect(coverage(plan)).toEqual([{ start: 0, end: size }])
      }),
      { numRuns: 200 },
    )
  })
})
