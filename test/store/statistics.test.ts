/** Statistics in real SQLite files: they add up across processes, stay bounded, and survive what tasks survive. */
import { describe, expect, test } from 'vitest'
import { openConnection } from '../../electron/store/database.ts'
import { openStore } from '../../electron/store/index.ts'
import { migrate } from '../../electron/store/migrate.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import { countOf } from '../../shared/histogram.ts'
import type { StatisticsBatch, TaskStore } from '../../shared/records.ts'
import { addSample, emptyTally, type RequestSample } from '../../shared/request-statistics.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const HOUR = Math.floor(TEST_NOW / HOUR_MS) * HOUR_MS

function sample(rest: Partial<RequestSample> = {}): RequestSample {
  return {
    host: 'a.test',
    method: 'GET',
    startedAt: TEST_NOW,
    queueMs: 0,
    connectMs: 20,
    tlsMs: 30,
    firstByteMs: 40,
    durationMs: 500,
    bytes: 1_000,
    status: 206,
    errorCode: null,
    reused: false,
    httpVersion: '1.1',
    ...rest,
  }
}

function batch(samples: readonly RequestSample[], rest: Partial<StatisticsBatch> = {}): StatisticsBatch {
  const hosts = new Map(samples.map(({ host }) => [host, emptyTally()]))
  for (const each of samples) addSample(hosts.get(each.host)!, each)
  return { at: TEST_NOW, receivedBytes: 0, hosts, keepDays: 730, ...rest }
}

const everything = { from: 0, to: TEST_NOW + DAY_MS }
const hostsOf = (store: TaskStore, range = everything) =>
  [...store.requestTallies(range).hosts].map(([host, tally]) => [host, tally.requests])

describe('requests', () => {
  test('are added up by hour and host, whatever process they come from', () => {
    const path = storePath()
    const [one, other] = [openTestStore({ path }), openTestStore({ path })]
    one.addStatistics(batch([sample(), sample({ host: 'b.test', status: 503, bytes: 7 })]))
    other.addStatistics(batch([sample({ status: null, errorCode: 'stalled', reused: true, connectMs: null })]))
    one.addStatistics(batch([sample()], { at: TEST_NOW + HOUR_MS }))
    const { hosts, hours } = one.requestTallies({ from: HOUR, to: HOUR + 1 })
    const both = emptyTally()
    addSample(both, sample())
    addSample(both, sample({ status: null, errorCode: 'stalled', reused: true, connectMs: null }))
    expect(hosts.get('a.test')).toEqual(both)
    expect(hosts.get('b.test')).toMatchObject({ requests: 1, failed: 1, bytes: 7, statuses: new Map([['503', 1]]) })
    expect(hours).toEqual([{ at: HOUR, spanMs: HOUR_MS, requests: 3, succeeded: 1, failed: 2, bytes: 2_007 }])
    expect(other.requestTallies(everything).hours.map(({ at, requests }) => [at, requests])).toEqual([
      [HOUR, 3],
      [HOUR + HOUR_MS, 1],
    ])
  })

  test('are found by time and by host', () => {
    const store = openTestStore()
    expect(store.statisticsBegin()).toBe(null)
    store.addStatistics(batch([sample(), sample({ host: 'b.test' })]))
    store.addStatistics(batch([sample()], { at: TEST_NOW + HOUR_MS }))
    expect(store.statisticsBegin()).toBe(HOUR)
    expect(hostsOf(store, { from: HOUR, to: HOUR + HOUR_MS })).toHaveLength(2)
    expect(hostsOf(store, { from: HOUR + 1, to: TEST_NOW + DAY_MS })).toEqual([['a.test', 1]])
    expect([...store.requestTallies({ ...everything, host: 'b.test' }).hosts.keys()]).toEqual(['b.test'])
    expect(store.requestTallies({ ...everything, host: 'nobody' })).toEqual({ hosts: new Map(), hours: [] })
  })

  test('of very many hosts in one hour are kept apart for the busiest, the others together; none is lost', () => {
    const store = openTestStore()
    const busy = Array.from({ length: 40 }, () => sample({ host: 'busy.test' }))
    for (let round = 0; round < 3; round++) {
      const many = Array.from({ length: 100 }, (_, i) => sample({ host: `h${round}-${i}.test` }))
      store.addStatistics(batch([...busy, ...many]))
    }
    const hour = hostsOf(store)
    expect(hour.length).toBeLessThanOrEqual(129)
    expect(hour).toContainEqual(['busy.test', 120])
    expect(hour.find(([host]) => host === '*')).toBeDefined()
    expect(hour.reduce((sum, [, requests]) => sum + (requests as number), 0)).toBe(420)
    // The next hour looks at it once more.
    store.addStatistics(batch([sample()], { at: TEST_NOW + HOUR_MS }))
    const folded = hostsOf(store, { from: HOUR, to: HOUR + 1 })
    expect(folded).toHaveLength(65)
    expect(folded).toContainEqual(['busy.test', 120])
    expect(folded.reduce((sum, [, requests]) => sum + (requests as number), 0)).toBe(420)
  })

  test('become days after a quarter of a year, and are forgotten after two years', () => {
    const store = openTestStore()
    const day = Math.floor(TEST_NOW / DAY_MS) * DAY_MS
    store.addStatistics(batch([sample()], { at: day + HOUR_MS }))
    store.addStatistics(batch([sample(), sample({ host: 'b.test' })], { at: day + 2 * HOUR_MS }))
    store.addStatistics(batch([sample()], { at: day + 92 * DAY_MS }))
    const { hosts, hours } = store.requestTallies({ from: day, to: day + DAY_MS })
    expect(hours).toEqual([{ at: day, spanMs: DAY_MS, requests: 3, succeeded: 3, failed: 0, bytes: 3_000 }])
    expect([...hosts].map(([host, tally]) => [host, tally.requests])).toEqual([
      ['a.test', 2],
      ['b.test', 1],
    ])
    expect(countOf(hosts.get('a.test')!.timings.duration)).toBe(2)
    store.addStatistics(batch([sample()], { at: day + 732 * DAY_MS }))
    expect(store.statisticsBegin()).toBe(day + 92 * DAY_MS)
    expect(store.requestTotals().all.requests).toBe(5)
  })
})

