/**
 * Repeating downloads: asks whether a file has changed, begins an ordinary task for it, and looks after what its runs
 * left. What is due and what replies mean is decided in repeat-plan.ts.
 */
import { basename, dirname, join } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import {
  DEFAULT_REPEAT,
  type RepeatId,
  type RepeatRecord,
  type RepeatResult,
  type RepeatRun,
  type RepeatState,
  type RepeatView,
} from '../../shared/repeats.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { AddTasksInput, AddTasksResult, ProbeResult, QueueId, TaskId } from '../../shared/schemas.ts'
import { type AskingDeps, patiently } from './asking.ts'
import { digestFile } from './checksum.ts'
import { filenameInLink } from './filename.ts'
import type { ComingRun } from './forecast-facts.ts'
import { isPlainGet } from './http/redirects.ts'
import type { Journal } from './journal.ts'
import type { Lane } from './lane/lane.ts'
import type { Notices } from './notices.ts'
import type { EngineDeps } from './ports.ts'
import { probeUnless } from './probe.ts'
import type { Removal } from './removal.ts'
import { ASK_MS, dueOf, isUnchanged, pruned, repeated, repeatName, soundRepeat } from './repeat-plan.ts'
import { RepeatsAhead } from './repeats-ahead.ts'
import { isHtml } from './reply.ts'
import { sleep } from './sleep.ts'
import { withoutSecrets } from './task-view.ts'
import { systemTimeZone } from './window-times.ts'

export interface RepeatsDeps extends Pick<EngineDeps, 'store' | 'clock' | 'fs' | 'logger'> {
  lane: Pick<Lane, 'request' | 'forget'>
  hosts: AskingDeps['hosts']
  addTasks: (input: AddTasksInput) => AddTasksResult
  retry: (tasks: readonly TaskRecord[]) => number
  removal: Pick<Removal, 'remove'>
  notices: Pick<Notices, 'add' | 'dropWhere'>
  journal: Pick<Journal, 'note'>
  /** the queue that downloads for this one are in */
  queueOf: (id: QueueId) => QueueId
  /** nothing is begun now that nobody forces: the machine runs on battery */
  held: () => boolean
}

/** A run that could not even be begun is tried again after so long. */
const AGAIN_MS = 5 * 60_000
/** Whoever starts a run by hand waits so long for its beginning. */
const PATIENCE_MS = 30_000

export class Repeats {
  readonly #deps: RepeatsDeps
  readonly listeners = new Set<(repeats: RepeatView[]) => void>()
  #records: RepeatRecord[]
  /** when to look at one again (epoch ms), and when that was found: a clock may be set back */
  readonly #next = new Map<RepeatId, { at: number; from: number }>()
  readonly #ahead = new RepeatsAhead()
  /** work under way, by repeat: one after the other */
  readonly #work = new Map<RepeatId, Promise<void>>()
  readonly #abort = new AbortController()

  constructor(deps: RepeatsDeps) {
    this.#deps = deps
    this.#records = deps.store.repeats()
  }

