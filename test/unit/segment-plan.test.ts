/** The plan of a file: every byte owned once, none lost, whatever happens to it in whatever order. */

import { describe, expect, it } from 'vitest'
import {
  advance,
  clipToFile,
  coverage,
  damage,
  freshPlan,
  isComplete,
  markDurable,
  mergeDone,
  remaining,
  type Segment,
  setSize,
  split,
  trustAfterBoot,
  writtenBytes,
} from '../../electron/engine/segment-plan.ts'
import { BLOCK_BYTES as BLOCK } from '../../shared/records.ts'
import fc from '../helpers/property.ts'

const segment = (start: number, end: number | null, written = start, durable = start): Segment => ({
  start,
  end,
  written,
  durable,
})

function expectSound(segments: readonly Segment[], size: number | null): void {
  let covered = 0
  for (const { start, end, written, durable } of segments) {
    expect(start).toBe(covered)
    expect(start % BLOCK).toBe(0)
    expect(start <= durable && durable <= written).toBe(true)
    if (end !== null) expect(written <= end && start < end).toBe(true)
    covered = end ?? Number.POSITIVE_INFINITY
  }
  expect(covered).toBe(size ?? Number.POSITIVE_INFINITY)
}

describe('a fresh plan', () => {
  it('is one segment, none for an empty file, an open one for an unknown length', () => {
    expect(freshPlan(10)).toEqual([segment(0, 10)])
    expect(freshPlan(0)).toEqual([])
    expect(freshPlan(null)).toEqual([segment(0, null)])
    expect([remaining(freshPlan(10)), remaining(freshPlan(0)), remaining(freshPlan(null))]).toEqual([10, 0, null])
    expect([isComplete(freshPlan(10)), isComplete(freshPlan(0)), isComplete(freshPlan(null))]).toEqual([
      false,
      true,
      false,
    ])
  })

  it('gets its length when that becomes known', () => {
    expect(setSize([segment(0, null, 7, 3)], 10)).toEqual([segment(0, 10, 7, 3)])
    expect(setSize(freshPlan(null), 0)).toEqual([])
    expect(setSize(freshPlan(10), 10)).toEqual(freshPlan(10))
    expect(() => setSize([segment(0, null, 11)], 10)).toThrow(RangeError)
    expect(() => setSize(freshPlan(10), 11)).toThrow(RangeError)
    expect(() => setSize([], 1)).toThrow(RangeError)
  })
})

describe('changing a plan', () => {
  it('splits, advances and refuses what would lose or double a byte', () => {
    const plan = advance(freshPlan(4 * BLOCK), 0, BLOCK + 5)
    expect(split(plan, 0, 2 * BLOCK)).toEqual([segment(0, 2 * BLOCK, BLOCK + 5), segment(2 * BLOCK, 4 * BLOCK)])
    for (const at of [0, BLOCK, 2 * BLOCK + 1, 4 * BLOCK, 5 * BLOCK]) {
      expect(() => split(plan, 0, at), `at ${at}`).toThrow(RangeError)
    }
    expect(() => split(plan, BLOCK, 2 * BLOCK)).toThrow(RangeError)
    expect(() => split(freshPlan(null), 0, BLOCK)).toThrow(RangeError)
    for (const written of [BLOCK + 4, 4 * BLOCK + 1, BLOCK + 5.5, Number.NaN]) {
      expect(() => advance(plan, 0, written), `to ${written}`).toThrow(RangeError)
    }
    expect(() => advance(plan, 7, 8)).toThrow(RangeError)
  })

  it('counts an fsync for segments that were split or merged while it ran', () => {
    const split2 = [segment(0, 2 * BLOCK, 2 * BLOCK), segment(2 * BLOCK, 4 * BLOCK, 3 * BLOCK)]
    const marks = new Map([
      [2 * BLOCK, 3 * BLOCK],
      [0, 2 * BLOCK],
    ])
    expect(markDurable(split2, marks)[1]).toEqual(segment(2 * BLOCK, 4 * BLOCK, 3 * BLOCK, 3 * BLOCK))
    expect(markDurable(mergeDone(split2), marks)).toEqual([segment(0, 4 * BLOCK, 3 * BLOCK, 3 * BLOCK)])
    // a gap before the mark: nothing is known about the bytes in it
    expect(markDurable(mergeDone(split2), new Map([[2 * BLOCK, 3 * BLOCK]]))[0]!.durable).toBe(0)
    // never beyond what is written, never back
    expect(markDurable([segment(0, 10, 5, 4)], new Map([[0, 9]]))[0]!.durable).toBe(5)
    expect(markDurable([segment(0, 10, 5, 4)], new Map([[0, 3]]))[0]!.durable).toBe(4)
  })

  it('merges what is finished, but not under a connection and not against a durable mark', () => {
    const done = segment(0, BLOCK, BLOCK)
    const partial = segment(BLOCK, 3 * BLOCK, BLOCK + 9)
    expect(mergeDone([done, partial])).toEqual([segment(0, 3 * BLOCK, BLOCK + 9)])
    expect(mergeDone([done, partial], new Set([BLOCK]))).toEqual([done, partial])
    expect(mergeDone([done, partial], new Set([0]))).toEqual([done, partial])
    const fsynced = { ...partial, durable: BLOCK + 9 }
    expect(mergeDone([done, fsynced])).toEqual([done, fsynced])
    expect(mergeDone([{ ...done, durable: BLOCK }, fsynced])).toEqual([segment(0, 3 * BLOCK, BLOCK + 9, BLOCK + 9)])
    expect(mergeDone([partial, segment(3 * BLOCK, 4 * BLOCK, 4 * BLOCK)])).toHaveLength(2)
  })

  it('tells the written runs', () => {
    const plan = [
      segment(0, BLOCK, BLOCK),
      segment(BLOCK, 2 * BLOCK, BLOCK + 1),
      segment(2 * BLOCK, 3 * BLOCK),
      segment(3 * BLOCK, null, 3 * BLOCK + 5),
    ]
    expect(coverage(plan)).toEqual([
      { start: 0, end: BLOCK + 1 },
      { start: 3 * BLOCK, end: 3 * BLOCK + 5 },
    ])
    expect(writtenBytes(plan)).toBe(BLOCK + 6)
  })
})

