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
import { onDisk, toDiskError } from './disk-errors.ts'
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
/** After which files that the disk did not let go are tried again. */
const TRY_AGAIN_MS = 10 * MINUTE_MS

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
      const files = new Map<TaskId, WaitingFile[]>()
      for (const id of ids) files.set(id, await this.#setAside(id))
      if (ids.length > 0) this.#deps.store.filesAside(files)
    } finally {
      for (const id of ids) this.#beingSetAside.delete(id)
    }
  }

  /** What cannot be moved stays where it is, and is said in the log. Answers which files wait now. */
  async #setAside(id: TaskId): Promise<WaitingFile[]> {
    const { store, fs, logger } = this.#deps
    const files: WaitingFile[] = []
    for (const [path, aside] of store.removedFiles(id)?.files ?? []) {
      const isTaken = isFileOfTask(path, store)
      if (isTaken) logger.info({ task: id, path }, 'a file belongs to another download; it stays')
      else
        await fs.rename(path, aside).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') this.#warn(id, path, error, 'a file could not be set aside')
        })
      // A crash may have come between its name and the record.
      files.push([path, aside, !isTaken && (await this.#isThere(aside))])
    }
    return files
  }

  /** What cannot be looked for is not there as far as anybody can tell. */
  async #isThere(path: string): Promise<boolean> {
    return (await this.#deps.fs.stat(path).catch(() => null)) !== null
  }

  #warn(id: TaskId, path: string, error: unknown, what: string): void {
    this.#deps.logger.warn({ task: id, path, error: toErrorInfo(error).message }, what)
  }

  /** What the disk does not let go now is tried again, for as long as removed downloads are kept. */
  async #deleteFiles(ids: readonly TaskId[], { forGood = false } = {}): Promise<void> {
    const { store, clock, settings } = this.#deps
    const gone: TaskId[] = []
    const later: TaskId[] = []
    for (const id of ids) {
      const kept = store.removedFiles(id)
      const isOld = kept === null || clock.now() - kept.removedAt >= settings().keepRemovedDays * DAY_MS
      const isLeft = (await this.#deleteAll(id, kept?.files ?? [])) && !isOld && !forGood
      ;(isLeft ? later : gone).push(id)
    }
    if (gone.length > 0) store.filesGone(gone)
    if (later.length > 0) store.filesLater(later, clock.now() + TRY_AGAIN_MS)
  }

  /** Whether any of them is, or may be, still there. */
  async #deleteAll(id: TaskId, files: readonly WaitingFile[]): Promise<boolean> {
    let isLeft = false
    for (const [, aside] of files)
      try {
        await this.#deps.fs.unlink(aside)
      } catch (error) {
        const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT' && (await this.#isThere(dirname(aside)))
        if (isGone) continue
        isLeft = true
        this.#warn(id, aside, error, 'a file could not be deleted')
      }
    return isLeft
  }

  /** Throws a disk error where files of some do not come back: those stay among the removed, the others are here. */
  async restore(which: RestoreTasksInput): Promise<{ count: number }> {
    const { store, runner, changes, moved } = this.#deps
    await this.settled()
    let count = 0
    const failures: NighthaulError[] = []
    for (const batch of batches(store.removedIds(which))) {
      const names = new Map<TaskId, OtherName>()
      const back: TaskId[] = []
      for (const id of batch)
        try {
          const kept = store.removedFiles(id)
          const name = kept && (await this.#bringBack(kept))
          if (name) names.set(id, name)
          back.push(id)
        } catch (error) {
          failures.push(NighthaulError.from(toErrorInfo(error)))
        }
      const ids = store.restoreTasks(back, names)
      count += ids.length
      for (const task of store.getTasks(ids)) runner.applyTo(task, { kind: 'recovered' })
      changes.changed(ids)
      moved(ids)
      await nextTurn()
    }
    const [first] = failures
    if (first) throw stillRemoved(first, failures.length, count)
    return { count }
  }

  /** The files under their names again. Answers the other name where somebody has taken its own meanwhile. */
  async #bringBack({ files, filename }: RemovedFiles): Promise<OtherName | null> {
    const { fs } = this.#deps
    let changed: OtherName | null = null
    for (const [index, [path, aside, isAside]] of files.entries()) {
      if (filename === null) continue
      if (!(await onDisk(aside, () => fs.stat(aside)))) {
        // Brought back without it, nobody would look for it under this name any more.
        if (isAside && !(await onDisk(path, () => fs.stat(path)))) throw notThere(aside)
        continue
      }
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
      await this.#deleteFiles(ids, { forGood: true })
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

function notThere(path: string): NighthaulError {
  return new NighthaulError(
    'folder_missing',
    `${path}, under which the file waits, is not there (was a drive unplugged?). Bring it back and undo again.`,
    { path },
  )
}

/** What did not come back, for its first reason. */
function stillRemoved(first: NighthaulError, left: number, count: number): NighthaulError {
  return new NighthaulError(
    first.code,
    `Brought back: ${count}. Still among the removed, with nothing lost: ${left}. ${first.message}`,
    { ...first.params, count, left },
    { cause: first },
  )
}

/** A hidden name of its own in the same folder: moving there costs nothing, whatever the size. */
function waiting(path: string): WaitingFile {
  return [path, join(dirname(path), `.nighthaul-removed-${randomBytes(9).toString('hex')}`)]
}

function* batches(ids: readonly TaskId[]): Generator<readonly TaskId[]> {
  for (let from = 0; from < ids.length; from += BATCH) yield ids.slice(from, from + BATCH)
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