describe('totals', () => {
  test('hold everything, and hosts of their own for those used lately', () => {
    const store = openTestStore()
    for (let hour = 0; hour < 130; hour++)
      store.addStatistics(
        batch([sample(), sample({ host: `h${hour}.test`, errorCode: 'stalled' })], { at: TEST_NOW + hour * HOUR_MS }),
      )
    const { all, hosts } = store.requestTotals()
    expect(all).toMatchObject({ requests: 260, succeeded: 130, failed: 130 })
    expect(countOf(all.timings.tls)).toBe(260)
    expect(hosts).toHaveLength(100)
    expect(hosts[0]).toMatchObject({ host: 'a.test', tally: { requests: 130 } })
    expect(hosts.map(({ host }) => host)).toContain('h129.test')
    expect(hosts.map(({ host }) => host)).not.toContain('h0.test')
  })

  test('of a new store are empty', () => {
    expect(openTestStore().requestTotals()).toEqual({ all: emptyTally(), hosts: [] })
  })
})

test('nothing is kept longer than asked for, and everything is forgotten when asked', () => {
  const store = openTestStore()
  store.addStatistics(batch([sample()], { receivedBytes: 5 }))
  store.addStatistics(batch([sample()], { at: TEST_NOW + 2 * DAY_MS, receivedBytes: 7, keepDays: 3 }))
  expect(store.statisticsBegin()).toBe(HOUR)
  store.addStatistics(batch([sample()], { at: TEST_NOW + 4 * DAY_MS, keepDays: 3 }))
  expect(store.statisticsBegin()).toBe(HOUR + 2 * DAY_MS)
  const minutes = { from: 0, to: TEST_NOW + 9 * DAY_MS, stepMs: MINUTE_MS }
  expect(store.receivedBytes(minutes).map(({ bytes }) => bytes)).toEqual([7])
  store.clearStatistics()
  expect(store.statisticsBegin()).toBe(null)
  expect(store.requestTotals().all.requests).toBe(0)
  expect(store.receivedBytes(minutes)).toEqual([])
})

