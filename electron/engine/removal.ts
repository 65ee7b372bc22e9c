/**
 * Taking tasks off the list, and bringing them back. Removed tasks are kept for a while; files that are to be deleted
 * wait for a shorter one under hidden names of their own beside their places, so that their names are free at once and
 * what is deleted in the end can be nobody else's.
 */
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import type { OtherName, RemovedFiles, WaitingFile } from '../../shared/list-records.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { RestoreTasksInput, Settings, TaskId } from '../../shared/schemas.ts'
import type { Changes } from './changes.ts'
import { toDiskError } from './disk-errors.ts'
import { numberedName } from './filename.ts'
import type { Journal } from './journal.ts'
import { filesOf, isFileOfTask } from './place.ts'
import type { EngineDeps } from './ports.ts'
import type { Runner } from './runner.ts'

/** Tasks of one transaction; between two, the engine does its other work. */
const BATCH = 400
const FILES_A_STEP = 100
const MAX_NUMBERED_NAMES = 10_000
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

export interface RemovalDeps extends Pick<EngineDeps, 'store' | 'fs' | 'clock' | 'logger'> {
  runner: Runner
  changes: Changes
  journal: Pick<Journal, 'note'>
  settings: () => Settings
  /** those of these that are ours to remove */
  mineOf: (ids: readonly TaskId[]) => TaskRecord[]
  /** tasks left the list or came back */
  moved: (ids: readonly TaskId[]) => void
}

export class Removal {
  readonly #deps: RemovalDeps
  readonly #going = new Set<TaskId>()
  /** their files are just being set aside: nobody else may look for them, neither where they were nor where they will be */
  readonly #beingSetAside = new Set<TaskId>()
  #settingAside: Promise<unknown> = Promise.resolve()
  #deleting: Promise<void> | null = null

  constructor(deps: RemovalDeps) {
    this.#deps = deps
  }

  /** Whether it is about to leave the list: nothing is begun with it any more. */
  isGoing(id: TaskId): boolean {
    return this.#going.has(id)
  }

  async remove(
    ids: readonly TaskId[],
    { deleteFiles, now }: { deleteFiles: boolean; now: boolean },
  ): Promise<{ count: number; removal: number | null }> {
    const { store, runner, clock, settings } = this.#deps
    const waitMs = now ? 0 : settings().keepRemovedFilesMinutes * MINUTE_MS
    const at = clock.now()
    let removal: number | null = null
    const removed: TaskId[] = []
    for (const id of ids) this.#going.add(id)
    try {
      for (const batch of batches(ids)) {
        let tasks = this.#deps.mineOf(batch)
        const ids = tasks.map((task) => task.id)
        const running = ids.filter((id) => runner.isRunning(id))
        if (running.length > 0) {
          for (const id of running) runner.stop(id)
          await runner.settled(running)
          // A run that was just publishing may have ended in the meantime: look again.
          tasks = store.getTasks(ids)
        }
        if (tasks.length > 0) {
          removal ??= store.beginRemoval(at)
          await this.#take(tasks, { removal, at, deleteFiles, dueAt: at + waitMs, atOnce: waitMs === 0 })
        }
        removed.push(...tasks.map((task) => task.id))
        await nextTurn()
      }
    } finally {
      for (const id of ids) this.#going.delete(id)
    }
    return { count: removed.length, removal }
  }

