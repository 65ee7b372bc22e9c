/** Segments, block checksums and checkpoints. */

import { expect, test } from 'vitest'
import { type BlockPage, packPage, unpackPage } from '../../electron/store/block-page.ts'
import { BLOCK_BYTES, BLOCKS_PER_PAGE, type BlockChecksum } from '../../shared/records.ts'
import fc from '../helpers/property.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath } from '../helpers/store.ts'

test('a checkpoint keeps marks, segments and blocks of all its tasks', () => {
  const path = storePath()
  const store = openTestStore({ path })
  const [a = 0, b = 0] = store.addTasks([newTask(), newTask()])
  const segments = [
    { start: 5_000_000_000, end: null, written: 5_000_000_001, durable: 5_000_000_000 },
    { start: 0, end: 5_000_000_000, written: 70, durable: 60 },
  ]
  store.checkpoint([
    {
      id: a,
      writtenBytes: 71,
      bootId: 'boot-1',
      segments,
      blocks: [{ index: 3, crc32: 0xffffffff, bytes: BLOCK_BYTES }],
    },
    { id: b, writtenBytes: 5, bootId: 'boot-1' },
  ])
  store.close()
  const reopened = openTestStore({ path })
  expect(reopened.getTask(a)).toMatchObject({ writtenBytes: 71, bootId: 'boot-1' })
  expect(reopened.getTask(b)).toMatchObject({ writtenBytes: 5, bootId: 'boot-1' })
  expect(reopened.segments(a)).toEqual([segments[1], segments[0]])
  expect(reopened.segments(b)).toEqual([])
  expect(reopened.blocks(a)).toEqual([{ index: 3, crc32: 0xffffffff, bytes: BLOCK_BYTES }])
})

test('a later checkpoint replaces the segments it brings and leaves those it does not', () => {
  const store = openTestStore()
  const [id = 0] = store.addTasks([newTask()])
  const first = [
    { start: 0, end: 100, written: 10, durable: 0 },
    { start: 100, end: 200, written: 110, durable: 100 },
  ]
  store.checkpoint([{ id, writtenBytes: 20, bootId: 'b', segments: first }])
  store.checkpoint([{ id, writtenBytes: 21, bootId: 'b' }])
  expect(store.segments(id)).toEqual(first)
  const merged = [{ start: 0, end: 200, written: 30, durable: 20 }]
  store.checkpoint([{ id, writtenBytes: 30, bootId: 'b', segments: merged }])
  expect(store.segments(id)).toEqual(merged)
})

test('a checkpoint that fails for one task changes none', () => {
  const store = openTestStore()
  const [a = 0, b = 0] = store.addTasks([newTask(), newTask()])
  const twice = [
    { start: 0, end: 5, written: 1, durable: 0 },
    { start: 0, end: 9, written: 1, durable: 0 },
  ]
  expect(() =>
    store.checkpoint([
      { id: a, writtenBytes: 1, bootId: 'x' },
      { id: b, writtenBytes: 2, bootId: 'x', segments: twice },
    ]),
  ).toThrow()
  expect(store.getTask(a)).toMatchObject({ writtenBytes: 0, bootId: null })
})

test('blocks are kept over pages, and the last remembers that it is short', () => {
  const store = openTestStore()
  const [id = 0] = store.addTasks([newTask()])
  const write = (blocks: BlockChecksum[]) => store.checkpoint([{ id, writtenBytes: 0, bootId: 'b', blocks }])
  write([
    { index: BLOCKS_PER_PAGE, crc32: 7, bytes: 12_345 },
    { index: 0, crc32: 0, bytes: BLOCK_BYTES },
  ])
  write([{ index: BLOCKS_PER_PAGE - 1, crc32: 2 ** 31, bytes: BLOCK_BYTES }])
  write([{ index: 0, crc32: 9, bytes: BLOCK_BYTES }])
  expect(store.blocks(id)).toEqual([
    { index: 0, crc32: 9, bytes: BLOCK_BYTES },
    { index: BLOCKS_PER_PAGE - 1, crc32: 2 ** 31, bytes: BLOCK_BYTES },
    { index: BLOCKS_PER_PAGE, crc32: 7, bytes: 12_345 },
  ])
})

test('a file of one block costs a few bytes, a whole page about 4 KiB', () => {
  const page = (count: number): BlockPage =>
    packPage(
      null,
      Array.from({ length: count }, (_, index) => ({ index, crc32: index, bytes: BLOCK_BYTES })),
    )
  expect(page(1).crcs.length + page(1).present.length).toBe(5)
  expect(page(BLOCKS_PER_PAGE).crcs.length + page(BLOCKS_PER_PAGE).present.length).toBe(4096 + 128)
})

test('packing and unpacking a page gives the latest of each block, in order, in whatever order they came', () => {
  const block = fc.record({
    index: fc.integer({ min: 3 * BLOCKS_PER_PAGE, max: 4 * BLOCKS_PER_PAGE - 1 }),
    crc32: fc.integer({ min: 0, max: 0xffffffff }),
    bytes: fc.oneof(fc.constant(BLOCK_BYTES), fc.integer({ min: 1, max: BLOCK_BYTES })),
  })
  fc.assert(
    fc.property(
      fc.array(fc.array(block, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 }),
      (batches) => {
        const packed = batches.reduce<BlockPage | null>((page, batch) => packPage(page, batch), null)
        const latest = new Map(batches.flat().map((entry) => [entry.index, entry]))
        const expected = [...latest.values()].sort((x, y) => x.index - y.index)
        expect(packed === null ? [] : unpackPage(3, packed)).toEqual(expected)
      },
    ),
  )
})

test('block checksums that cannot be read count as absent, with a warning, and can be written again', () => {
  const path = storePath()
  const logger = memoryLogger()
  const store = openTestStore({ path, logger })
  const [id = 0] = store.addTasks([newTask()])
  const last = { index: 1, crc32: 5, bytes: 10 }
  store.checkpoint([{ id, writtenBytes: 0, bootId: 'b', blocks: [{ index: 0, crc32: 4, bytes: BLOCK_BYTES }, last] }])
  openRaw(path).exec(`UPDATE block_pages SET short_blocks = '[[1,'`)
  expect(store.blocks(id)).toEqual([])
  expect(logger.lines.at(-1)).toMatchObject({ level: 'warn', data: { taskId: id, page: 0 } })
  store.checkpoint([{ id, writtenBytes: 0, bootId: 'b', blocks: [last] }])
  expect(store.blocks(id)).toEqual([last])
})

test('progress that is cleared is gone, the rest of the task stays', () => {
  const store = openTestStore()
  const [id = 0] = store.addTasks([newTask()])
  store.updateTask(id, { etag: '"a"', sizeBytes: 9 })
  store.checkpoint([
    {
      id,
      writtenBytes: 9,
      bootId: 'b',
      segments: [{ start: 0, end: 9, written: 9, durable: 9 }],
      blocks: [{ index: 0, crc32: 1, bytes: 9 }],
    },
  ])
  store.clearProgress(id)
  expect(store.segments(id)).toEqual([])
  expect(store.blocks(id)).toEqual([])
  expect(store.getTask(id)).toMatchObject({ writtenBytes: 0, etag: '"a"', sizeBytes: 9 })
})