describe('at start-up', () => {
  const size = 5 * BLOCK + 7
  const plan = [segment(0, size, 4 * BLOCK + 3, BLOCK + 1)]
  const trusted = (segments: Segment[], blockOk: (index: number) => boolean | null) =>
    coverage(trustAfterBoot(segments, false, blockOk))

  it('trusts everything written under the same boot', () => {
    expect(trustAfterBoot(plan, true, () => false)).toEqual(plan)
  })

  it('after another boot, trusts what was fsynced and each block after it that verifies', () => {
    const to = (end: number) => [{ start: 0, end }]
    expect(trusted(plan, () => null)).toEqual(to(BLOCK))
    expect(trusted(plan, () => false)).toEqual(to(BLOCK))
    expect(trusted(plan, (index) => index !== 3)).toEqual(to(3 * BLOCK))
    // a bad block does not cost the good ones behind it
    expect(trustAfterBoot(plan, false, (index) => (index === 2 ? null : true))).toEqual([
      segment(0, 2 * BLOCK, 2 * BLOCK, BLOCK + 1),
      segment(2 * BLOCK, 3 * BLOCK),
      segment(3 * BLOCK, size, 4 * BLOCK),
    ])
    // the last block is not written to its end: nothing to compare it with, but what was fsynced of it stays
    expect(trusted(plan, () => true)).toEqual(to(4 * BLOCK))
    expect(trusted([segment(0, size, 4 * BLOCK + 3, 4 * BLOCK + 1)], () => null)).toEqual(to(4 * BLOCK + 1))
    expect(trusted([segment(0, size, size)], () => true)).toEqual(to(size))
    expect(trusted([segment(0, null, BLOCK + 9)], () => true)).toEqual(to(BLOCK))
  })

  it('never asks about blocks that were fsynced or not written', () => {
    const asked: number[] = []
    trustAfterBoot(plan, false, (index) => asked.push(index) > 0)
    expect(asked).toEqual([1, 2, 3])
  })

  it('forgets what the file on disk does not hold', () => {
    const two = [segment(0, 2 * BLOCK, 2 * BLOCK, BLOCK), segment(2 * BLOCK, 4 * BLOCK, 3 * BLOCK, 3 * BLOCK)]
    expect(clipToFile(two, 2 * BLOCK + 4)).toEqual([
      two[0],
      segment(2 * BLOCK, 4 * BLOCK, 2 * BLOCK + 4, 2 * BLOCK + 4),
    ])
    expect(clipToFile(two, 5)).toEqual([segment(0, 2 * BLOCK, 5, 5), segment(2 * BLOCK, 4 * BLOCK)])
    expect(clipToFile(two, 9 * BLOCK)).toEqual(two)
  })
})

describe('damaged blocks', () => {
  it('become unwritten, and nothing else does', () => {
    const size = 4 * BLOCK + 100
    const done = [segment(0, size, size, size)]
    expect(damage(done, [4, 1, 1, 2, 9, -1], size)).toEqual([
      segment(0, BLOCK, BLOCK, BLOCK),
      segment(BLOCK, 3 * BLOCK),
      segment(3 * BLOCK, 4 * BLOCK, 4 * BLOCK, 4 * BLOCK),
      segment(4 * BLOCK, size),
    ])
    expect(damage(done, [], size)).toEqual(done)
  })

  it('leave what is written after them, fsynced or not', () => {
    const plan = [segment(0, 4 * BLOCK, 3 * BLOCK, 5)]
    expect(damage(plan, [1], 4 * BLOCK)).toEqual([
      segment(0, BLOCK, BLOCK, 5),
      segment(BLOCK, 2 * BLOCK),
      segment(2 * BLOCK, 4 * BLOCK, 3 * BLOCK),
    ])
  })

  it('cut a partial segment at its first bad block only where bytes are written', () => {
    const plan = [segment(0, 8 * BLOCK, 2 * BLOCK + 5, BLOCK)]
    expect(damage(plan, [2], 8 * BLOCK)).toEqual([
      segment(0, 2 * BLOCK, 2 * BLOCK, BLOCK),
      segment(2 * BLOCK, 8 * BLOCK),
    ])
    expect(damage(plan, [3, 7], 8 * BLOCK)).toEqual(plan)
  })
})

