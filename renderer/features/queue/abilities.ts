/** What can be done with the selected tasks. Pure. */
import { isUnfinished, TASK_STATES, type TaskState } from '../../../shared/task-state.ts'
import { isSelected, type TaskSelection } from '../../stores/selection.ts'
import type { ListQuery, TaskView } from '../../stores/task-view.ts'

export interface Abilities {
  pause: boolean
  resume: boolean
  retry: boolean
  remove: boolean
  /** start now, whatever their queue says */
  force: boolean
  /** start at another time, go to another queue: nothing that is done does */
  postpone: boolean
}

const PAUSABLE: readonly TaskState[] = ['queued', 'active', 'waiting']
const UNFINISHED = TASK_STATES.filter(isUnfinished)
const FORCIBLE: readonly TaskState[] = ['queued', 'waiting', 'paused', 'failed']
const RETRIABLE: readonly TaskState[] = ['failed', 'waiting']

/** Selected tasks that are not loaded may be in any state: they allow everything. */
export function abilitiesOf(view: TaskView, selection: TaskSelection, query: ListQuery): Abilities {
  const states = new Set<TaskState>()
  let unknown = false
  // The disk stopped it: that can be left at a pause, or begun anew.
  let suspended = false
  if (selection.chosen === 'all') {
    const all = Object.keys(view.counts) as TaskState[]
    for (const state of query.states ?? all) if (view.counts[state] > 0) states.add(state)
    // The counts are those of all queues.
    if (query.queueId !== undefined && view.total === 0) states.clear()
  } else {
    let loaded = 0
    for (const row of view.rows.values()) {
      if (!isSelected(selection, row.id)) continue
      loaded += 1
      states.add(row.state)
      suspended ||= row.state === 'paused' && row.error !== null
    }
    unknown = loaded < selection.chosen.size
  }
  const some = (wanted: readonly TaskState[]): boolean => unknown || wanted.some((state) => states.has(state))
  return {
    pause: suspended || some(PAUSABLE),
    resume: some(['paused']),
    retry: suspended || some(RETRIABLE),
    force: some(FORCIBLE),
    postpone: some(UNFINISHED),
    remove: unknown || states.size > 0,
  }
}
