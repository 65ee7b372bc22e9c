/** A race for the rest of a segment: nothing is written before the owner has stopped, and nothing is written twice. */

import { describe, expect, it, vi } from 'vitest'
import type { SegmentWriter } from '../../electron/engine/file-sink.ts'
import type { RaceAnswer } from '../../electron/engine/lane/lane.ts'
import { RacingWriter } from '../../electron/engine/racing-writer.ts'
import { PATIENT_MS } from '../helpers/patience.ts'
import fc from '../helpers/property.ts'

const FROM = 1000

/** A race against an owner that answers as told; `written` is what reached the file, and from where. */
function race(answers: (position: number) => Promise<RaceAnswer>) {
  const written: number[] = []
  const opened: { from: number; blockHeld: boolean }[] = []
  const drained = vi.fn()
  const failed = vi.fn()
  const writer = new RacingWriter({
    from: FROM,
    takeOver: answers,
    open: async (from, blockHeld) => {
      opened.push({ from, blockHeld })
      return {
        push(chunk: Buffer) {
          written.push(...chunk)
          return true
        },
        finish: async () => {},
        flush() {},
        endOfFile() {},
      } as unknown as SegmentWriter
    },
    drained,
    failed,
  })
  return { writer, written, opened, drained, failed }
}

/** Byte at an offset; a test sees at once which one it got. */
const bytes = (start: number, length: number) => Buffer.from(Array.from({ length }, (_, n) => (start + n) % 251))
const yours = async (from: number): Promise<RaceAnswer> => ({ kind: 'yours', from, blockHeld: true })

describe('a racing writer', () => {
  it('asks as soon as it has read something, waits for the answer, and writes from where the owner stopped', async () => {
    const asked: number[] = []
    const { writer, written, opened, drained } = race((position) => {
      asked.push(position)
      return yours(FROM + 30)
    })
    expect(writer.push(bytes(FROM, 100))).toBe(false)
    expect(written).toEqual([])
    await writer.finish()
    expect(asked).toEqual([FROM + 100])
    expect(opened).toEqual([{ from: FROM + 30, blockHeld: true }])
    expect(written).toEqual([...bytes(FROM + 30, 70)])
    expect(writer.position).toBe(FROM + 100)
    expect(drained).not.toHaveBeenCalled()
  })

  it('drops what the owner has, and asks again only when it has read beyond that', async () => {
    const asked: number[] = []
    const { writer, written, drained } = race(async (position) => {
      asked.push(position)
      return position < FROM + 200 ? { kind: 'ahead', position: FROM + 170 } : yours(FROM + 180)
    })
    expect(writer.push(bytes(FROM, 100))).toBe(false)
    await vi.waitFor(() => expect(drained).toHaveBeenCalledTimes(1), PATIENT_MS)
    expect(writer.push(bytes(FROM + 100, 70))).toBe(true)
    expect(writer.push(bytes(FROM + 170, 50))).toBe(false)
    await writer.finish()
    expect(asked).toEqual([FROM + 100, FROM + 220])
    expect(written).toEqual([...bytes(FROM + 180, 40)])
  })

  it('reads on without writing where the owner came further before it stopped', async () => {
    const { writer, written, drained } = race(() => yours(FROM + 150))
    writer.push(bytes(FROM, 100))
    await vi.waitFor(() => expect(drained).toHaveBeenCalled(), PATIENT_MS)
    expect(writer.push(bytes(FROM + 100, 100))).toBe(true)
    expect(written).toEqual([...bytes(FROM + 150, 50)])
  })

  it('fails where the owner could not write what it had read: those bytes were dropped', async () => {
    let position = FROM + 500
    const { writer, written, failed, drained } = race(async () =>
      position > 0 ? { kind: 'ahead', position } : yours(FROM + 400),
    )
    writer.push(bytes(FROM, 100))
    await vi.waitFor(() => expect(drained).toHaveBeenCalled(), PATIENT_MS)
    position = 0
    writer.push(bytes(FROM + 100, 400))
    writer.push(bytes(FROM + 500, 10))
    await writer.finish()
    expect(failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'connection_closed' }))
    expect(written).toEqual([])
  })

  it('ends without a byte written where the race is called off', async () => {
    const reason = new Error('over')
    const { writer, written, failed } = race(() => Promise.reject(reason))
    writer.push(bytes(FROM, 100))
    await writer.finish()
    expect(failed).toHaveBeenCalledWith(reason)
    expect(written).toEqual([])
  })

  it('writes every byte from the owner’s end on once, whatever comes in whatever pieces', async () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(300), fc.nat(50), async (sizes, ownerAt, further) => {
        const end = FROM + sizes.reduce((sum, size) => sum + size, 0)
        const stop = FROM + ownerAt + further
        const { writer, written, failed } = race(async (position) =>
          position > FROM + ownerAt ? yours(stop) : { kind: 'ahead', position: FROM + ownerAt },
        )
        let at = FROM
        for (const size of sizes) {
          const room = writer.push(bytes(at, size))
          at += size
          if (!room) await new Promise((resolve) => setImmediate(resolve))
        }
        await writer.finish()
        expect(failed).not.toHaveBeenCalled()
        expect(writer.position).toBe(end)
        expect(written).toEqual(end > FROM + ownerAt ? [...bytes(stop, Math.max(0, end - stop))] : [])
      }),
      { numRuns: 100 },
    )
  })
})