  /** After a start: downloads of runs may have ended while nobody looked. */
  recover(): void {
    for (const { id, state } of this.#records) if (state.taskId !== null) this.#taskMoved(id)
  }

  /** Tasks changed their states. */
  moved(ids: readonly TaskId[]): void {
    for (const { id, state } of this.#records)
      if (state.taskId !== null && ids.includes(state.taskId)) this.#taskMoved(id)
  }

  /** A step of the clockwork: begins what is due. */
  look(): void {
    const now = this.#deps.clock.now()
    for (const { id, settings, state } of this.#records) {
      const known = this.#next.get(id)
      if (settings.paused || this.#work.has(id) || (known && now >= known.from && now < known.at)) continue
      const { what, nextAt } = dueOf(settings, state, systemTimeZone(), now)
      // Even the question whether the file has changed waits for the mains.
      if (what === 'run' && this.#deps.held()) continue
      this.#next.set(id, { at: nextAt, from: now })
      if (what === 'run') this.#begin(id)
      else if (what === 'skip') this.#settle(id, { settledAt: now, last: this.#run('skipped', { at: now }) })
      else if (what === 'settle') this.#settle(id, { settledAt: now })
      else if (what === 'ask') {
        this.#settle(id, { settledAt: now, askedUntil: now + ASK_MS })
        this.#deps.notices.add('repeat_missed', { id, url: settings.url })
      }
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort(new NighthaulError('interrupted', 'The engine stops; the next start goes on.'))
    await Promise.all(this.#work.values())
  }

  // ── a run ──

  #begin(id: RepeatId): void {
    this.#after(id, () => this.#start(id))
  }

  #after(id: RepeatId, work: () => Promise<void>): void {
    const before = this.#work.get(id) ?? Promise.resolve()
    const done = before.then(async () => {
      try {
        if (!this.#abort.signal.aborted) await work()
      } catch (error) {
        if (this.#abort.signal.aborted) return
        const { clock, logger } = this.#deps
        logger.error({ repeat: id, error: toErrorInfo(error).message }, 'a repeating download could not go on')
        this.#next.set(id, { at: clock.now() + AGAIN_MS, from: clock.now() })
      }
    })
    this.#work.set(id, done)
    void done.then(() => {
      if (this.#work.get(id) === done) this.#work.delete(id)
    })
  }

  async #start(id: RepeatId): Promise<void> {
    const record = this.#find(id)
    // Removed meanwhile.
    if (!record) return
    const { settings, state } = record
    const { store, clock } = this.#deps
    const before = state.taskId === null ? null : store.getTask(state.taskId)
    // A run that failed is tried again by the next, with all it has.
    if (before && before.state !== 'done') {
      const again = before.state === 'failed' && this.#deps.retry([before]) > 0
      const run = this.#run(again ? 'started' : 'skipped', { taskId: before.id })
      return this.#settle(id, { settledAt: clock.now(), askedUntil: null, last: run })
    }
    const known = state.results[0]
    const reply = await this.#ask({ id, settings, state })
    const now = clock.now()
    if (known && reply !== undefined && isUnchanged(reply, known))
      return this.#settle(id, { settledAt: now, askedUntil: null, last: this.#run('unchanged', { path: known.path }) })
    const [n, zone] = [state.runs + 1, settings.timeZone ?? systemTimeZone()]
    const name = reply?.filename ?? filenameInLink(settings.url)
    const filename = repeatName(settings.nameTemplate, { name, at: now, zone, n })
    const { items } = this.#deps.addTasks({
      // What was begun before and is another file by now is of no use.
      items: [{ url: settings.url, filename, options: { onChange: 'restart', ...settings.options } }],
      ...(settings.folder !== null && { folder: settings.folder }),
      queueId: settings.queueId,
      paused: false,
      onDuplicate: 'add',
    })
    const taskId = items[0]!.id
    const last = this.#run('started', { taskId })
    this.#settle(id, { settledAt: now, askedUntil: null, runs: n, taskId, last })
  }

  /** What the server says now; null: that it has not changed; undefined: nothing, which the download will meet again. */
  async #ask({ id, settings, state }: RepeatRecord): Promise<ProbeResult | null | undefined> {
    // Asking is sending it: once is enough.
    if (!isPlainGet(settings.options)) return undefined
    const known = state.results[0] ?? { etag: null, lastModified: null }
    // A conversation of its own.
    const options = { ...settings.options }
    try {
      const reply = await probeUnless(settings.url, options, known, patiently(this.#deps), this.#abort.signal)
      // A page where a file should be is of a network that wants a login, or an error: it says nothing of the file.
      return reply && isHtml(reply.contentType) && !settings.options.acceptHtml ? undefined : reply
    } catch (error) {
      this.#abort.signal.throwIfAborted()
      this.#deps.logger.info({ repeat: id, error: toErrorInfo(error).message }, 'a server did not say what it has')
      return undefined
    } finally {
      this.#deps.lane.forget(options)
    }
  }

  // ── its end ──

  #taskMoved(id: RepeatId): void {
    const state = this.#find(id)?.state
    const task = state?.taskId ? this.#deps.store.getTask(state.taskId) : null
    if (task && task.state !== 'done' && task.state !== 'failed') return
    this.#after(id, () => this.#ended(id))
  }

  async #ended(id: RepeatId): Promise<void> {
    const record = this.#find(id)
    if (!record) return
    const { settings, state } = record
    if (state.taskId === null) return
    const task = this.#deps.store.getTask(state.taskId)
    // Somebody took it off the list.
    if (!task) return this.#settle(id, { taskId: null })
    const of = { at: state.last?.at, taskId: task.id }
    if (task.state === 'failed') return this.#settle(id, { last: this.#run('failed', { ...of, error: task.error }) })
    if (task.state !== 'done' || task.filename === null) return
    const path = join(task.folder, task.filename)
    const found = await this.#fileAt(path)
    if (!found) return this.#settle(id, { taskId: null, last: this.#run('downloaded', { ...of, path }) })
    const { etag, lastModified } = task
    const result = {
      at: task.finishedAt ?? this.#deps.clock.now(),
      taskId: task.id,
      path,
      ...found,
      etag,
      lastModified,
    }
    const others = state.results.filter(({ taskId }) => taskId !== task.id)
    const [before] = others
    if (before && before.path !== path && (await this.#isAsWritten(before)) && isSame(before, found)) {
      await this.#deps.removal.remove([task.id], { deleteFiles: true, now: false })
      // The next question is about what the server says now.
      const results = [{ ...before, etag, lastModified }, ...others.slice(1)]
      const last = this.#run('same', { ...of, path: before.path, deleted: [path] })
      return this.#settle(id, { taskId: null, results, last })
    }
    const { stay, go } = pruned([result, ...others], settings.keepLast)
    const gone = await this.#clear(go, stay)
    this.#settle(id, { taskId: null, results: stay, last: this.#run('downloaded', { ...of, path, ...gone }) })
  }

  /** Deletes old results, but none that somebody has changed, and none that is anybody else's. */
  async #clear(
    go: readonly RepeatResult[],
    stay: readonly RepeatResult[],
  ): Promise<Pick<RepeatRun, 'deleted' | 'kept'>> {
    const deleted: string[] = []
    const kept: string[] = []
    for (const result of go) {
      const { path } = result
      if (stay.some((other) => other.path === path) || !(await this.#deps.fs.stat(path))) continue
      if (await this.#isAsWritten(result)) {
        await this.#delete(result)
        deleted.push(path)
      } else kept.push(path)
    }
    return { deleted, kept }
  }

  async #delete({ taskId, path }: RepeatResult): Promise<void> {
    const { store, fs, removal } = this.#deps
    const task = store.getTask(taskId)
    const isItsOwn = task?.state === 'done' && task.filename !== null && join(task.folder, task.filename) === path
    if (isItsOwn) await removal.remove([taskId], { deleteFiles: true, now: false })
    else if (!store.isFileOfTask(dirname(path), basename(path), true)) await fs.unlink(path)
  }

  async #isAsWritten(result: RepeatResult): Promise<boolean> {
    const stat = await this.#deps.fs.stat(result.path)
    if (stat === null || stat.isDirectory || stat.bytes !== result.bytes) return false
    const now = await this.#fileAt(result.path)
    return now !== null && isSame(result, now)
  }

  /** Null: it is not there. */
  async #fileAt(path: string): Promise<Pick<RepeatResult, 'bytes' | 'sha256'> | null> {
    const stat = await this.#deps.fs.stat(path)
    if (stat === null || stat.isDirectory) return null
    const digest = this.#deps.fs.digest ?? digestFile
    const { 'sha-256': sha256 } = await digest(path, ['sha-256'], this.#abort.signal)
    return { bytes: stat.bytes, sha256: sha256! }
  }

  // ── records ──

  #run(result: RepeatRun['result'], more: Partial<RepeatRun>): RepeatRun {
    const none = { taskId: null, path: null, error: null, deleted: [], kept: [] }
    return { ...none, ...more, at: more.at ?? this.#deps.clock.now(), result }
  }

  #find(id: RepeatId): RepeatRecord | undefined {
    return this.#records.find((known) => known.id === id)
  }

  /** Throws `repeat_not_found`. */
  #get(id: RepeatId): RepeatRecord {
    const record = this.#find(id)
    if (record) return record
    throw new NighthaulError(
      'repeat_not_found',
      `There is no repeating download ${id}. Nothing was changed; “nighthaul schedule repeat list” names them.`,
      { id },
    )
  }

  #settle(id: RepeatId, patch: Partial<RepeatState>): void {
    const record = this.#find(id)
    if (!record) return
    const state = { ...record.state, ...patch }
    this.#deps.store.updateRepeat(id, { state })
    if (patch.last && patch.last !== record.state.last) this.#note(record, patch.last)
    if (state.askedUntil === null) this.#deps.notices.dropWhere('repeat_missed', { id })
    this.reload()
  }

