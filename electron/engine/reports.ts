/**
 * Reports of nights: collects what they are made of, answers who asks for one, and makes one by itself when nothing is
 * left to do and when a night ends. What a report says is night-report.ts's.
 */
import type { Contract } from '../../shared/contract.ts'
import { toErrorInfo } from '../../shared/errors.ts'
import type { JournalEntry, JournalQuery } from '../../shared/journal.ts'
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { RepeatView } from '../../shared/repeats.ts'
import {
  MOST_REPORT_ITEMS,
  type Night,
  type NightReport,
  type NightSummary,
  type ReportInput,
  type ReportReady,
  type ReportTotals,
} from '../../shared/report.ts'
import { readyTitle } from '../../shared/report-text.en.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { QueueId, Settings } from '../../shared/schemas.ts'
import { UNFINISHED_STATES } from '../../shared/task-state.ts'
import { type DoneWatch, doneWatch } from './done-watch.ts'
import type { Journal } from './journal.ts'
import { nightReport } from './night-report.ts'
import { nightAfter, nightAt, type Range, rangeOfNight } from './nights.ts'
import type { EngineDeps } from './ports.ts'
import type { Queues } from './queues.ts'
import { systemTimeZone } from './window-times.ts'

const DAY_MS = 86_400_000
/** Entries about queues and hosts from so long before a night tell how things were when it began. */
const BACKGROUND_MS = 31 * DAY_MS
/** All entries from so long before tell what was under way. */
const UNDER_WAY_MS = DAY_MS
const PAGE = 5_000
const TASKS_PAGE = 1_000
/** Bytes by minute are kept for so long (store/statistics.ts). */
const MINUTES_KEPT_MS = 32 * DAY_MS
const MINUTE_MS = 60_000
/** Noon is at the beginning of a minute wherever it is. */
const FRESH_MS = 60_000
/** Whoever tells people of a report has begun to listen by then. */
const LISTENED_MS = 5_000
/** Work that took less is not worth a notification. */
const LONG_WORK_MS = 10 * 60_000

type Store = Pick<
  TaskStore,
  | 'journal'
  | 'journalBegin'
  | 'journalCounts'
  | 'receivedBytes'
  | 'queueBytes'
  | 'listTasks'
  | 'openByQueue'
  | 'getTasks'
>

export interface ReportsDeps extends Pick<EngineDeps, 'clock' | 'logger' | 'saveReport'> {
  store: Store
  journal: Pick<Journal, 'note' | 'starts'>
  queues: Pick<Queues, 'records' | 'holdOf' | 'changesAt' | 'resolve'>
  settings: () => Settings
  /** somebody works on the queue now, this engine or another */
  queueWorks: () => boolean
  /** as now, of tasks that run */
  live: (task: TaskRecord) => number
  timeZone?: string
  /** repeating downloads as they are now */
  repeats: () => readonly Pick<RepeatView, 'id' | 'queueId' | 'nextAt'>[]
}

export class Reports {
  readonly listeners = new Set<(ready: ReportReady) => void>()
  readonly #deps: ReportsDeps
  readonly #done: DoneWatch = doneWatch()
  #night: Night | null = null
  /** monotonic ms of the first step */
  #begunAt: number | null = null
  #looked: { at: number; night: Night } = { at: Number.NEGATIVE_INFINITY, night: '' }
  /** starts of downloads at the latest step, and when the latest report was made because work was over */
  #starts = 0
  #told = 0
  #making: Promise<void> = Promise.resolve()

  constructor(deps: ReportsDeps) {
    this.#deps = deps
  }