type Step = { kind: string; a: number; b: number }
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('advance', 'split', 'fsync', 'merge', 'boot', 'clip', 'damage'),
    a: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    b: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { maxLength: 60 },
)
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 40 * BLOCK }),
  fc.integer({ min: 1, max: 40 }).map((n) => n * BLOCK),
)

/** Numbers of the blocks that are chosen, spread by a fraction. */
const badBlocks = ({ a, b }: Step, size: number): number[] =>
  Array.from({ length: Math.ceil(size / BLOCK) }, (_, index) => index).filter((index) => (index * a * 7 + b) % 1 < 0.3)

/** One step; checks what this kind of step must do to the written bytes. */
function apply(plan: Segment[], step: Step, size: number): Segment[] {
  const before = writtenBytes(plan)
  const target = plan[Math.floor(step.a * plan.length)]!
  const end = target.end!
  switch (step.kind) {
    case 'advance': {
      const written = target.written + Math.floor((end - target.written) * step.b)
      const next = advance(plan, target.start, written)
      expect(writtenBytes(next)).toBe(before + written - target.written)
      return next
    }
    case 'split': {
      const at = Math.floor((target.written + (end - target.written) * step.b) / BLOCK) * BLOCK
      if (at < target.written || at <= target.start || at >= end) {
        expect(() => split(plan, target.start, at)).toThrow(RangeError)
        return plan
      }
      const next = split(plan, target.start, at)
      expect(coverage(next)).toEqual(coverage(plan))
      return next
    }
    case 'fsync': {
      const marks = new Map(
        plan.filter((_, index) => (index * step.a * 5) % 1 <= step.b).map((s) => [s.start, s.written]),
      )
      const next = markDurable(plan, marks)
      for (const [start, mark] of marks) expect(next.find((s) => s.start === start)!.durable).toBe(mark)
      return next
    }
    case 'merge': {
      const next = mergeDone(plan)
      expect(coverage(next)).toEqual(coverage(plan))
      expect(durableBytes(next)).toBe(durableBytes(plan))
      expect(next.length).toBeLessThanOrEqual(plan.length)
      return next
    }
    case 'boot': {
      const bad = new Set(badBlocks(step, size))
      const next = trustAfterBoot(plan, false, (index) => !bad.has(index))
      for (const s of plan) {
        const block = s.durable - (s.durable % BLOCK)
        // What was fsynced stays, but for a block that reads back as another one.
        expect(writtenIn(next, s.start, block)).toBe(block - s.start)
        for (let at = block; at + BLOCK <= s.written; at += BLOCK) {
          const lost = at + BLOCK > s.durable && bad.has(at / BLOCK)
          expect(writtenIn(next, at, at + BLOCK)).toBe(lost ? 0 : BLOCK)
        }
      }
      expect(writtenBytes(next)).toBeLessThanOrEqual(before)
      return next
    }
    case 'clip': {
      const bytes = Math.floor(size * step.b)
      const next = clipToFile(plan, bytes)
      const kept = coverage(plan).reduce((sum, run) => sum + Math.max(0, Math.min(run.end, bytes) - run.start), 0)
      expect(writtenBytes(next)).toBe(kept)
      return next
    }
    default: {
      const bad = badBlocks(step, size)
      const next = damage(plan, bad, size)
      const lost = bad.reduce((sum, index) => sum + writtenIn(plan, index * BLOCK, (index + 1) * BLOCK), 0)
      expect(writtenBytes(next)).toBe(before - lost)
      for (const index of bad) expect(writtenIn(next, index * BLOCK, (index + 1) * BLOCK)).toBe(0)
      return next
    }
  }
}

function writtenIn(plan: readonly Segment[], from: number, to: number): number {
  return coverage(plan).reduce((sum, run) => sum + Math.max(0, Math.min(run.end, to) - Math.max(run.start, from)), 0)
}

function durableBytes(plan: readonly Segment[]): number {
  return plan.reduce((sum, s) => sum + s.durable - s.start, 0)
}

describe('whatever happens', () => {
  it('every byte has one owner and the marks stay in order', () => {
    fc.assert(
      fc.property(sizes, steps, (size, sequence) => {
        let plan = freshPlan(size)
        for (const step of sequence) {
          const frozen = structuredClone(plan)
          const next = apply(plan, step, size)
          expect(plan).toEqual(frozen)
          expectSound(next, size)
          expect(remaining(next)! + writtenBytes(next)).toBe(size)
          expect(isComplete(next)).toBe(remaining(next) === 0)
          plan = next
        }
      }),
      { numRuns: 300 },
    )
  })
})
