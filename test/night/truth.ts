/** What is known of a night from those who saw it: the network's journal, the changes of states, and the plan. */
import type { TaskState } from '../../shared/task-state.ts'
import type { Asked } from './journal.ts'
import type { Morning } from './night.ts'
import type { FilePlan, Span } from './night-plan.ts'
import type { Move } from './recorder.ts'

export interface FileTruth {
  file: FilePlan
  moves: Move[]
  asked: Asked[]
  /** why each try failed that was followed by another one */
  tries: string[]
  /** from when it was added, in order */
  states: { from: number; to: number; state: TaskState; code: string | null }[]
}

const RUNNING: ReadonlySet<TaskState> = new Set(['active', 'finishing'])
const WANTS_BYTES: ReadonlySet<TaskState> = new Set(['queued', 'waiting', 'active', 'finishing'])

export function truthOf({ plan, moves, journal, tasks }: Morning): FileTruth[] {
  const movesOf = Map.groupBy(moves, ({ file }) => file)
  const askedOf = Map.groupBy(journal.asked, ({ file }) => file)
  return plan.files.map((file) => {
    const own = movesOf.get(file.number) ?? []
    const created = tasks.get(file.number)?.createdAt ?? file.addedAt
    return {
      ...{ file, moves: own, asked: askedOf.get(file.number) ?? [], tries: triesOf(own) },
      states: statesOf(own, created, file.startAt === null ? 'queued' : 'waiting'),
    }
  })
}

/** States of the downloads that repeating ones began. */
export function statesOfRuns({ moves }: Morning): FileTruth['states'][] {
  const runs = Map.groupBy(
    moves.filter(({ file }) => file === null),
    ({ task }) => task,
  )
  return [...runs.values()].map((own) => statesOf(own, own[0]!.at, 'queued'))
}

export function triesOf(moves: readonly Move[]): string[] {
  const tries: string[] = []
  for (const { from, to, code } of moves) {
    if (to !== 'waiting' || code === null) continue
    // The same try, and another reason.
    if (from === 'waiting' && tries.length > 0) tries.pop()
    if (RUNNING.has(from) || from === 'failed' || from === 'changed' || from === 'waiting') tries.push(code)
  }
  return tries
}

function statesOf(moves: readonly Move[], addedAt: number, first: TaskState): FileTruth['states'] {
  const states: FileTruth['states'] = []
  let now: Pick<FileTruth['states'][number], 'from' | 'state' | 'code'> = { from: addedAt, state: first, code: null }
  for (const { at, to, code } of moves) {
    states.push({ ...now, to: at })
    now = { from: at, state: to, code }
  }
  return [...states, { ...now, to: Number.POSITIVE_INFINITY }]
}

/** It wanted bytes all the time. */
export function wanted({ states }: FileTruth, from: number, to: number): boolean {
  let at = from
  for (const span of states) {
    if (span.to <= at || span.from > at) continue
    if (!WANTS_BYTES.has(span.state)) return false
    at = span.to
    if (at >= to) return true
  }
  return false
}

/** A span may seem to end before it begins: the clock was set back in it. */
export const meets = (a: Span, b: Span, slackMs = 0): boolean =>
  Math.min(...a) <= Math.max(...b) + slackMs && Math.max(...a) >= Math.min(...b) - slackMs

/** Spans of the world by the machine's clock. */
export function byTheWall({ plan }: Pick<Morning, 'plan'>, [from, to]: Span): Span {
  const ahead = (at: number) => plan.clockSets.reduce((ms, set) => ms + (set.at <= at ? set.ms : 0), 0)
  return [from + ahead(from), to + ahead(to)]
}

/** When the machine slept, or its clock was set ahead: it cannot tell which. */
export function naps(morning: Morning): Span[] {
  const { sleeps, clockSets } = morning.plan
  return [
    ...sleeps.map(({ at, ms }) => byTheWall(morning, [at, at + ms])),
    ...clockSets.filter(({ ms }) => ms > 0).map(({ at }): Span => byTheWall(morning, [at - 1, at])),
  ]
}

/** Times that the clock showed twice. */
export function twice(morning: Morning): Span[] {
  return morning.plan.clockSets
    .filter(({ ms }) => ms < 0)
    .map(({ at, ms }): Span => {
      const [before] = byTheWall(morning, [at - 1, at - 1])
      return [before + ms, before]
    })
}

export function clockText(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}

/** Bytes of files that came in answers, by queue; sizes that were asked for beforehand are none. */
export function bytesByQueue({ plan, journal }: Morning): Map<string, number> {
  const queueOf = new Map(
    [...plan.files, ...plan.repeats.map(({ file }) => file)].map(({ number, queue }) => [number, queue]),
  )
  const bytes = new Map(plan.queues.map(({ name }) => [name, 0]))
  for (const { file, status, probe, bytes: came } of journal.asked)
    if (file !== null && !probe && (status === 200 || status === 206)) {
      const queue = queueOf.get(file)!
      bytes.set(queue, bytes.get(queue)! + came)
    }
  return bytes
}

/** What the network did where a download fails by a code. */
const FAILURES: Readonly<Record<string, readonly string[]>> = {
  connect_refused: ['ECONNREFUSED'],
  connect_timeout: ['UND_ERR_CONNECT_TIMEOUT'],
  connection_reset: ['ECONNRESET', 'UND_ERR_SOCKET'],
  connection_closed: ['ECONNRESET', 'UND_ERR_SOCKET'],
  headers_timeout: ['UND_ERR_HEADERS_TIMEOUT'],
  stalled: ['UND_ERR_BODY_TIMEOUT'],
  network_unreachable: ['ENETUNREACH'],
  tls_failed: ['ERR_TLS_CERT_ALTNAME_INVALID'],
}
const STATUSES: Readonly<Record<string, readonly number[]>> = {
  server_error: [503],
  too_many_requests: [429, 503],
  forbidden: [403],
  not_found: [404],
}

/** Whether what became of a request is what a download fails by with this code. */
export function isCause(code: string, { failure, status }: Pick<Asked, 'failure' | 'status'>): boolean {
  const ofFailure = failure !== null && (FAILURES[code]?.includes(failure) ?? false)
  return ofFailure || (status !== null && (STATUSES[code]?.includes(status) ?? false))
}
