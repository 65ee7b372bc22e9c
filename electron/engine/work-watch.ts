/**
 * When the work of a queue, or of all of them, is done: from the first download that runs until none wants bytes any
 * more and the last one ended by itself. Nothing that was paused or removed by hand ends it, and nothing that was done
 * before counts. Watches; what follows is when-done.ts.
 */
import { join } from 'node:path'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { QueueId } from '../../shared/schemas.ts'
import type { WorkDone } from '../../shared/unattended.ts'
import type { TaskEvent } from './task-machine.ts'

/** Paths of so many files are told to commands. */
const MOST_FILES = 1_000

export interface FinishedWork extends WorkDone {
  /** of the files that are done, the first MOST_FILES of them */
  files: string[]
}

interface Work {
  done: number
  failed: number
  left: number
  bytes: number
  startedAt: number
  files: string[]
  /** the last download that left the work ended by itself */
  ended: boolean
}

/** `null`: all queues together. */
type Scope = QueueId | null

export interface WorkSituation {
  /** epoch ms */
  now: number
  /** downloads that want bytes, or whose question is not answered yet, by queue */
  open: ReadonlyMap<QueueId, number>
  /** queues that were stopped by hand: nothing of them is waited for */
  stopped: ReadonlySet<QueueId>
  /** null: there is no such queue any more */
  nameOf: (id: QueueId) => string | null
}

export class WorkWatch {
  readonly #work = new Map<Scope, Work>()

  get isWatching(): boolean {
    return this.#work.size > 0
  }

  /** What a task hears, as it was before. `queueId`: the queue that it is in. */
  heard(task: TaskRecord, queueId: QueueId, event: TaskEvent, patch: TaskPatch, now: number): void {
    // What runs may have come from another queue.
    const runs = event.kind === 'admitted' || task.state === 'active' || task.state === 'finishing'
    for (const scope of [queueId, null]) {
      if (runs && !this.#work.has(scope))
        this.#work.set(scope, { done: 0, failed: 0, left: 0, bytes: 0, startedAt: now, files: [], ended: false })
      const work = this.#work.get(scope)
      if (work) count(work, task, event, patch)
    }
  }

  /** Downloads were taken away by hand, off the list or into another queue. */
  removed(): void {
    for (const work of this.#work.values()) work.ended = false
  }

  /** What is done now, once each; single queues come before all. */
  take({ now, open, stopped, nameOf }: WorkSituation): FinishedWork[] {
    const finished: FinishedWork[] = []
    const openInAll = [...open].reduce((sum, [id, count]) => sum + (stopped.has(id) ? 0 : count), 0)
    for (const [queueId, { ended, ...work }] of this.#work) {
      if ((queueId === null ? openInAll : (open.get(queueId) ?? 0)) > 0) continue
      this.#work.delete(queueId)
      const queue = queueId === null ? null : nameOf(queueId)
      // What a queue was to do is gone with it; its downloads are those of another one now.
      const isGone = queueId !== null && queue === null
      if (ended && !isGone) finished.push({ queueId, queue, ...work, endedAt: now })
    }
    return finished.sort((a, b) => Number(a.queueId === null) - Number(b.queueId === null))
  }
}

function count(work: Work, task: TaskRecord, event: TaskEvent, patch: TaskPatch): void {
  switch (event.kind) {
    case 'published': {
      const { folder, filename, sizeBytes, writtenBytes } = { ...task, ...patch }
      work.done++
      work.bytes += sizeBytes ?? writtenBytes
      if (filename !== null && work.files.length < MOST_FILES) work.files.push(join(folder, filename))
      work.ended = true
      return
    }
    case 'failed':
      if (event.retryAt !== null) return
      work.failed++
      work.ended = true
      return
    case 'suspended':
    case 'decideKeep':
      work.left++
      work.ended = true
      return
    case 'pause':
      work.ended = false
      return
    default:
  }
}
