/** Bytes into the partial file: in place, counted only when the kernel took them, with a checksum for every block. */
import { crc32 } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { PartFile, SegmentWriter, type WriterEvents } from '../../electron/engine/file-sink.ts'
import { SlabReader } from '../../electron/engine/http/slabs.ts'
import type { FileSystem, OpenFile } from '../../electron/engine/ports.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { BLOCK_BYTES, type BlockChecksum } from '../../shared/records.ts'
import { contentBytes } from '../helpers/bytes.ts'
import fc from '../helpers/property.ts'

const MIB = 1024 * 1024
const SEED = 11

interface Disk extends OpenFile {
  /** what the kernel has */
  readonly bytes: Buffer
  readonly writes: { position: number; bytes: number }[]
  /** bytes handed over and not yet taken */
  underWay: number
  /** lets writes that are held go on */
  go(): Promise<void>
}

/** A file in memory whose writes may be short, slow (`hold`) or fail with an errno. */
function createDisk(
  size: number,
  behaviour: { take?: (asked: number, nth: number) => number | string; hold?: boolean } = {},
): Disk {
  const bytes = Buffer.alloc(size)
  const held: (() => void)[] = []
  const disk: Disk = {
    bytes,
    writes: [],
    underWay: 0,
    async go() {
      while (held.length > 0) {
        held.shift()!()
        for (let turn = 0; turn < 10; turn++) await Promise.resolve()
      }
    },
    async write(buffers, position) {
      const asked = buffers.reduce((sum, b) => sum + b.length, 0)
      disk.underWay += asked
      if (behaviour.hold) await new Promise<void>((resolve) => held.push(resolve))
      else await Promise.resolve()
      disk.underWay -= asked
      const taken = behaviour.take?.(asked, disk.writes.length) ?? asked
      if (typeof taken === 'string') throw Object.assign(new Error(taken), { code: taken })
      Buffer.concat(buffers).copy(bytes, position, 0, taken)
      disk.writes.push({ position, bytes: taken })
      return taken
    },
    async read(buffer, position) {
      return bytes.copy(buffer, 0, position, Math.min(size, position + buffer.length))
    },
    size: async () => size,
    truncate: async () => undefined,
    datasync: async () => undefined,
    close: async () => undefined,
  }
  return disk
}

const openPart = (disk: Disk) =>
  PartFile.open({ open: async () => disk } as unknown as FileSystem, '/downloads/file.part', 'open')

interface Listening extends WriterEvents {
  marks: number[]
  drains: number
  errors: Error[]
}

function listening(onWritten: (position: number) => void = () => undefined): Listening {
  const events: Listening = {
    marks: [],
    drains: 0,
    errors: [],
    written(position) {
      events.marks.push(position)
      onWritten(position)
    },
    drained() {
      events.drains++
    },
    failed(error) {
      events.errors.push(error)
    },
  }
  return events
}

/** Cuts the content [from, to) into chunks of these sizes, again and again. */
function* chunksOf(from: number, to: number, sizes: readonly number[]): Generator<Buffer> {
  for (let at = from, n = 0; at < to; n++) {
    const length = Math.min(sizes[n % sizes.length]!, to - at)
    yield contentBytes(SEED, at, length)
    at += length
  }
}

const expectedBlocks = (from: number, size: number): BlockChecksum[] =>
  Array.from({ length: Math.ceil(size / BLOCK_BYTES) }, (_, index) => index)
    .filter((index) => index * BLOCK_BYTES >= from)
    .map((index) => {
      const bytes = Math.min(BLOCK_BYTES, size - index * BLOCK_BYTES)
      return { index, bytes, crc32: crc32(contentBytes(SEED, index * BLOCK_BYTES, bytes)) }
    })

const chunkSize = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1_000, max: 70_000 }),
  fc.constantFrom(16_384, 65_536, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1),
  fc.integer({ min: BLOCK_BYTES, max: 3 * BLOCK_BYTES }),
)
// Mostly chunks of the size that sockets make, so that runs stay short.
const chunkSizes = fc
  .array(chunkSize, { minLength: 1, maxLength: 6 })
  .map((sizes) => (sizes.some((size) => size >= 1_000) ? sizes : [...sizes, 65_536]))

