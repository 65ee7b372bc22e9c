/** One run of `get` over its URLs: adds them, follows them to their end, reports each exactly once. */
import { type ErrorInfo, exitCodeOf, MENDED_BY_THEMSELVES, NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { Subscription } from '../../shared/rpc.ts'
import type { AddTasksInput, TaskDelta, TaskDetail, TaskId, TaskOptions, TaskRow } from '../../shared/schemas.ts'
import type { EngineApi } from '../engine/api.ts'
import type { Done, Report } from './report.ts'
import { ask, printable } from './terminal.ts'

const CHANGED =
  'The file on the server is another one than the part that was saved, which is kept: ' +
  'run again with --on-change restart to start over'
const RUN_AGAIN = 'Run the same command again to continue.'
const PAUSED_ELSEWHERE =
  'The download was paused by another program; the partial is kept: run the same command again to continue'

interface RunOptions {
  /** a person can be asked what to do with a changed file */
  asksPerson: boolean
  onChange: TaskOptions['onChange']
  /** what the disk stopped goes on by itself */
  waitsForDisk: boolean
  /** aborted when the person wants to stop */
  signal: AbortSignal
}

interface Followed {
  /** as they were given: several may mean one task (they differ in what comes after #) */
  urls: string[]
  /** null: as it was added, nothing was heard of it yet */
  row: TaskRow | null
  /** monotonic ms since when this run works on it */
  startedAt: number
  ended: boolean
}

export class GetRun {
  /** that of the first failure, 0 while there is none */
  exitCode = 0
  readonly #report: Report
  readonly #options: RunOptions
  /** URLs that have not been reported yet, each with its task once there is one */
  readonly #open: Map<string, TaskId | null>
  readonly #followed = new Map<TaskId, Followed>()
  #events: Subscription | null = null
  readonly #finished = Promise.withResolvers<void>()
  /** one question at a time */
  #questions: Promise<string | null> = Promise.resolve(null)

  constructor(urls: readonly string[], report: Report, options: RunOptions) {
    this.#open = new Map(urls.map((url) => [url, null]))
    this.#report = report
    this.#options = options
  }

  /** Resolves when every URL has been reported, be it as interrupted. Rejects where the engine itself failed. */
  async work(engine: EngineApi, inputFor: (urls: readonly string[]) => AddTasksInput): Promise<void> {
    const { signal } = this.#options
    const interrupted = () => this.failRest(signal.reason)
    signal.addEventListener('abort', interrupted, { once: true })
    try {
      await this.#add(engine, inputFor)
      await this.#finished.promise
    } finally {
      signal.removeEventListener('abort', interrupted)
      this.#events?.dispose()
    }
  }

  /** Reports everything still open as failed by `error`. */
  failRest(error: unknown): void {
    const { code, message } = toErrorInfo(error)
    if (code === 'interrupted') this.#report.note(`nighthaul: ${message}`)
    for (const [url, id] of this.#open) this.#failed(url, id, error)
  }

  #listen(engine: EngineApi): void {
    this.#events ??= engine.events.subscribe('tasks.changed', (delta) => this.#hear(engine, delta), { visible: true })
  }

  async #add(engine: EngineApi, inputFor: (urls: readonly string[]) => AddTasksInput): Promise<void> {
    const urls = [...this.#open.keys()]
    try {
      const adding = engine.handlers['tasks.add'](inputFor(urls))
      // Not before: a frame that says “thousands are new” would have each of them asked for.
      this.#listen(engine)
      const { items } = await adding
      // All of them before anything is heard: events come in later turns.
      const adopted = items.flatMap(({ id, duplicate }, index) =>
        this.#follow(urls[index]!, id, duplicate) ? [id] : [],
      )
      for (const id of adopted) await this.#takeUp(engine, id)
    } catch (error) {
      if (urls.length === 1 || !(error instanceof NighthaulError)) throw error
      this.#listen(engine)
      // One URL that cannot be taken (another process is downloading it) must not keep the others from it.
      for (const url of urls) await this.#addAlone(engine, url, inputFor)
    }
  }

  async #addAlone(engine: EngineApi, url: string, inputFor: (urls: readonly string[]) => AddTasksInput): Promise<void> {
    if (!this.#open.has(url)) return
    try {
      const { items } = await engine.handlers['tasks.add'](inputFor([url]))
      const { id, duplicate } = items[0]!
      if (this.#follow(url, id, duplicate)) await this.#takeUp(engine, id)
    } catch (error) {
      this.#failed(url, null, error)
    }
  }

  /** Follows a task; true: it is one of an earlier run and has to be taken up. */
  #follow(url: string, id: TaskId, adopted: boolean): boolean {
    if (this.#open.has(url)) this.#open.set(url, id)
    const known = this.#followed.get(id)
    if (known === undefined)
      this.#followed.set(id, { urls: [url], row: null, startedAt: performance.now(), ended: false })
    else known.urls.push(url)
    return known === undefined && adopted
  }

  /** A task of an earlier run goes on wherever it stopped; only `changed` waits for a decision. */
  async #takeUp(engine: EngineApi, id: TaskId): Promise<void> {
    const { onChange } = this.#options
    if (onChange === 'restart' || onChange === 'keep')
      await engine.handlers['tasks.decide']({ selection: { ids: [id] }, decision: onChange })
    this.#followed.get(id)!.row = await engine.handlers['tasks.get']({ id })
    this.#look(engine, id)
  }

  #hear(engine: EngineApi, delta: TaskDelta): void {
    for (const row of delta.rows) {
      const followed = this.#followed.get(row.id)
      if (followed === undefined || followed.ended) continue
      if (row.state === 'active' && followed.row?.state !== 'active') followed.startedAt = performance.now()
      followed.row = row
      this.#look(engine, row.id)
    }
    // A frame about very many tasks names none: ask for each.
    if (delta.rows.length === 0 && delta.listChanged) this.#refresh(engine).catch(this.#finished.reject)
    this.#report.progress(() => [...this.#followed.values()].flatMap(({ row }) => row ?? []))
  }

  async #refresh(engine: EngineApi): Promise<void> {
    for (const [id, followed] of this.#followed) {
      if (followed.ended) continue
      followed.row = await engine.handlers['tasks.get']({ id })
      this.#look(engine, id)
    }
  }

  /** Reports a task that has come to its end. */
  #look(engine: EngineApi, id: TaskId): void {
    const followed = this.#followed.get(id)!
    const state = followed.row?.state
    if (followed.ended || (state !== 'done' && state !== 'failed' && state !== 'changed' && state !== 'paused')) return
    const { error } = followed.row!
    if (state === 'paused' && this.#options.waitsForDisk && error && MENDED_BY_THEMSELVES.has(error.code)) return
    followed.ended = true
    const end = async () => {
      if (state === 'changed' && this.#options.asksPerson && (await this.#askForRestart(engine, followed))) return
      this.#ended(followed, await engine.handlers['tasks.get']({ id }))
    }
    end().catch(this.#finished.reject)
  }

  /** Whether the person wants to start over; the task is followed on then. */
  async #askForRestart(engine: EngineApi, followed: Followed): Promise<boolean> {
    const row = followed.row!
    const question = `${printable(row.filename)}: the file on the server is another one now. Start over with it? [y/N] `
    this.#questions = this.#questions.then(() => this.#report.pauseFor(() => ask(question, this.#options.signal)))
    const answer = await this.#questions
    if (answer === null || !/^y(es)?$/i.test(answer.trim())) return false
    followed.ended = false
    await engine.handlers['tasks.decide']({ selection: { ids: [row.id] }, decision: 'restart' })
    return true
  }

  #ended({ urls, startedAt }: Followed, task: TaskDetail): void {
    const { id, error } = task
    const seconds = Math.round(performance.now() - startedAt) / 1000
    for (const url of urls) {
      if (task.state === 'done') this.#settle(url, () => this.#report.done(doneOf(task, url, seconds)))
      else if (task.state === 'changed' || error?.code === 'remote_changed') {
        this.#failed(url, id, new NighthaulError('remote_changed', CHANGED))
      } else this.#failed(url, id, error ? asLeft(error) : new NighthaulError('task_state', PAUSED_ELSEWHERE))
    }
  }

  #failed(url: string, id: TaskId | null, error: unknown): void {
    const { code, message, params } = toErrorInfo(error)
    this.#settle(url, () => {
      // Skipping what is there already is what was asked for.
      if (params.skipped !== true) this.exitCode ||= exitCodeOf(code)
      if (code === 'interrupted') this.exitCode = exitCodeOf(code)
      this.#report.failed({ code, message, url, id })
    })
  }

  /** Every URL is reported once, whatever is heard about it afterwards. */
  #settle(url: string, report: () => void): void {
    if (!this.#open.delete(url)) return
    report()
    if (this.#open.size === 0) this.#finished.resolve()
  }
}

/** What the disk stopped waits for nobody here: the next run takes it up. */
function asLeft(error: ErrorInfo): NighthaulError {
  const { message } = error
  return NighthaulError.from(
    MENDED_BY_THEMSELVES.has(error.code) ? { ...error, message: `${message} ${RUN_AGAIN}` } : error,
  )
}

function doneOf(task: TaskDetail, url: string, seconds: number): Done {
  return {
    id: task.id,
    url,
    finalUrl: task.finalUrl ?? url,
    path: task.path,
    bytes: task.writtenBytes,
    seconds,
    connections: task.connectionsUsed,
    resumedFrom: task.resumedFromBytes,
    checksum: task.checksum,
  }
}
