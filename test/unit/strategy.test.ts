/** Why a task is fetched as it is: from facts to reasons, and from reasons to sentences. */
import { describe, expect, test } from 'vitest'
import { remembered, type StrategyFacts, strategyOf } from '../../electron/engine/strategy.ts'
import { strategySentence, taskStrategyEn } from '../../shared/task-strategy.en.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'

const NOW = 1_000_000
const PLANNED: TaskStrategyReason = { code: 'cap_reached', params: { connections: 8 } }
const OPEN_HOST = { connections: 3, allowed: 6, usual: 6, quietMs: 0, forbids: false }

function facts(change: Partial<StrategyFacts> = {}, task: Partial<StrategyFacts['task']> = {}): StrategyFacts {
  return {
    task: {
      state: 'active',
      url: 'http://a.example/x.iso',
      sourceUrl: null,
      finalUrl: null,
      sizeBytes: 5_000_000_000,
      contentEncoding: null,
      httpVersion: '1.1',
      error: null,
      retryAt: null,
      startAt: null,
      attempts: 0,
      secondChances: 0,
      hostWaits: 0,
      strategy: [],
      acceptsRanges: true,
      ...task,
    },
    now: NOW,
    live: { openConnections: 8, strategy: [PLANNED] },
    host: OPEN_HOST,
    limits: { task: null, all: null },
    connectionsWanted: 8,
    downloadsAtOnce: 4,
    queue: { hold: null, changesAt: null },
    queueWorks: true,
    networkProbeAt: null,
    ...change,
  }
}
const codes = (given: StrategyFacts) => strategyOf(given).map(({ code }) => code)

