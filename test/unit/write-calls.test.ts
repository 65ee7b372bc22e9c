import { describe, expect, test } from 'vitest'
import { PART_BYTES, WriteCalls, writeInParts } from '../../electron/engine/write-calls.ts'
import fc from '../helpers/property.ts'

const MIB = 1024 * 1024

describe('which way a large write takes', () => {
  /** Ways of so many writes of 1 MiB that take so long (ms). */
  function ways(writes: number, costs: (turn: number) => { whole: number; parts: number }, calls = new WriteCalls()) {
    return Array.from({ length: writes }, (_, turn) => {
      const way = calls.next(MIB)
      calls.took(way, MIB, costs(turn)[way])
      return way
    })
  }

  const count = (ways: string[], way: string) => ways.filter((one) => one === way).length

  test('as a whole where that takes less, but for a look now and then, ever more seldom', () => {
    const taken = ways(4000, () => ({ whole: 1, parts: 1.2 }))
    expect(taken.slice(0, 4)).toEqual(['whole', 'parts', 'whole', 'parts'])
    expect(count(taken.slice(4, 1000), 'parts')).toBe(4)
    expect(count(taken.slice(1000), 'parts')).toBe(6)
  })

  test('in parts where that takes less', () => {
    const taken = ways(1000, () => ({ whole: 3, parts: 1.2 }))
    expect(count(taken.slice(4), 'whole')).toBe(4)
  })

  test('the other way when that became the better one, be it by the first one getting worse', () => {
    const worse = ways(200, (turn) => (turn < 100 ? { whole: 1, parts: 1.2 } : { whole: 3, parts: 1.2 }))
    expect(count(worse.slice(110), 'parts')).toBeGreaterThan(85)
    const better = ways(4000, (turn) => (turn < 100 ? { whole: 3, parts: 1.2 } : { whole: 1, parts: 1.2 }))
    expect(count(better.slice(2000), 'whole')).toBeGreaterThan(1900)
  })

  test('one that was held up once changes nothing', () => {
    const taken = ways(400, (turn) => ({ whole: 3, parts: turn % 40 === 39 ? 10 : 1.2 }))
    expect(count(taken.slice(4), 'whole')).toBeLessThan(8)
  })

  test('small ones are one call and teach nothing', () => {
    const calls = new WriteCalls()
    for (let turn = 0; turn < 10; turn++) {
      expect(calls.next(64 * 1024)).toBe('whole')
      calls.took('whole', 64 * 1024, 1000)
    }
    expect(ways(6, () => ({ whole: 1, parts: 2 }), calls).at(-1)).toBe('whole')
  })
})

describe('a write in parts', () => {
  test('writes each byte once, in order, in calls that end at multiples of the part', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 * PART_BYTES }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 10 * PART_BYTES }),
        fc.integer({ min: 1, max: 2 * PART_BYTES }),
        (lengths, position, mostTaken) => {
          const calls: { at: number; length: number }[] = []
          const buffers = lengths.map((length) => new Uint8Array(length))
          const bytes = lengths.reduce((sum, length) => sum + length, 0)
          let at = position
          const taken = writeInParts(
            (buffer, offset, length, where) => {
              expect(where).toBe(at)
              expect(offset + length).toBeLessThanOrEqual(buffer.length)
              expect(Math.floor(where / PART_BYTES)).toBe(Math.floor((where + length - 1) / PART_BYTES))
              calls.push({ at: where, length })
              at += Math.min(length, mostTaken)
              return Math.min(length, mostTaken)
            },
            buffers,
            position,
          )
          expect(taken).toBe(at - position)
          // It goes on after whatever was taken as it was asked, and not after less.
          if (calls.every(({ length }) => length <= mostTaken)) expect(taken).toBe(bytes)
          else expect(calls.slice(0, -1).every(({ length }) => length <= mostTaken)).toBe(true)
        },
      ),
    )
  })

  test('an error counts only where nothing was taken before it', () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    let room = 2
    const write = (_buffer: Uint8Array, _offset: number, length: number) => {
      if (room-- <= 0) throw full
      return length
    }
    const buffers = [new Uint8Array(4 * PART_BYTES)]
    expect(writeInParts(write, buffers, 0)).toBe(2 * PART_BYTES)
    expect(() => writeInParts(write, buffers, 2 * PART_BYTES)).toThrow(full)
  })
})
