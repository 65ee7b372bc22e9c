/** What the store is told, and tells, of tasks that leave the list or join it by the many. Plain types. */
import type { BlockChecksum, NewTask, SegmentRecord, TaskPatch } from './records.ts'
import type { RepeatSettings, RepeatState } from './repeats.ts'
import type { RemovedTask, TaskId } from './schemas.ts'

export interface TaskName {
  url: string
  folder: string
  name: string | null
  method: string | null
  body: string | null
}

/** A task of a file of the list; `segments` empty: it begins anew. */
export interface ImportedTask {
  task: NewTask
  /** null: the default one */
  queue: string | null
  filename: string | null
  partPath: string | null
  patch: TaskPatch
  segments: readonly SegmentRecord[]
  blocks: readonly BlockChecksum[]
}

export interface ImportedRepeat {
  settings: Omit<RepeatSettings, 'queueId'>
  state: RepeatState
  /** null: the default one */
  queue: string | null
}

/** A file that is to be deleted: its path, the one under which it waits, and whether it was seen to get that. */
export type WaitingFile = readonly [path: string, aside: string, isAside?: boolean]

export interface RemovedFiles {
  files: readonly WaitingFile[]
  /** they have the names under which they wait */
  aside: boolean
  filename: string | null
  /** epoch ms */
  removedAt: number
}

/** What a task's file is called by now, and where it, or its partial, lies. */
export interface OtherName {
  filename: string
  path: string
}

/** Tasks that go together and can come back; `files`: those of which files are to be deleted, at `dueAt` (epoch ms). */
export interface KeptRemoval {
  removal: number
  at: number
  files?: ReadonlyMap<TaskId, { files: readonly WaitingFile[]; dueAt: number }>
}

/** What was taken off the list and can come back. What each method says as “intent” is on the disk when it returns. */
export interface RemovedStore {
  /** intent; takes them off the list with all that hangs on them: for good, or `kept` as part of a removal */
  removeTasks(ids: readonly TaskId[], kept?: KeptRemoval): void
  /** intent; the number of a removal, under which tasks go together */
  beginRemoval(at: number): number
  /** the latest first */
  removedTasks(page: { offset: number; limit: number }): { total: number; rows: RemovedTask[] }
  /** of a removal, of the last one of which anything is kept, or those of these that are kept */
  removedIds(which: { removal: number | 'last' } | { ids: readonly TaskId[] }): TaskId[]
  /** files that wait to be deleted; null: there are none */
  removedFiles(id: TaskId): RemovedFiles | null
  /**
   * intent; brings them back under their ids, in their places where those are free. `names`: what their files are
   * called by now. A task whose name another unfinished one has starts over; one whose files were deleted does, paused.
   */
  restoreTasks(ids: readonly TaskId[], names: ReadonlyMap<TaskId, OtherName>): TaskId[]
  /** removed tasks whose files are to be deleted by now */
  filesDue(now: number, limit: number): TaskId[]
  /** intent; these have the names now under which they wait */
  filesAside(files: ReadonlyMap<TaskId, readonly WaitingFile[]>): void
  /** intent; their files could not be deleted, and are due again then */
  filesLater(ids: readonly TaskId[], dueAt: number): void
  /** intent; their files were deleted */
  filesGone(ids: readonly TaskId[]): void
  /** intent; forgets tasks removed until `before` whose files are looked after: how many */
  forgetRemoved(before: number, limit: number): number
  /** whether a task of the list has this file (`done`), or its partial */
  isFileOfTask(folder: string, filename: string, done: boolean): boolean
}
