/** Sleep and other networks, noticed by looking: on a clock that is moved by hand. */
import { expect, test } from 'vitest'
import { changeBetween, type Interfaces, outsideAddresses, watchNetwork } from '../../electron/engine/network-watch.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

const home: Interfaces = {
  lo: [{ address: '127.0.0.1', internal: true }],
  wlan0: [
    { address: '192.168.1.7', internal: false },
    { address: 'fe80::1', internal: false },
  ],
}
const cafe: Interfaces = { ...home, wlan0: [{ address: '10.0.0.3', internal: false }] }

test('only addresses that lead outside count, in whatever order', () => {
  expect(outsideAddresses(home)).toBe('wlan0 192.168.1.7')
  const two = { a: [{ address: '::2', internal: false }], b: [{ address: '::1', internal: false }] }
  expect(outsideAddresses(two)).toBe(outsideAddresses({ b: two.b, a: two.a }))
  expect(outsideAddresses({ lo: home.lo, gone: undefined })).toBe('')
})

test.each([
  ['nothing happened', { at: 5000, monotonicMs: 5000 }, null],
  ['the timer was a little late', { at: 15_000, monotonicMs: 15_000 }, null],
  ['both clocks went on while the machine slept', { at: 3_600_000, monotonicMs: 3_600_000 }, 'wake'],
  ['one clock stood still while the machine slept', { at: 3_600_000, monotonicMs: 5000 }, 'wake'],
  ['the clock was set back', { at: -3_600_000, monotonicMs: 5000 }, null],
  ['another address', { at: 5000, monotonicMs: 5000, addresses: 'b' }, 'interfaces'],
  ['no address any more', { at: 5000, monotonicMs: 5000, addresses: '' }, 'offline'],
] as const)('%s', (_what, now, expected) => {
  const before = { at: 0, monotonicMs: 0, addresses: 'a' }
  expect(changeBetween(before, { addresses: 'a', ...now })).toBe(expected)
})

test('each change is told once, and nothing after the end', () => {
  const clock = createManualClock()
  let interfaces = home
  const told: string[] = []
  const watch = watchNetwork(
    clock,
    () => interfaces,
    (reason) => told.push(reason),
  )
  clock.advance(20_000)
  interfaces = { lo: home.lo }
  clock.advance(10_000)
  interfaces = cafe
  clock.advance(10_000)
  expect(told).toEqual(['offline', 'interfaces'])
  watch.stop()
  interfaces = home
  clock.advance(60_000)
  expect(told).toHaveLength(2)
  expect(clock.pending).toBe(0)
})
