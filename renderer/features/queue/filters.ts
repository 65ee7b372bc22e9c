/** The lists of the sidebar: which states each shows. */
import type { TaskState } from '../../../shared/task-state.ts'
import type { IconName } from '../../ui/icon.tsx'

export const FILTERS = [
  { key: 'all', icon: 'all', states: undefined },
  { key: 'active', icon: 'active', states: ['active', 'finishing'] },
  { key: 'waiting', icon: 'queued', states: ['queued', 'waiting'] },
  { key: 'paused', icon: 'pause', states: ['paused'] },
  { key: 'done', icon: 'done', states: ['done'] },
  { key: 'failed', icon: 'failed', states: ['failed'] },
  { key: 'changed', icon: 'changed', states: ['changed'] },
] as const satisfies readonly { key: string; icon: IconName; states: readonly TaskState[] | undefined }[]

export type Filter = (typeof FILTERS)[number]

/** The filter whose states these are. */
export function filterOf(states: readonly TaskState[] | undefined): Filter {
  return FILTERS.find((filter) => filter.states?.join() === states?.join()) ?? FILTERS[0]
}
