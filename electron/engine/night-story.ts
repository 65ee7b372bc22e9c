/** What the journal says happened to downloads and hosts in a night, as the lines of its report. Pure. */
import type { EntryOf, JournalEntry } from '../../shared/journal.ts'
import type { RepeatId } from '../../shared/repeats.ts'
import type {
  ChangedItem,
  DoneItem,
  FailedItem,
  FinishedItem,
  RefusingHost,
  RepeatedItem,
  RetriedItem,
} from '../../shared/report.ts'
import { doneSentence, refusalSentence, repeatSentence, verifiedSentence } from '../../shared/report-text.en.ts'
import type { QueueId, TaskId } from '../../shared/schemas.ts'
import { type DownTime, isRunEnd, type RunEnd, Situation } from './night-situation.ts'
import type { Range } from './nights.ts'
import { reasonOf } from './report-reason.ts'

export interface StoryFacts {
  /** in order */
  entries: readonly JournalEntry[]
  /** epoch ms */
  now: number
  /** when repeating downloads run next, as of now (epoch ms); null: paused */
  repeats: ReadonlyMap<RepeatId, { queueId: QueueId; nextAt: number | null }>
  /** the engine that owns the queue runs now */
  alive: boolean
}

interface Span extends Range {
  queueId: QueueId
}

export interface Story {
  finished: FinishedItem[]
  failed: FailedItem[]
  retried: RetriedItem[]
  changed: ChangedItem[]
  hosts: RefusingHost[]
  repeats: RepeatedItem[]
  /** `workOf` null: of all queues */
  done: (DoneItem & { workOf: QueueId | null })[]
  /** runs, each as long as it was under way */
  runs: Span[]
  /** bytes that runs brought, by queue: where they are not known by minute */
  brought: Map<QueueId, number>
  added: Map<QueueId, number>
  removed: number
  /** when each queue that was ever held was allowed to work */
  allowed: Map<QueueId, Range[]>
  names: Map<QueueId, string>
}

interface Tries {
  item: RetriedItem
  byCode: Map<string, RetriedItem['reasons'][number]>
  /** of the latest try, among byCode */
  last: string | null
}

