/** Gathers what a forecast needs: what is to be fetched, when, under which limits and how fast. */
import type { RateBasis } from '../../shared/forecast.ts'
import type { OpenTask } from '../../shared/open-tasks.ts'
import type { RepeatId } from '../../shared/repeats.ts'
import type { QueueId, Settings, TaskId } from '../../shared/schemas.ts'
import { parseTime, parseWindows } from '../../shared/windows.ts'
import type { Plan, PlannedHost, PlannedQueue, PlannedTask, Step } from './forecast.ts'
import type { Hosts } from './hosts.ts'
import type { MeasuredRates } from './measured-rates.ts'
import type { EngineDeps } from './ports.ts'
import type { Queues } from './queues.ts'
import type { Runner } from './runner.ts'
import { openSpans, type Span, systemTimeZone, timesOfDay } from './window-times.ts'

export interface FactsDeps extends Pick<EngineDeps, 'store' | 'clock'> {
  queues: Pick<Queues, 'records' | 'resolve' | 'holdOf' | 'changesAt' | 'lend' | 'loanOf'>
  hosts: Pick<Hosts, 'controller' | 'limits'>
  runner: Pick<Runner, 'live'>
  rates: MeasuredRates
  /** settings as they will hold */
  ahead: (now: number, until: number) => { from: number; settings: Settings }[]
  /** where a host's links lead */
  targetOf: (host: string) => string
  /** runs of repeating downloads until a time, the soonest first */
  repeats: (now: number, until: number) => readonly ComingRun[]
  /** a size that was asked for beforehand */
  sizeOf: (id: TaskId) => number | undefined
}

/** A run of a repeating download that is to come. */
export interface ComingRun {
  id: RepeatId
  name: string
  queueId: QueueId
  host: string
  at: number
  /** of the file that the latest run brought; null: none did */
  bytes: number | null
  limitBytesPerSecond: number | null
}

/** What is known of a queue besides its plan. */
export interface QueueFacts {
  files: number
  sizesEstimated: number
  /** nothing was there to estimate sizes by */
  sizesGuessed: boolean
}

export interface Facts {
  plan: Plan
  line: { bytesPerSecond: number; basis: RateBasis }
  queues: Map<QueueId, QueueFacts>
  /** those that are looked at one by one */
  tasks: Map<TaskId, OpenTask>
  estimated: Set<TaskId>
  /** by queue, in the order of the runs in its plan */
  runs: Map<QueueId, ComingRun[]>
}

/** So many of each queue are looked at one by one; those behind them by host. */
const ONE_BY_ONE = 500
/** Of those behind, so many of one host are taken together at most. */
const TOGETHER = 50
/** So far ahead downloads that repeat are played. */
const RUNS_MS = 48 * 3_600_000
export const HORIZON_MS = 8 * 24 * 3_600_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const FRESH_MS = 600_000
/** A median of fewer says little. */
const FEWEST_SIZES = 3
/** Where no size is known at all. */
const GUESSED_BYTES = 100_000_000
/** A file that grew beyond its estimate has at least this part of it to come. */
const LEAST_PART = 0.1

/** The next time at which it is `finishBy` in the queue's zone. */
export function deadlineOf(finishBy: string, zone: string | null, now: number): number {
  return timesOfDay(parseTime(finishBy)!, zone ?? systemTimeZone(), now + 1, now + 2 * DAY_MS)[0]!
}

export class ForecastFacts {
  readonly #deps: FactsDeps
  /** by the text of windows and zone */
  readonly #spans = new Map<string, { at: number; spans: Span[] }>()

  constructor(deps: FactsDeps) {
    this.#deps = deps
  }

