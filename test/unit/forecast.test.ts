import { describe, expect, it } from 'vitest'
import { fairRates } from '../../electron/engine/fair-rates.ts'
import {
  forecast,
  type Plan,
  type PlannedHost,
  type PlannedQueue,
  type PlannedTask,
} from '../../electron/engine/forecast.ts'
import type { Span } from '../../electron/engine/window-times.ts'
import fc from '../helpers/property.ts'

const NOW = Date.UTC(2026, 10, 26, 21)
const HOUR = 3_600_000
const DAY = 24 * HOUR
const MB = 1_000_000

const HOST: PlannedHost = { downloads: 100, bytesPerSecond: Infinity, quietUntil: 0, setupMs: 0 }
const task = (id: number, leftBytes: number, patch: Partial<PlannedTask> = {}): PlannedTask => ({
  ...{ id, leftBytes, files: 1, host: 'a', notBefore: null, running: false, forced: false, limitBytesPerSecond: null },
  ...patch,
})
const queue = (id: number, tasks: PlannedTask[], patch: Partial<PlannedQueue> = {}): PlannedQueue => ({
  ...{ id, tasks, runs: [], priority: 0, weight: 1, downloadsAtOnce: null, limitBytesPerSecond: null, deadline: null },
  spans: [{ from: null, to: null }],
  ...patch,
})
const plan = (queues: PlannedQueue[], patch: Partial<Plan> = {}): Plan => ({
  ...{ now: NOW, until: NOW + 8 * DAY, queues, host: () => HOST },
  steps: [{ from: NOW, places: 2, bytesPerSecond: MB }],
  ...patch,
})
const seconds = (at: number | null) => (at === null ? null : (at - NOW) / 1000)

describe('shares of a line', () => {
  it('are equal, and what one cannot use is the others’', () => {
    const line = { bytesPerSecond: 100 }
    const flow = (most: number) => ({ most, shares: [line] })
    expect(fairRates([flow(Infinity), flow(10), flow(Infinity)])).toEqual([45, 10, 45])
    const host = { bytesPerSecond: 20 }
    expect(
      fairRates([
        { most: Infinity, shares: [line, host] },
        { most: Infinity, shares: [line, host] },
        { most: Infinity, shares: [line] },
      ]),
    ).toEqual([10, 10, 80])
  })

  it('never exceed a bound, and leave nothing that somebody could use', () => {
    const bound = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constant(Infinity))
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.array(bound, { minLength: 3, maxLength: 3 }),
        fc.array(fc.tuple(bound, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 12 }),
        (lineRate, groupRates, members) => {
          const line = { bytesPerSecond: lineRate }
          const groups = groupRates.map((bytesPerSecond) => ({ bytesPerSecond }))
          const flows = members.map(([most, group]) => ({ most, shares: [line, groups[group]!] }))
          const rates = fairRates(flows)
          const sum = (share: object) =>
            flows.reduce((total, flow, i) => total + (flow.shares.includes(share as never) ? rates[i]! : 0), 0)
          for (const share of [line, ...groups])
            expect(sum(share)).toBeLessThanOrEqual(share.bytesPerSecond * (1 + 1e-9))
          flows.forEach(({ most, shares }, i) => {
            expect(rates[i]).toBeLessThanOrEqual(most)
            const held = rates[i]! >= most * (1 - 1e-9) || shares.some((s) => sum(s) >= s.bytesPerSecond * (1 - 1e-9))
            expect(held).toBe(true)
          })
        },
      ),
    )
  })
})