/** `scope`: the time that is told of; `entries` from before tell how things were when it began. */
export function tellStory(facts: StoryFacts, scope: Range, down: readonly DownTime[]): Story {
  const finished = new Map<TaskId, FinishedItem>()
  const failed = new Map<TaskId, FailedItem>()
  const changed = new Map<TaskId, ChangedItem>()
  const tries = new Map<TaskId, Tries>()
  const repeats = new Map<string, RepeatedItem>()
  const activeMs = new Map<TaskId, number>()
  const situation = new Situation()
  const allowed = new AllowedTimes(scope, down)
  const story: Story = {
    ...{ finished: [], failed: [], retried: [], changed: [], hosts: [], repeats: [], done: [], runs: [], removed: 0 },
    ...{ brought: new Map(), added: new Map(), allowed: new Map(), names: new Map() },
  }
  const runOf = (queueId: QueueId, from: number, to: number) =>
    story.runs.push({ queueId, from: Math.max(from, scope.from), to: Math.min(to, scope.to) })
  for (const entry of facts.entries) {
    const { taskId, at } = entry
    const running = taskId === null ? undefined : situation.running.get(taskId)
    const isInside = at >= scope.from
    if (entry.kind === 'engine_started') {
      const end = down.findLast((time) => time.to === at && time.code !== 'asleep')?.from ?? at
      for (const run of situation.running.values()) runOf(run.queueId, run.since, end)
    }
    if (entry.kind === 'removed')
      for (const id of entry.params.ids) {
        const run = situation.running.get(id)
        if (run) runOf(run.queueId, run.since, at)
        const tried = tries.get(id)
        if (tried?.item.outcome === 'open') tried.item.outcome = 'removed'
      }
    if ('queue' in entry.params && 'queueId' in entry.params) story.names.set(entry.params.queueId, entry.params.queue)
    situation.hear(entry)
    allowed.hear(entry, situation)
    if (!isInside) continue
    if (taskId !== null && isRunEnd(entry)) {
      const { queueId, ms, bytes } = entry.params
      // The clock may have been set back meanwhile.
      runOf(queueId, running && running.since <= at ? running.since : at - ms, at)
      activeMs.set(taskId, (activeMs.get(taskId) ?? 0) + ms)
      story.brought.set(queueId, (story.brought.get(queueId) ?? 0) + bytes)
    }
    switch (entry.kind) {
      case 'added':
        add(story.added, entry.params.queueId, entry.params.count)
        break
      case 'removed':
        story.removed += entry.params.count
        break
      case 'finished': {
        const { sizeBytes, against } = entry.params
        const line = { ...itemOf(entry), at, bytes: sizeBytes, activeMs: activeMs.get(taskId!) ?? 0 }
        finished.set(taskId!, { ...line, against: against && { ...against, text: verifiedSentence(against) } })
        failed.delete(taskId!)
        outcome(tries, taskId!, 'finished')
        break
      }
      case 'failed':
      case 'deferred':
      case 'turned':
        // What had been given up, or seemed to be another file, was excused: the network was away.
        failed.delete(taskId!)
        changed.delete(taskId!)
        triedAgain(tries, entry)
        break
      case 'given_up': {
        const { message, error, tries: count } = entry.params
        failed.set(taskId!, { ...itemOf(entry), at, reason: reasonOf(entry.code, message, error), tries: count })
        outcome(tries, taskId!, 'failed')
        break
      }
      case 'started':
      case 'resumed':
        failed.delete(taskId!)
        outcome(tries, taskId!, 'open')
        break
      case 'damaged':
        finished.delete(taskId!)
        break
      case 'changed': {
        const { message, error } = entry.params
        changed.set(taskId!, { ...itemOf(entry), at, reason: reasonOf(entry.code, message, error), decision: null })
        break
      }
      case 'decided': {
        const line = changed.get(taskId!)
        if (line) line.decision = entry.params.decision
        break
      }
      case 'repeated':
        repeats.set(`${entry.params.repeatId} ${entry.params.runAt}`, repeatedItem(entry, facts.repeats))
        break
      case 'command_ended':
        story.done.push(doneItem(entry, 'command', entry.params.exitCode === 0))
        break
      case 'webhook_told': {
        const { status } = entry.params
        story.done.push(doneItem(entry, 'webhook', status !== null && status >= 200 && status < 300))
      }
    }
  }
  if (facts.alive || scope.to < facts.now)
    for (const run of situation.running.values()) runOf(run.queueId, run.since, scope.to)
  return {
    ...story,
    finished: [...finished.values()],
    failed: [...failed.values()],
    changed: [...changed.values()],
    retried: [...tries.values()].map(({ item, byCode }) => ({
      ...item,
      reasons: [...byCode.values()].sort((a, b) => b.times - a.times),
    })),
    repeats: [...repeats.values()],
    hosts: refusals(facts.entries, scope),
    allowed: allowed.take(),
  }
}

function repeatedItem({ code, params }: EntryOf<'repeated'>, known: StoryFacts['repeats']): RepeatedItem {
  const { repeatId, runAt, name, url, queueId, result, busy, deleted, kept, message, error } = params
  const reason = code === null ? null : reasonOf(code, message, error)
  const line = { repeatId, at: runAt, name, url, queueId, result, deleted, kept, reason }
  return { ...line, nextAt: known.get(repeatId)?.nextAt ?? null, text: repeatSentence(line, busy) }
}

function doneItem(
  { at, params: { workOf, ...params } }: EntryOf<'command_ended' | 'webhook_told'>,
  code: DoneItem['code'],
  ok: boolean,
): Story['done'][number] {
  return { code, at, ok, params, text: doneSentence(code, ok, params), workOf }
}