  gather(): Facts {
    const { store, clock, queues } = this.#deps
    const now = clock.now()
    const { tasks, rest } = store.openTasks(ONE_BY_ONE)
    const estimate = estimator(store.knownSizes())
    const estimated = new Set<TaskId>()
    const facts = new Map<QueueId, QueueFacts>()
    const planned = new Map<QueueId, PlannedTask[]>()
    for (const { id } of queues.records) {
      facts.set(id, { files: 0, sizesEstimated: 0, sizesGuessed: false })
      planned.set(id, [])
    }
    for (const task of tasks) {
      const id = queues.resolve(task.queueId)
      const known = facts.get(id)!
      const size = task.sizeBytes ?? this.#deps.sizeOf(task.id) ?? null
      const guess = size === null ? estimate(id, task.host) : null
      known.files++
      if (guess) {
        known.sizesEstimated++
        known.sizesGuessed ||= guess.basis === 'nothing'
        estimated.add(task.id)
      }
      planned.get(id)!.push(this.#task(task, size, guess?.bytes ?? 0))
    }
    for (const { queueId, host, files, sized, leftBytes } of rest) {
      const id = queues.resolve(queueId)
      const known = facts.get(id)!
      const guess = files > sized ? estimate(id, host) : null
      known.files += files
      known.sizesEstimated += files - sized
      known.sizesGuessed ||= guess?.basis === 'nothing'
      const each = (leftBytes + (files - sized) * (guess?.bytes ?? 0)) / files
      planned.get(id)!.push(...this.#together(host, files, each))
    }
    const runs = Map.groupBy(this.#deps.repeats(now, now + RUNS_MS), ({ queueId }) => queues.resolve(queueId))
    const byHour = this.#deps.rates.line()
    const line = byHour[new Date(now).getHours()]!
    const settings = this.#deps.ahead(now, now + HORIZON_MS)
    const plan: Plan = {
      now,
      until: now + HORIZON_MS,
      steps: stepsOf(now, settings, (at) => byHour[new Date(at).getHours()]!.bytesPerSecond),
      host: (name) => this.#host(name, now),
      queues: queues.records.map((queue): PlannedQueue => {
        const { id, priority, weight, downloadsAtOnce, limitBytesPerSecond, finishBy, timeZone } = queue
        return {
          ...{ id, priority, weight, downloadsAtOnce, limitBytesPerSecond, tasks: planned.get(id)! },
          runs: (runs.get(id) ?? []).map((run) => this.#run(run, run.bytes ?? estimate(id, run.host).bytes)),
          spans: this.#spansOf(queue, now),
          deadline: finishBy === null ? null : deadlineOf(finishBy, timeZone, now),
        }
      }),
    }
    return { plan, line, queues: facts, tasks: new Map(tasks.map((task) => [task.id, task])), estimated, runs }
  }

  #task(task: OpenTask, size: number | null, guess: number): PlannedTask {
    const { id, host, state, forced, limitBytesPerSecond } = task
    const written = Math.max(this.#deps.runner.live(id)?.writtenBytes ?? 0, task.writtenBytes)
    const left = size === null ? Math.max(guess - written, guess * LEAST_PART) : size - written
    return {
      ...{ id, files: 1, forced, limitBytesPerSecond, host: this.#deps.targetOf(host) },
      leftBytes: Math.max(1, left),
      running: state === 'active',
      notBefore: state === 'waiting' ? (task.retryAt ?? task.startAt) : null,
    }
  }

  /** As if the file were another one each time: nobody can tell, and it may. */
  #run({ host, at, limitBytesPerSecond }: ComingRun, bytes: number): PlannedTask {
    return {
      ...{ id: 0, files: 1, host: this.#deps.targetOf(host), leftBytes: Math.max(1, bytes), limitBytesPerSecond },
      ...{ notBefore: at, running: false, forced: false },
    }
  }

  #together(host: string, files: number, each: number): PlannedTask[] {
    const parts: PlannedTask[] = []
    const most = Math.max(TOGETHER, Math.ceil(files / ONE_BY_ONE))
    for (let left = files; left > 0; left -= most) {
      const some = Math.min(left, most)
      parts.push({
        ...{ id: 0, files: some, host: this.#deps.targetOf(host), leftBytes: Math.max(1, each * some) },
        ...{ notBefore: null, running: false, forced: false, limitBytesPerSecond: null },
      })
    }
    return parts
  }

  #host(name: string, now: number): PlannedHost {
    const { hosts, rates } = this.#deps
    const { allowed, quietMs } = hosts.controller.places(name)
    const { bytesPerSecond, firstByteMs } = rates.host(name, allowed)
    const limit = hosts.limits(name).limitBytesPerSecond ?? Number.POSITIVE_INFINITY
    return {
      downloads: allowed,
      bytesPerSecond: Math.min(bytesPerSecond, limit),
      quietUntil: quietMs > 0 ? now + quietMs : 0,
      setupMs: firstByteMs,
    }
  }

  #spansOf(queue: Queues['records'][number], now: number): readonly Span[] {
    const { id, stopped, windows, timeZone } = queue
    const { queues } = this.#deps
    if (stopped) return []
    if (windows === null) return [{ from: null, to: null }]
    const key = `${windows} ${timeZone}`
    let known = this.#spans.get(key)
    if (!known || now < known.at || now - known.at > FRESH_MS) {
      const spans = openSpans(parseWindows(windows), timeZone ?? systemTimeZone(), now, now + HORIZON_MS + FRESH_MS)
      known = { at: now, spans }
      this.#spans.set(key, known)
    }
    const ahead = known.spans.filter(({ to }) => (to ?? Infinity) > now)
    // It may be at work beyond its windows, to make up for one that it missed.
    const isOpen = (ahead[0]?.from ?? Infinity) <= now
    if (queues.holdOf(id) !== null || isOpen || ahead[0]?.from === null) return ahead
    return [{ from: null, to: queues.changesAt(id) }, ...ahead]
  }
}

/** What holds when: limits change with profiles, the line with the hour. Pure. */
function stepsOf(
  now: number,
  settings: readonly { from: number; settings: Settings }[],
  lineAt: (at: number) => number,
): Step[] {
  const hours: number[] = []
  for (let at = Math.floor(now / HOUR_MS + 1) * HOUR_MS; at < now + HORIZON_MS; at += HOUR_MS) hours.push(at)
  const times = [...new Set([now, ...settings.map(({ from }) => from), ...hours])].sort((a, b) => a - b)
  const steps: Step[] = []
  for (const from of times) {
    const { limitBytesPerSecond, downloadsAtOnce } = settings.findLast((step) => step.from <= from)!.settings
    const bytesPerSecond = Math.min(lineAt(from), limitBytesPerSecond ?? Number.POSITIVE_INFINITY)
    const last = steps.at(-1)
    if (last?.places !== downloadsAtOnce || last.bytesPerSecond !== bytesPerSecond)
      steps.push({ from, places: downloadsAtOnce, bytesPerSecond })
  }
  return steps
}

/** Medians of known sizes: of the same host, else of the same queue, else of all. Pure. */
export function estimator(
  known: readonly { queueId: QueueId; host: string; bytes: number }[],
): (queueId: QueueId, host: string) => { bytes: number; basis: 'host' | 'queue' | 'all' | 'nothing' } {
  const medians = <K>(keyOf: (size: (typeof known)[number]) => K, fewest: number) =>
    new Map(
      [...Map.groupBy(known, keyOf)]
        .filter(([, sizes]) => sizes.length >= fewest)
        .map(([key, sizes]) => [key, median(sizes.map(({ bytes }) => bytes))]),
    )
  const byHost = medians(({ host }) => host, FEWEST_SIZES)
  const byQueue = medians(({ queueId }) => queueId, FEWEST_SIZES)
  const all = known.length > 0 ? median(known.map(({ bytes }) => bytes)) : null
  return (queueId, host) => {
    const ofHost = byHost.get(host)
    if (ofHost !== undefined) return { bytes: ofHost, basis: 'host' }
    const ofQueue = byQueue.get(queueId)
    if (ofQueue !== undefined) return { bytes: ofQueue, basis: 'queue' }
    return all === null ? { bytes: GUESSED_BYTES, basis: 'nothing' } : { bytes: all, basis: 'all' }
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
