import { describe, expect, test } from 'vitest'
import { PART_BYTES, WriteCalls, writeInParts } from '../../electron/engine/write-calls.ts'
import fc from '../helpers/property.ts'

const MIB = 1024 * 1024

describe('which way a large write takes', () => {
  /** Ways of so many writes of 1 MiB that take so long (ms). */
  function ways(count: number, costs: (turn: number) => { whole: number; parts: number }, calls = new WriteCalls()) {
    return Array.from({ length: count }, (_, turn) => {
      const way = calls.next(MIB)
      calls.took(way, MIB, costs(turn)[way])
      return way
    })
  }

  test('as a whole where that takes less, but for a look now and then', () => {
    const taken = ways(480, () => ({ whole: 1, parts: 1.2 }))
    expect(taken.slice(0, 4)).toEqual(['whole', 'parts', 'whole', 'parts'])
    expect(taken.slice(4).filter((way) => way === 'parts')).toHaveLength(9)
  })

  test('in parts where that takes less', () => {
    const taken = ways(480, () => ({ whole: 3, parts: 1.2 }))
    expect(taken.slice(4).filter((way) => way === 'whole')).toHaveLength(9)
  })

  test('the other way soon after that became the better one', () => {
    const taken = ways(480, (turn) => (turn < 240 ? { whole: 3, parts: 1.2 } : { whole: 1, parts: 1.2 }))
    const last = taken.slice(-48)
    expect(last.filter((way) => way === 'whole').length).toBeGreaterThan(40)
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