  /** What became of a run goes into the journal. */
  #note({ id, settings }: RepeatRecord, run: RepeatRun): void {
    const facts = { repeatId: id, url: settings.url, queueId: this.#deps.queueOf(settings.queueId) }
    this.#deps.journal.note('repeated', repeated(facts, run), this.#deps.clock.now(), run.error?.code ?? null)
  }

  /** Runs until a time, the soonest first. */
  ahead(now: number, until: number): ComingRun[] {
    return this.#ahead.runs(this.#records, now, until)
  }

  /** They are others now. */
  reload(): void {
    this.#records = this.#deps.store.repeats()
    this.#next.clear()
    this.#ahead.clear()
    const views = this.views()
    for (const listener of this.listeners) listener(views)
  }

  views(): RepeatView[] {
    return this.#records.map((record) => this.#view(record))
  }

  #view({ id, settings, state }: RepeatRecord): RepeatView {
    const { askedUntil, taskId, runs, last, results } = state
    const { nextAt } = dueOf(settings, state, systemTimeZone(), this.#deps.clock.now())
    return {
      ...settings,
      options: withoutSecrets(settings.options),
      id,
      nextAt: settings.paused ? null : nextAt,
      ...{ askedUntil, taskId, runs, last },
      results: results.map(({ at, taskId, path, bytes }) => ({ at, taskId, path, bytes })),
    }
  }

