/**
 * Comparing files with their checksums on request: one at a time, because disks are slow at several, with progress, and
 * to be stopped at any moment. The queue leaves a task alone while its file is read. What is done about bad parts is in
 * repair.ts.
 */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { ExpectedDigest } from '../../shared/integrity.ts'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { Selection, Settings, TaskId } from '../../shared/schemas.ts'
import { isRunning } from '../../shared/task-state.ts'
import type { RepairResult, Verification, VerifyProgress } from '../../shared/verification.ts'
import { checkFile } from './block-check.ts'
import type { Changes } from './changes.ts'
import { countingExpectations, deciding } from './expectations.ts'
import { blocksOfBadPieces } from './mismatch.ts'
import { compareAgain, markBad, type RepairContext, takeBack, withoutBad } from './repair.ts'
import type { Runner } from './runner.ts'
import { taskNotFound } from './task-errors.ts'
import { concludeVerification, planVerification, suspects } from './verification-plan.ts'

interface Check {
  progress: VerifyProgress
  readonly abort: AbortController
  readonly ended: Promise<Verification>
}

export interface VerificationsDeps extends RepairContext {
  changes: Pick<Changes, 'changed' | 'progressed'>
  runner: () => Pick<Runner, 'apply' | 'applyTo' | 'isRunning' | 'settled'>
  select: (selection: Selection) => TaskId[]
  settings: () => Settings
  /** another process works on it */
  heldElsewhere: (task: TaskRecord) => boolean
  /** tasks of processes that died belong to nobody any more */
  adopt: () => void
  /** somebody works on tasks that are said to run; otherwise they were left so by a process that died */
  works: () => boolean
  /** its file is being moved or located */
  isMoving: (id: TaskId) => boolean
  /** a task is free again */
  freed: () => void
}

