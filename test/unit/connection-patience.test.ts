/** How long a connection is watched before it is judged. */
import { expect, it } from 'vitest'
import { createConnection, workersOf } from '../../electron/engine/connection.ts'

it('is watched twice as long with each one before it that was replaced on the same bytes', () => {
  const connection = { ...createConnection(null, 'example.org', 0), segment: 0, answeredAtMs: 0 }
  const segments = [{ start: 0, end: 1000, written: 0, durable: 0 }]
  const look = { spanMs: 1000, leastMs: 1000, latencyMs: 10 }
  const judgedAfter = (nowMs: number, replaced: number) =>
    workersOf([connection], segments, nowMs, look, () => replaced)[0]!.bytesPerSecond !== null
  expect(judgedAfter(999, 0)).toBe(false)
  expect(judgedAfter(1000, 0)).toBe(true)
  expect(judgedAfter(1999, 1)).toBe(false)
  expect(judgedAfter(2000, 1)).toBe(true)
  expect(judgedAfter(7999, 3)).toBe(false)
  expect(judgedAfter(8000, 3)).toBe(true)
})
