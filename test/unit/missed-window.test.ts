import { expect, test } from 'vitest'
import { madeUpUntil, missedWindow } from '../../electron/engine/missed-window.ts'
import { MissedWindows } from '../../electron/engine/missed-windows.ts'
import type { Queues } from '../../electron/engine/queues.ts'
import { windowState } from '../../electron/engine/window-times.ts'
import { DEFAULT_QUEUE_SETTINGS } from '../../shared/queues.ts'
import type { TaskStore } from '../../shared/records.ts'
import { NO_SCHEDULE_STATE, type ScheduleState } from '../../shared/schedule-state.ts'
import { parseWindows } from '../../shared/windows.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import fc from '../helpers/property.ts'

const at = (iso: string) => Date.parse(iso)
const night = parseWindows('23:00-07:00')
const missed = (from: string, to: string, zone = 'UTC') =>
  missedWindow(night, zone, { from: at(from), to: at(to) }) as { from: number; to: number } | null

test('what was lost of the last window that closed', () => {
  const whole = { from: at('2026-11-26T23:00Z'), to: at('2026-11-27T07:00Z') }
  expect(missed('2026-11-26T20:00Z', '2026-11-27T08:00Z')).toEqual(whole)
  // It had worked for a while.
  expect(missed('2026-11-27T01:00Z', '2026-11-27T08:00Z')).toEqual({ ...whole, from: at('2026-11-27T01:00Z') })
  // Off for weeks: nights are not added up.
  expect(missed('2026-10-01T00:00Z', '2026-11-27T08:00Z')).toEqual(whole)
  expect(madeUpUntil(whole, 1000)).toBe(1000 + 8 * 3_600_000)
})

test('nothing was missed where the window is open still, or only moments of it were lost', () => {
  expect(missed('2026-11-26T20:00Z', '2026-11-27T06:59Z')).toBeNull()
  expect(missed('2026-11-27T06:58Z', '2026-11-27T08:00Z')).toBeNull()
  expect(missed('2026-11-27T08:00Z', '2026-11-27T22:00Z')).toBeNull()
})

test('a night of a change of the clock is as long as it was', () => {
  const spring = missed('2026-03-28T12:00Z', '2026-03-29T12:00Z', 'Europe/Berlin')!
  expect(spring.to - spring.from).toBe(7 * 3_600_000)
  const autumn = missed('2026-10-24T12:00Z', '2026-10-25T12:00Z', 'Europe/Berlin')!
  expect(autumn.to - autumn.from).toBe(9 * 3_600_000)
})

test('what was lost lies in the gap, and the window was open all of it', () => {
  const texts = fc.constantFrom('23:00-07:00', 'Mon-Fri 02:30-03:30', 'Sat,Sun 00:00-12:00, Mon 22:00-23:00')
  const instants = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-01-01T00:00Z') })
  const lengths = fc.integer({ min: 0, max: 20 * 86_400_000 })
  fc.assert(
    fc.property(texts, instants, lengths, fc.double({ min: 0, max: 1, noNaN: true }), (text, from, length, part) => {
      const windows = parseWindows(text)
      const lost = missedWindow(windows, 'Europe/Berlin', { from, to: from + length })
      if (!lost) return
      expect(lost.from).toBeGreaterThanOrEqual(from)
      expect(lost.to).toBeLessThanOrEqual(from + length)
      const moment = Math.floor(lost.from + part * (lost.to - 1 - lost.from))
      expect(windowState(windows, 'Europe/Berlin', moment)).toMatchObject({ open: true, changesAt: lost.to })
    }),
    { numRuns: 80 },
  )
})

test('after a crash it is known to five minutes when the engine was last alive', () => {
  const clock = createManualClock()
  let stored = NO_SCHEDULE_STATE
  let writes = 0
  const store = {
    scheduleState: () => stored,
    setScheduleState: (patch: Partial<ScheduleState>) => {
      stored = { ...stored, ...patch }
      writes++
    },
    openByQueue: () => new Map([[2, 1]]),
  } as unknown as TaskStore
  const record = { ...DEFAULT_QUEUE_SETTINGS, id: 2, name: 'Night', windows: '00:30-04:00', timeZone: 'UTC' }
  const queues = { records: [record], holdOf: () => 'window' } as unknown as Queues
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  let setBackMs = 0
  const setBack = (ms: number) => {
    setBackMs = ms
  }
  const notices = { add() {}, dropWhere() {} }
  const deps = { store, clock, logger, queues: () => queues, changed() {}, setBack, notices }
  // It begins at midnight, looks every second, and is killed within its window.
  const first = new MissedWindows(deps)
  for (let second = 0; second < 3600; second++) {
    first.look()
    clock.advance(1000)
  }
  expect(writes).toBeLessThanOrEqual(13)
  expect(first.of(2)).toBeNull()
  clock.advance(9 * 3_600_000)
  const next = new MissedWindows(deps)
  next.look()
  const missed = next.of(2)!
  const lastAlive = at('2026-01-01T01:00Z')
  expect(missed.from).toBeGreaterThanOrEqual(lastAlive - 5 * 60_000)
  expect(missed.from).toBeLessThanOrEqual(lastAlive)
  expect(missed).toMatchObject({ to: at('2026-01-01T04:00Z'), until: clock.now() + missed.to - missed.from })
  // A clock that is set back by days must not make hours days.
  clock.advance(-5 * 86_400_000)
  next.look()
  expect(next.of(2)).toBeNull()
  expect(setBackMs).toBe(5 * 86_400_000)
})
