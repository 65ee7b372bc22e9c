/** What buttons, menus and keys do: one function per action, failures told in a toast. */
import { toErrorInfo } from '../shared/errors.ts'
import { formatBytes, formatCount } from '../shared/format.ts'
import type { AddTasksInput, Selection, TaskId } from '../shared/schemas.ts'
import { en } from './i18n/en.ts'
import { errorWords } from './i18n/error-words.ts'
import { texts } from './i18n/index.ts'
import { call, taskList, useSettings } from './session.ts'
import { isSelected, selectedCount, toContract } from './stores/selection.ts'
import { useWindow } from './stores/window.ts'
import { toasts } from './ui/toasts.tsx'

/** Long enough to see that it was the wrong one. */
const UNDO_TOAST_MS = 20_000

/** Tells a failure in words; the user's doing is not lost, they can do it again. */
export function tellError(error: unknown): void {
  const { title, next } = errorWords(toErrorInfo(error), en.errors)
  toasts.add({ title, description: next || undefined, type: 'error', priority: 'high' })
}

async function attempt(work: Promise<unknown>): Promise<void> {
  await work.catch(tellError)
}

/** The current selection as the engine takes it; null: nothing selected. */
export function currentSelection(): Selection | null {
  const { selection, query } = taskList.store.getState()
  return toContract(selection, query)
}

const EVERYTHING: Selection = { filter: {} }

function onSelection(method: 'tasks.pause' | 'tasks.resume' | 'tasks.retry', selection = currentSelection()): void {
  if (selection !== null) void attempt(call(method, { selection }))
}

export const pauseSelected = (): void => onSelection('tasks.pause')
export const resumeSelected = (): void => onSelection('tasks.resume')
export const retrySelected = (): void => onSelection('tasks.retry')
export const pauseAll = (): void => onSelection('tasks.pause', EVERYTHING)
export const resumeAll = (): void => onSelection('tasks.resume', EVERYTHING)
export const retryAll = (): void => onSelection('tasks.retry', { filter: { states: ['failed'] } })

/** The key R: whatever gets the selected downloads going again. */
export function goOnSelected(): void {
  resumeSelected()
  retrySelected()
}

export function decide(id: TaskId, decision: 'restart' | 'keep'): void {
  void attempt(call('tasks.decide', { selection: { ids: [id] }, decision }))
}

export function retry(id: TaskId): void {
  onSelection('tasks.retry', { ids: [id] })
}

/** What it found is shown in the details. One that was stopped needs no words: somebody wanted it. */
export function verify(id: TaskId): void {
  void attempt(call('tasks.verify', { id }).catch(unlessStopped))
}

/** Compares first where nothing is known yet. */
export function repair(id: TaskId): void {
  const work = async (): Promise<void> => {
    const { repair: what, bytes } = await call('tasks.repair', { id })
    if (what === 'nothing') toasts.add({ title: texts.t('verify.nothingToRepair') })
    if (what === 'marked') toasts.add({ title: texts.t('verify.marked', { bytes: formatBytes(bytes) }) })
  }
  void attempt(work().catch(unlessStopped))
}

export function stopVerifying(id: TaskId): void {
  void attempt(call('tasks.stopVerifying', { selection: { ids: [id] } }))
}

export function verifyAndShow(id: TaskId): void {
  openDetails(id)
  verify(id)
}

export function repairAndShow(id: TaskId): void {
  openDetails(id)
  repair(id)
}

function unlessStopped(error: unknown): void {
  if (toErrorInfo(error).code !== 'interrupted') throw error
}

/** Asks first. */
export function removeSelected(): void {
  const selection = currentSelection()
  if (selection === null) return
  const { selection: selected, view } = taskList.store.getState()
  const only = selected.chosen !== 'all' && selected.chosen.size === 1 ? [...selected.chosen][0] : undefined
  const name = only === undefined ? null : (view.rows.get(only)?.filename ?? null)
  useWindow.setState({
    dialog: { kind: 'remove', selection, count: selectedCount(selected, view.total ?? 0), name },
  })
}

/** Finished rows leave the list, their files stay: nothing is lost, so nothing is asked. */
export async function removeDone(): Promise<void> {
  await attempt(remove({ filter: { states: ['done'] } }, false))
}