describe('a forecast', () => {
  it('shares the line among what runs, and goes on with the next', () => {
    const { tasks, endsAt, work } = forecast(
      plan([queue(1, [task(1, 10 * MB), task(2, 20 * MB), task(3, 10 * MB)])]),
    ).get(1)!
    expect(tasks.map((t) => seconds(t.startsAt))).toEqual([0, 0, 20])
    expect(tasks.map((t) => seconds(t.endsAt))).toEqual([20, 40, 40])
    expect(seconds(endsAt)).toBe(40)
    expect(work).toEqual([{ from: NOW, to: NOW + 40_000, bytes: 40 * MB }])
  })

  it('works in windows only, and tells what is there by the deadline', () => {
    const spans: Span[] = [
      { from: NOW + HOUR, to: NOW + HOUR + 10_000 },
      { from: NOW + DAY, to: null },
    ]
    const night = queue(1, [task(1, 4 * MB), task(2, 12 * MB), task(3, MB)], { spans, deadline: NOW + 2 * HOUR })
    const { tasks, work } = forecast(plan([night])).get(1)!
    expect(seconds(tasks[0]!.endsAt)).toBe(3608)
    expect(tasks.map(({ bytesInTime, filesInTime }) => [bytesInTime, filesInTime])).toEqual([
      [4 * MB, 1],
      [5 * MB, 0],
      [MB, 1],
    ])
    expect(work.map(({ bytes }) => Math.round(bytes))).toEqual([10 * MB, 7 * MB])
    expect(seconds(tasks[1]!.endsAt)).toBeCloseTo(DAY / 1000 + 7)
  })

  it('passes over a host without room or that wants to be left alone', () => {
    const host = (name: string): PlannedHost =>
      name === 'slow'
        ? { ...HOST, downloads: 1, bytesPerSecond: MB / 10 }
        : name === 'quiet'
          ? { ...HOST, quietUntil: NOW + 60_000 }
          : HOST
    const tasks = [
      task(1, MB, { host: 'slow' }),
      task(2, MB, { host: 'slow' }),
      task(3, MB, { host: 'quiet' }),
      task(4, 9 * MB),
    ]
    const found = forecast(plan([queue(1, tasks)], { host })).get(1)!
    expect(found.tasks.map((t) => seconds(t.startsAt)?.toFixed())).toEqual(['0', '10', '60', '0'])
    expect(found.tasks.map((t) => seconds(t.endsAt)?.toFixed())).toEqual(['10', '20', '61', '10'])
  })

  it('gives up a host that does not answer, so that others have the places', () => {
    const host = (name: string): PlannedHost => (name === 'down' ? { ...HOST, bytesPerSecond: 0 } : HOST)
    const vain = [1, 2, 3].map((id) => task(id, MB, { host: 'down', running: id < 3 }))
    const several = task(0, 4 * MB, { host: 'down', files: 4 })
    const tasks = [...vain, several, task(5, 10 * MB)]
    const found = forecast(plan([queue(1, tasks, { deadline: NOW + HOUR })], { host })).get(1)!
    expect(found.endsAt).toBeNull()
    expect(found.tasks.map(({ endsAt }) => seconds(endsAt))).toEqual([null, null, null, null, 70])
    expect(found.tasks.map(({ bytesInTime, filesInTime }) => [bytesInTime, filesInTime])).toEqual([
      ...[...vain, several].map(() => [0, 0]),
      [10 * MB, 1],
    ])
  })

  it('heeds starts, forced downloads, limits and what changes with the hour', () => {
    const later = task(2, MB, { notBefore: NOW + 50_000 })
    const forced = task(3, MB, { forced: true, limitBytesPerSecond: MB / 10 })
    const steps = [
      { from: NOW, places: 1, bytesPerSecond: MB },
      { from: NOW + 5000, places: 1, bytesPerSecond: MB / 2 },
    ]
    const found = forecast(plan([queue(1, [task(1, 9 * MB), later]), queue(2, [forced], { spans: [] })], { steps }))
    // 5 s beside the forced one at 0.9 MB/s, 5 s at 0.4, the rest alone at 0.5.
    expect(found.get(1)!.tasks.map((t) => seconds(t.endsAt)?.toFixed(1))).toEqual(['15.0', '52.0'])
    expect(seconds(found.get(2)!.endsAt)).toBeCloseTo(10)
  })

  it('plays repeating downloads that are to come: they take their share, and nothing waits for them to be done', () => {
    const run = task(0, 4 * MB, { notBefore: NOW + 2_000 })
    const later = task(0, MB, { notBefore: NOW + DAY })
    const spans = [{ from: null, to: NOW + HOUR }]
    const found = forecast(plan([queue(1, [task(1, 6 * MB)], { runs: [run, later], spans })])).get(1)!
    expect(found.tasks.map((t) => seconds(t.endsAt))).toEqual([10])
    expect(seconds(found.endsAt)).toBe(10)
    expect(found.runs.map((t) => [seconds(t.startsAt), seconds(t.endsAt)])).toEqual([
      [2, 10],
      [null, null],
    ])
    // A queue without anything else works for them.
    const alone = forecast(plan([queue(1, [], { runs: [run] })])).get(1)!
    expect([seconds(alone.startsAt), seconds(alone.endsAt), seconds(alone.runs[0]!.endsAt)]).toEqual([null, null, 6])
  })

  it('counts what a file costs besides its bytes, also of several taken together', () => {
    const host = () => ({ ...HOST, setupMs: 500 })
    const steps = [{ from: NOW, places: 1, bytesPerSecond: MB }]
    const found = forecast(
      plan([queue(1, [task(1, MB), task(2, 10 * MB, { files: 10 })], { deadline: NOW + 11_500 })], { host, steps }),
    ).get(1)!
    expect(found.tasks.map((t) => seconds(t.endsAt))).toEqual([1.5, 16.5])
    expect(found.tasks[1]!.filesInTime).toBe(5)
  })

  const arbitraryTasks = fc.array(
    fc.record({ leftBytes: fc.integer({ min: 1, max: 50 * MB }), host: fc.constantFrom('a', 'b', 'c') }),
    { minLength: 1, maxLength: 12 },
  )
  const arbitrarySpans = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }).map((lengths) => {
    let at = NOW
    const edges = lengths.map((length) => (at += length * 1000))
    const spans: Span[] = []
    for (let i = 0; i < edges.length; i += 2) spans.push({ from: edges[i]!, to: edges[i + 1] ?? null })
    return spans
  })
  const arbitrary = fc.record({
    tasks: arbitraryTasks,
    spans: arbitrarySpans,
    places: fc.integer({ min: 1, max: 5 }),
    line: fc.integer({ min: 1000, max: 10 * MB }),
    hostRate: fc.integer({ min: 1000, max: 10 * MB }),
    downloads: fc.integer({ min: 1, max: 3 }),
  })
  const played = (
    { tasks, spans, places, line, hostRate, downloads }: typeof arbitrary extends fc.Arbitrary<infer T> ? T : never,
    times = 1,
  ) =>
    forecast(
      plan(
        [
          queue(
            1,
            tasks.map(({ leftBytes, host }, index) => task(index + 1, leftBytes, { host })),
            { spans, deadline: NOW + 300_000 },
          ),
        ],
        {
          steps: [{ from: NOW, places, bytesPerSecond: line * times }],
          host: () => ({ ...HOST, downloads, bytesPerSecond: hostRate * times }),
        },
      ),
    ).get(1)!

  it('has sums that are right, and never works outside a window', () => {
    fc.assert(
      fc.property(arbitrary, (facts) => {
        const found = played(facts)
        const came = found.work.reduce((sum, { bytes }) => sum + bytes, 0)
        const ended = facts.tasks.filter((_, i) => found.tasks[i]!.endsAt !== null)
        const whole = ended.reduce((sum, { leftBytes }) => sum + leftBytes, 0)
        expect(came).toBeGreaterThanOrEqual(whole * (1 - 1e-6))
        if (found.endsAt !== null) expect(came).toBeCloseTo(whole, -2)
        const open = (at: number) =>
          facts.spans.some(({ from, to }) => at >= (from ?? 0) - 1 && at <= (to ?? Infinity) + 1)
        for (const { startsAt, endsAt } of found.tasks) {
          if (startsAt !== null) expect(open(startsAt)).toBe(true)
          if (endsAt !== null) expect(open(endsAt)).toBe(true)
        }
        found.tasks.forEach(({ bytesInTime, filesInTime, endsAt }, i) => {
          expect(bytesInTime).toBeLessThanOrEqual(facts.tasks[i]!.leftBytes)
          expect(filesInTime).toBe(endsAt !== null && endsAt <= NOW + 300_000 ? 1 : 0)
        })
      }),
    )
  })

  it('ends no later when everything is faster', () => {
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 1, max: 20 }), (facts, times) => {
        const [slow, fast] = [played(facts), played(facts, times)]
        slow.tasks.forEach(({ endsAt }, i) => {
          if (endsAt !== null) expect(fast.tasks[i]!.endsAt).toBeLessThanOrEqual(endsAt + 2)
        })
      }),
    )
  })

  it('of ten thousand downloads of a thousand hosts takes a moment', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) =>
      task(i + 1, 1 + ((i * 7919) % 1000) * 1000, { host: `h${i % 1000}` }),
    )
    const found = forecast(
      plan([queue(1, tasks)], {
        steps: [{ from: NOW, places: 20, bytesPerSecond: MB }],
        host: () => ({ ...HOST, downloads: 2, setupMs: 50 }),
      }),
    ).get(1)!
    expect(found.endsAt).not.toBeNull()
  })
})
