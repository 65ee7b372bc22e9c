import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { handedOn, join, release, SlabReader, TLS_SLAB_BYTES } from '../../electron/engine/http/slabs.ts'
import fc from '../helpers/property.ts'

/** As a socket does: fills what it is given with a byte and says how much. */
function read(reader: SlabReader, bytes: number, value: number): Buffer {
  const room = reader.room()
  const count = Math.min(bytes, room.length)
  room.fill(value, 0, count)
  reader.add(count)
  return reader.take()
}

describe('slabs', () => {
  it('never reuse memory of which a byte is still held, whoever reads and releases when', () => {
    const step = fc.record({
      socket: fc.nat(3),
      bytes: fc.integer({ min: 1, max: 1024 * 1024 }),
      headBytes: fc.nat(2_000),
      action: fc.constantFrom('read', 'read', 'release', 'end', 'forget'),
      which: fc.nat(100),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const readers = [0, 1, 2, 3].map((n) => new SlabReader(n < 2 ? undefined : TLS_SLAB_BYTES))
        const held: { chunk: Buffer; value: number }[] = []
        steps.forEach(({ socket, bytes, headBytes, action, which }, index) => {
          const value = (index % 255) + 1
          if (action === 'read') {
            const chunk = read(readers[socket]!, bytes, value).subarray(headBytes)
            if (chunk.length === 0) return
            handedOn(chunk)
            held.push({ chunk, value })
          } else if (action === 'end') readers[socket]!.end()
          else if (held.length > 0) {
            const [gone] = held.splice(which % held.length, 1)
            // Forgotten bytes are looked at no more, and their slab is never used again.
            if (action === 'release') release(gone!.chunk)
          }
          for (const { chunk, value: expected } of held) {
            expect(chunk[0]).toBe(expected)
            expect(chunk[chunk.length - 1]).toBe(expected)
          }
        })
        for (const { chunk } of held) release(chunk)
        for (const reader of readers) reader.end()
      }),
      { numRuns: 300 },
    )
  })

  it('are used again once every byte was released, in whatever pieces', () => {
    const reader = new SlabReader()
    const first = read(reader, 1024 * 1024, 1)
    const memory = first.buffer
    reader.end()
    release(first.subarray(0, 1000))
    release(first.subarray(1000))
    const other = new SlabReader()
    expect(other.room().buffer).toBe(memory)
    other.end()
  })

  it('are used again when only heads lay between the bodies in them', () => {
    const reader = new SlabReader()
    const memories = new Set<ArrayBufferLike>()
    for (let n = 0; n < 200; n++) {
      const reply = read(reader, 65_536, 1)
      memories.add(reply.buffer)
      const body = reply.subarray(300)
      for (const half of [body.subarray(0, 30_000), body.subarray(30_000)]) handedOn(half)
      release(body)
    }
    reader.end()
    expect(memories.size).toBe(1)
  })

  it('that are forgotten count no more once they are collected', async () => {
    vi.resetModules()
    const slabs = await import('../../electron/engine/http/slabs.ts')
    const fill = () => {
      for (let n = 0; n < 9; n++) read(new slabs.SlabReader(), 1024 * 1024, 1)
    }
    fill()
    expect(slabs.slabsAreMany()).toBe(true)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    await vi.waitFor(() => {
      collect()
      expect(slabs.slabsAreMany()).toBe(false)
    }, 10_000)
  })

  it('are enough for eight sockets whose bytes are written at once, and few stay when all is over', async () => {
    // Of its own: others have forgotten some.
    vi.resetModules()
    const slabs = await import('../../electron/engine/http/slabs.ts')
    const readers = Array.from({ length: 8 }, () => new slabs.SlabReader())
    const memories = new Set<ArrayBufferLike>()
    const round = () => {
      const held = readers.flatMap((reader, index) => [0, 1, 2, 3].map(() => read(reader, 1024 * 1024, index + 1)))
      for (const { buffer } of held) memories.add(buffer)
      held.forEach(slabs.release)
    }
    round()
    const made = memories.size
    for (let n = 0; n < 20; n++) round()
    expect(memories.size).toBe(made)
    for (const reader of readers) reader.end()
    const kept = Array.from({ length: made }, () => new slabs.SlabReader().room().buffer).filter((b) => memories.has(b))
    expect(kept).toHaveLength(8)
  })

  it('join neighbours without copying, and nothing else', () => {
    const reader = new SlabReader()
    const [a, b, c] = [read(reader, 10, 1), read(reader, 20, 2), read(reader, 30, 3)]
    const joined = join(a!, b!)!
    expect(joined.buffer).toBe(a!.buffer)
    expect([...joined]).toEqual([...Array(10).fill(1), ...Array(20).fill(2)])
    expect(join(a!, c!)).toBeNull()
    expect(join(Buffer.alloc(4), Buffer.alloc(4))).toBeNull()
    for (const chunk of [joined, c!]) release(chunk)
    reader.end()
  })

  it('ignore buffers that are none of theirs', () => {
    release(Buffer.from('anything'))
  })
})