  async #take(
    tasks: readonly TaskRecord[],
    how: { removal: number; at: number; deleteFiles: boolean; dueAt: number; atOnce: boolean },
  ): Promise<void> {
    const { store, changes, moved, runner } = this.#deps
    const { removal, at, dueAt } = how
    const ids = tasks.map((task) => task.id)
    const files = new Map(
      (how.deleteFiles ? tasks : [])
        .map((task) => [task.id, { files: filesOf(task).map(waiting), dueAt }] as const)
        .filter(([, entry]) => entry.files.length > 0),
    )
    store.removeTasks(ids, { removal, at, files })
    this.#deps.journal.note('removed', { count: ids.length, ids })
    moved(ids)
    changes.changed([], { removed: ids })
    // Should the task come back, the copy begins anew.
    for (const { id, relocation } of tasks) if (relocation) await runner.relocator.deleteCopy(id, relocation)
    const withFiles = [...files.keys()]
    await this.#setAllAside(withFiles)
    if (how.atOnce) await this.#deleteFiles(withFiles)
  }

  #setAllAside(ids: readonly TaskId[]): Promise<void> {
    for (const id of ids) this.#beingSetAside.add(id)
    const done = this.#setEachAside(ids)
    this.#settingAside = Promise.allSettled([this.#settingAside, done])
    return done
  }

  async #setEachAside(ids: readonly TaskId[]): Promise<void> {
    try {
      for (const id of ids) await this.#setAside(id)
      if (ids.length > 0) this.#deps.store.filesAside(ids)
    } finally {
      for (const id of ids) this.#beingSetAside.delete(id)
    }
  }

  /** What cannot be moved stays where it is, and is said in the log. */
  async #setAside(id: TaskId): Promise<void> {
    const { store, fs } = this.#deps
    for (const [path, aside] of store.removedFiles(id)?.files ?? []) {
      if (isFileOfTask(path, store))
        this.#deps.logger.info({ task: id, path }, 'a file belongs to another download; it stays')
      else await this.#attempt(id, path, () => fs.rename(path, aside))
    }
  }

  async #attempt(id: TaskId, path: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT')
        this.#deps.logger.warn({ task: id, path, error: error.message }, 'a file could not be deleted')
    })
  }

  async #deleteFiles(ids: readonly TaskId[]): Promise<void> {
    const { store, fs } = this.#deps
    for (const id of ids)
      for (const [, aside] of store.removedFiles(id)?.files ?? [])
        await this.#attempt(id, aside, () => fs.unlink(aside))
    if (ids.length > 0) store.filesGone(ids)
  }

  async restore(which: RestoreTasksInput): Promise<{ count: number }> {
    const { store, runner, changes, moved } = this.#deps
    await this.settled()
    let count = 0
    for (const batch of batches(store.removedIds(which))) {
      const names = new Map<TaskId, OtherName>()
      for (const id of batch) {
        const kept = store.removedFiles(id)
        const name = kept && (await this.#bringBack(kept))
        if (name) names.set(id, name)
      }
      const ids = store.restoreTasks(batch, names)
      count += ids.length
      for (const task of store.getTasks(ids)) runner.applyTo(task, { kind: 'recovered' })
      changes.changed(ids)
      moved(ids)
      await nextTurn()
    }
    return { count }
  }

  /** The files under their names again. Answers the other name where somebody has taken its own meanwhile. */
  async #bringBack({ files, filename }: RemovedFiles): Promise<OtherName | null> {
    let changed: OtherName | null = null
    for (const [index, [path, aside]] of files.entries()) {
      if (filename === null || !(await this.#deps.fs.stat(aside))) continue
      const found = await this.#freeName(path, aside, filename)
      // The first is the task's own; another one was set aside before.
      if (index === 0 && found.path !== path) changed = found
    }
    return changed
  }

  async #freeName(path: string, aside: string, filename: string): Promise<OtherName> {
    const { fs } = this.#deps
    for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
      const name = n === 0 ? filename : numberedName(filename, n)
      const target = n === 0 ? path : join(dirname(path), path.endsWith('.part') ? `${name}.part` : name)
      try {
        await fs.renameExclusive(aside, target)
        return { filename: name, path: target }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw toDiskError(error, target)
      }
    }
    throw new NighthaulError('file_exists', `No free name was found for ${filename} in ${dirname(path)}.`, { path })
  }

  /** A step of the clockwork: deletes files whose time has come, forgets what was removed long ago. */
  step(): void {
    const { store, clock, settings, logger } = this.#deps
    const now = clock.now()
    store.forgetRemoved(now - settings().keepRemovedDays * DAY_MS, BATCH)
    if (this.#deleting !== null) return
    const due = this.#dueFiles(now)
    if (due.length === 0) return
    this.#deleting = this.#deleteFiles(due)
      .catch((error: unknown) =>
        logger.error({ error: toErrorInfo(error).message }, 'removed files could not be deleted'),
      )
      .finally(() => {
        this.#deleting = null
      })
  }

  #dueFiles(now: number): TaskId[] {
    return this.#deps.store.filesDue(now, FILES_A_STEP).filter((id) => !this.#beingSetAside.has(id))
  }

  /** What a crash left between the record and the files. */
  async recover(): Promise<void> {
    const { store } = this.#deps
    const left = store.filesDue(Number.MAX_SAFE_INTEGER, -1).filter((id) => store.removedFiles(id)?.aside === false)
    await this.#setAllAside(left)
  }

  async clear(): Promise<{ count: number }> {
    const { store } = this.#deps
    await this.settled()
    for (;;) {
      const ids = this.#dueFiles(Number.MAX_SAFE_INTEGER)
      if (ids.length === 0) break
      await this.#deleteFiles(ids)
    }
    for (let count = 0; ; await nextTurn()) {
      await this.settled()
      const forgotten = store.forgetRemoved(Number.MAX_SAFE_INTEGER, BATCH)
      count += forgotten
      if (forgotten === 0) return { count }
    }
  }

  /** Resolves when no file is being set aside or deleted. */
  async settled(): Promise<void> {
    while (this.#deleting !== null || this.#beingSetAside.size > 0) {
      await this.#settingAside
      await this.#deleting
    }
  }

  get handlers(): Pick<Handlers<Contract>, 'tasks.restore' | 'removed.list' | 'removed.clear'> {
    return {
      'tasks.restore': (which) => this.restore(which),
      'removed.list': (page) => this.#deps.store.removedTasks(page),
      'removed.clear': () => this.clear(),
    }
  }
}

/** A hidden name of its own in the same folder: moving there costs nothing, whatever the size. */
function waiting(path: string): WaitingFile {
  return [path, join(dirname(path), `.nighthaul-removed-${randomBytes(9).toString('hex')}`)]
}

function* batches(ids: readonly TaskId[]): Generator<readonly TaskId[]> {
  for (let from = 0; from < ids.length; from += BATCH) yield ids.slice(from, from + BATCH)
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
