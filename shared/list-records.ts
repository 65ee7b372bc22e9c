/** What the store is told, and tells, of tasks that leave the list or join it by the many. Plain types. */
import type { BlockChecksum, NewTask, SegmentRecord, TaskPatch } from './records.ts'
import type { RepeatSettings, RepeatState } from './repeats.ts'
import type { TaskId } from './schemas.ts'

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

/** A file that is to be deleted: its path, and the one under which it waits. */
export type WaitingFile = readonly [path: string, aside: string]

export interface RemovedFiles {
  files: readonly WaitingFile[]
  /** they have the names under which they wait */
  aside: boolean
  filename: string | null
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
