/**
 * The engine: handlers of the contract, the queue's admission, and the clockwork (checkpoints, fsync, throughput).
 * Runs of single tasks are in runner.ts and download.ts.
 * Long because: it lists the handlers of the whole contract; what they do is elsewhere.
 */

import { dirname, join } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import { toErrorInfo } from '../../shared/errors.ts'
import type { Notice } from '../../shared/notices.ts'
import type { ProfilesView } from '../../shared/profiles.ts'
import type { QueueView } from '../../shared/queues.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { RepeatView } from '../../shared/repeats.ts'
import type { ReportReady } from '../../shared/report.ts'
import type { EventHub, EventNames, Handlers, PayloadOf, Subscription } from '../../shared/rpc.ts'
import {
  type AddTasksInput,
  type AddTasksResult,
  DEFAULT_QUEUE_ID,
  type NetworkChange,
  type Selection,
  type Settings,
  type TaskId,
  type ThroughputSample,
} from '../../shared/schemas.ts'
import { isUnfinished } from '../../shared/task-state.ts'
import type { Activity, Countdown, MachineAction, WorkDone } from '../../shared/unattended.ts'
import { addTasks } from './adding.ts'
import { Admission } from './admission.ts'
import type { EngineApi } from './api.ts'
import { Backups } from './backups.ts'
import { Changes } from './changes.ts'
import { lateMismatch } from './checking.ts'
import { currentStrategy } from './current-strategy.ts'
import { Deadlines } from './deadlines.ts'
import { DiskWatch } from './disk-watch.ts'
import { Hosts } from './hosts.ts'
import { Journal } from './journal.ts'
import { JournalWatch } from './journal-watch.ts'
import { LeasedTasks } from './leased-tasks.ts'
import { Limits } from './limits.ts'
import { exportPage } from './list-export.ts'
import { importList } from './list-import.ts'
import { Machine } from './machine.ts'
import { MeasuredRates } from './measured-rates.ts'
import { ThroughputHistory } from './metrics.ts'
import { mirrorReason, mirrorViews } from './mirrors.ts'
import { MissedWindows } from './missed-windows.ts'
import { Mover } from './mover.ts'
import { openNetwork } from './network.ts'
import { watchNetwork } from './network-watch.ts'
import { Notices } from './notices.ts'
import { demandsOf, partFolderOf, partPathOf } from './place.ts'
import type { EngineDeps, Timer } from './ports.ts'
import { probeUrl } from './probe.ts'
import { Profiles } from './profiles.ts'
import { Queues } from './queues.ts'
import { refreshedLink } from './refresh-link.ts'
import { Removal } from './removal.ts'
import { Repeats } from './repeats.ts'
import { Reports } from './reports.ts'
import { Runner } from './runner.ts'
import { profileSpans, queueSpans } from './schedule-spans.ts'
import { holdingPlaces } from './scheduler.ts'
import { httpSettings, readSettings, shownSettings, storedPatch } from './settings.ts'
import { SizeProbes } from './size-probes.ts'
import { resume, setStart, shiftRetries } from './starts.ts'
import { Statistics } from './statistics.ts'
import { heldByAnother, stopped, taskNotFound } from './task-errors.ts'
import type { TaskEvent } from './task-machine.ts'
import { FORGOTTEN } from './task-patches.ts'
import { detailOf, rowOf, viewOf } from './task-view.ts'
import { Unattended } from './unattended.ts'
import { Verifications } from './verifications.ts'

const CHECKPOINT_MS = 1_000
/** Between two checkpoints as well: workers have half of the time to do it, and the next checkpoint counts it. */
const HAND_OVER_MS = CHECKPOINT_MS / 2
/** fdatasync every so many checkpoints */
const SYNC_EVERY = 5
/** so often is looked whether a question was answered */
const LOOK_EVERY = 10
const PROGRESS_MS = 250
/** Of the tasks that the disk stopped, so many are looked after at a time. */
const MOST_WATCHED = 1_000

