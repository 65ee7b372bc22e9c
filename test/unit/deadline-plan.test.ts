/** What is changed for a deadline, how it is judged and when it is said; and what measured rates mean. */

import { describe, expect, it } from 'vitest'
import { type Changes, type DeadlineRules, decide, UNCHANGED } from '../../electron/engine/deadline-plan.ts'
import { forecast, type Plan, type PlannedQueue, type PlannedTask } from '../../electron/engine/forecast.ts'
import { estimator } from '../../electron/engine/forecast-facts.ts'
import { connectionRate, ratesByHour } from '../../electron/engine/measured-rates.ts'
import { outlookOf, type Word, worded } from '../../electron/engine/outlook.ts'
import type { OutlookKind } from '../../shared/forecast.ts'
import { addSample, emptyTally } from '../../shared/request-statistics.ts'
import fc from '../helpers/property.ts'

const NOW = Date.UTC(2026, 10, 26, 21)
const MB = 1_000_000
const RULES: DeadlineRules = { order: 'mostFiles', mayBorrow: true }

const task = (id: number, leftBytes: number, patch: Partial<PlannedTask> = {}): PlannedTask => ({
  ...{ id, leftBytes, files: 1, host: 'a', notBefore: null, running: false, forced: false, limitBytesPerSecond: null },
  ...patch,
})
const queue = (id: number, tasks: PlannedTask[], patch: Partial<PlannedQueue> = {}): PlannedQueue => ({
  ...{ id, tasks, runs: [], priority: 0, weight: 1, downloadsAtOnce: null, limitBytesPerSecond: null, deadline: null },
  spans: [{ from: null, to: null }],
  ...patch,
})
const plan = (queues: PlannedQueue[], places = 2): Plan => ({
  ...{ now: NOW, until: NOW + 8 * 86_400_000, queues },
  host: () => ({ downloads: 100, bytesPerSecond: Infinity, quietUntil: 0, setupMs: 0 }),
  steps: [{ from: NOW, places, bytesPerSecond: MB }],
})
const inSeconds = (seconds: number) => NOW + seconds * 1000

describe('for a deadline', () => {
  it('nothing is changed where all of it fits, or nothing has one', () => {
    const due = queue(1, [task(1, 10 * MB), task(2, MB)], { deadline: inSeconds(60) })
    for (const queues of [[due, queue(2, [task(3, MB)])], [queue(1, [task(1, MB)])]]) {
      const { left, loans, order } = decide(plan(queues), RULES, UNCHANGED)
      expect([left, loans.size, order.size]).toEqual([1, 0, 0])
    }
  })

  it('the shortest come first where not all fits, and what runs makes room', () => {
    const tasks = [task(1, 90 * MB, { running: true }), task(2, 5 * MB), task(3, 3 * MB), task(4, 8 * MB)]
    const due = queue(1, tasks, { deadline: inSeconds(20) })
    const decision = decide(plan([due], 1), RULES, UNCHANGED)
    expect(decision.order.get(1)).toEqual([3, 2, 4, 1])
    expect(decision.outcomes.get(1)!.tasks.map(({ filesInTime }) => filesInTime)).toEqual([1, 1, 1, 0])
    const asListed = decide(plan([due], 1), { ...RULES, order: 'asListed' }, UNCHANGED)
    expect([asListed.order.size, asListed.outcomes.get(1)!.tasks[0]!.filesInTime]).toEqual([0, 0])
  })

  it('others do with as little less as it takes, and not at all where that is not wanted', () => {
    const others = queue(2, [task(10, 500 * MB, { running: true }), task(11, 500 * MB, { running: true })])
    const due = (bytes: number) => queue(1, [task(1, bytes)], { deadline: inSeconds(60) })
    const some = decide(plan([due(25 * MB), others]), RULES, UNCHANGED)
    expect(some.loans.get(2)).toEqual({ to: [1], limitBytesPerSecond: MB / 2, downloadsAtOnce: 1 })
    expect(some.outcomes.get(1)!.endsAt).toBeLessThanOrEqual(inSeconds(60))
    const most = decide(plan([due(50 * MB), others]), RULES, UNCHANGED)
    expect(most.left).toBeLessThan(0.5)
    const none = decide(plan([due(25 * MB), others]), { ...RULES, mayBorrow: false }, UNCHANGED)
    expect([none.left, none.loans.size]).toEqual([1, 0])
  })

  it('what was borrowed is given back with some room only', () => {
    const others = queue(2, [task(10, 500 * MB)])
    const due = (bytes: number) => plan([queue(1, [task(1, bytes)], { deadline: inSeconds(60) }), others])
    // Half of the line does for 30 MB in just the time.
    expect(decide(due(29 * MB), RULES, UNCHANGED).left).toBe(1)
    const lent: Changes = { left: 0.25, shortestFirst: new Set() }
    expect(decide(due(29 * MB), RULES, lent).left).toBeLessThan(1)
    expect(decide(due(20 * MB), RULES, lent).left).toBe(1)
    const shortest: Changes = { left: 1, shortestFirst: new Set([1]) }
    const alone = (bytes: number) => plan([queue(1, [task(1, bytes), task(2, MB)], { deadline: inSeconds(60) })], 1)
    expect(decide(alone(58 * MB), RULES, UNCHANGED).order.size).toBe(0)
    expect(decide(alone(58 * MB), RULES, shortest).order.get(1)).toEqual([2, 1])
    expect(decide(alone(40 * MB), RULES, shortest).order.size).toBe(0)
  })

  it('it never makes fewer files be there, and never gives more than there is', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 * MB }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 120 }), (a, b, places, s) => {
        const queues = [
          queue(
            1,
            a.map((bytes, i) => task(i + 1, bytes)),
            { deadline: inSeconds(s) },
          ),
          queue(
            2,
            b.map((bytes, i) => task(100 + i, bytes)),
          ),
        ]
        const before = forecast(plan(queues, places)).get(1)!
        const decision = decide(plan(queues, places), RULES, UNCHANGED)
        const count = (tasks: { filesInTime: number }[]) => tasks.reduce((sum, { filesInTime }) => sum + filesInTime, 0)
        expect(count(decision.outcomes.get(1)!.tasks)).toBeGreaterThanOrEqual(count(before.tasks))
        const loan = decision.loans.get(2)
        if (loan) expect(loan.limitBytesPerSecond).toBeLessThanOrEqual(MB)
        if (loan) expect(loan.downloadsAtOnce).toBeLessThanOrEqual(places)
      }),
    )
  })
})

