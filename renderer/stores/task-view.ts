/**
 * What the window holds of the list: pages around the viewport, patched by deltas. Pure; stores/task-list.ts acts.
 * Never the whole list: 100,000 tasks cost the window a few pages.
 */
import type { ListTasksInput, TaskDelta, TaskId, TaskPage, TaskRow } from '../../shared/schemas.ts'
import { TASK_STATES, type TaskState } from '../../shared/task-state.ts'

export const PAGE_ROWS = 200
/** Pages kept loaded on either side of the viewport. */
const MARGIN_PAGES = 2

export type ListQuery = Pick<ListTasksInput, 'states' | 'text' | 'queueId' | 'sort' | 'descending'>
export type StateCounts = Readonly<Record<TaskState, number>>

interface LoadedPage {
  /** revision of the list this page shows */
  readonly rev: number
  readonly ids: readonly TaskId[]
  /** shown, but to be fetched again as soon as it is in view */
  readonly stale: boolean
}

export interface TaskView {
  /** null: nothing loaded yet */
  readonly total: number | null
  readonly counts: StateCounts
  /** the deltas are applied up to here; 0: no snapshot yet */
  readonly rev: number
  readonly pages: ReadonlyMap<number, LoadedPage>
  readonly rows: ReadonlyMap<TaskId, TaskRow>
}

const NO_COUNTS = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>

export const EMPTY_VIEW: TaskView = { total: null, counts: NO_COUNTS, rev: 0, pages: new Map(), rows: new Map() }

/** First and last index in view, both included. */
export interface Viewport {
  readonly first: number
  readonly last: number
}

export function pageOf(index: number): number {
  return Math.floor(index / PAGE_ROWS)
}

export function idAt(view: Pick<TaskView, 'pages'>, index: number): TaskId | undefined {
  return view.pages.get(pageOf(index))?.ids[index % PAGE_ROWS]
}

/** Where a task is in the loaded pages; -1: in none of them. */
export function indexOf(view: TaskView, id: TaskId): number {
  for (const [page, { ids }] of view.pages) {
    const at = ids.indexOf(id)
    if (at >= 0) return page * PAGE_ROWS + at
  }
  return -1
}

/** Ids of the rows from one index to another (both included), or undefined when some are not loaded. */
export function idsBetween(view: TaskView, from: number, to: number): TaskId[] | undefined {
  const ids: TaskId[] = []
  for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
    const id = idAt(view, index)
    if (id === undefined) return undefined
    ids.push(id)
  }
  return ids
}

/** Pages in view that are missing or stale, nearest to the top first. */
export function pagesToLoad(view: TaskView, viewport: Viewport): number[] {
  const lastIndex = view.total === null ? 0 : Math.max(0, Math.min(viewport.last, view.total - 1))
  const wanted: number[] = []
  for (let page = pageOf(Math.min(viewport.first, lastIndex)); page <= pageOf(lastIndex); page += 1) {
    const loaded = view.pages.get(page)
    if (loaded === undefined || loaded.stale) wanted.push(page)
  }
  return wanted
}

/** Keeps what is shown, and marks all of it to be fetched again. */
export function markStale(view: TaskView): TaskView {
  const pages = new Map([...view.pages].map(([page, loaded]) => [page, { ...loaded, stale: true }]))
  return { ...view, pages }
}

/** A fetched page takes its place; pages far from the viewport, and their rows, are let go. */
export function applyPage(view: TaskView, page: number, fetched: TaskPage, viewport: Viewport): TaskView {
  const pages = new Map<number, LoadedPage>()
  const lowest = Math.min(page, pageOf(viewport.first) - MARGIN_PAGES)
  const highest = Math.max(page, pageOf(viewport.last) + MARGIN_PAGES)
  for (const [number, loaded] of view.pages) {
    const inList = number * PAGE_ROWS < fetched.total
    if (number >= lowest && number <= highest && inList) pages.set(number, loaded)
  }
  pages.set(page, { rev: fetched.rev, ids: fetched.rows.map((row) => row.id), stale: false })

  const fresh = new Map(fetched.rows.map((row) => [row.id, row]))
  const rows = new Map<TaskId, TaskRow>()
  for (const { ids } of pages.values()) {
    for (const id of ids) {
      const known = view.rows.get(id)
      const next = fresh.get(id)
      // An unchanged row keeps its identity, so that React leaves it alone.
      const row = known && next && sameRow(known, next) ? known : (next ?? known)
      if (row) rows.set(id, row)
    }
  }
  return { total: fetched.total, counts: fetched.counts, rev: view.rev === 0 ? fetched.rev : view.rev, pages, rows }
}

/** `reload`: frames were missed, or rows may be in other places now: fetch the visible pages again. */
export function applyDelta(view: TaskView, delta: TaskDelta): { view: TaskView; reload: boolean } {
  // Without a snapshot there is nothing to patch; the one under way will contain this.
  if (view.rev === 0 || delta.rev <= view.rev) return { view, reload: false }
  const gap = delta.since > view.rev
  const newer = new Set<TaskId>()
  for (const { rev, ids } of view.pages.values()) if (rev >= delta.rev) for (const id of ids) newer.add(id)
  let rows: Map<TaskId, TaskRow> | undefined
  for (const row of delta.rows) {
    if (!view.rows.has(row.id) || newer.has(row.id)) continue
    rows ??= new Map(view.rows)
    rows.set(row.id, row)
  }
  const reload = gap || delta.listChanged
  const next: TaskView = { ...view, rev: delta.rev, counts: delta.counts, rows: rows ?? view.rows }
  return { view: reload ? markStale(next) : next, reload }
}

function sameRow(a: TaskRow, b: TaskRow): boolean {
  return (Object.keys(b) as (keyof TaskRow)[]).every(
    (key) =>
      a[key] === b[key] ||
      (key === 'error' && a.error?.code === b.error?.code && a.error?.message === b.error?.message),
  )
}

/** How many tasks a list of these states shows; undefined means all of them. */
export function countOf(counts: StateCounts, states: readonly TaskState[] | undefined): number {
  return (states ?? TASK_STATES).reduce((sum, state) => sum + counts[state], 0)
}