function add(counts: Map<QueueId, number>, key: QueueId, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

type AboutTask = Extract<JournalEntry, { params: { name: string } }>

function itemOf({ taskId, params }: AboutTask): { id: TaskId; name: string; url: string; queueId: QueueId } {
  const { name, url, queueId } = params
  return { id: taskId!, name, url, queueId }
}

function triedAgain(tries: Map<TaskId, Tries>, entry: Extract<RunEnd, { params: { message: string } }>): void {
  const id = entry.taskId!
  const known = tries.get(id) ?? {
    item: { ...itemOf(entry), times: 0, reasons: [], outcome: 'open' },
    byCode: new Map(),
    last: null,
  }
  tries.set(id, known)
  Object.assign(known.item, itemOf(entry))
  const before = known.last === null ? undefined : known.byCode.get(known.last)
  // It is the same try, and failed of something else.
  if (entry.kind === 'deferred' && entry.params.instead && before) {
    before.times--
    if (before.times === 0) known.byCode.delete(known.last!)
  } else known.item.times++
  const { code, title } = reasonOf(entry.code, entry.params.message, entry.params.error)
  const reason = known.byCode.get(title) ?? { code, title, times: 0 }
  reason.times++
  known.byCode.set(title, reason)
  known.last = title
}

function outcome(tries: Map<TaskId, Tries>, id: TaskId, how: RetriedItem['outcome']): void {
  const tried = tries.get(id)
  if (tried) tried.item.outcome = how
}

/** When queues were allowed to work while Nighthaul ran, for those that were not always. */
class AllowedTimes {
  readonly #scope: Range
  readonly #down: readonly DownTime[]
  readonly #since = new Map<QueueId, number>()
  readonly #times = new Map<QueueId, Range[]>()
  readonly #held = new Set<QueueId>()

  constructor(scope: Range, down: readonly DownTime[]) {
    this.#scope = scope
    this.#down = down
  }

  hear(entry: JournalEntry, situation: Situation): void {
    if (entry.kind === 'engine_started') {
      const end = this.#down.findLast(({ to, code }) => to === entry.at && code !== 'asleep')?.from ?? entry.at
      for (const id of this.#since.keys()) this.#close(id, end)
    }
    if (entry.kind === 'engine_stopped') for (const id of [...this.#since.keys()]) this.#close(id, entry.at)
    if (!('queue' in entry.params && 'queueId' in entry.params)) return
    const { queueId } = entry.params
    const mayWork = situation.mayWork(queueId)
    if (mayWork && !this.#since.has(queueId)) this.#since.set(queueId, entry.at)
    if (!mayWork) {
      // In the same breath as the start of the engine: it was not allowed before.
      this.#close(queueId, entry.at)
      if (entry.at >= this.#scope.from || !situation.mayWork(queueId)) this.#held.add(queueId)
    }
  }

  #close(id: QueueId, at: number): void {
    const since = this.#since.get(id)
    if (since === undefined) return
    this.#since.delete(id)
    const time = { from: Math.max(since, this.#scope.from), to: Math.min(at, this.#scope.to) }
    if (time.to > time.from) this.#times.set(id, [...(this.#times.get(id) ?? []), time])
  }

  take(): Map<QueueId, Range[]> {
    const down = this.#down.at(-1)
    const end = down && down.to >= this.#scope.to && down.code !== 'asleep' ? down.from : this.#scope.to
    for (const id of [...this.#since.keys()]) this.#close(id, end)
    return new Map([...this.#held].map((id) => [id, this.#times.get(id) ?? []]))
  }
}

/** One line for each host that refused. */
function refusals(entries: readonly JournalEntry[], scope: Range): RefusingHost[] {
  const hosts = new Map<string, Omit<RefusingHost, 'text'>>()
  const totals = new Map<string, number>()
  /** how many complaints came since the host was told of before; `otherwise`: where no totals tell */
  const since = (host: string, total: number | undefined, otherwise: number) => {
    const before = totals.get(host)
    if (total !== undefined) totals.set(host, total)
    return total !== undefined && before !== undefined && total >= before ? total - before : otherwise
  }
  for (const entry of entries) {
    if (entry.kind === 'host_refused') {
      const { host, status, complaints = 1, total } = entry.params
      const known = hosts.get(host)
      const came = since(host, total, complaints)
      // It was over it before this time began.
      if (!known || (known.until !== null && known.until < scope.from))
        hosts.set(host, { host, status, from: entry.at, until: null, complaints: Math.max(1, came), times: 1 })
      else {
        // An engine that begins says once more what still holds.
        const times = known.times + (known.until === null && complaints === 0 ? 0 : 1)
        Object.assign(known, { status, until: null, complaints: known.complaints + came, times })
      }
    }
    if (entry.kind === 'host_allowed') {
      const { host, complaints, total } = entry.params
      const known = hosts.get(host)
      // One of them was counted when it began.
      const came = since(host, total, Math.max(0, complaints - 1))
      if (known) Object.assign(known, { until: entry.at, complaints: known.complaints + came })
    }
  }
  return [...hosts.values()]
    .filter(({ until }) => until === null || until >= scope.from)
    .map((host) => ({ ...host, text: refusalSentence(host) }))
}
