import { expect, test } from 'vitest'
import { type Contender, holdingPlaces, MOST_FINISHING, nextQueue } from '../../electron/engine/scheduler.ts'
import fc from '../helpers/property.ts'

const queue = (id: number, more: Partial<Contender> = {}): Contender => ({
  ...{ id, priority: 0, weight: 1, downloadsAtOnce: null, running: 0 },
  ...more,
})

/** How many places each gets when so many are given out one by one. */
function shares(queues: Contender[], places: number): number[] {
  for (let n = 0; n < places; n++) {
    const next = nextQueue(queues)
    if (next) next.running++
  }
  return queues.map(({ running }) => running)
}

test('places are shared by weight', () => {
  expect(shares([queue(1), queue(2)], 6)).toEqual([3, 3])
  expect(shares([queue(1, { weight: 2 }), queue(2)], 6)).toEqual([4, 2])
  expect(shares([queue(1, { weight: 100 }), queue(2)], 6)).toEqual([6, 0])
})

test('a queue of a higher priority comes first, up to its own number', () => {
  expect(shares([queue(1), queue(2, { priority: 1 })], 3)).toEqual([0, 3])
  expect(shares([queue(1), queue(2, { priority: 1, downloadsAtOnce: 2 })], 3)).toEqual([1, 2])
  expect(shares([queue(1, { downloadsAtOnce: 1 })], 3)).toEqual([1])
  expect(nextQueue([])).toBeNull()
})

test('no queue is further from its share than one place', () => {
  const contenders = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 20 }) }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(contenders, fc.integer({ min: 1, max: 60 }), (weights, places) => {
      const queues = weights.map((weight, id) => queue(id, weight))
      shares(queues, places)
      expect(queues.reduce((sum, { running }) => sum + running, 0)).toBe(places)
      // Whoever has a place more than another could not have given it without being further behind.
      for (const a of queues)
        for (const b of queues) expect(a.running / a.weight).toBeLessThanOrEqual((b.running + 1) / b.weight)
    }),
  )
})

test('what only waits for the disk holds no place, up to a number', () => {
  const runs = (finishing: number, others: number) => [
    ...Array.from({ length: others }, () => ({ finishing: false })),
    ...Array.from({ length: finishing }, () => ({ finishing: true })),
  ]
  expect(holdingPlaces(runs(3, 2))).toEqual(runs(0, 2))
  expect(holdingPlaces(runs(MOST_FINISHING, 1))).toHaveLength(1)
  expect(holdingPlaces(runs(MOST_FINISHING + 5, 1))).toHaveLength(6)
})