test('bytes are added up by the minute, read in steps, and forgotten after a month', () => {
  const store = openTestStore()
  const add = (at: number, receivedBytes: number) => store.addStatistics(batch([], { at, receivedBytes }))
  add(HOUR + 1, 5)
  add(HOUR + 59_000, 7)
  add(HOUR + MINUTE_MS, 11)
  add(HOUR + 6 * MINUTE_MS, 13)
  const minutes = { from: HOUR, to: HOUR + HOUR_MS, stepMs: MINUTE_MS }
  expect(store.receivedBytes(minutes)).toEqual([
    { at: HOUR, bytes: 12 },
    { at: HOUR + MINUTE_MS, bytes: 11 },
    { at: HOUR + 6 * MINUTE_MS, bytes: 13 },
  ])
  expect(store.receivedBytes({ ...minutes, stepMs: 5 * MINUTE_MS })).toEqual([
    { at: HOUR, bytes: 23 },
    { at: HOUR + 5 * MINUTE_MS, bytes: 13 },
  ])
  expect(store.receivedBytes({ ...minutes, to: HOUR + MINUTE_MS })).toEqual([{ at: HOUR, bytes: 12 }])
  add(HOUR + 31 * DAY_MS, 1)
  expect(store.receivedBytes(minutes)).toHaveLength(3)
  add(HOUR + 33 * DAY_MS, 1)
  expect(store.receivedBytes(minutes)).toEqual([])
})

test('a store of the version before keeps its tasks and begins to count', () => {
  const path = storePath()
  const old = openConnection(path)
  migrate(
    old,
    MIGRATIONS.filter(({ version }) => version < 20),
    { now: () => TEST_NOW, logger: memoryLogger() },
  )
  old.close()
  const before = openRaw(path)
  before.exec(`INSERT INTO tasks (position, url, name_key, folder, state, created_at)
               VALUES (1, 'https://a.test/f', 'f', '/downloads', 'queued', 1)`)
  before.close()
  const store = openTestStore({ path })
  expect(store.listTasks({ sort: 'position', descending: false, offset: 0, limit: 10 }).total).toBe(1)
  store.addStatistics(batch([sample()]))
  expect(store.requestTotals().all.requests).toBe(1)
})

test('a row that cannot be read is named in the log and counts as empty', () => {
  const path = storePath()
  const logger = memoryLogger()
  const store = openTestStore({ path, logger })
  store.addStatistics(batch([sample(), sample({ host: 'b.test' })]))
  openRaw(path).exec(`UPDATE request_statistics SET duration = x'ff' WHERE host = 'a.test'`)
  expect(hostsOf(store)).toEqual([
    ['a.test', 0],
    ['b.test', 1],
  ])
  expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  store.addStatistics(batch([sample()]))
  expect(hostsOf(store)).toContainEqual(['a.test', 1])
})

test('statistics are carried over when a damaged store is salvaged, and their damage costs no task', () => {
  const path = storePath()
  const store = openTestStore({ path })
  store.addTasks([newTask()])
  store.addStatistics(batch([sample()], { receivedBytes: 9 }))
  store.close()
  const raw = openRaw(path)
  raw.unsafeMode(true)
  raw.pragma('writable_schema = ON')
  raw.exec(`UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'tasks_queue'`)
  raw.close()
  const { store: salvaged, recovered } = openStore({ path, now: () => TEST_NOW })
  expect(recovered).toMatchObject({ tasksKept: 1 })
  expect(salvaged.requestTotals().all.requests).toBe(1)
  expect(salvaged.receivedBytes({ from: 0, to: TEST_NOW + 1, stepMs: MINUTE_MS })).toHaveLength(1)
  salvaged.close()
})
