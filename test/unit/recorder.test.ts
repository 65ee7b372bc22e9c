/** What is brought to the disk for many at once: never less than was stored before it was asked for. */
import { expect, test } from 'vitest'
import { REST_MS, Recorder } from '../../electron/engine/recorder.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

function world() {
  const clock = createManualClock()
  let stored = 0
  let onDisk = 0
  let times = 0
  let failure: Error | null = null
  const recorder = new Recorder({
    clock,
    store: {
      committed: async (durable) => {
        expect(durable).toBe(true)
        times++
        if (failure) throw failure
        onDisk = stored
      },
    },
  })
  return {
    clock,
    recorder,
    store: () => ++stored,
    fail: (error: Error | null) => {
      failure = error
    },
    get onDisk() {
      return onDisk
    },
    get times() {
      return times
    },
  }
}

test('the first goes at once, those shortly after share the next', async () => {
  const it = world()
  it.store()
  await it.recorder.recorded()
  expect(it.onDisk).toBe(1)
  const done: number[] = []
  for (let n = 2; n <= 50; n++) {
    const mine = it.store()
    void it.recorder.recorded().then(() => {
      expect(it.onDisk).toBeGreaterThanOrEqual(mine)
      done.push(mine)
    })
  }
  await Promise.resolve()
  it.clock.advance(REST_MS - 1)
  await Promise.resolve()
  expect({ done, times: it.times }).toEqual({ done: [], times: 1 })
  it.clock.advance(1)
  await expect.poll(() => done.length).toBe(49)
  expect(it.times).toBe(2)
})

test('after a rest nobody waits', async () => {
  const it = world()
  await it.recorder.recorded()
  it.clock.advance(REST_MS)
  it.store()
  await it.recorder.recorded()
  expect([it.onDisk, it.times, it.clock.pending]).toEqual([1, 2, 0])
})

test('whoever stores something while it is brought to the disk waits for the next time', async () => {
  const it = world()
  it.store()
  const first = it.recorder.recorded()
  it.store()
  const second = it.recorder.recorded()
  await first
  expect(it.times).toBe(1)
  it.clock.advance(REST_MS)
  await second
  expect([it.onDisk, it.times]).toEqual([2, 2])
})

test('a failure is told to those who waited, and the next try may do better', async () => {
  const it = world()
  it.fail(new Error('disk full'))
  await expect(it.recorder.recorded()).rejects.toThrow('disk full')
  it.fail(null)
  const again = it.recorder.recorded()
  it.clock.advance(REST_MS)
  await again
  expect(it.times).toBe(2)
})