export async function remove(selection: Selection, deleteFiles: boolean): Promise<void> {
  const { count, removal } = await call('tasks.remove', { selection, deleteFiles })
  const title = texts.t('remove.removed', { count, formatted: formatCount(count) })
  if (removal === null) {
    toasts.add({ title })
    return
  }
  const minutes = useSettings.getState().settings?.keepRemovedFilesMinutes
  const id = toasts.add({
    title,
    description: deleteFiles && minutes ? texts.t('remove.filesWait', { count: minutes }) : undefined,
    timeout: UNDO_TOAST_MS,
    actionProps: {
      children: texts.t('remove.undo'),
      onClick: () => {
        toasts.close(id)
        void attempt(restore(removal))
      },
    },
  })
}

async function restore(removal: number | 'last'): Promise<void> {
  const { count } = await call('tasks.restore', { removal })
  const title =
    count === 0 ? texts.t('remove.nothing') : texts.t('remove.restored', { count, formatted: formatCount(count) })
  toasts.add({ title })
}

/** It was read. */
export function dismissNotice(id: number): void {
  void attempt(call('notices.dismiss', { id }))
}

/** What was removed last is in the list again. */
export function undoRemove(): void {
  void attempt(restore('last'))
}

/** Adds, and reports links that were already there with a way to add them all the same. */
export async function add(
  input: Omit<AddTasksInput, 'onDuplicate'>,
  onDuplicate: 'skip' | 'add' = 'skip',
): Promise<void> {
  const result = await call('tasks.add', { ...input, onDuplicate })
  const repeated = input.items.filter((_, index) => result.items[index]?.duplicate)
  const added = input.items.length - repeated.length
  const t = texts.t
  const addedText = t('add.added', { count: added, formatted: formatCount(added) })
  if (repeated.length === 0) {
    toasts.add({ title: addedText })
    return
  }
  const again = { ...input, items: repeated }
  const id = toasts.add({
    title:
      added > 0 ? addedText : t('add.duplicates', { count: repeated.length, formatted: formatCount(repeated.length) }),
    description:
      added > 0 ? t('add.duplicates', { count: repeated.length, formatted: formatCount(repeated.length) }) : undefined,
    timeout: 15_000,
    actionProps: {
      children: t('add.addAnyway'),
      onClick: () => {
        toasts.close(id)
        void attempt(add(again, 'add'))
      },
    },
  })
}

/** Asks for the new link. */
export function refreshLink(id: TaskId, name: string): void {
  useWindow.setState({ dialog: { kind: 'refreshLink', id, name } })
}

export function openDetails(id: TaskId | undefined = focusedId()): void {
  if (id !== undefined) useWindow.setState({ details: id })
}

/** The only selected task, or the one the keyboard is on. */
export function focusedId(): TaskId | undefined {
  const { chosen, focus } = taskList.store.getState().selection
  return chosen !== 'all' && chosen.size === 1 ? [...chosen][0] : focus?.id
}

export async function copyLink(url: string): Promise<void> {
  await attempt(
    navigator.clipboard.writeText(url).then(() => {
      toasts.add({ title: texts.t('detail.copied') })
    }),
  )
}

/** Only in Electron. */
export function openFile(id: TaskId): void {
  if (window.nighthaul) void attempt(window.nighthaul.openFile(id))
}

/** Only in Electron. */
export function showInFolder(id: TaskId): void {
  if (window.nighthaul) void attempt(window.nighthaul.showInFolder(id))
}

/** Asks where to. Rows that are not loaded are not in sight: of “all” those that are. */
export function askWhereTo(alreadyThere: boolean): void {
  const { selection, view } = taskList.store.getState()
  const rows = [...view.rows.values()].filter((row) => isSelected(selection, row.id))
  const first = rows[0]
  if (!first) return
  const ids = selection.chosen === 'all' ? rows.map((row) => row.id) : [...selection.chosen]
  const name = ids.length === 1 ? first.filename : null
  useWindow.setState({ dialog: { kind: 'move', ids, name, folder: first.folder, alreadyThere } })
}

/** Takes as long as the files take; how far they are is in the list. */
export async function moveFiles(ids: TaskId[], to: string, alreadyThere: boolean): Promise<void> {
  try {
    const { moved, failed } = await call('tasks.move', { ids, to, alreadyThere })
    if (failed[0]) tellError(failed[0].error)
    else toasts.add({ title: texts.t('move.moved', { count: moved.length, formatted: formatCount(moved.length) }) })
  } catch (error) {
    tellError(error)
  }
}
