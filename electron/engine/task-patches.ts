/** What changes of a task's record: when it starts over, and when the user wants it otherwise. Pure. */
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { TaskOptions, UpdateTasksInput } from '../../shared/schemas.ts'
import { remembered } from './strategy.ts'
import type { MachineState, TaskEvent } from './task-machine.ts'
import type { LiveProgress } from './task-view.ts'

/** What a task no longer knows after it starts over. */
export const FORGOTTEN: TaskPatch = {
  sizeBytes: null,
  etag: null,
  lastModified: null,
  lastModifiedStrong: false,
  contentType: null,
  contentEncoding: null,
  acceptsRanges: null,
  finalUrl: null,
  writtenBytes: 0,
  foundDigests: [],
  verification: null,
  checksum: null,
}

/** What a person asked for must not be forgotten by a power cut; what the engine met it would meet again. */
export function isUsersWord({ kind }: TaskEvent): boolean {
  return (
    kind === 'pause' ||
    kind === 'resume' ||
    kind === 'retry' ||
    kind === 'startOver' ||
    kind === 'decideRestart' ||
    kind === 'decideKeep' ||
    kind === 'postponed'
  )
}

/** Whether every mirror gets another chance. */
export function forgivesMirrors({ kind }: TaskEvent): boolean {
  return kind === 'retry' || kind === 'resume' || kind === 'excused' || kind === 'released' || kind === 'secondChance'
}

/** Whoever pauses a task no longer wants it before all others; whoever lets it go on gives it all its chances. */
export function withdrawn({ kind }: TaskEvent): TaskPatch {
  if (kind === 'pause') return { forced: false }
  return kind === 'retry' || kind === 'resume' || kind === 'startOver' ? { secondChances: 0, hostWaits: 0 } : {}
}

/** What the user may change of a task at any time. */
export type TaskChange = Omit<UpdateTasksInput, 'selection' | 'startAt'>

/** The record's part after a change; `null` takes an option back, what is left out stays. */
export function changedTask(task: TaskRecord, change: TaskChange): { options: TaskOptions; queueId: number } {
  const { queueId = task.queueId, ...fields } = change
  const options: TaskOptions = { ...task.options }
  for (const key of ['limitBytesPerSecond', 'connections'] as const) {
    const value = fields[key]
    if (value === null) delete options[key]
    else if (value !== undefined) options[key] = value
  }
  return { options, queueId }
}

/** What the store is to keep of how a run went. */
export function learnedBy(run: {
  download: Pick<LiveProgress, 'connectionsUsed' | 'resumedFromBytes' | 'strategy'>
  strategy: TaskRecord['strategy']
}): TaskPatch {
  const { connectionsUsed, resumedFromBytes } = run.download
  return { connectionsUsed, resumedFromBytes, strategy: remembered(run.strategy, run.download.strategy) }
}

/** A state of the task machine as the store keeps it. */
export function stateOf({ state, error, retryAt, attempts }: MachineState): TaskPatch {
  return { state, error, retryAt, attempts }
}
