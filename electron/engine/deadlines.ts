/**
 * Queues that have to be done by a time: looks at the forecast now and then, has done what deadline-plan.ts decides, and
 * tells people when the outlook changes. Also answers the contract's questions about what is to come.
 */
import type { Contract } from '../../shared/contract.ts'
import type {
  Forecast,
  ForecastInput,
  OutlookGap,
  QueueForecast,
  QueueOutlook,
  RepeatForecast,
} from '../../shared/forecast.ts'
import { formatBytes } from '../../shared/format.ts'
import type { QueueRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { QueueId, Settings, TaskId } from '../../shared/schemas.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'
import { type Changes, type Decision, decide, UNCHANGED } from './deadline-plan.ts'
import { type Facts, type FactsDeps, ForecastFacts } from './forecast-facts.ts'
import type { Journal } from './journal.ts'
import type { Notices } from './notices.ts'
import { HOLDS_MS, outlookOf, type Word, worded } from './outlook.ts'
import type { EngineDeps } from './ports.ts'
import type { Runner } from './runner.ts'
import type { SizeProbes } from './size-probes.ts'
import { shownName } from './task-view.ts'
import { systemTimeZone } from './window-times.ts'

export interface DeadlinesDeps extends FactsDeps, Pick<EngineDeps, 'stopwatch'> {
  settings: () => Settings
  runner: Pick<Runner, 'live' | 'runs'>
  notices: Pick<Notices, 'replaceAbout'>
  probes: Pick<SizeProbes, 'step'>
  journal: Pick<Journal, 'note'>
  /** the host whose places a run needs, and whose bytes it gets */
  hostOfRun: (run: Runner['runs'][number]) => string
  /** what everything waits for now */
  waitsFor: () => OutlookGap[]
  /** bytes per second of all downloads together; null: no limit */
  limitOfAll: () => number | null
  /** limits or the order are others now */
  changed: () => void
}

const NOTICES = ['deadline_tight', 'deadline_misses'] as const
const LOOK_MS = 10_000
/** After something changed; looks that take long are rarer. */
const SOON_MS = 1_000
const REST = 50

interface Look {
  facts: Facts
  decision: Decision
  outlooks: Map<QueueId, QueueOutlook>
}

export class Deadlines {
  readonly #deps: DeadlinesDeps
  readonly #facts: ForecastFacts
  readonly #words = new Map<QueueId, Word & { deadline: number }>()
  #look: Look | null = null
  #lookedAt = Number.NEGATIVE_INFINITY
  #costMs = 0
  #dirty = true
  #felt = ''
  #displaced = new Set<TaskId>()
  /** what the journal says is done for deadlines, by queue */
  readonly #adapted = new Map<QueueId, { said: string | null; seen: string | null; since: number }>()
  /** it is kept up by the clockwork; otherwise it is looked at when somebody asks */
  #ticking = false

  constructor(deps: DeadlinesDeps) {
    this.#deps = deps
    this.#facts = new ForecastFacts(deps)
    this.#recall()
  }

  /** What an earlier life said and nobody has put away still stands: it is to be taken back if it is not so any more. */
  #recall(): void {
    const { store, clock } = this.#deps
    for (const { code, params } of store.notices()) {
      const { queueId, deadline } = params
      if (!NOTICES.some((known) => known === code) || typeof queueId !== 'number' || typeof deadline !== 'number')
        continue
      const said = code === 'deadline_misses' ? 'misses' : 'tight'
      this.#words.set(queueId as QueueId, { said, seen: said, since: clock.monotonic(), deadline })
    }
  }

  /** Tasks, queues or limits are others now. */
  touched(): void {
    this.#dirty = true
  }

  /** A step of the clockwork. */
  step(): void {
    const { clock, rates, runner, queues } = this.#deps
    this.#ticking = true
    rates.observe(
      runner.runs
        .filter(({ closing }) => !closing)
        .map((run) => ({
          host: this.#deps.hostOfRun(run),
          phase: run.download.phase,
          limited: this.#isLimited(run),
        })),
    )
    const passed = clock.monotonic() - this.#lookedAt
    if (!queues.records.some(({ finishBy }) => finishBy !== null)) this.#forget()
    else if (passed >= Math.max(this.#dirty ? SOON_MS : LOOK_MS, this.#costMs * REST)) this.#lookNow()
    this.#tellIfFelt()
    if (this.#look && this.#deps.settings().probeSizes && this.#deps.waitsFor().length === 0)
      this.#deps.probes.step(this.#sizesWanted(this.#look))
  }

  /** Downloads of queues with a deadline, in their order. */
  *#sizesWanted({ facts, decision }: Look) {
    const due = new Set(
      decision.plan.queues.filter((q) => q.deadline !== null && q.spans.length > 0).map(({ id }) => id),
    )
    for (const task of facts.tasks.values())
      if (facts.estimated.has(task.id) && due.has(this.#deps.queues.resolve(task.queueId))) yield task
  }

  #isLimited({ queueId, bucket, host }: Runner['runs'][number]): boolean {
    const { queues, hosts, limitOfAll } = this.#deps
    const queue = queues.records.find(({ id }) => id === queues.resolve(queueId))
    const limits = [
      ...[limitOfAll(), queue?.limitBytesPerSecond ?? null, bucket?.bytesPerSecond ?? null],
      ...[hosts.limits(host).limitBytesPerSecond, this.#deps.queues.loanOf(queueId)?.limitBytesPerSecond ?? null],
    ]
    return limits.some((limit) => limit !== null)
  }

  #forget(): void {
    if (this.#look === null) return
    this.#look = null
    this.#displaced.clear()
    for (const queue of this.#deps.queues.records) this.#say(queue, undefined)
    this.#words.clear()
    this.#adapted.clear()
    this.#deps.queues.lend(new Map())
  }

  /** The rest of the engine feels what queues lend (also when a window opens), and orders. */
  #tellIfFelt(): void {
    const { queues, changed } = this.#deps
    const loans = queues.records.map(({ id }) => queues.loanOf(id))
    const felt = JSON.stringify([loans, [...(this.#look?.decision.order ?? [])], [...this.#displaced]])
    if (felt === this.#felt) return
    this.#felt = felt
    changed()
    // What it changed itself is known.
    this.#dirty = false
  }

  #lookNow(): Look {
    const { clock, settings, stopwatch = () => performance.now() } = this.#deps
    const began = stopwatch()
    const facts = this.#facts.gather()
    const before: Changes = this.#look?.decision ?? UNCHANGED
    const { deadlineOrder: order, deadlineMayBorrow } = settings()
    // What was never measured is no reason to change anything.
    const mayChange = facts.line.basis !== 'assumed'
    const decision = decide(
      facts.plan,
      { order: mayChange ? order : 'asListed', mayBorrow: mayChange && deadlineMayBorrow },
      before,
    )
    const look: Look = { facts, decision, outlooks: this.#outlooks(facts, decision) }
    this.#look = look
    this.#lookedAt = clock.monotonic()
    this.#costMs = stopwatch() - began
    this.#dirty = false
    if (this.#ticking) {
      this.#noteAdaptations(look)
      this.#deps.queues.lend(decision.loans)
      this.#displaced = this.#displacedBy(look)
      for (const queue of this.#deps.queues.records) this.#say(queue, look.outlooks.get(queue.id))
    }
    return look
  }

  #outlooks({ plan, queues, line }: Facts, decision: Decision): Look['outlooks'] {
    const outlooks: Look['outlooks'] = new Map()
    for (const { id, tasks, deadline, spans } of decision.plan.queues) {
      if (deadline === null || tasks.length === 0) continue
      const { sizesEstimated, sizesGuessed } = queues.get(id)!
      const word = this.#words.get(id)
      const borrowsFrom = [...decision.loans].filter(([, { to }]) => to.includes(id)).map(([lender]) => lender)
      const outlook = outlookOf({
        ...{ now: plan.now, deadline, tasks, sizesEstimated, sizesGuessed, basis: line.basis },
        outcome: decision.outcomes.get(id)!,
        stopped: spans.length === 0,
        waitsFor: this.#deps.waitsFor(),
        adapted: { shortestFirst: decision.shortestFirst.has(id), borrowsFrom },
        before: word?.deadline === deadline ? word.said : null,
      })
      outlooks.set(id, outlook)
    }
    return outlooks
  }

  /** What is done for a deadline, when that is another thing than before. */
  #noteAdaptations({ outlooks }: Look): void {
    const { queues, journal, clock } = this.#deps
    for (const { id, name, finishBy } of queues.records) {
      const { shortestFirst, borrowsFrom } = outlooks.get(id)?.adapted ?? { shortestFirst: false, borrowsFrom: [] }
      const names = this.#namesOf(borrowsFrom)
      const felt = shortestFirst || names !== '' ? `${shortestFirst} ${names}` : null
      const known = this.#adapted.get(id) ?? { said: null, seen: null, since: clock.monotonic() }
      const since = known.seen === felt ? known.since : clock.monotonic()
      // What goes to and fro is not told each time.
      const say = felt !== known.said && (known.said === null || clock.monotonic() - since >= HOLDS_MS)
      this.#adapted.set(id, { said: say ? felt : known.said, seen: felt, since })
      // What is done ends with the queue's work; only what is taken back before is worth a word.
      if (!say || (felt === null && !outlooks.has(id))) continue
      journal.note('adapted', { queueId: id, queue: name, by: finishBy ?? '', shortestFirst, borrowsFrom: names })
    }
  }

  #namesOf(ids: readonly QueueId[]): string {
    const { records } = this.#deps.queues
    return ids.map((id) => `“${records.find((queue) => queue.id === id)?.name ?? id}”`).join(', ')
  }

  /** Tells people what has become of a deadline, when that is another thing than before. */
  #say(queue: QueueRecord, outlook: QueueOutlook | undefined): void {
    const { notices, clock } = this.#deps
    if (!outlook) {
      // All is there, or nothing has to be any more.
      const last = this.#words.get(queue.id)
      if (this.#words.delete(queue.id)) notices.replaceAbout(NOTICES, ['queueId', queue.id], null)
      // It was quicker than anybody could take back what was feared.
      if (last && last.said !== 'fits' && last.said !== null && queue.finishBy !== null && clock.now() <= last.deadline)
        this.#deps.journal.note('deadline', {
          ...{ queueId: queue.id, queue: queue.name, outlook: 'fits', by: queue.finishBy },
          ...{ files: 0, late: 0, lateBytes: formatBytes(0) },
        })
      return
    }
    const known = this.#words.get(queue.id)
    // What was missed stays said when the next deadline counts.
    const before = known?.deadline === outlook.deadline ? known : null
    const { word, say } = worded(before, outlook.kind, clock.monotonic())
    this.#words.set(queue.id, { ...word, deadline: outlook.deadline })
    if (!say || (outlook.kind === 'fits' && before?.said == null)) return
    const params = noticeParams(queue, outlook)
    const { late, files, by, queueId, queue: name, lateBytes } = params
    this.#deps.journal.note('deadline', { queueId, queue: name, outlook: outlook.kind, by, files, late, lateBytes })
    const code = outlook.kind === 'misses' ? 'deadline_misses' : outlook.kind === 'tight' ? 'deadline_tight' : null
    const { deadline } = outlook
    notices.replaceAbout(NOTICES, ['queueId', queue.id], code && { code, params: { ...params, deadline } })
  }

  /** As it is by now, or was a moment ago. */
  #present(): Look {
    const passed = this.#deps.clock.monotonic() - this.#lookedAt
    const isFresh = this.#ticking && (!this.#dirty || passed < Math.max(SOON_MS, this.#costMs * REST))
    return this.#look && isFresh ? this.#look : this.#lookNow()
  }

  /** null: it has no deadline, or nothing to do. */
  outlookOf(id: QueueId): QueueOutlook | null {
    const queue = this.#deps.queues.records.find((known) => known.id === id)
    if (!queue || queue.finishBy === null) return null
    return this.#present().outlooks.get(id) ?? null
  }

  /** Ids in the order in which they are to start; null: as listed. */
  orderOf(id: QueueId): readonly TaskId[] | null {
    return this.#look?.decision.order.get(id) ?? null
  }

  /** What of a queue's downloads is as it is because of a deadline. */
  reasonsFor(queueId: QueueId): TaskStrategyReason[] {
    const { queues } = this.#deps
    const id = queues.resolve(queueId)
    const loan = queues.loanOf(id)
    const lenders = queues.records.filter((queue) => queues.loanOf(queue.id)?.to.includes(id))
    const reasons: TaskStrategyReason[] = []
    if (this.orderOf(id)) reasons.push({ code: 'shortest_first', params: {} })
    if (lenders.length > 0 && queues.holdOf(id) === null)
      reasons.push({
        code: 'borrowed_for_deadline',
        params: { queues: this.#namesOf(lenders.map((queue) => queue.id)) },
      })
    if (loan) {
      const { to, limitBytesPerSecond: bytesPerSecond, downloadsAtOnce: atOnce } = loan
      reasons.push({ code: 'lent_to_deadline', params: { queues: this.#namesOf(to), bytesPerSecond, atOnce } })
    }
    return reasons
  }

  /** Running downloads that are to make room. Told once a look: what runs again later has its turn. */
  takeDisplaced(): ReadonlySet<TaskId> {
    const displaced = this.#displaced
    this.#displaced = new Set()
    return displaced
  }

  #displacedBy({ decision, facts }: Look): Set<TaskId> {
    const ids = new Set<TaskId>()
    for (const { id, tasks } of decision.plan.queues) {
      const isChanged = decision.order.has(id) || this.#deps.queues.loanOf(id) !== null
      if (!isChanged) continue
      const outcomes = decision.outcomes.get(id)!.tasks
      tasks.forEach((task, index) => {
        const wasRunning = facts.tasks.get(task.id)?.state === 'active'
        if (wasRunning && outcomes[index]!.startsAt !== facts.plan.now) ids.add(task.id)
      })
    }
    return ids
  }

  get handlers(): Pick<Handlers<Contract>, 'schedule.forecast'> {
    return { 'schedule.forecast': (input) => this.#forecast(input) }
  }

  #forecast({ tasks: most, hours }: ForecastInput): Forecast {
    const { facts, decision, outlooks } = this.#lookNow()
    const { now } = facts.plan
    const until = now + hours * 3_600_000
    const repeats = decision.plan.queues.flatMap(({ id: queueId, runs }) =>
      runs.flatMap(({ leftBytes }, index): RepeatForecast[] => {
        const { id, name, at, bytes } = facts.runs.get(queueId)![index]!
        const { startsAt, endsAt } = decision.outcomes.get(queueId)!.runs[index]!
        if (at >= until) return []
        const times = { at, startsAt, endsAt: endsAt && Math.round(endsAt) }
        return [{ id, name, queueId, ...times, bytes: Math.round(leftBytes), sizeKnown: bytes !== null }]
      }),
    )
    const queues = decision.plan.queues.map((planned): QueueForecast => {
      const { id, tasks, deadline } = planned
      const { startsAt, endsAt, work, tasks: outcomes } = decision.outcomes.get(id)!
      const known = facts.queues.get(id)!
      const next = tasks
        .map((task, index) => ({ task, outcome: outcomes[index]! }))
        .filter(({ task, outcome: { startsAt: at } }) => task.files === 1 && task.id > 0 && (at === null || at < until))
        .sort((a, b) => (a.outcome.startsAt ?? Infinity) - (b.outcome.startsAt ?? Infinity))
        .slice(0, most)
      const records = new Map(this.#deps.store.getTasks(next.map(({ task }) => task.id)).map((task) => [task.id, task]))
      return {
        ...{ id, startsAt, endsAt, files: known.files, sizesEstimated: known.sizesEstimated },
        name: this.#deps.queues.records.find((queue) => queue.id === id)!.name,
        leftBytes: Math.round(tasks.reduce((sum, { leftBytes }) => sum + leftBytes, 0)),
        work: work.filter(({ from }) => from < until).map((span) => ({ ...span, bytes: Math.round(span.bytes) })),
        outlook: outlooks.get(id) ?? null,
        tasks: next.map(({ task, outcome }) => {
          const record = records.get(task.id)
          return {
            ...{ id: task.id, name: record ? shownName(record) : '', host: task.host },
            ...{ startsAt: outcome.startsAt, endsAt: outcome.endsAt && Math.round(outcome.endsAt) },
            leftBytes: Math.round(task.leftBytes),
            sizeKnown: !facts.estimated.has(task.id),
            inTime: deadline === null ? null : outcome.filesInTime === 1,
          }
        }),
      }
    })
    return { at: now, until, line: facts.line, repeats: repeats.sort((a, b) => a.at - b.at), queues }
  }
}

function noticeParams(queue: QueueRecord, outlook: QueueOutlook) {
  const zone = queue.timeZone ?? systemTimeZone()
  const { files, filesInTime, leftBytes, bytesInTime, endsAt } = outlook
  const ends = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: zone,
  })
  return {
    ...{ queueId: queue.id, queue: queue.name, by: queue.finishBy!, files, late: files - filesInTime },
    lateBytes: formatBytes(leftBytes - bytesInTime),
    ends: endsAt === null ? 'later than in a week' : ends.format(endsAt),
  }
}
