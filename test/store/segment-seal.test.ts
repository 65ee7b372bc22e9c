/** Marks that damage changed or took away never pass for bytes that are there. */

import { describe, expect, test } from 'vitest'
import { believed, sealOf } from '../../electron/store/segment-seal.ts'
import type { SegmentRecord } from '../../shared/records.ts'
import fc from '../helpers/property.ts'
import { newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

const SEGMENTS: SegmentRecord[] = [
  { start: 0, end: 100, written: 100, durable: 100 },
  { start: 100, end: 200, written: 150, durable: 120 },
  { start: 200, end: 300, written: 300, durable: 300 },
]

/** A store with a task of 300 bytes in three segments, closed, and changed by `sql`. */
function segmentsAfter(sql: string): SegmentRecord[] {
  const path = storePath()
  const store = openTestStore({ path })
  const [id = 0] = store.addTasks([newTask()])
  store.updateTask(id, { sizeBytes: 300 })
  store.checkpoint([{ id, writtenBytes: 250, bootId: 'boot-1', segments: SEGMENTS }])
  expect(store.segments(id)).toEqual(SEGMENTS)
  store.close()
  const raw = openRaw(path)
  raw.exec(sql)
  raw.close()
  return openTestStore({ path }).segments(id)
}

const EMPTY = (start: number, end: number | null) => ({ start, end, written: start, durable: start })

describe('the segments of a damaged store', () => {
  test('are fetched again where a mark became another number', () => {
    expect(segmentsAfter('UPDATE segments SET written = 200 WHERE start = 100')).toEqual([
      SEGMENTS[0],
      EMPTY(100, 200),
      SEGMENTS[2],
    ])
  })
  test('leave no hole where one is gone, at the end neither', () => {
    expect(segmentsAfter('DELETE FROM segments WHERE start = 100')).toEqual([SEGMENTS[0], EMPTY(100, 200), SEGMENTS[2]])
    expect(segmentsAfter('DELETE FROM segments WHERE start = 200')).toEqual([...SEGMENTS.slice(0, 2), EMPTY(200, 300)])
  })
  test('stored before there were seals are believed as ever', () => {
    expect(segmentsAfter('UPDATE segments SET seal = NULL')).toEqual(SEGMENTS)
  })
})

test('whatever number changes, no byte is believed that was not written', () => {
  const size = 300
  fc.assert(
    fc.property(
      fc.nat(2),
      fc.constantFrom('start', 'end', 'written', 'durable', 'seal'),
      fc.integer({ min: 0, max: 1000 }),
      (which, key, value) => {
        const rows = SEGMENTS.map((segment) => ({ ...segment, seal: sealOf(1, segment) }))
        const hurt = { ...rows[which]!, [key]: value }
        const changed = rows[which]![key] !== value
        rows[which] = hurt
        const { segments, broken } = believed(
          1,
          rows.sort((a, b) => a.start - b.start),
          size,
        )
        expect(broken).toBe(changed ? 1 : 0)
        let next = 0
        for (const { start, end, written } of segments) {
          expect(start).toBe(next)
          next = end!
          const truly = SEGMENTS.find((segment) => segment.start <= start && written <= segment.written)
          expect(written === start || truly !== undefined).toBe(true)
        }
        expect(next).toBe(size)
      },
    ),
  )
})
