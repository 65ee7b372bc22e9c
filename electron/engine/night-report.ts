/**
 * The report of a night: journal, bytes by minute and what is open now become figures, lists and sentences. Pure. When it
 * is made, and where it goes, is in reports.ts; why nothing came in quiet-times.ts.
 */
import type { JournalEntry } from '../../shared/journal.ts'
import type { TaskRecord } from '../../shared/records.ts'
import {
  type Graph,
  type Incident,
  MOST_REPORT_ITEMS,
  type Night,
  type NightReport,
  type QueueReport,
  type ReportTotals,
} from '../../shared/report.ts'
import { incidentSentence, quietSentence, summarySentence } from '../../shared/report-text.en.ts'
import type { QueueId } from '../../shared/schemas.ts'
import { type DownTime, downTimes } from './night-situation.ts'
import { type Story, type StoryFacts, tellStory } from './night-story.ts'
import type { Range } from './nights.ts'
import { MINUTE_MS, type Quiet, quietTimes } from './quiet-times.ts'
import { nextSteps, type OpenQueue, undoneItems } from './report-outlook.ts'
import { reasonOf } from './report-reason.ts'

export interface ReportFacts extends StoryFacts {
  /** epoch ms; the night is shown up to `now` */
  range: Range
  night: Night | null
  timeZone: string
  /** null: all of them */
  queueId: QueueId | null
  /** in order, from long enough before the range to tell how things were when it began; up to its end */
  entries: readonly JournalEntry[]
  /** minutes in which bytes came; null: they are not kept (for so long) */
  minutes: readonly { at: number; bytes: number }[] | null
  queueMinutes: readonly { queueId: QueueId; at: number; bytes: number }[] | null
  /** queues as they are now, in order */
  queues: readonly OpenQueue[]
  /** what is not done now and was there before the end of the range */
  undone: readonly TaskRecord[]
  /** how many these are, where not all are given */
  undoneByQueue: ReadonlyMap<QueueId, number>
}

/** Steps of a graph: so many at the most. */
const MOST_STEPS = 300

export function nightReport(facts: ReportFacts): NightReport {
  const { range, now, queueId } = facts
  const until = Math.max(range.from, Math.min(range.to, now))
  const down = downTimes(facts.entries, until, facts.alive)
  const scope = { from: range.from, to: until }
  const story = tellStory(facts, scope, down)
  const overall = totalsOf(facts, story, down, scope, queueId)
  const quiet = overall.quiet.times.map(toQuietTime)
  const longest = [...overall.quiet.times].sort((a, b) => b.to - b.from - (a.to - a.from))[0]
  const graphOf = (minutes: ReportFacts['minutes']) => minutes && graph(minutes, scope)
  return {
    format: 'nighthaul-report',
    version: 1,
    night: facts.night,
    ...{ from: range.from, to: range.to, timeZone: facts.timeZone, madeAt: now, complete: range.to <= now },
    queueId,
    summary: summarySentence(overall.totals, longest ? [toQuietTime(longest).reasons[0]!.text] : []),
    totals: overall.totals,
    queues: queuesOf(facts, story)
      .filter(({ id }) => queueId === null || id === queueId)
      .map(({ id, name }): QueueReport => {
        const { totals } = totalsOf(facts, story, down, scope, id)
        const graph = graphOf(facts.queueMinutes?.filter((minute) => minute.queueId === id) ?? null)
        return { queueId: id, name, totals, graph, windows: story.allowed.get(id) ?? null }
      }),
    finished: story.finished.filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    failed: story.failed.filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    retried: story.retried.filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    changed: story.changed.filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    repeats: story.repeats.filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    hosts: story.hosts,
    quiet,
    incidents: incidentsOf(facts.entries, down, scope, queueId),
    done: story.done.flatMap(({ workOf, ...line }) => (queueId === null || workOf === queueId ? [line] : [])),
    graph: graphOf(
      queueId === null ? facts.minutes : (facts.queueMinutes?.filter((m) => m.queueId === queueId) ?? null),
    ),
    undone: undoneItems(facts.undone, facts.queues).filter(inQueue(queueId)).slice(0, MOST_REPORT_ITEMS),
    next: nextSteps(facts.undone, facts.queues, [...facts.repeats.values()]).filter(
      (step) => queueId === null || step.queueId === queueId,
    ),
  }
}

