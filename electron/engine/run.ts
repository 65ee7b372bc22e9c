/** One running task as the runner keeps it, and what runs need. */
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { AddTasksInput, QueueId, Settings, TaskId } from '../../shared/schemas.ts'
import type { Changes } from './changes.ts'
import type { Download } from './download.ts'
import type { HostController } from './host-controller.ts'
import type { Journal } from './journal.ts'
import type { Lane } from './lane/lane.ts'
import type { Limits } from './limits.ts'
import type { EngineDeps, FileSystem } from './ports.ts'
import type { TokenBucket } from './rate-limiter.ts'
import type { MachineState, TaskEvent } from './task-machine.ts'
import type { Unattended } from './unattended.ts'
import type { Verifications } from './verifications.ts'

export interface Run {
  readonly id: TaskId
  download: Download
  /** the task's own limit; null: it never had one */
  bucket: TokenBucket | null
  queueId: QueueId
  /** it is at work whatever its queue says */
  forced: boolean
  /** of its link */
  host: string
  /** ends the finishing steps */
  abort: AbortController
  ended: Promise<void>
  /** the fdatasync under way: the file is not closed before it ends, and none begins afterwards */
  synced: Promise<void>
  closing: boolean
  /** all bytes are here, and it waits for the disk */
  finishing: boolean
  /** monotonic ms */
  readonly beganAt: number
  strategy: TaskRecord['strategy']
}

export interface RunnerDeps extends EngineDeps {
  lane: Lane
  /** the file system for what comes with every file */
  files: FileSystem
  hosts: HostController
  changes: Changes
  settings: () => Settings
  /** connections for a download of this queue that names no number itself */
  connectionsOf: (queueId: QueueId) => number
  /** links of one host lead to another one */
  redirected: (from: string, to: string) => void
  /** a download was led to a host without room for another one */
  noRoom: (id: TaskId, host: string) => void
  limits: Limits
  verifications: Pick<Verifications, 'beforeRun' | 'beforeName'>
  /** puts a download of the same link beside one */
  add: (input: AddTasksInput) => void
  /** what tasks hear, as they were before */
  heard: (tasks: readonly TaskRecord[], event: TaskEvent, patch: TaskPatch) => void
  unattended: Pick<Unattended, 'came' | 'ending'>
  received: (run: Run, bytes: number) => void
  journal: Pick<Journal, 'heard' | 'over'>
  /** these tasks have another state now */
  moved: (moves: readonly { id: TaskId; state: MachineState }[]) => void
  /** a run left its place */
  ended: () => void
  /** a task was stopped by the disk */
  suspended: () => void
}
