/** What one can do with queues, and with downloads among them; failures are told in a toast. */
import { formatCount } from '../shared/format.ts'
import type { QueuePatch, QueueView } from '../shared/queues.ts'
import type { QueueId, Selection, TaskId } from '../shared/schemas.ts'
import { currentSelection, tellError } from './actions.ts'
import { texts } from './i18n/index.ts'
import { call, taskList } from './session.ts'
import { useQueues } from './stores/queues.ts'
import { selectedCount } from './stores/selection.ts'
import { openPage, useWindow } from './stores/window.ts'
import { toasts } from './ui/toasts.tsx'

export type Place = 'first' | 'up' | 'down' | 'last'

async function change(work: Promise<unknown>): Promise<void> {
  await work.catch(tellError)
}

export function updateQueue(id: QueueId, patch: QueuePatch): void {
  void change(call('queues.update', { id, patch }))
}

/** A window was missed: the queue works now, or waits for its next one. */
export function makeUp(id: QueueId, decision: 'run' | 'next'): void {
  void change(call('queues.makeUp', { id, decision }))
}

export function editQueue(id: QueueId): void {
  useWindow.setState({ dialog: { kind: 'queue', id } })
}

export function addQueue(): void {
  useWindow.setState({ dialog: { kind: 'queue', id: null } })
}

export function askRemoveQueue(queue: QueueView): void {
  useWindow.setState({ dialog: { kind: 'removeQueue', id: queue.id, name: queue.name } })
}

export async function removeQueue(id: QueueId, name: string): Promise<void> {
  const { moved } = await call('queues.remove', { id })
  if (taskList.store.getState().query.queueId === id) taskList.setQuery({ queueId: undefined })
  toasts.add({
    title: texts.t('queues.removed', { name }),
    description:
      moved > 0 ? texts.t('queues.movedToDefault', { count: moved, formatted: formatCount(moved) }) : undefined,
  })
}

/** Puts a queue where another one is. */
export function placeQueue(id: QueueId, place: Place | { at: QueueId }): void {
  const queues = useQueues.getState().queues ?? []
  const at = queues.findIndex((queue) => queue.id === id)
  const target =
    typeof place === 'object' ? queues.findIndex((queue) => queue.id === place.at) : step(place, at, queues.length)
  if (at < 0 || target < 0 || target === at || target >= queues.length) return
  updateQueue(id, { position: target })
}

function step(place: Place, at: number, count: number): number {
  return { first: 0, up: at - 1, down: at + 1, last: count - 1 }[place]
}

/** The list shows one queue. */
export function showQueue(id: QueueId): void {
  openPage('downloads')
  taskList.setQuery({ states: undefined, queueId: id })
}

export function forceSelected(): void {
  const selection = currentSelection()
  if (selection !== null) void change(call('tasks.force', { selection }))
}

/** Downloads go to a queue, and a toast says how many; it has the way back where they all came from one. */
export async function moveToQueue(id: QueueId, selection: Selection | null = currentSelection()): Promise<void> {
  if (selection === null) return
  const name = useQueues.getState().queues?.find((queue) => queue.id === id)?.name ?? ''
  await change(
    call('tasks.update', { selection, queueId: id }).then(({ count }) => {
      const title =
        count === 0
          ? texts.t('queues.nothingMoved')
          : texts.t('queues.moved', { count, formatted: formatCount(count), name })
      toasts.add({ title })
    }),
  )
}

/** Whether the order shown is the one in which downloads are taken. */
export function canReorder(): boolean {
  const { query } = taskList.store.getState()
  return query.sort === 'position' && !query.descending && !query.text
}

/** The selected downloads change their place in the order shown. */
export async function reorderSelected(place: Place): Promise<void> {
  const selection = currentSelection()
  if (selection === null || !canReorder()) return
  try {
    const before = await targetOf(place)
    if (before !== undefined) await call('tasks.reorder', { selection, before })
  } catch (error) {
    tellError(error)
  }
}

/** undefined: they are there already, or there is no such place. */
async function targetOf(place: Place): Promise<TaskId | 'first' | null | undefined> {
  const { selection, view } = taskList.store.getState()
  const total = view.total ?? 0
  if (selection.chosen === 'all' || selectedCount(selection, total) === 0) return undefined
  const { chosen } = selection
  if (place === 'first') return 'first'
  if (place === 'last') return null
  const indexes = taskList.indexesOf(chosen)
  if (indexes === null) return undefined
  if (place === 'up') {
    const first = Math.min(...indexes)
    return first <= 0 ? undefined : nextOther(first - 1, chosen)
  }
  const last = Math.max(...indexes)
  return last >= total - 1 ? undefined : nextOther(last + 2, chosen)
}

/** The first download from an index on that is not one of these; null: there is none. */
async function nextOther(index: number, moved: ReadonlySet<TaskId>): Promise<TaskId | null> {
  const total = taskList.store.getState().view.total ?? 0
  for (let at = index; at < total; at += 1) {
    const [id] = await taskList.idsAt(at, at)
    if (id !== undefined && !moved.has(id)) return id
  }
  return null
}