const inQueue =
  (queueId: QueueId | null) =>
  (item: { queueId: QueueId }): boolean =>
    queueId === null || item.queueId === queueId

// ── figures ──

function totalsOf(
  facts: ReportFacts,
  story: Story,
  down: readonly DownTime[],
  scope: Range,
  queueId: QueueId | null,
): { totals: ReportTotals; quiet: { times: Quiet[]; ms: number } } {
  const mine = inQueue(queueId)
  const minutes = queueId === null ? facts.minutes : (facts.queueMinutes?.filter(mine) ?? null)
  const receivedBytes =
    minutes === null
      ? sum([...story.brought].filter(([id]) => queueId === null || id === queueId).map(([, bytes]) => bytes))
      : sum(minutes.map(({ bytes }) => bytes))
  const activeMs = lengthOf(story.runs.filter(mine), down)
  const finished = story.finished.filter(mine)
  const verified = finished.filter(({ against }) => against !== null).length
  const retried = story.retried.filter(mine)
  const quiet =
    minutes === null
      ? { times: [], ms: 0 }
      : quietTimes({
          ...{ range: scope, entries: facts.entries, down, queueId },
          busyMinutes: new Set(minutes.map(({ at }) => at)),
        })
  const undone = [...facts.undoneByQueue].filter(([id]) => queueId === null || id === queueId)
  return {
    quiet,
    totals: {
      added: sum([...story.added].filter(([id]) => queueId === null || id === queueId).map(([, count]) => count)),
      finished: finished.length,
      verified,
      unverified: finished.length - verified,
      failed: story.failed.filter(mine).length,
      retries: sum(retried.map(({ times }) => times)),
      retried: retried.length,
      changed: story.changed.filter(mine).length,
      removed: queueId === null ? story.removed : 0,
      undone: sum(undone.map(([, count]) => count)),
      receivedBytes,
      activeMs,
      bytesPerSecond: activeMs > 0 ? (receivedBytes * 1000) / activeMs : null,
      quietMs: quiet.ms,
    },
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** How long at least one of these was under way, without the times in which everything stood still. */
function lengthOf(spans: readonly Range[], down: readonly DownTime[]): number {
  let length = 0
  let end = Number.NEGATIVE_INFINITY
  for (const span of spans.filter(({ from, to }) => to > from).sort((a, b) => a.from - b.from)) {
    const from = Math.max(span.from, end)
    if (span.to <= from) continue
    length += span.to - from
    for (const time of down) length -= Math.max(0, Math.min(span.to, time.to) - Math.max(from, time.from))
    end = span.to
  }
  return Math.max(0, Math.round(length))
}

function graph(minutes: readonly { at: number; bytes: number }[], scope: Range): Graph {
  const minutesOf = Math.max(1, (scope.to - scope.from) / MINUTE_MS)
  const stepMs = (STEP_MINUTES.find((step) => minutesOf / step <= MOST_STEPS) ?? 1440) * MINUTE_MS
  const first = Math.floor(scope.from / MINUTE_MS) * MINUTE_MS
  const steps = new Map<number, number>()
  for (const { at, bytes } of minutes) {
    const step = first + Math.floor((at - first) / stepMs) * stepMs
    steps.set(step, (steps.get(step) ?? 0) + bytes)
  }
  return { stepMs, steps: [...steps].map(([at, bytes]) => ({ at, bytes })) }
}

const STEP_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720]

/** Queues as they are, and those that are gone and of which something is told. */
function queuesOf(facts: ReportFacts, story: Story): { id: QueueId; name: string }[] {
  const known = new Map(facts.queues.map(({ id, name }) => [id, name]))
  const told = new Set([
    ...[...story.finished, ...story.failed, ...story.retried, ...story.changed].map(({ queueId }) => queueId),
    ...(facts.queueMinutes ?? []).map(({ queueId }) => queueId),
  ])
  const gone = [...told].filter((id) => !known.has(id)).map((id) => ({ id, name: story.names.get(id) ?? `${id}` }))
  return [...facts.queues, ...gone]
}

// ── quiet times and incidents ──

function toQuietTime({ from, to, reasons }: Quiet): NightReport['quiet'][number] {
  return {
    from,
    to,
    reasons: reasons.map(({ code, params, ms }) => {
      const { error } = params
      const titled = typeof error === 'string' ? { ...params, error: reasonOf(error, error, {}).title } : params
      return { code, params, ms: Math.round(ms), text: quietSentence(code, titled) }
    }),
  }
}

function incidentsOf(
  entries: readonly JournalEntry[],
  down: readonly DownTime[],
  scope: Range,
  only: QueueId | null,
): Incident[] {
  const concerns = (queueId: QueueId) => only === null || queueId === only
  const incidents: Omit<Incident, 'text'>[] = down
    .filter(({ from }) => Number.isFinite(from))
    .map(({ code, from, to }) => {
      const isOver = to < scope.to || code === 'asleep'
      const names = { not_running: 'stopped', crashed: 'crashed', asleep: 'slept' } as const
      return { code: names[code], params: { ms: to - from }, from, to: isOver ? to : null }
    })
  /** by how much the clock was set back so far: what lasted over that lasted so much longer */
  let setBackMs = 0
  let away: { at: number; params: { reason: string }; setBackMs: number } | null = null
  const back = (at: number | null) => {
    if (away === null) return
    const params = at === null ? away.params : { ...away.params, ms: at - away.at + setBackMs - away.setBackMs }
    incidents.push({ code: 'network_away', params, from: away.at, to: at })
    away = null
  }
  let battery: { at: number; setBackMs: number } | null = null
  const over = (at: number | null) => {
    if (battery === null) return
    const params: Incident['params'] = at === null ? {} : { ms: at - battery.at + setBackMs - battery.setBackMs }
    incidents.push({ code: 'battery', params, from: battery.at, to: at })
    battery = null
  }
  for (const entry of entries) {
    if (entry.kind === 'battery_waits') battery ??= { at: entry.at, setBackMs }
    if (entry.kind === 'battery_over' || entry.kind === 'engine_started') over(entry.at)
    if (entry.kind === 'network_away') away ??= { at: entry.at, params: entry.params, setBackMs }
    if (entry.kind === 'network_back' || entry.kind === 'engine_started') back(entry.at)
    if (entry.kind === 'clock_set_back') {
      setBackMs += entry.params.ms
      incidents.push({ code: 'clock_set_back', params: { ms: entry.params.ms }, from: entry.at, to: entry.at })
    }
    if (entry.kind === 'deadline' && concerns(entry.params.queueId)) {
      const { queueId: _of, ...params } = entry.params
      incidents.push({ code: 'deadline', params, from: entry.at, to: entry.at })
    }
    if (entry.kind === 'adapted' && concerns(entry.params.queueId)) {
      const { queueId: _of, ...params } = entry.params
      incidents.push({ code: 'adapted', params, from: entry.at, to: entry.at })
    }
    if (entry.kind === 'profile_changed')
      incidents.push({ code: 'profile_changed', params: entry.params, from: entry.at, to: entry.at })
  }
  back(null)
  over(null)
  return incidents
    .filter(({ from, to }) => from < scope.to && (to === null || to >= scope.from))
    .sort((a, b) => a.from - b.from)
    .map((incident) => ({ ...incident, text: incidentSentence(incident.code, incident.params, incident.to !== null) }))
}
