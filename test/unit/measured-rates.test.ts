/** What is measured of hosts and the line while downloads run: what each of them brings, and what holds it back. */
import { expect, test } from 'vitest'
import { type Flowing, MeasuredRates, type Phase } from '../../electron/engine/measured-rates.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

const KB = 1_000
const READS: readonly Phase[] = ['reads']

function start() {
  const clock = createManualClock()
  const store = { receivedBytes: () => [], requestTallies: () => ({ hosts: new Map(), hours: [] }) }
  const rates = new MeasuredRates({ clock, store: store as never })
  rates.observe([])
  /** Second by second: what each host brings, and what its downloads do. */
  const pass = (
    seconds: number,
    hosts: Record<string, { bytes?: number; phases?: readonly Phase[]; limited?: boolean }>,
  ) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000)
      for (const [host, { bytes = 0 }] of Object.entries(hosts)) if (bytes > 0) rates.received(host, bytes)
      rates.observe(
        Object.entries(hosts).flatMap(([host, { phases = READS, limited = false }]) =>
          phases.map((phase): Flowing => ({ host, phase, limited })),
        ),
      )
    }
  }
  const rate = (host: string) => rates.host(host, 6).bytesPerSecond
  return { pass, rate, line: () => rates.line()[0]! }
}

test('what hosts get of a line that they share is no limit of theirs, also when one of them has nothing to do any more', () => {
  const { pass, rate, line } = start()
  pass(60, { a: { bytes: 100 * KB }, b: { bytes: 100 * KB } })
  expect([rate('a'), rate('b')]).toEqual([Infinity, Infinity])
  expect(line()).toEqual({ bytesPerSecond: 200 * KB, basis: 'now' })
  pass(5, { b: { bytes: 200 * KB } })
  expect([rate('a'), rate('b')]).toEqual([Infinity, Infinity])
})

test('a host that has the line for itself brings what it can', () => {
  const { pass, rate } = start()
  pass(60, { a: { bytes: 100 * KB }, b: { bytes: 100 * KB } })
  pass(60, { a: { bytes: 150 * KB } })
  expect(rate('a')).toBeCloseTo(150 * KB, -3)
  expect(rate('b')).toBe(Infinity)
  // One that does not answer is no company.
  pass(60, { a: { bytes: 50 * KB }, mute: { phases: ['asks'] } })
  expect(rate('a')).toBeLessThan(100 * KB)
})

test('a host whose downloads are clearly slower than others’ is slow itself, and limits of ours say nothing', () => {
  const { pass, rate } = start()
  pass(60, { slow: { bytes: 20 * KB }, a: { bytes: 100 * KB }, b: { bytes: 200 * KB, phases: ['reads', 'reads'] } })
  expect([rate('slow'), rate('a'), rate('b')].map((found) => Math.round(found))).toEqual([20 * KB, Infinity, Infinity])
  const limited = start()
  limited.pass(60, { slow: { bytes: 20 * KB, limited: true }, a: { bytes: 100 * KB } })
  expect(limited.rate('slow')).toBe(Infinity)
})

test('small files count by their bytes, whether they are there when somebody looks or not', () => {
  const { pass, rate } = start()
  for (let round = 0; round < 30; round++) {
    pass(1, { small: { bytes: 100 * KB, phases: ['reads'] }, a: { bytes: 100 * KB } })
    pass(1, { small: { phases: ['asks'] }, a: { bytes: 100 * KB } })
  }
  expect(rate('small')).toBe(Infinity)
})

test('a host of which nothing answers brings nothing, one that downloads wait for their turn at is not such a host', () => {
  const { pass, rate } = start()
  pass(60, { down: { phases: ['asks', 'waits'] }, spaced: { phases: ['waits'] }, a: { bytes: 100 * KB } })
  expect([rate('down'), rate('spaced')]).toEqual([0, Infinity])
  pass(1, { down: { bytes: 100 * KB }, a: { bytes: 100 * KB } })
  expect(rate('down')).toBe(Infinity)
})

test('between two files what the line brings is still known, and forgotten once nothing runs', () => {
  const { pass, line } = start()
  pass(60, { a: { bytes: 100 * KB } })
  pass(3, { a: { phases: ['asks'] } })
  expect(line()).toMatchObject({ basis: 'now' })
  expect(line().bytesPerSecond).toBeCloseTo(100 * KB, -3)
  pass(1, {})
  expect(line()).toMatchObject({ basis: 'assumed' })
})
