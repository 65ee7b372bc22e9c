/**
 * Tables `request_statistics` and `received_bytes`: what requests were like by hour and host, and how fast bytes came.
 * They stay small: of each hour the busiest hosts are kept apart and the others together, hours become days after a
 * quarter of a year, minutes are forgotten after a month and everything after as long as the settings say.
 */
import type { StatisticsBatch, TaskStore } from '../../shared/records.ts'
import { addTally, emptyTally, OTHER_HOSTS, type Tally } from '../../shared/request-statistics.ts'
import type { HourFigures } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { addRow, TALLY_COLUMNS, type TallyRow, tallyToRow } from './tally-row.ts'

type StatisticsStore = Pick<
  TaskStore,
  'addStatistics' | 'clearStatistics' | 'requestTallies' | 'statisticsBegin' | 'requestTotals' | 'receivedBytes'
>

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** `span_ms` of the totals, and the host that stands for all in them */
const EVERYTHING = 0
const ALL_HOSTS = ''

/** Hosts kept apart in an hour or a day; the present one may have twice as many before they are looked through. */
const HOSTS_KEPT = 64
/** Hosts with totals of their own; the one that was asked longest ago makes room. */
const TOTALS_KEPT = 100
const HOURS_KEPT_MS = 90 * DAY_MS
/** So that each night of a month has its graph. */
const MINUTES_KEPT_MS = 32 * DAY_MS

interface Key {
  span: number
  startsAt: number
  host: string
}
type Row = TallyRow & { span_ms: number; starts_at: number; host: string }

const startOf = (at: number, spanMs: number): number => Math.floor(at / spanMs) * spanMs