  get handlers(): Pick<
    Handlers<Contract>,
    'repeats.list' | 'repeats.add' | 'repeats.update' | 'repeats.remove' | 'repeats.run' | 'repeats.skip'
  > {
    const { store, clock } = this.#deps
    const viewOf = (id: RepeatId) => this.#view(this.#get(id))
    return {
      'repeats.list': () => this.views(),
      'repeats.add': (input) => {
        const settings = { ...DEFAULT_REPEAT, ...input, ...soundRepeat(input) }
        const none = { askedUntil: null, runs: 0, taskId: null, last: null, results: [] }
        const id = store.addRepeat(settings, { settledAt: clock.now(), ...none })
        this.reload()
        return viewOf(id)
      },
      'repeats.update': ({ id, patch }) => {
        const { settings, state } = this.#get(id)
        // Whoever goes on after a pause, or at other times, has missed nothing.
        const anew = patch.when !== undefined || patch.timeZone !== undefined || patch.paused === false
        const given = { ...patch, ...soundRepeat(patch) }
        store.updateRepeat(id, {
          settings: { ...settings, ...given, options: { ...settings.options, ...given.options } },
          ...(anew && { state: { ...state, settledAt: clock.now() } }),
        })
        this.reload()
        return viewOf(id)
      },
      'repeats.remove': ({ id }) => {
        this.#get(id)
        this.#deps.notices.dropWhere('repeat_missed', { id })
        const removed = store.removeRepeat(id)
        this.reload()
        return { removed }
      },
      'repeats.run': async ({ id }) => {
        this.#get(id)
        this.#begin(id)
        // A host that wants to be left alone is not asked before; who asked here need not wait for that.
        const enough = new AbortController()
        const patience = sleep(clock, PATIENCE_MS, AbortSignal.any([enough.signal, this.#abort.signal]))
        await Promise.race([this.#work.get(id), patience.catch(() => undefined)])
        enough.abort()
        return viewOf(id)
      },
      'repeats.skip': ({ id }) => {
        const { state } = this.#get(id)
        const last = state.askedUntil === null ? state.last : this.#run('skipped', {})
        this.#settle(id, { askedUntil: null, last })
        return viewOf(id)
      },
    }
  }
}

function isSame(a: Pick<RepeatResult, 'bytes' | 'sha256'>, b: Pick<RepeatResult, 'bytes' | 'sha256'>): boolean {
  return a.bytes === b.bytes && a.sha256 === b.sha256
}