export class Verifications {
  readonly #deps: VerificationsDeps
  readonly #checks = new Map<TaskId, Check>()
  readonly #repairs = new Map<TaskId, Promise<RepairResult>>()
  /** of repaired files, before they get their names back */
  readonly #again = new Map<TaskId, VerifyProgress>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(deps: VerificationsDeps) {
    this.#deps = deps
  }

  readonly handlers: Pick<Handlers<Contract>, 'tasks.verify' | 'tasks.repair' | 'tasks.stopVerifying'> = {
    'tasks.verify': ({ id }) => this.#verify(id),
    'tasks.repair': ({ id }) => this.#repair(id),
    'tasks.stopVerifying': ({ selection }) => ({ count: this.stop(this.#deps.select(selection)) }),
  }

  /** null: its file is not being compared */
  progressOf(id: TaskId): VerifyProgress | null {
    return this.#checks.get(id)?.progress ?? this.#again.get(id) ?? null
  }

  isChecking(id: TaskId): boolean {
    return this.#checks.has(id)
  }

  /** How many run or wait. */
  get count(): number {
    return this.#checks.size
  }

  /** Answers how many were stopped. */
  stop(ids: readonly TaskId[] = [...this.#checks.keys()]): number {
    const checks = ids.flatMap((id) => this.#checks.get(id) ?? [])
    for (const { abort } of checks)
      abort.abort(new NighthaulError('interrupted', 'The comparison was stopped; nothing was changed.'))
    return checks.length
  }

  // ── of runs ──

  beforeRun(task: TaskRecord): TaskRecord {
    return withoutBad(task, this.#deps)
  }

  /** What to store with a file that is about to get its name. Throws `blocks_damaged` after a repair that failed. */
  async beforeName(task: TaskRecord, partPath: string, signal: AbortSignal): Promise<TaskPatch> {
    const { id, verification } = task
    if (!verification?.repairing) return verification ? { verification: null } : {}
    const progress = (checkedBytes: number, totalBytes: number) => {
      this.#again.set(id, { checkedBytes, totalBytes })
      this.#deps.changes.progressed([id])
    }
    try {
      return { verification: await compareAgain(task, partPath, this.#deps, progress, signal) }
    } finally {
      this.#again.delete(id)
    }
  }

  // ── on request ──

  /** The task, where its file may be read here and now. */
  #task(id: TaskId): TaskRecord {
    this.#deps.adopt()
    const task = this.#deps.store.getTask(id)
    if (!task) throw taskNotFound(id)
    if (this.#deps.heldElsewhere(task))
      throw new NighthaulError(
        'task_leased',
        `Another Nighthaul is working on download ${id}. Nothing was changed; wait for it, or stop it there first.`,
        { id },
      )
    if (isRunning(task.state) && this.#deps.works())
      throw new NighthaulError(
        'task_state',
        `Download ${id} is under way, so its file changes all the time. Nothing was done; pause it first, or wait until it is done.`,
        { id, state: task.state },
      )
    if (task.relocation !== null || this.#deps.isMoving(id))
      throw new NighthaulError(
        'task_state',
        `The file of download ${id} is being moved. Nothing was done; try again once it is there.`,
        { id, state: task.state },
      )
    return task
  }

  /** Where one runs for this task already, its result. */
  #verify(id: TaskId): Promise<Verification> {
    const running = this.#checks.get(id)
    if (running) return running.ended
    const task = this.#task(id)
    const { changes, freed } = this.#deps
    const abort = new AbortController()
    const stopped = new Promise<never>((_, reject) =>
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true }),
    )
    const before = this.#last
    const work = async () => {
      await Promise.race([before, stopped])
      await Promise.race([this.#deps.runner().settled([id]), stopped])
      return this.#compare(id, check, abort.signal)
    }
    const progress = { checkedBytes: 0, totalBytes: task.sizeBytes ?? task.writtenBytes }
    const { promise, resolve, reject } = Promise.withResolvers<Verification>()
    const check: Check = { progress, abort, ended: promise }
    this.#checks.set(id, check)
    changes.changed([id])
    const ended = work().finally(() => {
      this.#checks.delete(id)
      changes.changed([id])
      freed()
    })
    ended.then(resolve, reject)
    // The next waits for its turn until this one has let go of the file.
    this.#last = Promise.allSettled([before, ended])
    return promise
  }

  async #compare(id: TaskId, check: Check, signal: AbortSignal): Promise<Verification> {
    const { store, clock, changes, settings } = this.#deps
    const task = this.#task(id)
    const plan = planVerification(
      task,
      store.segments(id),
      store.blocks(id),
      digestOf(task, settings()),
      store.pieces(id),
    )
    if (plan === null)
      throw new NighthaulError(
        'task_state',
        `Nothing of download ${id} is on the disk yet, so there is nothing to compare.`,
        { id, state: task.state },
      )
    const { totalBytes } = plan
    check.progress = { checkedBytes: 0, totalBytes }
    const result = await checkFile(
      plan.order,
      (checkedBytes) => {
        check.progress = { checkedBytes: Math.min(checkedBytes, totalBytes), totalBytes }
        changes.progressed([id])
      },
      signal,
    )
    const { pieces, order, end } = plan
    const ofPieces = pieces && result ? await blocksOfBadPieces(order.path, end, pieces, signal) : []
    const found = concludeVerification(plan, result, clock.now(), ofPieces)
    const verification = { ...found, repairing: task.verification?.repairing ?? false }
    store.updateTask(id, { verification })
    return verification
  }

  /** Where one is being begun for this task already, its result. */
  #repair(id: TaskId): Promise<RepairResult> {
    const begun = this.#repairs.get(id)
    if (begun) return begun
    const repair = this.#beginRepair(id).finally(() => this.#repairs.delete(id))
    this.#repairs.set(id, repair)
    return repair
  }

  async #beginRepair(id: TaskId): Promise<RepairResult> {
    const { runner } = this.#deps
    this.#mayRepair(this.#task(id))
    const known = this.#task(id).verification
    if (known?.repairing) {
      runner().apply(id, { kind: 'retry' })
      return this.#underWay(id, known)
    }
    const found = known?.verdict === 'damaged' && this.#suspectsOf(id, known) ? known : await this.#verify(id)
    const task = this.#task(id)
    this.#mayRepair(task)
    if (found.verdict === 'missing') throw gone(task, found)
    const bad = this.#suspectsOf(id, found) ?? []
    if (found.verdict !== 'damaged') return { repair: 'nothing', bytes: 0, verification: found }
    if (bad.length === 0 && !found.sizeDiffers) throw cameWrong(task, found)
    const verification = { ...found, repairing: true }
    if (task.state !== 'done') {
      const bytes = markBad(task, found, bad, this.#deps)
      this.#deps.changes.changed([id])
      return {
        repair: task.state === 'queued' || task.state === 'waiting' || isRunning(task.state) ? 'fetching' : 'marked',
        bytes,
        verification,
      }
    }
    const bytes = await takeBack(task, found, bad, this.#deps, () => {
      const error = new NighthaulError(
        'blocks_damaged',
        `Parts of ${task.filename} differ from what came. They are fetched again; the rest is kept.`,
        { bytes: found.badBytes },
      )
      runner().applyTo(task, { kind: 'damaged', error: error.toInfo() }, { finishedAt: null, partPath: null })
    })
    return { repair: 'fetching', bytes, verification }
  }

  /** Where it is being repaired already. */
  #underWay(id: TaskId, verification: Verification): RepairResult {
    const task = this.#task(id)
    const bytes = Math.max(0, (task.sizeBytes ?? task.writtenBytes) - task.writtenBytes)
    return { repair: task.state === 'paused' ? 'marked' : 'fetching', bytes, verification }
  }

  #mayRepair(task: TaskRecord): void {
    if (task.state === 'changed')
      throw new NighthaulError(
        'task_state',
        `The file of download ${task.id} is another one on the server now. Nothing was changed; decide first whether to download the new one.`,
        { id: task.id, state: task.state },
      )
  }

  #suspectsOf(id: TaskId, found: Verification): number[] | null {
    const { store } = this.#deps
    const task = store.getTask(id)
    const plan = task && planVerification(task, store.segments(id), store.blocks(id), null)
    return plan && suspects(found, plan.unchecked)
  }
}

/** What the file was verified by when it came, or what is known of it. */
function digestOf(task: TaskRecord, settings: Pick<Settings, 'verifyFound'>): ExpectedDigest | null {
  const { checksum } = task
  if (checksum?.verified) return { algorithm: checksum.algorithm, value: checksum.value, source: checksum.source }
  return deciding(countingExpectations(task, settings))[0] ?? null
}

function gone(task: TaskRecord, { path }: Verification): NighthaulError {
  return new NighthaulError(
    'file_missing',
    `There is no file to repair: ${path} was moved, renamed or deleted. Nothing was changed; bring it back, or add the download anew.`,
    { id: task.id, path },
  )
}

function cameWrong(task: TaskRecord, { checksum, path }: Verification): NighthaulError {
  return new NighthaulError(
    'checksum_mismatch',
    `Every block of ${task.filename} is as it came, but its ${checksum?.algorithm} is not the expected one: it came wrong. Nothing was changed; check the checksum, or remove the download and fetch it anew.`,
    {
      path,
      algorithm: checksum?.algorithm ?? null,
      expected: checksum?.expected ?? null,
      actual: checksum?.actual ?? null,
    },
  )
}