export function createEngine(deps: EngineDeps): EngineApi {
  const { store, clock, logger } = deps
  let stored = readSettings(deps)
  // What `get` does in the foreground is as its flags say, whatever profile holds.
  const appliedSettings = () => (deps.lease === null ? profiles.applied(stored) : stored)
  const profiles = new Profiles({ ...deps, settings: () => stored, changed: () => settingsApplied() })
  let settings = appliedSettings()
  const hosts = new Hosts({
    ...{ store, clock, settings: () => settings, changed: () => limitsChanged() },
    mostConnections: () => (deps.lease === null ? profiles.limits.connectionsPerHost : null),
  })
  hosts.controller.onRoom = () => schedulePump()
  const queues = new Queues({
    ...deps,
    changed: () => limitsChanged(),
    running: (id) => runner.runs.filter(({ queueId }) => queues.resolve(queueId) === id).length,
    missed: () => missedWindows,
    outlookOf: (id) => deadlines.outlookOf(id),
    held: () => (deps.lease === null ? machine.hold : null),
  })
  const unattended: Unattended = new Unattended({
    ...deps,
    settings: () => settings,
    runner: () => runner,
    hosts: hosts.controller,
  })
  const notices = new Notices(deps)
  const machine: Machine = new Machine({
    ...{ ...deps, notices, network: unattended.presence },
    journal: { note: (...what) => journal.note(...what) },
    storeReport: () => reports.storeNow(),
    settings: () => settings,
    queues: () => queues,
    lane: () => lane,
    running: () => runner.running,
    filesAtWork: () => mover.count + verifications.count,
    changed: () => limitsChanged(),
  })
  const limits = new Limits(clock, {
    all: () => machine.limitBytesPerSecond,
    // What `get` does in the foreground is in no queue.
    queues: () => (deps.lease === null ? queues.rates : new Map()),
    host: (name) => hosts.limits(name).limitBytesPerSecond,
  })
  const statistics = new Statistics(store, clock, settings.statisticsDays)
  const lane = openNetwork(
    deps,
    httpSettings(settings, deps.version, hosts.rules),
    () => settings.netrcFile,
    statistics.ended,
  )
  const journal = new Journal({
    ...deps,
    isKept: () => settings.journalDays > 0,
    queueOf: (id) => queues.resolve(id),
  })
  const rates = new MeasuredRates(deps)
  const journalWatch = new JournalWatch({
    ...{ store, clock, journal, queues, version: deps.version },
    hosts: () => hosts.controller.states(),
    away: () => unattended.presence.away?.reason ?? null,
    waitsForPower: () => machine.hold !== null,
    profile: () => profiles.name,
    keepDays: () => settings.journalDays,
  })
  const reports = new Reports({
    ...{ ...deps, store, clock, journal, queues },
    settings: () => settings,
    queueWorks: () => started || deps.isQueueOwned(),
    live: (task) => runner.live(task.id)?.writtenBytes ?? task.writtenBytes,
    repeats: () => repeats.views(),
  })
  const history = new ThroughputHistory()
  const throughputListeners = new Set<(sample: ThroughputSample) => void>()
  const settingsListeners = new Set<(settings: Settings) => void>()
  const leased = new LeasedTasks(store)
  const queue = deps.lease === null ? store : leased
  let started = false
  let draining: Promise<void> | null = null
  let pumpScheduled = false
  let retryTimer: Timer | null = null
  const tickers: Timer[] = []
  let networkWatch: { stop(): void } | null = null

  const changes = new Changes(clock, {
    rows: (ids) => store.getTasks(ids).map(shownRow),
    counts: () => store.countsByState(),
  })
  const workOn = (id: TaskId) => ({
    verifying: verifications.progressOf(id),
    copiedBytes: runner.relocator.copiedBytes(id),
  })
  const shownRow = (task: TaskRecord) => rowOf(task, runner.live(task.id), workOn(task.id))
  const verifications = new Verifications({
    ...deps,
    changes,
    runner: () => runner,
    select: (selection) => idsOf(selection),
    settings: () => settings,
    heldElsewhere: (task) => heldElsewhere(task),
    adopt: () => adoptOrphans(),
    works: () => started || deps.isQueueOwned(),
    isMoving: (id) => mover.isMoving(id),
    freed: () => schedulePump(),
  })
  const runner: Runner = new Runner({
    ...deps,
    verifications,
    lane,
    files: lane.files(deps.fs),
    hosts: hosts.controller,
    changes,
    settings: () => settings,
    connectionsOf: (queueId) =>
      (deps.lease === null ? queues.of(queueId).connections : null) ?? settings.connectionsPerDownload,
    redirected: (from, to) => admission.redirected(from, to),
    // `get` works through its own list: there is nobody to leave a place to.
    noRoom: (id, host) => deps.lease === null && admission.noRoom(id, host),
    limits,
    unattended,
    heard: (...what) => machine.heard(...what),
    add: (input) => void handlers['tasks.add'](input),
    journal,
    received: (run, bytes) => {
      history.add(bytes)
      if (deps.lease === null) rates.received(admission.hostOfRun(run), bytes)
      statistics.received(bytes)
      if (settings.journalDays > 0) journalWatch.received(run.queueId, bytes)
    },
    moved: (moves) => {
      for (const { id, state } of moves) leased.moved(id, state)
      if (deps.lease === null && started) repeats.moved(moves.map(({ id }) => id))
      placesChanged()
    },
    ended: () => placesChanged(),
    suspended: () => diskWatch?.arm(),
  })
  const diskWatch = deps.watchesDisk
    ? new DiskWatch({
        ...deps,
        suspended: () =>
          deps.lease === null
            ? store.suspended(MOST_WATCHED)
            : store.getTasks(leased.ids).filter((task) => task.state === 'paused' && task.error !== null),
        demands: async (task) => {
          const partFolder = dirname(partPathOf(task) ?? join(partFolderOf(task, settings), '-'))
          return demandsOf(task, partFolder, await runner.relocator.begunBytes(task))
        },
        lack: (demands, taken) => runner.room.lack(demands, taken),
        // Somebody may have paused it for good, or begun it, while the disk was looked at.
        mended: ({ id }) => runner.apply(id, { kind: 'mended' }),
      })
    : null

  const missedWindows = new MissedWindows({
    ...{ ...deps, queues: () => queues, notices, changed: () => schedulePump() },
    setBack: (ms) => {
      changes.changed(shiftRetries(ms, store))
      profiles.setBack(ms)
      schedulePump()
    },
  })
  const backups = new Backups({ ...deps, settings: () => settings, notices })
  const removal = new Removal({
    ...deps,
    journal,
    runner,
    changes,
    settings: () => settings,
    mineOf: (ids) => mineAmong(ids),
    moved: (ids) => {
      for (const id of ids) leased.delete(id)
      machine.removed()
      schedulePump()
    },
  })

  const probes: SizeProbes = new SizeProbes({
    ...{ store, clock, logger, lane, hosts: hosts.controller, learned: () => deadlines.touched() },
  })
  const deadlines: Deadlines = new Deadlines({
    ...{ store, clock, queues, hosts, runner, notices, rates },
    ...(deps.stopwatch && { stopwatch: deps.stopwatch }),
    settings: () => settings,
    ahead: (now, until) =>
      profiles.ahead(stored, now, until).map((step) => ({ ...step, settings: machine.onPower(step.settings) })),
    limitOfAll: () => machine.limitBytesPerSecond,
    waitsFor: () => [
      ...(machine.hold === 'battery' ? ['battery' as const] : []),
      ...(unattended.presence.away !== null ? ['network' as const] : []),
    ],
    targetOf: (host) => admission.targetOf(host),
    hostOfRun: (run) => admission.hostOfRun(run),
    repeats: (now, until) => (deps.lease === null ? repeats.ahead(now, until) : []),
    ...{ probes, journal, sizeOf: (id) => probes.sizeOf(id) },
    changed: () => limitsChanged(),
  })

  const admission = new Admission({
    ...{ store, clock, queues, hosts: hosts.controller, runner, network: unattended.presence, deadlines },
    places: () => settings.downloadsAtOnce,
    isTaken,
  })

  function networkChanged(reason: NetworkChange): number {
    logger.info({ reason }, 'the network changed')
    lane.networkChanged()
    schedulePump()
    return unattended.networkChanged(reason)
  }

  const mover = new Mover({
    ...deps,
    runner,
    changes,
    heldElsewhere,
    isChecked: (id) => verifications.isChecking(id),
    settled: schedulePump,
  })

  // ── the queue ──

  function schedulePump(): void {
    if (pumpScheduled || !started || draining) return
    pumpScheduled = true
    queueMicrotask(() => {
      pumpScheduled = false
      if (guard('queue', pump)) return
      retryTimer?.cancel()
      retryTimer = clock.setTimeout(schedulePump, CHECKPOINT_MS)
    })
  }

  function pump(): void {
    if (draining) return
    // First: after a sleep it is to be known what may work now.
    if (deps.lease === null) {
      guard('missed windows', () => missedWindows.look())
      guard('profiles', () => profiles.look())
    }
    for (const task of queue.dueRetries(clock.now())) runner.applyTo(task, { kind: 'retryDue' })
    const look = deps.lease === null ? admission.fill() : fillLeased()
    armRetryTimer(look)
  }

  /** It runs, or is about to be removed, or is being moved or checked. */
  function isTaken(id: TaskId): boolean {
    return runner.isRunning(id) || removal.isGoing(id) || mover.isMoving(id) || verifications.isChecking(id)
  }

  /** `get` works through its own list in order, whatever the queues say. */
  function fillLeased(): null {
    const free = settings.downloadsAtOnce - holdingPlaces(runner.runs).length
    if (free > 0)
      for (const task of leased.nextQueued(free, isTaken))
        runner.applyTo(task, { kind: 'admitted' }, task.startedAt === null ? { startedAt: clock.now() } : {})
    return null
  }

  /** Another download may have its turn. */
  function placesChanged(): void {
    deadlines.touched()
    schedulePump()
  }

  function armRetryTimer(look: number | null): void {
    retryTimer?.cancel()
    const times = [queue.nextRetryAt(), look].filter((at) => at !== null)
    const at = times.length > 0 ? Math.min(...times) : null
    // Long waits are cut short now and then, because clocks jump.
    retryTimer =
      at === null ? null : clock.setTimeout(schedulePump, Math.min(Math.max(at - clock.now(), 0) + 1, 60_000))
  }

  // ── the clockwork ──

  /** At times that the clock shows in full: what a minute brought is collected when it ends. */
  function every(what: string, ms: number, work: () => void): void {
    const slot = tickers.length
    const arm = () => {
      const leftMs = ms - (clock.now() % ms)
      tickers[slot] = clock.setTimeout(
        () => {
          guard(what, work)
          if (!draining) arm()
        },
        // Timers are sometimes a little early.
        leftMs < ms / 2 ? leftMs + ms : leftMs,
      )
    }
    arm()
  }

  function startTicking(): void {
    let ticks = 0
    let syncing = false
    let dataVersion = store.dataVersion()
    let lastTick = clock.monotonic()
    every('progress', PROGRESS_MS, () => {
      if (changes.listened && runner.running > 0) changes.progressed(runner.runningIds())
    })
    every('hand over', HAND_OVER_MS, () => {
      for (const { download } of runner.runs) download.flush()
    })
    every('tick', CHECKPOINT_MS, () => {
      guard('checkpoint', () => runner.checkpoint())
      guard('hosts', () => hosts.save())
      guard('statistics', () => statistics.flush())
      if (deps.lease === null) {
        guard('missed windows', () => missedWindows.look())
        guard('profiles', () => profiles.look())
        guard('repeats', () => repeats.look())
        guard('queues', () => queues.tell())
        guard('journal', () => journalWatch.step())
        guard('reports', () => reports.step())
        guard('deadlines', () => deadlines.step())
        guard('removed', () => removal.step())
        guard('backups', () => backups.step())
        guard('machine', () => machine.step())
        if (ticks % LOOK_EVERY === 0) guard('questions', () => runner.changedFiles.step())
      }
      const now = clock.monotonic()
      const sample = history.tick(clock.now(), now - lastTick)
      lastTick = now
      for (const listener of throughputListeners) listener(sample)
      if (++ticks % SYNC_EVERY === 0 && !syncing) {
        syncing = true
        guard('orphans', adoptOrphans)
        void runner.syncMarks().finally(() => {
          syncing = false
        })
      }
      // Another process (`get`, `add`) wrote: lists may have changed, and work may have come.
      guard('data version', () => {
        const version = store.dataVersion()
        if (version === dataVersion) return
        dataVersion = version
        changes.changed([])
        schedulePump()
      })
    })
  }

  /** False: it failed. Nobody waits for the clockwork, and the store may be full or busy for a while. */
  function guard(what: string, work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      logger.error(
        { what, ...toErrorInfo(error).params, error: toErrorInfo(error).message },
        'the engine’s clockwork failed once',
      )
      return false
    }
  }

  // ── recovery ──

  async function recover(): Promise<void> {
    if (deps.lease !== null) return
    adoptOrphans()
    await removal.recover()
    for (const task of store.tasksInStates(['active', 'finishing'])) {
      const failure = await lateMismatch(task, deps).catch((error: unknown) => {
        logger.warn({ task: task.id, error: toErrorInfo(error).message }, 'a bad file could not be set aside')
        return null
      })
      runner.applyTo(task, failure?.event ?? { kind: 'recovered' }, failure?.patch)
    }
    runner.changedFiles.recover()
    mover.recover()
    for (const { id } of store.unsyncedDone()) {
      const checked = checkUnsynced(id)
      if (!mover.isMoving(id)) await checked
    }
  }

  /** Where it is on its way to another place, once it is there. */
  async function checkUnsynced(id: TaskId): Promise<void> {
    try {
      await mover.settled([id])
      const task = store.getTask(id)
      if (task?.state === 'done' && task.relocation === null) await runner.checkUnsynced(task)
    } catch (error) {
      logger.warn({ task: id, error: toErrorInfo(error).message }, 'a finished file could not be checked')
    }
  }

  /** Tasks of a `get` that died belong to the queue again, paused. */
  function adoptOrphans(): void {
    if (deps.lease !== null) return
    for (const { id, leaseOwner } of store.leasedTasks()) {
      if (leaseOwner === null || deps.isOwnerAlive(leaseOwner) || !store.takeLease(id, '', leaseOwner)) continue
      runner.apply(id, { kind: 'recovered' })
      runner.apply(id, { kind: 'pause' })
      store.releaseLease(id, '')
    }
  }

  // ── limits ──

  /** Settings, queues or rules for hosts are others now: what runs feels it at once. */
  function limitsChanged(): void {
    deadlines.touched()
    limits.changed()
    hosts.controller.limitsChanged()
    lane.setSettings(httpSettings(settings, deps.version, hosts.rules))
    runner.settingsChanged()
    schedulePump()
  }

  /** Another profile holds, or the stored settings are others. */
  function settingsApplied(): void {
    settings = appliedSettings()
    limitsChanged()
  }

  /** The stored settings are others now. */
  function settingsStored(): Settings {
    stored = readSettings(deps)
    profiles.reload()
    statistics.setKeepDays(settings.statisticsDays)
    const shown = shownSettings(stored)
    for (const listener of settingsListeners) listener(shown)
    return shown
  }

  // ── handlers ──

  function applyAll(selection: Selection, event: TaskEvent, patch = {}): { count: number } {
    return { count: runner.applyAll(mineOf(selection), event, patch) }
  }

  /** Whoever tries again although the partial is gone starts over. */
  function retry(tasks: readonly TaskRecord[]): number {
    // It is the user's word that they start now.
    const now = { startAt: null }
    const lost = tasks.filter((task) => task.error?.code === 'partial_missing')
    const others = tasks.filter((task) => task.error?.code !== 'partial_missing')
    return (
      runner.applyAll(lost, { kind: 'startOver' }, { ...FORGOTTEN, ...now, partPath: null }) +
      runner.applyAll(others, { kind: 'retry' }, now)
    )
  }

  function mineOf(selection: Selection): TaskRecord[] {
    adoptOrphans()
    return mineAmong(idsOf(selection))
  }

  function mineAmong(ids: readonly TaskId[]): TaskRecord[] {
    return store.getTasks(ids).filter((task) => !heldElsewhere(task))
  }

  function idsOf(selection: Selection): TaskId[] {
    const ids = store.selectIds(selection)
    if ('ids' in selection && selection.ids.length === 1 && ids.length === 0) throw taskNotFound(selection.ids[0]!)
    return ids
  }

  /** A `get` in another process works on it: hands off. */
  function heldElsewhere(task: TaskRecord): boolean {
    return task.leaseOwner !== null && task.leaseOwner !== deps.lease && deps.isOwnerAlive(task.leaseOwner)
  }

  /** Whatever state it was in, it goes on with the new link. */
  async function refreshLink(id: TaskId, link: string): Promise<void> {
    const [before] = mineOf({ ids: [id] })
    if (!before) throw heldByAnother(id)
    const { url } = refreshedLink(before, link)
    runner.apply(id, { kind: 'pause' })
    await runner.settled([id])
    // What came until it stood still is the record's now.
    const task = store.getTask(id)
    if (!task) throw taskNotFound(id)
    store.renameMirror(id, task.url, url)
    store.updateTask(id, refreshedLink(task, link), { intent: true })
    if (task.state === 'changed') runner.apply(id, { kind: 'decideKeep' })
    runner.apply(id, { kind: 'retry' }) || runner.apply(id, { kind: 'resume' })
    changes.changed([id])
    schedulePump()
  }

  function add(input: AddTasksInput): AddTasksResult {
    if (draining) throw stopped()
    if (input.queueId !== undefined) queues.check(input.queueId)
    const result = addTasks(input, {
      ...deps,
      defaultFolder: () => queues.of(input.queueId ?? DEFAULT_QUEUE_ID).folder ?? settings.downloadFolder,
      categories: () => (deps.lease === null ? queues.of(input.queueId ?? DEFAULT_QUEUE_ID).categories : []),
      adopted: (task) => {
        runner.applyTo(task, { kind: 'recovered' })
        if (!input.paused) runner.apply(task.id, { kind: 'retry' }) || runner.apply(task.id, { kind: 'resume' })
      },
    })
    if (deps.lease !== null) for (const item of result.items) leased.add(item.id)
    const count = result.items.filter(({ duplicate }) => !duplicate).length
    const queueId = queues.resolve(input.queueId ?? DEFAULT_QUEUE_ID)
    if (count > 0) journal.note('added', { queueId, count, startAt: input.startAt ?? null })
    changes.changed(result.items.map((item) => item.id))
    schedulePump()
    return result
  }

  const starts = { clock, runner, retry }
  const repeats = new Repeats({
    ...deps,
    lane,
    hosts: hosts.controller,
    addTasks: (input) => add({ ...input, queueId: input.queueId && queues.resolve(input.queueId) }),
    retry,
    ...{ removal, notices, journal, queueOf: (id) => queues.resolve(id), held: () => machine.hold !== null },
  })

  const handlers: Handlers<Contract> = {
    'app.info': async () => ({
      version: deps.version,
      host: deps.host,
      platform: deps.platform,
      profile: deps.profile,
      freeBytes: await deps.fs.freeBytes(settings.downloadFolder),
    }),
    'tasks.add': add,
    'tasks.list': (query) => {
      const { total, rows } = store.listTasks(query)
      return {
        rev: changes.rev,
        total,
        rows: rows.map(shownRow),
        counts: store.countsByState(),
      }
    },
    'tasks.get': ({ id }) => {
      const task = store.getTask(id)
      if (!task) throw taskNotFound(id)
      const live = runner.live(id)
      const mirrors = store.mirrors(id)
      return detailOf(task, live, {
        mirrors: mirrorViews(task, mirrors, live ? live.writtenBytes - live.resumedFromBytes : 0),
        segments: () => store.segments(id).map(viewOf),
        work: workOn(id),
        strategy: [
          ...mirrorReason(task, mirrors),
          ...currentStrategy(task, live, {
            ...{ clock, hosts, settings },
            connectionsUsually: queues.of(task.queueId).connections ?? settings.connectionsPerDownload,
            queue: { hold: queues.holdOf(task.queueId), changesAt: queues.changesAt(task.queueId) },
            queueLimit: deps.lease === null ? queues.rates.get(task.queueId) : null,
            limitOfAll: machine.limitBytesPerSecond,
            ledTo: task.state === 'queued' ? admission.ledTo(task.id) : undefined,
            networkProbeAt: unattended.presence.away?.probeAt ?? null,
            queueWorks: started || heldElsewhere(task) || deps.isQueueOwned(),
          }),
          ...(task.state === 'queued' || task.state === 'active' ? deadlines.reasonsFor(task.queueId) : []),
        ],
      })
    },
    'tasks.pause': ({ selection }) => {
      const onTheWay = mover.pause(mineOf(selection))
      return { count: onTheWay + applyAll(selection, { kind: 'pause' }).count }
    },
    'tasks.resume': ({ selection }) => ({ count: resume(mineOf(selection), starts) }),
    'tasks.retry': ({ selection }) => ({ count: retry(mineOf(selection)) }),
    'tasks.remove': ({ selection, ...how }) => {
      adoptOrphans()
      const ids = idsOf(selection)
      verifications.stop(ids)
      return mover.stayed(ids).then(() => removal.remove(ids, how))
    },
    ...removal.handlers,
    ...mover.handlers,
    ...notices.handlers,
    'list.export': (input) => {
      // With what came since the last one: a download that was just paused is still at its end.
      guard('checkpoint', () => runner.checkpoint())
      return exportPage(input, deps)
    },
    'list.import': async (input) => {
      if (draining) throw stopped()
      const { result, ids } = await importList(input, deps)
      queues.reload()
      hosts.reload()
      changes.changed(ids)
      settingsStored()
      repeats.reload()
      return result
    },
    'tasks.decide': ({ selection, decision }) =>
      decision === 'restart'
        ? applyAll(selection, { kind: 'decideRestart' }, FORGOTTEN)
        : applyAll(selection, { kind: 'decideKeep' }),
    'tasks.update': ({ selection, startAt, ...change }) => {
      if (change.queueId !== undefined) queues.check(change.queueId)
      const tasks = mineOf(selection).filter((task) => isUnfinished(task.state))
      runner.update(tasks, change)
      if (change.queueId !== undefined) {
        machine.removed()
        // They may be free to start by that, or not free to run any more.
        schedulePump()
      }
      if (startAt !== undefined) setStart(store.getTasks(tasks.map(({ id }) => id)), startAt, starts)
      return { count: tasks.length }
    },
    'tasks.force': ({ selection }) => {
      const tasks = mineOf(selection).filter((task) => isUnfinished(task.state) && task.state !== 'changed')
      store.updateTasks(tasks.map(({ id }) => ({ id, patch: { forced: true, startAt: null } })))
      for (const run of runner.runs) if (tasks.some(({ id }) => id === run.id)) run.forced = true
      runner.applyAll(tasks, { kind: 'retry' })
      schedulePump()
      return { count: tasks.length }
    },
    'tasks.reorder': ({ selection, before }) => {
      const ids = idsOf(selection)
      store.reorder(ids, before)
      changes.changed(ids)
      schedulePump()
      return { count: ids.length }
    },
    'tasks.refreshLink': async ({ id, url }) => {
      await refreshLink(id, url)
      return { id }
    },
    'url.probe': ({ url, options }) =>
      probeUrl(url, options ?? {}, (request) => lane.request({ ...request, buckets: [] })),
    // Needed now and then, and no part of what starts.
    'curl.parse': async ({ command }) => ({ items: (await import('./curl-command.ts')).parseCurl(command) }),
    'metalink.parse': async ({ document, name }) => (await import('./metalink.ts')).parseMetalink(document, name),
    'network.changed': ({ reason }) => ({ retried: networkChanged(reason) }),
    ...machine.handlers,
    'settings.get': () => shownSettings(stored),
    'settings.set': (shown) => {
      store.setSettings(storedPatch(shown, stored))
      return settingsStored()
    },
    ...verifications.handlers,
    ...queues.handlers,
    ...missedWindows.handlers,
    ...profiles.handlers,
    ...repeats.handlers,
    'schedule.windows': (input) => ({
      queues: queues.records.map((queue) => queueSpans(queue, input)),
      profiles: profileSpans((instant) => profiles.at(instant), input),
    }),
    ...deadlines.handlers,
    ...hosts.handlers,
    ...reports.handlers,
    'throughput.history': () => ({ samples: history.samples }),
    'stats.summary': (input) => statistics.summary(input),
    'stats.throughput': (input) => statistics.throughput(input),
    'stats.totals': () => statistics.totals(),
  }

  const events: EventHub<Contract> = {
    subscribe<K extends EventNames<Contract>>(
      name: K,
      listener: (payload: PayloadOf<Contract, K>) => void,
      options: { visible: boolean },
    ) {
      switch (name) {
        case 'tasks.changed':
          return changes.subscribe(listener as Parameters<Changes['subscribe']>[0], options)
        case 'throughput.tick':
          return member(throughputListeners, listener as (sample: ThroughputSample) => void)
        case 'repeats.changed':
          return member(repeats.listeners, listener as (views: RepeatView[]) => void)
        case 'profiles.changed':
          return member(profiles.listeners, listener as (view: ProfilesView) => void)
        case 'queues.changed':
          return member(queues.listeners, listener as (queues: QueueView[]) => void)
        case 'report.ready':
          return member(reports.listeners, listener as (ready: ReportReady) => void)
        case 'activity.changed':
          return member(machine.activityListeners, listener as (activity: Activity) => void)
        case 'countdown.changed':
          return member(machine.whenDone.countdownListeners, listener as (countdown: Countdown | null) => void)
        case 'work.done':
          return member(machine.whenDone.doneListeners, listener as (work: WorkDone) => void)
        case 'machine.act':
          return member(machine.whenDone.actListeners, listener as (act: { action: MachineAction }) => void)
        case 'notices.changed':
          return member(notices.listeners, listener as (notices: Notice[]) => void)
        default:
          return member(settingsListeners, listener as (settings: Settings) => void)
      }
    },
  }

  async function drain(): Promise<void> {
    for (const timer of tickers) timer.cancel()
    networkWatch?.stop()
    await diskWatch?.stop()
    await probes.stop()
    retryTimer?.cancel()
    await machine.whenDone.drain()
    verifications.stop()
    await mover.drain()
    const ids = runner.runningIds()
    await runner.syncMarks()
    // `get` was interrupted: its task waits, paused, for the next `get` or for the window.
    const event: TaskEvent = deps.lease === null ? { kind: 'drained' } : { kind: 'pause' }
    for (const id of ids) runner.stop(id)
    await runner.settled(ids)
    // Only now: a file that got its name in the meantime is done.
    for (const id of ids) if (!runner.apply(id, event)) runner.apply(id, { kind: 'drained' })
    await runner.backgroundDone(deps.lease === null)
    if (deps.lease !== null) {
      runner.applyAll(store.getTasks(leased.unfinished), { kind: 'pause' })
      store.releaseLeases(deps.lease)
    }
    await repeats.stop()
    if (deps.lease === null && started) guard('missed windows', () => missedWindows.stillAlive())
    await removal.settled()
    await backups.settled()
    guard('hosts', () => hosts.save())
    await lane.close()
    guard('statistics', () => statistics.flush())
    await reports.settled()
    guard('journal', () => journalWatch.stopped())
  }

  return {
    handlers,
    events,
    async start() {
      if (started) return
      await recover()
      if (draining) return
      started = true
      if (deps.lease === null) {
        guard('missed windows', () => missedWindows.look())
        guard('profiles', () => profiles.look())
        repeats.recover()
      }
      if (deps.lease === null) guard('journal', () => journalWatch.started())
      startTicking()
      const { networkInterfaces } = deps
      if (networkInterfaces)
        networkWatch = watchNetwork(clock, networkInterfaces, (reason) =>
          guard('network', () => networkChanged(reason)),
        )
      diskWatch?.arm()
      schedulePump()
    },
    drain: () => {
      draining ??= drain()
      return draining
    },
  }
}

function member<T>(set: Set<T>, listener: T): Subscription {
  set.add(listener)
  return { setVisible: () => undefined, dispose: () => void set.delete(listener) }
}
