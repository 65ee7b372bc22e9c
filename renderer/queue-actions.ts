/** What one can do with queues, and with downloads among them; failures are told in a toast. */
import { formatCount } from '../shared/format.ts'
import type { QueuePatch, QueueView } from '../shared/queues.ts'
import type { RepeatId } from '../shared/repeats.ts'
import type { QueueId, Selection, TaskId } from '../shared/schemas.ts'
import { currentSelection, tellError } from './actions.ts'
import { clockText } from './features/schedule/queue-words.ts'
import type { RepeatSeed } from './features/schedule/repeat-form.ts'
import { texts } from './i18n/index.ts'
import { call, taskList } from './session.ts'
import { useQueues } from './stores/queues.ts'
import { selectedCount } from './stores/selection.ts'
import { openPage, type StartChoice, useWindow } from './stores/window.ts'
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
  toasts.add({
    title: texts.t('queues.removed', { name }),
    description:
      moved > 0 ? texts.t('queues.movedToDefault', { count: moved, formatted: formatCount(moved) }) : undefined,
  })
}

/** Asks for a new repeating download; `seed`: what was typed in the Add dialog. */
export function addRepeat(seed: RepeatSeed | null = null): void {
  useWindow.setState({ dialog: { kind: 'repeat', id: null, seed, fromAdd: seed !== null } })
}

export function editRepeat(id: RepeatId): void {
  useWindow.setState({ dialog: { kind: 'repeat', id, seed: null, fromAdd: false } })
}

export function askRemoveRepeat(id: RepeatId, name: string): void {
  useWindow.setState({ dialog: { kind: 'removeRepeat', id, name } })
}

export function pauseRepeat(id: RepeatId, paused: boolean): void {
  void change(call('repeats.update', { id, patch: { paused } }))
}

/** It tells in its row what came of it. */
export function runRepeat(id: RepeatId): void {
  void change(call('repeats.run', { id }))
}

export function skipRepeat(id: RepeatId): void {
  void change(call('repeats.skip', { id }))
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

/** The selected downloads start at a time of their own (epoch ms), or, null, when their queue works. */
export async function startSelected(at: number | null): Promise<void> {
  const selection = currentSelection()
  if (selection === null) return
  await change(call('tasks.update', { selection, startAt: at }).then(({ count }) => tellStart(count, at)))
}

function tellStart(count: number, at: number | null): void {
  const { t } = texts
  const formatted = formatCount(count)
  const title =
    count === 0
      ? t('start.nothing')
      : at === null
        ? t('start.cleared', { count, formatted })
        : t('start.set', { count, formatted, time: clockText(at, Date.now()) })
  toasts.add({ title })
}

/** Asks what to change of the selected downloads; `start`: what is proposed of their start. */
export function askEdit(start: StartChoice = 'stay'): void {
  const selection = currentSelection()
  if (selection === null) return
  const { selection: selected, view } = taskList.store.getState()
  const count = selectedCount(selected, view.total ?? 0)
  const only = selected.chosen !== 'all' && count === 1 ? [...selected.chosen][0] : undefined
  const name = only === undefined ? null : (view.rows.get(only)?.filename ?? null)
  useWindow.setState({ dialog: { kind: 'edit', selection, count, name, start } })
}

export interface Edit {
  /** undefined: stays; null: when the queue works; `force`: now, whatever it says */
  start?: number | null | 'force'
  queueId?: QueueId
  place?: 'first' | 'last'
}

/** Changes downloads; what a filter selects is found once, as a change may take it out of the filter. Answers how many. */
export async function editTasks(asked: Selection, { start, queueId, place }: Edit): Promise<number> {
  const isForced = start === 'force'
  const startAt = isForced ? undefined : start
  const isUpdated = startAt !== undefined || queueId !== undefined
  const steps = [place !== undefined, isUpdated, isForced].filter(Boolean).length
  const selection = steps > 1 && 'filter' in asked ? { ids: await taskList.allIds() } : asked
  let count = 0
  if (isUpdated) ({ count } = await call('tasks.update', { selection, queueId, startAt }))
  if (place !== undefined)
    ({ count } = await call('tasks.reorder', { selection, before: place === 'first' ? 'first' : null }))
  if (isForced) ({ count } = await call('tasks.force', { selection }))
  return count
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

/** Dragged downloads are put before the row at `index`, which may be one past the last. */
export async function dropTasks(selection: Selection, index: number): Promise<void> {
  // All of them are where they are.
  if (!('ids' in selection) || !canReorder()) return
  try {
    const before = await nextOther(index, new Set(selection.ids))
    await call('tasks.reorder', { selection, before })
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
