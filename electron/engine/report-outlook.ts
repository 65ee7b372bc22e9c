/** What is not done, and what happens to it next. Pure. */
import { MENDED_BY_THEMSELVES } from '../../shared/errors.ts'
import { plainLink } from '../../shared/journal.ts'
import type { QueueHold } from '../../shared/queues.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { NextStep, UndoneItem } from '../../shared/report.ts'
import { nextSentence, undoneSentence } from '../../shared/report-text.en.ts'
import type { QueueId } from '../../shared/schemas.ts'
import { reasonOf } from './report-reason.ts'
import { shownName } from './task-view.ts'

/** A queue as it is now. */
export interface OpenQueue {
  id: QueueId
  name: string
  hold: QueueHold
  /** epoch ms of its next opening or closing; null: none */
  changesAt: number | null
}

/** Its host is left alone until then: it asked for that, or refuses whatever it is asked for. */
const HOST_RESTS: ReadonlySet<string> = new Set(['too_many_requests', 'host_refuses'])

/** Of one download. */
interface Step {
  code: Exclude<NextStep['code'], 'repeat'>
  at: number | null
}

function stepOf(task: TaskRecord, queue: OpenQueue | undefined): Step {
  switch (task.state) {
    case 'active':
    case 'finishing':
      return { code: 'now', at: null }
    case 'queued':
      if (task.forced || !queue || queue.hold === null) return { code: 'now', at: null }
      if (queue.hold === 'battery') return { code: 'battery', at: null }
      return queue.hold === 'window' ? { code: 'window', at: queue.changesAt } : { code: 'stopped', at: null }
    case 'waiting':
      if (task.error === null) return { code: 'start', at: task.retryAt }
      return { code: HOST_RESTS.has(task.error.code) ? 'host' : 'retry', at: task.retryAt }
    case 'paused':
      return { code: task.error && MENDED_BY_THEMSELVES.has(task.error.code) ? 'disk' : 'paused', at: null }
    case 'changed':
      return { code: 'decision', at: null }
    case 'failed':
    case 'done':
      return { code: 'failed', at: null }
  }
}

export function undoneItems(tasks: readonly TaskRecord[], queues: readonly OpenQueue[]): UndoneItem[] {
  return tasks.map((task) => {
    const queue = queues.find(({ id }) => id === task.queueId)
    const { code, at } = stepOf(task, queue)
    const { id, queueId, state, sizeBytes, writtenBytes, error } = task
    const reason = error && reasonOf(error.code, error.message, error.params)
    return {
      ...{ id, name: shownName(task), url: plainLink(task.url), queueId, state, sizeBytes, writtenBytes, reason },
      nextAt: at,
      text: undoneSentence(code, { queue: queue?.name ?? '' }),
    }
  })
}

/** The same for many as one line, the soonest first; what never goes on by itself comes last. */
export function nextSteps(
  tasks: readonly TaskRecord[],
  queues: readonly OpenQueue[],
  repeats: readonly { queueId: QueueId; nextAt: number | null }[],
): NextStep[] {
  const steps = new Map<string, Omit<NextStep, 'text'>>()
  const add = ({ code, at }: Pick<NextStep, 'code' | 'at'>, queueId: QueueId) => {
    const key = `${code} ${queueId}`
    const known = steps.get(key) ?? { code, at, queueId, count: 0 }
    known.count++
    if (at !== null) known.at = Math.min(known.at ?? at, at)
    steps.set(key, known)
  }
  for (const task of tasks) {
    const queue = queues.find(({ id }) => id === task.queueId)
    add(stepOf(task, queue), task.queueId)
  }
  for (const { queueId, nextAt } of repeats) if (nextAt !== null) add({ code: 'repeat', at: nextAt }, queueId)
  const rank = ({ code, at }: Omit<NextStep, 'text'>) =>
    code === 'now' ? 0 : at === null ? Number.POSITIVE_INFINITY : at
  return [...steps.values()]
    .sort((a, b) => rank(a) - rank(b) || b.count - a.count)
    .map((step) => ({
      ...step,
      text: nextSentence(step.code, {
        downloads: step.count,
        repeats: step.count,
        queue: queues.find(({ id }) => id === step.queueId)?.name ?? '',
      }),
    }))
}