describe('an outlook', () => {
  const judged = (bytes: number, before: OutlookKind | null = null, changes = {}) => {
    const due = queue(1, [task(1, bytes / 2), task(2, bytes / 2)], { deadline: inSeconds(100) })
    const outcome = forecast(plan([due])).get(1)!
    return outlookOf({
      ...{ now: NOW, deadline: due.deadline!, tasks: due.tasks, outcome, sizesEstimated: 0, sizesGuessed: false },
      ...{ basis: 'hour', stopped: false, waitsFor: [], adapted: { shortestFirst: false, borrowsFrom: [] }, before },
      ...changes,
    })
  }

  it('fits with room, is tight without, and misses with so much', () => {
    expect(judged(80 * MB)).toMatchObject({ kind: 'fits', marginMs: 20_000, files: 2, filesInTime: 2, late: [] })
    expect(judged(95 * MB).kind).toBe('tight')
    expect(judged(200 * MB)).toMatchObject({
      ...{ kind: 'misses', marginMs: -100_000, filesInTime: 0, late: [1, 2] },
      ...{ leftBytes: 200 * MB, bytesInTime: 100 * MB },
    })
  })

  it('cannot be told while everything waits for the mains or a network, but what is late anyway is late', () => {
    expect(judged(80 * MB, null, { waitsFor: ['battery'] })).toMatchObject({ kind: 'unknown', missing: ['battery'] })
    expect(judged(200 * MB, null, { waitsFor: ['network'] })).toMatchObject({ kind: 'misses', missing: [] })
  })

  it('wants more room where sizes are estimated, and says what is missing', () => {
    expect(judged(85 * MB, null, { sizesEstimated: 2 }).kind).toBe('tight')
    expect(judged(85 * MB, null, { basis: 'assumed', sizesGuessed: true })).toMatchObject({
      ...{ kind: 'unknown', missing: ['rate', 'size'] },
    })
    expect(judged(85 * MB, null, { stopped: true }).missing).toEqual(['stopped'])
  })

  it('does not go to and fro', () => {
    expect([judged(99 * MB).kind, judged(99 * MB, 'misses').kind]).toEqual(['tight', 'misses'])
    expect([judged(89 * MB).kind, judged(89 * MB, 'tight').kind]).toEqual(['fits', 'tight'])
  })

  it('is said at once, then when it holds, and what cannot be told takes nothing back', () => {
    const said: (OutlookKind | null)[] = []
    let word: Word | null = null
    const looks: [number, OutlookKind][] = [
      [0, 'unknown'],
      [1, 'misses'],
      [10_000, 'fits'],
      [20_000, 'misses'],
      [30_000, 'tight'],
      [40_000, 'unknown'],
      [50_000, 'tight'],
      [90_000, 'tight'],
      [95_000, 'tight'],
    ]
    for (const [at, kind] of looks) {
      const next = worded(word, kind, at)
      word = next.word
      said.push(next.say ? kind : null)
    }
    expect(said).toEqual([null, 'misses', null, null, null, null, null, 'tight', null])
  })
})

describe('rates', () => {
  it('are those of better minutes, of the hour if that is known', () => {
    const at = (hour: number, minute: number) => Date.UTC(2026, 10, 20, hour, minute)
    const minutes = [1, 50, 60, 60, 2].map((megabytes, n) => ({ at: at(3, n), bytes: megabytes * MB }))
    const rates = ratesByHour([...minutes, { at: at(5, 0), bytes: MB }], (when) => new Date(when).getUTCHours())
    expect(rates[3]).toEqual({ bytesPerSecond: MB, basis: 'hour' })
    expect(rates[5]!.basis).toBe('lately')
    expect(ratesByHour([], () => 0)[0]!.basis).toBe('assumed')
  })

  it('of a connection are those while bytes come', () => {
    const tally = emptyTally()
    const sample = { host: 'a', method: 'GET', startedAt: 0, queueMs: 0, connectMs: 1, tlsMs: null, status: 206 }
    const rest = { errorCode: null, reused: false, httpVersion: '1.1' }
    addSample(tally, { ...sample, ...rest, firstByteMs: 500, durationMs: 2500, bytes: 4 * MB })
    expect(connectionRate(tally)!.bytesPerSecond).toBeCloseTo(2 * MB)
    expect(connectionRate(tally)!.firstByteMs).toBeCloseTo(500)
    expect(connectionRate(emptyTally())).toBeNull()
  })

  it('sizes are estimated by the host, else the queue, else all', () => {
    const known = [1, 2, 3].map((bytes) => ({ queueId: 1, host: 'a', bytes }))
    const estimate = estimator([...known, { queueId: 1, host: 'b', bytes: 9 }])
    expect(estimate(2, 'a')).toEqual({ bytes: 2, basis: 'host' })
    expect(estimate(1, 'b')).toEqual({ bytes: 3, basis: 'queue' })
    expect(estimate(2, 'b').basis).toBe('all')
    expect(estimator([])(1, 'a').basis).toBe('nothing')
  })
})
