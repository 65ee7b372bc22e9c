/**
 * Which tasks are selected, and where the keyboard is. Pure. Ids survive paging and sorting; “everything” is the
 * list's own filter, so that it means all 100,000 and never “those loaded”.
 */
import type { Selection as ContractSelection, TaskId } from '../../shared/schemas.ts'
import type { ListQuery } from './task-view.ts'

export interface Cursor {
  readonly index: number
  readonly id: TaskId
}

export interface TaskSelection {
  readonly chosen: ReadonlySet<TaskId> | 'all'
  /** the row the keyboard is on */
  readonly focus: Cursor | null
  /** the row a range with Shift begins at */
  readonly anchor: Cursor | null
}

export const NOTHING_SELECTED: TaskSelection = { chosen: new Set(), focus: null, anchor: null }

export function isSelected(selection: TaskSelection, id: TaskId): boolean {
  return selection.chosen === 'all' || selection.chosen.has(id)
}

export function selectedCount(selection: TaskSelection, total: number): number {
  return selection.chosen === 'all' ? total : selection.chosen.size
}

/** A plain click or arrow key. */
export function selectOnly(cursor: Cursor): TaskSelection {
  return { chosen: new Set([cursor.id]), focus: cursor, anchor: cursor }
}

/** Ctrl + arrow: the keyboard moves, the selection stays. */
export function moveFocus(selection: TaskSelection, cursor: Cursor): TaskSelection {
  return { ...selection, focus: cursor }
}

/** Ctrl + click or Space. `all`: every id of the list, needed only to take one out of “everything”. */
export function toggle(selection: TaskSelection, cursor: Cursor, all: readonly TaskId[] = []): TaskSelection {
  const chosen = new Set(selection.chosen === 'all' ? all : selection.chosen)
  if (!chosen.delete(cursor.id)) chosen.add(cursor.id)
  return { chosen, focus: cursor, anchor: cursor }
}

/** Shift + click or arrow: `range` holds the ids from the anchor to the cursor. */
export function extendTo(selection: TaskSelection, cursor: Cursor, range: readonly TaskId[]): TaskSelection {
  return { chosen: new Set(range), focus: cursor, anchor: selection.anchor ?? cursor }
}

export function selectAll(selection: TaskSelection): TaskSelection {
  return { ...selection, chosen: 'all' }
}

/** Keeps the keyboard's place. */
export function selectNone(selection: TaskSelection): TaskSelection {
  return { ...selection, chosen: new Set() }
}

/** Removed tasks leave the selection; the focus stays at its index and finds a new row there (see `refocus`). */
export function withoutRemoved(selection: TaskSelection, removed: readonly TaskId[]): TaskSelection {
  const { chosen } = selection
  if (chosen === 'all' || !removed.some((id) => chosen.has(id))) return selection
  const gone = new Set(removed)
  return { ...selection, chosen: new Set([...chosen].filter((id) => !gone.has(id))) }
}

/** After rows moved: the cursors follow their tasks where those are loaded, or stay at their index. */
export function refocus(
  selection: TaskSelection,
  find: (id: TaskId) => number,
  at: (index: number) => TaskId | undefined,
): TaskSelection {
  const follow = (cursor: Cursor | null): Cursor | null => {
    if (cursor === null) return null
    const index = find(cursor.id)
    if (index === cursor.index) return cursor
    if (index >= 0) return { index, id: cursor.id }
    for (let near = cursor.index; near >= 0; near -= 1) {
      const id = at(near)
      if (id !== undefined) return { index: near, id }
    }
    return null
  }
  const focus = follow(selection.focus)
  const anchor = follow(selection.anchor)
  return focus === selection.focus && anchor === selection.anchor ? selection : { ...selection, focus, anchor }
}

/** The selection as the engine takes it; null: nothing selected. */
export function toContract(selection: TaskSelection, query: ListQuery): ContractSelection | null {
  if (selection.chosen === 'all') return { filter: { states: query.states, text: query.text, queueId: query.queueId } }
  return selection.chosen.size === 0 ? null : { ids: [...selection.chosen] }
}