export function createStatistics(connection: Connection, logger: StoreLogger): StatisticsStore {
  const { db } = connection
  const columns = TALLY_COLUMNS.join(', ')
  const selectOne = db.prepare<Key, TallyRow>(
    `SELECT ${columns} FROM request_statistics WHERE span_ms = @span AND starts_at = @startsAt AND host = @host`,
  )
  const upsert = db.prepare<Key & TallyRow & { at: number }>(
    `INSERT INTO request_statistics (span_ms, starts_at, host, updated_at, ${columns})
     VALUES (@span, @startsAt, @host, @at, ${TALLY_COLUMNS.map((name) => `@${name}`).join(', ')})
     ON CONFLICT (span_ms, starts_at, host) DO UPDATE
     SET updated_at = excluded.updated_at, ${TALLY_COLUMNS.map((name) => `${name} = excluded.${name}`).join(', ')}`,
  )
  const remove = db.prepare<Key>(
    'DELETE FROM request_statistics WHERE span_ms = @span AND starts_at = @startsAt AND host = @host',
  )
  const countHosts = db
    .prepare<[number, number], number>('SELECT count(*) FROM request_statistics WHERE span_ms = ? AND starts_at = ?')
    .pluck()
  const selectQuietest = db.prepare<[number, number, string, number], Row>(
    `SELECT span_ms, starts_at, host, ${columns} FROM request_statistics
     WHERE span_ms = ? AND starts_at = ? AND host <> ? ORDER BY requests DESC, bytes DESC, host LIMIT -1 OFFSET ?`,
  )
  const removeForgottenTotals = db.prepare<[number]>(
    `DELETE FROM request_statistics WHERE span_ms = ${EVERYTHING} AND host IN (
       SELECT host FROM request_statistics WHERE span_ms = ${EVERYTHING} AND host <> '${ALL_HOSTS}'
       ORDER BY updated_at DESC, requests DESC LIMIT -1 OFFSET ?)`,
  )
  const crowdedHours = db
    .prepare<[number, number], number>(
      `SELECT starts_at FROM request_statistics WHERE span_ms = ${HOUR_MS} AND starts_at < ?
       GROUP BY starts_at HAVING count(*) > ?`,
    )
    .pluck()
  const selectOldHours = db.prepare<[number], Row>(
    `SELECT span_ms, starts_at, host, ${columns} FROM request_statistics
     WHERE span_ms = ${HOUR_MS} AND starts_at < ? ORDER BY starts_at`,
  )
  const removeOldHours = db.prepare<[number]>(
    `DELETE FROM request_statistics WHERE span_ms = ${HOUR_MS} AND starts_at < ?`,
  )
  const removeOld = db.prepare<[number]>(
    `DELETE FROM request_statistics WHERE span_ms > ${EVERYTHING} AND starts_at < ?`,
  )
  const selectRange = db.prepare<[number, number], Row>(
    `SELECT span_ms, starts_at, host, ${columns} FROM request_statistics
     WHERE span_ms > 0 AND starts_at >= ? AND starts_at < ? ORDER BY starts_at`,
  )
  const selectRangeOfHost = db.prepare<[number, number, string], Row>(
    `SELECT span_ms, starts_at, host, ${columns} FROM request_statistics
     WHERE span_ms > 0 AND starts_at >= ? AND starts_at < ? AND host = ? ORDER BY starts_at`,
  )
  const selectBegin = db
    .prepare<[], number | null>('SELECT min(starts_at) FROM request_statistics WHERE span_ms > 0')
    .pluck()
  const selectTotals = db.prepare<[], Row>(
    `SELECT span_ms, starts_at, host, ${columns} FROM request_statistics
     WHERE span_ms = ${EVERYTHING} ORDER BY requests DESC, host`,
  )
  const addMinute = db.prepare<[number, number]>(
    `INSERT INTO received_bytes (minute, bytes) VALUES (?, ?)
     ON CONFLICT (minute) DO UPDATE SET bytes = bytes + excluded.bytes`,
  )
  const removeOldMinutes = db.prepare<[number]>('DELETE FROM received_bytes WHERE minute < ?')
  const selectSteps = db.prepare<{ from: number; to: number; stepMs: number }, { at: number; bytes: number }>(
    `SELECT @from + CAST((minute - @from) / @stepMs AS INTEGER) * CAST(@stepMs AS INTEGER) AS at, sum(bytes) AS bytes
     FROM received_bytes WHERE minute >= @from AND minute < @to GROUP BY 1 ORDER BY 1`,
  )
  /** the hour in which old rows were last looked for */
  let prunedIn: number | null = null

  /** Statistics are not worth failing over: false for a row that cannot be read, which counts as empty. */
  function add(target: Tally, row: TallyRow, key: Partial<Key>): boolean {
    try {
      addRow(target, row)
      return true
    } catch (error) {
      logger.warn({ ...key, error: String(error) }, 'stored statistics are unreadable and were left out')
      return false
    }
  }

  function tallyOf(row: TallyRow, key: Partial<Key>): Tally {
    const tally = emptyTally()
    add(tally, row, key)
    return tally
  }

  function addTo(key: Key, tally: Tally, at: number): void {
    const stored = selectOne.get(key)
    const sum = stored === undefined ? emptyTally() : tallyOf(stored, key)
    addTally(sum, tally)
    upsert.run({ ...key, at, ...tallyToRow(sum) })
  }

  /** The busiest hosts of an hour or a day stay, the others become one row. */
  function fold(span: number, startsAt: number, at: number): void {
    for (const row of selectQuietest.all(span, startsAt, OTHER_HOSTS, HOSTS_KEPT)) {
      const key = { span, startsAt, host: row.host }
      addTo({ ...key, host: OTHER_HOSTS }, tallyOf(row, key), at)
      remove.run(key)
    }
  }

  function prune(at: number, keepMs: number): void {
    for (const startsAt of crowdedHours.all(startOf(at, HOUR_MS), HOSTS_KEPT + 1)) fold(HOUR_MS, startsAt, at)
    const before = startOf(at - HOURS_KEPT_MS, DAY_MS)
    const days = new Set<number>()
    for (const row of selectOldHours.all(before)) {
      const startsAt = startOf(row.starts_at, DAY_MS)
      const key = { startsAt, host: row.host }
      addTo({ span: DAY_MS, ...key }, tallyOf(row, key), at)
      days.add(startsAt)
    }
    removeOldHours.run(before)
    for (const startsAt of days) fold(DAY_MS, startsAt, at)
    removeOld.run(startOf(at - keepMs, DAY_MS))
    removeOldMinutes.run(startOf(at - Math.min(keepMs, MINUTES_KEPT_MS), MINUTE_MS))
  }

  function addRequests(hosts: StatisticsBatch['hosts'], at: number): void {
    const hour = startOf(at, HOUR_MS)
    const all = emptyTally()
    for (const [host, tally] of hosts) {
      addTally(all, tally)
      addTo({ span: HOUR_MS, startsAt: hour, host }, tally, at)
      if (host !== OTHER_HOSTS) addTo({ span: EVERYTHING, startsAt: 0, host }, tally, at)
    }
    addTo({ span: EVERYTHING, startsAt: 0, host: ALL_HOSTS }, all, at)
    if (countHosts.get(HOUR_MS, hour)! > 2 * HOSTS_KEPT) fold(HOUR_MS, hour, at)
    removeForgottenTotals.run(TOTALS_KEPT)
  }

  return {
    addStatistics({ at, receivedBytes, hosts, keepDays }) {
      connection.progress(() => {
        if (hosts.size > 0) addRequests(hosts, at)
        if (receivedBytes > 0) addMinute.run(startOf(at, MINUTE_MS), receivedBytes)
        const hour = startOf(at, HOUR_MS)
        if (hour !== prunedIn) prune(at, keepDays * DAY_MS)
        prunedIn = hour
      })
    },
    clearStatistics: () =>
      connection.intent(() => {
        db.exec('DELETE FROM request_statistics; DELETE FROM received_bytes')
      }),
    requestTallies({ from, to, host }) {
      const rows = host === undefined ? selectRange.all(from, to) : selectRangeOfHost.all(from, to, host)
      const hosts = new Map<string, Tally>()
      const hours = new Map<number, HourFigures>()
      for (const row of rows) {
        const key = { host: row.host, startsAt: row.starts_at }
        const tally = hosts.get(row.host) ?? emptyTally()
        hosts.set(row.host, tally)
        if (add(tally, row, key)) addHour(hours, row)
      }
      return { hosts, hours: [...hours.values()] }
    },
    statisticsBegin: () => selectBegin.get() ?? null,
    requestTotals() {
      const rows = selectTotals.all().map((row) => ({ host: row.host, tally: tallyOf(row, { host: row.host }) }))
      return {
        all: rows.find(({ host }) => host === ALL_HOSTS)?.tally ?? emptyTally(),
        hosts: rows.filter(({ host }) => host !== ALL_HOSTS),
      }
    },
    receivedBytes: (range) => selectSteps.all(range),
  }
}

function addHour(hours: Map<number, HourFigures>, row: Row): void {
  const at = row.starts_at
  const hour = hours.get(at) ?? { at, spanMs: row.span_ms, requests: 0, succeeded: 0, failed: 0, bytes: 0 }
  for (const key of ['requests', 'succeeded', 'failed', 'bytes'] as const) hour[key] += row[key]
  hours.set(at, hour)
}