  get #zone(): string {
    return this.#deps.timeZone ?? systemTimeZone()
  }

  get handlers(): Pick<Handlers<Contract>, 'report.nights' | 'report.get'> {
    return {
      'report.nights': ({ limit }) => ({ nights: this.#nights(limit) }),
      'report.get': (input) => this.get(input),
    }
  }

  // ── when one is made ──

  /** A step of the clockwork. */
  step(): void {
    const { clock, settings, journal } = this.#deps
    const now = clock.now()
    this.#begunAt ??= clock.monotonic()
    const before = this.#night
    const night = this.#nightAt(now)
    const isEarly = before === null && clock.monotonic() - this.#begunAt < LISTENED_MS
    this.#night = isEarly ? null : night
    if (settings().reports === 'never' || settings().journalDays === 0) return
    if (before !== night && !isEarly) this.#make(() => this.#endNight(nightAfter(night, -1)))
    // What began and ended between two steps was work, too.
    const began = journal.starts !== this.#starts
    this.#starts = journal.starts
    const over = this.#done.step(began || this.#isBusy(), now)
    if (over !== null) this.#make(() => this.#workIsOver(over.since))
  }

  /** Which zone it is, and which date there, costs something: it is looked up once in a while. */
  #nightAt(now: number): Night {
    const { at, night } = this.#looked
    if (now >= at && now - at < FRESH_MS && Math.floor(now / FRESH_MS) === Math.floor(at / FRESH_MS)) return night
    this.#looked = { at: now, night: nightAt(now, this.#zone) }
    return this.#looked.night
  }

  /** What is due is made, and what is being made is waited for. */
  async settled(): Promise<void> {
    const over = this.#done.take()
    if (over !== null && this.#deps.settings().reports === 'done') this.#make(() => this.#workIsOver(over.since))
    await this.#making
  }

  /** Something wants bytes and may have them. */
  #isBusy(): boolean {
    const { store, queues } = this.#deps
    for (const [id, count] of store.openByQueue())
      if (count > 0 && queues.holdOf(queues.resolve(id)) === null) return true
    return false
  }

  /** One after the other; a report that fails is no reason to stop anything. */
  #make(make: () => Promise<void>): void {
    this.#making = this.#making.then(make).catch((error: unknown) => {
      this.#deps.logger.error({ error: toErrorInfo(error).message }, 'the report of the night could not be made')
    })
  }

  async #workIsOver(since: number): Promise<void> {
    const now = this.#deps.clock.now()
    const { starts } = this.#deps.journal
    if (this.#deps.settings().reports !== 'done' || starts === this.#told) return
    this.#told = starts
    await this.#store(
      nightAt(now, this.#zone),
      'done',
      (totals) => now - since >= LONG_WORK_MS && !this.#isTold(totals),
    )
  }

  /** Told once; not again where it was told when the work was over and nothing has happened since. */
  async #endNight(night: Night): Promise<void> {
    const range = rangeOfNight(night, this.#zone)
    if (this.#worked(range) === 0) return
    const entries = await this.#read({ from: range.from, to: this.#deps.clock.now() + 1 }, true)
    const reported = entries.filter((entry) => entry.kind === 'reported' && entry.params.night === night)
    if (reported.some((entry) => entry.kind === 'reported' && entry.params.because === 'night_ended')) return
    const last = reported.at(-1)?.at ?? range.from
    await this.#store(night, 'night_ended', () => this.#worked({ from: last, to: range.to }) > 0)
  }

  /** Somebody is told by other means: all work is done, and that is told. */
  #isTold({ undone, failed }: ReportTotals): boolean {
    return undone <= failed && this.#deps.settings().whenDone.some(({ kind }) => kind === 'notify')
  }

  /** How much happened to downloads. */
  #worked({ from, to }: Range): number {
    const counts = this.#deps.store.journalCounts(from, to)
    return WORK.reduce((sum, kind) => sum + (counts.get(kind) ?? 0), 0)
  }

  async #store(
    night: Night,
    because: ReportReady['because'],
    isNews: (totals: ReportTotals) => boolean,
  ): Promise<void> {
    const { journal } = this.#deps
    const report = await this.get({ night })
    const files = await this.#save(night, report)
    journal.note('reported', { night, because })
    const { finished, failed } = report.totals
    const tell = isNews(report.totals)
    const title = readyTitle(because, report.totals)
    for (const listener of this.listeners)
      listener({ night, because, title, summary: report.summary, finished, failed, tell, files })
  }

  /**
   * Stores the report of this night as it is now, beside all that makes one; nobody is told. Answers where its JSON is;
   * null: there are no reports, or it could not be stored.
   */
  async storeNow(): Promise<string | null> {
    const { settings, saveReport, clock } = this.#deps
    if (!saveReport || settings().reports === 'never' || settings().journalDays === 0) return null
    let path: string | null = null
    this.#make(async () => {
      const night = nightAt(clock.now(), this.#zone)
      path = (await this.#save(night, await this.get({ night })))?.json ?? null
    })
    await this.#making
    return path
  }

  /** Null: nobody keeps it, or it could not be kept. */
  async #save(night: Night, report: NightReport): Promise<ReportReady['files']> {
    const { settings, saveReport, logger } = this.#deps
    try {
      const { reportHtml } = await import('../../shared/report-html.ts')
      const contents = { json: `${JSON.stringify(report, null, 1)}\n`, html: reportHtml(report) }
      return (await saveReport?.(night, contents, settings().reportsKept)) ?? null
    } catch (error) {
      logger.error({ error: toErrorInfo(error).message, night }, 'the report of the night could not be stored')
      return null
    }
  }

  // ── what it is made of ──

  #nights(limit: number): NightSummary[] {
    const { store, clock } = this.#deps
    const now = clock.now()
    const begin = store.journalBegin()
    const nights: NightSummary[] = []
    if (begin === null) return nights
    for (let night = nightAt(now, this.#zone); nights.length < limit; night = nightAfter(night, -1)) {
      const range = rangeOfNight(night, this.#zone)
      if (range.to <= begin) break
      const summary = this.#summary(night, range)
      if (summary !== null) nights.push(summary)
    }
    return nights
  }

  /** Null: nothing happened to downloads. */
  #summary(night: Night, range: Range): NightSummary | null {
    const { store, clock } = this.#deps
    const counts = store.journalCounts(range.from, range.to)
    const bytes = store.receivedBytes({ ...range, stepMs: DAY_MS }).reduce((sum, step) => sum + step.bytes, 0)
    if (bytes === 0 && WORK.every((kind) => !counts.get(kind))) return null
    return {
      ...{ night, from: range.from, to: range.to, complete: range.to <= clock.now() },
      ...{ finished: counts.get('finished') ?? 0, failed: counts.get('given_up') ?? 0, receivedBytes: bytes },
    }
  }

  async get(input: ReportInput): Promise<NightReport> {
    const { store, clock, queues, settings, queueWorks } = this.#deps
    const now = clock.now()
    const { night, range } = this.#timeOf(input, now)
    // Also what was written later than now: the clock was set back since.
    const until = range.to
    const background = { from: range.from - BACKGROUND_MS, to: range.from - UNDER_WAY_MS }
    const entries = [
      ...(await this.#read(background, true)),
      ...(await this.#read({ from: background.to, to: until }, false)),
      // As they were written: a clock that was set back puts later ones before.
    ].sort((a, b) => a.id - b.id)
    const oldest = now - Math.min(MINUTES_KEPT_MS, settings().statisticsDays * DAY_MS)
    const minutes = { from: Math.floor(range.from / MINUTE_MS) * MINUTE_MS, to: until, stepMs: MINUTE_MS }
    const isKnown = settings().statisticsDays > 0 && range.from >= oldest
    const { undone, undoneByQueue } = await this.#undone(range.to)
    const report = nightReport({
      ...{ range, night, now, entries, undone, undoneByQueue },
      timeZone: this.#zone,
      alive: queueWorks(),
      repeats: new Map(
        this.#deps.repeats().map(({ id, queueId, nextAt }) => [id, { queueId: queues.resolve(queueId), nextAt }]),
      ),
      queueId: input.queueId ?? null,
      minutes: isKnown ? store.receivedBytes(minutes) : null,
      queueMinutes: isKnown ? store.queueBytes(minutes) : null,
      queues: queues.records.map(({ id, name }) => ({
        ...{ id, name },
        hold: queues.holdOf(id),
        changesAt: queues.changesAt(id),
      })),
    })
    return report
  }

  #timeOf(input: ReportInput, now: number): { night: Night | null; range: Range } {
    if (input.from !== undefined || input.to !== undefined) {
      const to = input.to ?? now
      return { night: null, range: { from: Math.min(input.from ?? to - DAY_MS, to), to } }
    }
    const night =
      input.night === undefined || input.night === 'last'
        ? (this.#nights(1)[0]?.night ?? nightAt(now, this.#zone))
        : input.night
    return { night, range: rangeOfNight(night, this.#zone) }
  }

  /** Gives way to other work after each page. */
  async #read({ from, to }: Range, eventsOnly: boolean): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = []
    let place: Pick<JournalQuery, 'after_at' | 'after_id'> | null = { after_at: from, after_id: -1 }
    while (place !== null) {
      const page = this.#deps.store.journal({ ...place, to, limit: PAGE, eventsOnly })
      for (const entry of page.entries) entries.push(entry)
      place = page.next
      if (place !== null) await nextTurn()
    }
    return entries
  }

  /** What is not done now and was there before the end of the time. */
  async #undone(to: number): Promise<{ undone: TaskRecord[]; undoneByQueue: Map<QueueId, number> }> {
    const { store, queues, live } = this.#deps
    const undone: TaskRecord[] = []
    const undoneByQueue = new Map<QueueId, number>()
    for (let offset = 0; ; offset += TASKS_PAGE) {
      const query = { states: [...UNFINISHED_STATES], sort: 'position' as const, descending: false }
      const { rows } = store.listTasks({ ...query, offset, limit: TASKS_PAGE })
      for (const row of rows) {
        if (row.createdAt >= to) continue
        const queueId = queues.resolve(row.queueId)
        undoneByQueue.set(queueId, (undoneByQueue.get(queueId) ?? 0) + 1)
        if (undone.length < MOST_REPORT_ITEMS) undone.push({ ...row, queueId, writtenBytes: live(row) })
      }
      if (rows.length < TASKS_PAGE) return { undone, undoneByQueue }
      await nextTurn()
    }
  }
}

/** Kinds that say that something was done for downloads. */
const WORK = ['started', 'finished', 'failed', 'given_up', 'turned', 'deferred', 'changed', 'suspended'] as const

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