describe('SegmentWriter', () => {
  it('puts every byte in place and knows every block’s CRC-32, whatever the chunks and however short the writes', async () => {
    await fc.assert(
      fc.asyncProperty(
        chunkSizes,
        fc.integer({ min: 0, max: 2 * BLOCK_BYTES }),
        fc.integer({ min: 1, max: 3 * BLOCK_BYTES }),
        fc.array(fc.integer({ min: 1, max: 2 * BLOCK_BYTES }), { maxLength: 8 }),
        async (sizes, from, length, shortWrites) => {
          const size = from + length
          const disk = createDisk(size, { take: (asked, nth) => Math.min(asked, shortWrites[nth] ?? asked) })
          contentBytes(SEED, 0, from).copy(disk.bytes)
          const part = await openPart(disk)
          const kept: BlockChecksum[] = []
          const events = listening((position) => {
            // a mark is never ahead of the disk
            expect(disk.bytes.subarray(from, position).equals(contentBytes(SEED, from, position - from))).toBe(true)
            for (const block of part.takeBlocks()) {
              kept.push(block)
              expect(block.index * BLOCK_BYTES + block.bytes).toBeLessThanOrEqual(position)
            }
          })
          const writer = await SegmentWriter.at(part, from, () => true, events)
          for (const chunk of chunksOf(from, size, sizes)) writer.push(chunk)
          await writer.finish()
          expect(writer.position).toBe(size)
          expect(events.marks.at(-1)).toBe(size)
          expect(events.marks).toEqual([...new Set(events.marks)].sort((a, b) => a - b))
          expect(disk.bytes.equals(contentBytes(SEED, 0, size))).toBe(true)
          // the last, shorter block is whole only once somebody says that the file ends here
          writer.endOfFile()
          kept.push(...part.takeBlocks())
          const firstBlock = from - (from % BLOCK_BYTES)
          expect(kept.sort((a, b) => a.index - b.index)).toEqual(expectedBlocks(firstBlock, size))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('vouches for no block whose beginning it has not seen', async () => {
    const size = 2 * BLOCK_BYTES + 10
    const disk = createDisk(size)
    const part = await openPart(disk)
    const writer = await SegmentWriter.at(part, 100, () => false, listening())
    for (const chunk of chunksOf(100, size, [65_536])) writer.push(chunk)
    await writer.finish()
    writer.endOfFile()
    expect(part.takeBlocks()).toEqual(expectedBlocks(BLOCK_BYTES, size))
  })

  it('holds two mebibytes and a chunk at most when the disk is slow, says so, and says when there is room', async () => {
    const size = 16 * MIB
    const disk = createDisk(size, { hold: true })
    const events = listening()
    const writer = await SegmentWriter.at(await openPart(disk), 0, () => true, events)
    const chunks = chunksOf(0, size, [64 * 1024])
    let pushed = 0
    let mostHeld = 0
    let pauses = 0
    for (;;) {
      let room = true
      while (room) {
        const { value, done } = chunks.next()
        if (done) break
        room = writer.push(value)
        pushed += value.length
        mostHeld = Math.max(mostHeld, pushed - (events.marks.at(-1) ?? 0))
        // one write at a time: a second one could overtake the first
        expect(disk.underWay).toBeLessThanOrEqual(2 * MIB)
      }
      if (room) break
      pauses++
      const before = events.drains
      await disk.go()
      expect(events.drains).toBe(before + 1)
    }
    const finished = writer.finish()
    await disk.go()
    await finished
    expect(pauses).toBeGreaterThan(2)
    expect(mostHeld).toBeLessThanOrEqual(2 * MIB + 64 * 1024)
    expect(disk.bytes.equals(contentBytes(SEED, 0, size))).toBe(true)
  })

  it('writes in pieces of about a mebibyte, and less only where it is asked to', async () => {
    const disk = createDisk(4 * MIB)
    const events = listening()
    const writer = await SegmentWriter.at(await openPart(disk), 0, () => true, events)
    for (const chunk of chunksOf(0, 3 * MIB, [64 * 1024])) {
      writer.push(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(disk.writes.map((w) => w.bytes)).toEqual([MIB, MIB, MIB])
    writer.push(contentBytes(SEED, 3 * MIB, 100))
    expect(events.marks.at(-1)).toBe(3 * MIB)
    // the checkpoint's flush: a crash costs seconds whatever the speed
    writer.flush()
    await new Promise((resolve) => setImmediate(resolve))
    expect(events.marks.at(-1)).toBe(3 * MIB + 100)
  })

  it.each([
    ['ENOSPC', 'disk_full'],
    ['EIO', 'io_error'],
    ['EROFS', 'read_only'],
  ])('says %s once, as %s, counts nothing of the failed write, and ends', async (errno, code) => {
    const disk = createDisk(8 * MIB, { take: (asked, nth) => (nth === 2 ? errno : nth === 1 ? 1000 : asked) })
    const events = listening()
    const part = await openPart(disk)
    const writer = await SegmentWriter.at(part, 0, () => true, events)
    for (const chunk of chunksOf(0, 4 * MIB, [MIB])) {
      writer.push(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await expect(writer.finish()).rejects.toMatchObject({ code })
    expect(events.errors).toHaveLength(1)
    expect(events.errors[0]).toBeInstanceOf(NighthaulError)
    expect(events.errors[0]).toMatchObject({ code })
    // the mark stands where the last whole write ended; no block beyond it is vouched for
    expect(events.marks).toEqual([MIB])
    expect(part.takeBlocks()).toEqual(expectedBlocks(0, MIB))
    expect(writer.push(contentBytes(SEED, 4 * MIB, 10))).toBe(false)
    await expect(writer.finish()).rejects.toMatchObject({ code })
  })

  it('writes as much where a single connection fills small slabs, and uses the same ones again', async () => {
    // Of its own: others have forgotten some.
    vi.resetModules()
    const { SlabReader, TLS_SLAB_BYTES } = await import('../../electron/engine/http/slabs.ts')
    const { PartFile, SegmentWriter } = await import('../../electron/engine/file-sink.ts')
    const disk = createDisk(8 * MIB)
    const part = await PartFile.open({ open: async () => disk } as unknown as FileSystem, '/a.part', 'open')
    const writer = new SegmentWriter(part, 0, 0, listening())
    const reader = new SlabReader(TLS_SLAB_BYTES)
    const memories = new Set<ArrayBufferLike>()
    while (writer.position < 8 * MIB) {
      const room = reader.room()
      const count = Math.min(16_384, room.length, 8 * MIB - writer.position)
      contentBytes(SEED, writer.position, count).copy(room)
      memories.add(room.buffer)
      reader.add(count)
      writer.push(reader.take())
      await new Promise(setImmediate)
    }
    reader.end()
    await writer.finish()
    const sizes = disk.writes.map(({ bytes }) => bytes)
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(0.75 * MIB)
    expect(memories.size).toBeLessThanOrEqual(10)
    expect(disk.bytes.equals(contentBytes(SEED, 0, 8 * MIB))).toBe(true)
  })

  it('writes a quarter of that where many connections hold memory', async () => {
    const readers = Array.from({ length: 9 }, () => new SlabReader())
    for (const reader of readers) reader.room()
    const disk = createDisk(4 * MIB)
    const writer = new SegmentWriter(await openPart(disk), 0, 0, listening())
    for (const chunk of chunksOf(0, 4 * MIB, [65_536])) {
      writer.push(chunk)
      await new Promise(setImmediate)
    }
    await writer.finish()
    for (const reader of readers) reader.end()
    expect(disk.writes.map(({ bytes }) => bytes)).toEqual(Array(16).fill(MIB / 4))
    expect(disk.bytes.equals(contentBytes(SEED, 0, 4 * MIB))).toBe(true)
  })

  it('knows the last block’s CRC only after its bytes are written, when the end is told before', async () => {
    const disk = createDisk(1000, { hold: true })
    const part = await openPart(disk)
    const writer = await SegmentWriter.at(part, 0, () => true, listening())
    writer.push(contentBytes(SEED, 0, 1000))
    writer.endOfFile()
    expect(part.takeBlocks()).toEqual([])
    const finished = writer.finish()
    expect(part.takeBlocks()).toEqual([])
    await disk.go()
    await finished
    expect(part.takeBlocks()).toEqual(expectedBlocks(0, 1000))
  })

  it('finishes at once where nothing came', async () => {
    const events = listening()
    const part = await openPart(createDisk(10))
    const writer = await SegmentWriter.at(part, 0, () => true, events)
    await writer.finish()
    writer.endOfFile()
    expect([events.marks, part.takeBlocks()]).toEqual([[], []])
  })
})