describe('the strategy of a task', () => {
  test('that runs is what the planner says', () => {
    expect(strategyOf(facts())).toEqual([PLANNED])
  })

  test('says a reason once, though it holds for several connections', () => {
    const hedging = { code: 'hedging', params: { segmentStart: 5, hedges: 2 } } as const
    expect(codes(facts({ live: { openConnections: 8, strategy: [PLANNED, hedging, hedging] } }))).toEqual([
      'cap_reached',
      'hedging',
    ])
  })

  test('is one connection where there can be no more, whatever was planned', () => {
    for (const state of ['active', 'done'] as const) {
      const stored = { state, strategy: [PLANNED] }
      expect(codes(facts({}, { ...stored, acceptsRanges: false }))).toEqual(['no_ranges'])
      expect(codes(facts({ connectionsWanted: 1 }, stored))).toEqual(['one_connection_wanted'])
    }
  })

  test('that is remembered is not that of the last bytes', () => {
    const tail: TaskStrategyReason = { code: 'small_file', params: { remainingBytes: 5 } }
    expect(remembered([], [tail])).toEqual([tail])
    expect(remembered([PLANNED], [tail])).toEqual([PLANNED])
    expect(remembered([PLANNED], [])).toEqual([PLANNED])
    expect(remembered([tail], [PLANNED])).toEqual([PLANNED])
    const measuring: TaskStrategyReason = { code: 'measuring', params: {} }
    expect(remembered([measuring], [tail])).toEqual([tail])
    expect(remembered([PLANNED], [measuring])).toEqual([PLANNED])
  })

  test('that waits in the queue is to wait for its turn, whatever it did before', () => {
    expect(strategyOf(facts({ live: null }, { state: 'queued', strategy: [PLANNED] }))).toEqual([
      { code: 'waiting_for_turn', params: { atOnce: 4 } },
    ])
  })

  test.each(['queued', 'waiting'] as const)('that is %s waits for somebody to work on the queue', (state) => {
    expect(codes(facts({ live: null, queueWorks: false }, { state }))).toEqual(['waiting_for_owner'])
  })

  test('that was told when to come again names the host and the time that is left', () => {
    const error = { code: 'too_many_requests', message: '', params: { status: 429 } } as const
    const waiting = { state: 'waiting', retryAt: NOW + 42_000, finalUrl: 'http://b.example:81/y', error } as const
    expect(strategyOf(facts({ live: null }, waiting))).toEqual([
      { code: 'waiting_retry_after', params: { host: 'b.example:81', waitMs: 42_000 } },
    ])
    const busy = { code: 'server_error', message: '', params: { status: 503, retryAfterMs: 1000 } } as const
    expect(codes(facts({ live: null }, { ...waiting, error: busy }))).toEqual(['waiting_retry_after'])
  })

  test('of a host that denied one download after the other says so, and not that it asked for a pause', () => {
    const host = { ...OPEN_HOST, allowed: 1, quietMs: 90_000, forbids: true }
    const params = { host: 'a.example', waitMs: 90_000 }
    const slowed = { code: 'host_slowed_refusing', params: { host: 'a.example', allowed: 1, usual: 6 } }
    const idle = { openConnections: 0, strategy: [] }
    expect(strategyOf(facts({ live: idle, host }))).toEqual([{ code: 'waiting_host_refuses', params }, slowed])
    const error = { code: 'host_refuses', message: '', params: { retryAfterMs: 90_000 } } as const
    const waiting = { state: 'waiting', retryAt: NOW + 90_000, error } as const
    expect(codes(facts({ live: null }, waiting))).toEqual(['waiting_host_refuses'])
    expect(strategySentence({ code: 'waiting_host_refuses', params })).toBe(
      '“a.example” refused one download after the other; it is tried again in 1m 30s.',
    )
  })

  test('that failed tells its tries, and a time that is past is no time', () => {
    const error = { code: 'stalled', message: '', params: {} } as const
    const waiting = { state: 'waiting', retryAt: NOW - 5, attempts: 3, error } as const
    expect(strategyOf(facts({ live: null }, waiting))).toEqual([
      { code: 'waiting_to_retry', params: { attempts: 3, waitMs: 0 } },
    ])
  })

  test('without a connection is what keeps it from one', () => {
    const live = { openConnections: 0, strategy: [PLANNED] }
    expect(strategyOf(facts({ live, host: { ...OPEN_HOST, quietMs: 1500.2 } }))).toEqual([
      { code: 'waiting_retry_after', params: { host: 'a.example', waitMs: 1501 } },
    ])
    expect(strategyOf(facts({ live, host: { ...OPEN_HOST, connections: 6 } }))).toEqual([
      { code: 'waiting_for_host', params: { host: 'a.example', connections: 6 } },
    ])
    expect(codes(facts({ live }))).toEqual(['cap_reached'])
  })

  test('at a host that asked for less says so', () => {
    expect(strategyOf(facts({ host: { ...OPEN_HOST, allowed: 3 } }))).toEqual([
      PLANNED,
      { code: 'host_slowed', params: { host: 'a.example', allowed: 3, usual: 6 } },
    ])
  })

  test('names the protocol where there was a choice', () => {
    const secure = { url: 'https://a.example/x.iso' }
    expect(codes(facts({}, secure))).toEqual(['cap_reached', 'http1_for_one_file'])
    expect(codes(facts({}, { ...secure, httpVersion: '2' }))).toEqual(['cap_reached', 'http2_multiplexed'])
    expect(codes(facts({}, { ...secure, httpVersion: null }))).toEqual([])
    expect(codes(facts({}, { ...secure, finalUrl: 'http://a.example/x.iso' }))).toEqual(['cap_reached'])
  })

  test('names how the bytes come', () => {
    expect(codes(facts({}, { sizeBytes: null }))).toContain('streaming')
    expect(codes(facts({}, { sizeBytes: null, httpVersion: null }))).not.toContain('streaming')
    expect(strategyOf(facts({}, { sizeBytes: null, contentEncoding: 'gzip' }))).toContainEqual({
      code: 'streaming_decoded',
      params: { encoding: 'gzip' },
    })
    expect(codes(facts({}, { sizeBytes: 65_536, url: 'https://a.example/x' }))).toEqual(['cap_reached', 'batch'])
  })

  test('names the lowest limit, of equal ones the narrower', () => {
    const limit = (task: number | null, all: number | null) =>
      strategyOf(facts({ limits: { task, all } })).filter(({ code }) => code.startsWith('speed_limit'))
    expect(limit(null, null)).toEqual([])
    expect(limit(5, null)).toEqual([{ code: 'speed_limit_task', params: { bytesPerSecond: 5 } }])
    expect(limit(5, 9)).toEqual([{ code: 'speed_limit_task', params: { bytesPerSecond: 5 } }])
    expect(limit(9, 5)).toEqual([{ code: 'speed_limit_all', params: { bytesPerSecond: 5 } }])
    expect(limit(5, 5)).toEqual([{ code: 'speed_limit_task', params: { bytesPerSecond: 5 } }])
    expect(codes(facts({ limits: { task: 9, queue: 7, host: 8, all: 9 } }))).toContain('speed_limit_queue')
    expect(codes(facts({ limits: { task: 9, host: 7, all: null } }))).toContain('speed_limit_host')
  })

  test.each(['done', 'paused', 'failed', 'finishing', 'changed'] as const)(
    'that is %s is what was decided',
    (state) => {
      const limits = { task: 5, all: 5 }
      expect(codes(facts({ live: null, limits }, { state, strategy: [PLANNED], url: 'https://a.example/x' }))).toEqual([
        'cap_reached',
        'http1_for_one_file',
      ])
    },
  )
})

describe('a reason', () => {
  test('is a sentence with its figures in their units', () => {
    const params = { connections: 4, gainPercent: 3, host: 'a.example', waitMs: 65_000, bytesPerSecond: 2_500_000 }
    expect(strategySentence({ code: 'ramp_stopped', params })).toBe(
      'Connections: 4. More of them added only 3 %, so they were given back.',
    )
    expect(strategySentence({ code: 'waiting_retry_after', params })).toBe(
      '“a.example” asked for a pause; it goes on in 1m 5s.',
    )
    expect(strategySentence({ code: 'speed_limit_all', params })).toContain('2.5 MB/s')
    expect(strategySentence({ code: 'small_file', params: { remainingBytes: 1_500_000 } })).toContain('1.50 MB')
  })

  test('is a sentence in every language it is given', () => {
    const words = { ...taskStrategyEn, no_ranges: 'Eine Verbindung.' }
    expect(strategySentence({ code: 'no_ranges', params: {} }, words)).toBe('Eine Verbindung.')
    for (const sentence of Object.values(taskStrategyEn)) expect(sentence).toMatch(/^[“A-Z{].*\.$/)
  })
})
