/** Reports of the fake engine (fake-engine.ts): one night, told by a journal of its own and made as the engine makes it. */
import { nightReport, type ReportFacts } from '../../electron/engine/night-report.ts'
import { nightAt, rangeOfNight } from '../../electron/engine/nights.ts'
import type { Contract } from '../../shared/contract.ts'
import type { JournalEntry, JournalKind, JournalParams } from '../../shared/journal.ts'
import type { NightReport } from '../../shared/report.ts'
import type { Handlers } from '../../shared/rpc.ts'
import { DEFAULT_QUEUE_ID } from '../../shared/schemas.ts'

type Handled = Pick<Handlers<Contract>, 'report.nights' | 'report.get'>

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const QUEUE = { queueId: DEFAULT_QUEUE_ID, queue: 'Downloads' }

/** The night before the world's present one, in UTC. An empty world has none. */
export function fakeReports(tasks: number, now: () => number): Handled {
  const night = () => nightAt(now() - 24 * HOUR_MS, 'UTC')
  return {
    'report.nights': () => {
      if (tasks === 0) return { nights: [] }
      const { totals, from, to } = reportOf(night(), now())
      const { finished, failed, receivedBytes } = totals
      return { nights: [{ night: night(), from, to, complete: true, finished, failed, receivedBytes }] }
    },
    'report.get': () => reportOf(night(), now()),
  }
}

function reportOf(night: string, now: number): NightReport {
  const range = rangeOfNight(night, 'UTC')
  const evening = range.from + 11 * HOUR_MS
  const entries: JournalEntry[] = []
  const note = <K extends JournalKind>(
    minute: number,
    kind: K,
    params: JournalParams[K],
    task: { taskId?: number; code?: string } = {},
  ) => {
    const { taskId = null, code = null } = task
    entries.push({
      id: entries.length + 1,
      at: evening + minute * MINUTE_MS,
      kind,
      taskId,
      code,
      params,
    } as JournalEntry)
  }
  const about = (n: number) => ({
    ...{ name: `planet-${n}.osm.pbf`, url: `https://planet.openstreetmap.example/pub/planet-${n}.osm.pbf` },
    queueId: DEFAULT_QUEUE_ID,
  })
  note(-300, 'engine_started', { version: '0.1.0', aliveAt: evening })
  note(-300, 'window_closed', QUEUE)
  note(-90, 'added', { queueId: DEFAULT_QUEUE_ID, count: 8, startAt: null })
  note(-90, 'queue_filled', QUEUE)
  note(0, 'window_opened', QUEUE)
  for (let n = 1; n <= 5; n++) {
    const against = n === 5 ? null : ({ algorithm: 'sha-256', source: 'repr-digest', from: null } as const)
    const run = { bytes: 2e9, ms: 30 * MINUTE_MS }
    note(n * 30 - 30, 'started', { ...about(n), host: 'planet.openstreetmap.example' }, { taskId: n })
    note(n * 30, 'finished', { ...about(n), ...run, sizeBytes: 2e9, against }, { taskId: n })
  }
  const failure = { bytes: 1e8, ms: 5 * MINUTE_MS, message: 'The server has a problem (503).', error: { status: 503 } }
  note(150, 'started', { ...about(6), host: 'planet.openstreetmap.example' }, { taskId: 6 })
  note(
    155,
    'failed',
    { ...about(6), ...failure, retryAt: evening + 160 * MINUTE_MS },
    { taskId: 6, code: 'server_error' },
  )
  note(155, 'host_refused', { host: 'planet.openstreetmap.example', status: 503, until: null })
  note(175, 'host_allowed', { host: 'planet.openstreetmap.example', complaints: 3 })
  note(176, 'started', { ...about(6), host: 'planet.openstreetmap.example' }, { taskId: 6 })
  note(
    181,
    'given_up',
    { ...about(6), ...failure, tries: 11, message: 'Not there (404).' },
    { taskId: 6, code: 'not_found' },
  )
  note(200, 'network_away', { reason: 'no_interface' })
  note(225, 'network_back', {})
  note(480, 'window_closed', QUEUE)
  const facts: ReportFacts = {
    ...{ range, night, now, entries, timeZone: 'UTC', alive: true, queueId: null, repeats: new Map() },
    minutes: Array.from({ length: 480 }, (_, minute) => ({
      at: evening + minute * MINUTE_MS,
      bytes: Math.round(60e6 * (1.2 + Math.sin(minute / 40))),
    })).filter((_, minute) => (minute < 155 || minute > 176) && (minute < 200 || minute > 225)),
    queueMinutes: null,
    queues: [{ id: DEFAULT_QUEUE_ID, name: QUEUE.queue, hold: 'window', changesAt: range.to + 11 * HOUR_MS }],
    undone: [],
    undoneByQueue: new Map(),
  }
  return nightReport(facts)
}
