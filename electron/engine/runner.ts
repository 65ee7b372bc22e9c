/**
 * The tasks that run now: from "admitted" to "done" or to the reason why not. Translates outcomes of downloads into
 * events of the task machine and carries its effects out; when to run what is the scheduler's.
 */
import { NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { TaskCheckpoint, TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { hostOf } from './admission.ts'
import { ChangedFiles } from './changed-files.ts'
import { Checking } from './checking.ts'
import { Download } from './download.ts'
import type { DownloadOutcome, Transferred } from './download-context.ts'
import { eventOfFailure } from './failure-event.ts'
import type { RunFacts } from './journal.ts'
import { ownBucket } from './limits.ts'
import { type Ending, Mirrors } from './mirrors.ts'
import type { EngineDeps } from './ports.ts'
import { type PublishContext, publish } from './publish.ts'
import { Recorder } from './recorder.ts'
import { Relocator } from './relocation.ts'
import { Room } from './room.ts'
import type { Run, RunnerDeps } from './run.ts'
import { runContext } from './run-context.ts'
import { ServerMirrors } from './server-mirrors.ts'
import { remembered } from './strategy.ts'
import { SumsFiles } from './sums-files.ts'
import { SyncLater } from './sync-later.ts'
import { typed } from './task-errors.ts'
import { type Effect, type TaskEvent, transition } from './task-machine.ts'
import {
  changedTask,
  forgivesMirrors,
  isUsersWord,
  learnedBy,
  stateOf,
  type TaskChange,
  withdrawn,
} from './task-patches.ts'
import { checkUnsynced, lostBytes, lostName } from './unsynced.ts'

export class Runner {
  readonly #deps: RunnerDeps
  readonly #runs = new Map<TaskId, Run>()
  /** ends of runs that the store would not take (its disk is full, another process holds it): told again every second */
  readonly #untold = new Map<TaskId, { event: TaskEvent; patch: TaskPatch }>()
  readonly changedFiles: ChangedFiles
  readonly #syncLater: SyncLater
  readonly room: Room
  readonly relocator: Relocator
  readonly #mirrors: Mirrors
  readonly #serverMirrors: ServerMirrors
  readonly #checking: Checking
  readonly #recorder: Recorder

  constructor(deps: RunnerDeps) {
    this.#deps = deps
    this.#syncLater = new SyncLater(deps)
    this.room = new Room(deps, () => deps.settings().keepFreeBytes)
    this.relocator = new Relocator({ ...deps, room: this.room, progressed: (id) => deps.changes.progressed([id]) })
    this.#mirrors = new Mirrors(deps)
    this.changedFiles = new ChangedFiles({ ...deps, apply: (id, event, patch) => this.apply(id, event, patch) })
    this.#recorder = new Recorder(deps)
    this.#serverMirrors = new ServerMirrors(deps)
    this.#checking = new Checking({ ...deps, sums: new SumsFiles(deps) })
  }

  get running(): number {
    return this.#runs.size
  }

  runningIds(): TaskId[] {
    return [...this.#runs.keys()]
  }

  get runs(): Run[] {
    return [...this.#runs.values()]
  }

  isRunning(id: TaskId): boolean {
    return this.#runs.has(id)
  }

  live(id: TaskId): Download | undefined {
    return this.#runs.get(id)?.download
  }

  /** Applies an event to the stored task; false: it means nothing in the task's state. */
  apply(id: TaskId, event: TaskEvent, patch: TaskPatch = {}): boolean {
    const task = this.#deps.store.getTask(id)
    if (!task) return false
    return this.applyTo(task, event, patch)
  }

  applyTo(task: TaskRecord, event: TaskEvent, patch: TaskPatch = {}): boolean {
    return this.applyAll([task], event, patch) === 1
  }

  /** The same for many, stored in one transaction. Answers to how many it meant something. */
  applyAll(tasks: readonly TaskRecord[], event: TaskEvent, patch: TaskPatch = {}): number {
    const { store, changes, journal } = this.#deps
    const moved = tasks
      .map((task) => ({ task, id: task.id, ...transition(task, event) }))
      .filter((move) => !move.ignored)
    if (moved.length === 0) return 0
    if (forgivesMirrors(event)) store.forgiveMirrors(moved.map(({ id }) => id))
    const persist = (effects: readonly Effect[]) => effects.indexOf('persist')
    for (const { task, effects } of moved)
      for (const effect of effects.slice(0, persist(effects))) this.#carryOut(effect, task)
    const patches = moved.map(({ id, state }) => ({ id, patch: { ...withdrawn(event), ...patch, ...stateOf(state) } }))
    store.updateTasks(patches, { intent: isUsersWord(event) })
    const heard = moved.map(({ task }) => task)
    journal.heard(heard, event, patch, (id) => this.#factsOf(this.#runs.get(id)))
    for (const [index, { task, effects }] of moved.entries())
      for (const effect of effects.slice(persist(effects) + 1))
        this.#carryOut(effect, { ...task, ...patches[index]!.patch })
    const ids = moved.map(({ id }) => id)
    this.#deps.heard(heard, event, patch)
    changes.changed(ids)
    this.#deps.moved(moved)
    return moved.length
  }

  #factsOf(run: Run | undefined): RunFacts | undefined {
    if (!run) return undefined
    const { download, beganAt } = run
    const bytes = Math.max(0, download.writtenBytes - download.resumedFromBytes)
    return { bytes, ms: Math.round(this.#deps.clock.monotonic() - beganAt) }
  }

  #carryOut(effect: Effect, task: TaskRecord): void {
    switch (effect) {
      case 'startTransfer':
        this.#start(task)
        return
      case 'stopTransfer':
        this.stop(task.id)
        return
      case 'clearProgress':
        this.#deps.store.clearProgress(task.id)
        return
      // Stored for all at once; published by the run itself; retries by their stored time; announced by the caller for all events alike.
      case 'persist':
      case 'publish':
      case 'scheduleRetry':
      case 'cancelRetry':
      case 'announce':
        return
    }
  }

  /** Waits until a stopped or ending run has let go of its files. */
  async settled(ids: readonly TaskId[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#runs.get(id)?.ended))
  }

  stop(id: TaskId): void {
    const run = this.#runs.get(id)
    run?.download.stop()
    run?.abort.abort(new NighthaulError('interrupted', 'Stopped while finishing; everything is kept.'))
  }

  settingsChanged(): void {
    for (const run of this.#runs.values()) run.download.settingsChanged()
  }

  /** Stored for all in one transaction; what runs feels it at once. */
  update(tasks: readonly TaskRecord[], change: TaskChange): void {
    const { store, changes, clock } = this.#deps
    const updates = tasks.map((task) => ({ id: task.id, patch: changedTask(task, change) }))
    store.updateTasks(updates)
    for (const { id, patch } of updates) {
      const run = this.#runs.get(id)
      if (!run) continue
      run.queueId = patch.queueId
      run.bucket = ownBucket(patch.options, clock, run.bucket)
      run.download.setConnections(patch.options.connections)
    }
    changes.changed(updates.map(({ id }) => id))
  }

  /** One transaction for all that progressed. */
  checkpoint(): void {
    const batch: TaskCheckpoint[] = []
    for (const run of this.#runs.values()) {
      const checkpoint = run.download.takeCheckpoint()
      if (checkpoint) batch.push(checkpoint)
      run.strategy = remembered(run.strategy, run.download.strategy)
    }
    try {
      if (batch.length > 0) this.#deps.store.checkpoint(batch)
    } catch (error) {
      for (const checkpoint of batch) this.#runs.get(checkpoint.id)?.download.keepCheckpoint(checkpoint)
      throw error
    }
    this.#tellAgain()
  }

  /** Background fdatasync of every running partial; one that fails ends its run. */
  async syncMarks(): Promise<void> {
    await Promise.all(
      [...this.#runs].map(([id, run]) => {
        if (!run.closing)
          run.synced = run.download.syncMarks().catch((error: unknown) => {
            this.#deps.logger.warn({ task: id, error: toErrorInfo(error).message }, 'fdatasync failed')
          })
        return run.synced
      }),
    )
  }

  /** `wait`: until finished files are on the disk; otherwise the next start looks after them. */
  async backgroundDone(wait: boolean): Promise<void> {
    if (wait) await this.#syncLater.finish()
    else this.#syncLater.abandon()
  }

  // ── one run ──

  #start(admitted: TaskRecord): void {
    const { store, clock, verifications } = this.#deps
    const { id } = admitted
    // A task paused and resumed at once may still be letting go of its file.
    const before = this.#runs.get(id)?.ended ?? Promise.resolve()
    const task = verifications.beforeRun(admitted)
    const bucket = ownBucket(task.options, clock)
    const download = new Download(task, {
      ...this.#deps,
      ...this.#contextOf(task),
      buckets: (host) => this.#deps.limits.buckets(run.queueId, host, run.bucket),
      connectionsUsually: () => this.#deps.connectionsOf(this.#runs.get(id)?.queueId ?? task.queueId),
      forget: () => store.clearProgress(id),
      noRoom: (host) => this.#deps.noRoom(id, host),
      began: (reply, size) => this.#serverMirrors.heard(task, reply, size),
      received: (bytes) => {
        this.#deps.received(run, bytes)
        this.#deps.unattended.came(run.host)
      },
    })
    const abort = new AbortController()
    const { queueId, forced, strategy } = task
    const known = { id, queueId, forced, host: hostOf(task), strategy }
    const beganAt = clock.monotonic()
    const state = { ended: Promise.resolve(), synced: Promise.resolve(), closing: false, finishing: false }
    const run: Run = { ...known, ...state, download, bucket, abort, beganAt }
    run.ended = before.then(() => this.#run(task, run))
    this.#runs.set(id, run)
  }

  async #run({ id }: TaskRecord, run: Run): Promise<void> {
    const { store, logger } = this.#deps
    let ending: Ending | null = null
    try {
      const first = await run.download.run()
      run.closing = true
      await run.synced
      const outcome = run.download.afterSync(first)
      await run.download.close()
      const checkpoint = run.download.takeCheckpoint()
      if (checkpoint) store.checkpoint([checkpoint])
      if (outcome.kind !== 'transferred') store.updateTask(id, learnedBy(run))
      ending = await this.#conclude(id, outcome, run)
    } catch (error) {
      logger.error(
        { task: id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        'a run ended unexpectedly',
      )
      ending = { event: this.#failed(id, typed(error), false), patch: {} }
    }
    if (ending) ending = this.#instead(id, ending, run)
    if (this.#runs.get(id) === run) {
      this.#deps.journal.over(id, this.#factsOf(run)!)
      this.#runs.delete(id)
      this.room.release(id)
    }
    if (ending) this.#tell(id, ending.event, ending.patch)
    this.#deps.ended()
  }

  /** Another time, or another of its URLs, may do better. */
  #instead(id: TaskId, ending: Ending, { download, host, beganAt }: Run): Ending {
    const bytes = download.writtenBytes - download.resumedFromBytes
    const brought = { bytes, busyMs: this.#deps.clock.monotonic() - beganAt }
    return this.#deps.unattended.ending(id, host, ending, (own) => this.#mirrors.instead(id, own, brought))
  }

  /** Never throws: nobody waits for it, and a run that ended must not stay "active" because the store was busy. */
  #tell(id: TaskId, event: TaskEvent, patch: TaskPatch): void {
    try {
      this.apply(id, event, patch)
      if (event.kind === 'published') this.changedFiles.done(id)
      if (event.kind === 'remoteChanged') this.changedFiles.found(id)
      if (event.kind === 'suspended') this.#deps.suspended()
    } catch (error) {
      this.#deps.logger.error(
        { task: id, error: toErrorInfo(error).message },
        'the end of a run could not be stored yet',
      )
      this.#untold.set(id, { event, patch })
    }
  }

  #tellAgain(): void {
    const untold = [...this.#untold]
    this.#untold.clear()
    // Somebody may have begun it anew meanwhile: then what the earlier run met is past.
    for (const [id, { event, patch }] of untold) if (!this.#runs.has(id)) this.#tell(id, event, patch)
  }

  async #conclude(id: TaskId, outcome: DownloadOutcome, run: Run): Promise<Ending | null> {
    switch (outcome.kind) {
      case 'stopped':
        return null
      case 'changed':
        return { event: this.changedFiles.event(id, outcome.error), patch: {} }
      case 'failed':
        return this.#failedAs(id, outcome.error, outcome.progressed)
      case 'published':
        this.apply(id, { kind: 'transferred' })
        this.#syncLater.add(id)
        return { event: { kind: 'published' }, patch: { finishedAt: this.#deps.clock.now() } }
      case 'transferred':
        return this.#finish(id, outcome, run)
    }
  }

  async #finish(id: TaskId, { partPath, digests }: Transferred, run: Run): Promise<Ending | null> {
    const { store, clock } = this.#deps
    const before = store.getTask(id)
    const [event, learned] = [{ kind: 'transferred' } as const, learnedBy(run)]
    if (!before || !this.applyTo(before, event, learned)) return null
    run.finishing = true
    const task: TaskRecord = { ...before, ...learned, ...stateOf(transition(before, event).state) }
    const context = this.#contextOf(task)
    try {
      const strict = this.#isStrict(task)
      const compared = await this.#deps.verifications.beforeName(task, partPath, run.abort.signal)
      const checked = await this.#checking.check(task, partPath, digests, context, run.abort.signal)
      if (checked) return checked
      const facts = await publish(task, partPath, context, run.abort.signal)
      if (!strict) this.#syncLater.add(id)
      const now = clock.now()
      return {
        event: { kind: 'published' },
        patch: { ...facts, ...compared, finishedAt: now, fsyncedAt: strict ? now : null, bootId: this.#deps.bootId },
      }
    } catch (error) {
      if (run.abort.signal.aborted) return null
      return this.#failedAs(id, typed(error), false)
    }
  }

  #contextOf(task: TaskRecord): PublishContext & Pick<EngineDeps, 'clock'> {
    return runContext(task, this.#deps, {
      room: this.room,
      relocator: this.relocator,
      recorder: this.#recorder,
    })
  }

  /** A full disk in numbers, where that is what it is. */
  async #failedAs(id: TaskId, error: NighthaulError, progressed: boolean): Promise<Ending> {
    const told = await this.room.inNumbers(error, this.#deps.store.getTask(id))
    return { event: this.#failed(id, told, progressed), patch: {} }
  }

  #isStrict({ options }: TaskRecord): boolean {
    return (options.durability ?? this.#deps.settings().durability) === 'strict'
  }

  #failed(id: TaskId, error: NighthaulError, progressed: boolean): TaskEvent {
    const { store, clock, random, settings } = this.#deps
    if (progressed) this.apply(id, { kind: 'progressed' })
    const task = store.getTask(id)
    return eventOfFailure(error, {
      attempts: task?.attempts ?? 0,
      maxRetries: task?.options.retries ?? settings().retries,
      now: clock.now(),
      random: random(),
    })
  }

  /**
   * A file that was published without an fsync on record: under the same boot it is fsynced now; under another one
   * its blocks are compared first, and a damaged file goes back to NAME.part and its bad blocks are fetched again.
   */
  async checkUnsynced(task: TaskRecord): Promise<void> {
    const found = await checkUnsynced(task, {
      ...this.#deps,
      storedBlocks: () => this.#deps.store.blocks(task.id),
      syncedSoon: !this.#isStrict(task),
    })
    if (found.kind === 'sound') return this.#syncLater.add(task.id)
    if (found.kind === 'gone') return this.#deps.store.updateTask(task.id, { fsyncedAt: 0 })
    const error = found.kind === 'damaged' ? lostBytes(task, found.missingBytes) : lostName(task)
    this.apply(task.id, { kind: 'damaged', error: error.toInfo() }, { finishedAt: null, partPath: null })
  }
}
