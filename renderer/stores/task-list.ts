/**
 * The list's store: fetches the pages in view, applies what the engine reports, moves the selection. What to do is
 * decided by task-view.ts and selection.ts; this file holds the channel and the timers.
 */
import { create } from 'zustand'
import type { Contract } from '../../shared/contract.ts'
import { type ErrorInfo, toErrorInfo } from '../../shared/errors.ts'
import type { Client, Subscription } from '../../shared/rpc.ts'
import type { TaskDelta, TaskId, TaskRow } from '../../shared/schemas.ts'
import {
  extendTo,
  moveFocus,
  NOTHING_SELECTED,
  refocus,
  selectAll,
  selectNone,
  selectOnly,
  type TaskSelection,
  toggle,
  withoutRemoved,
} from './selection.ts'
import {
  applyDelta,
  applyPage,
  EMPTY_VIEW,
  idAt,
  idsBetween,
  indexOf,
  type ListQuery,
  markStale,
  PAGE_ROWS,
  pagesToLoad,
  type TaskView,
  type Viewport,
} from './task-view.ts'

/** Changes of order or membership come in bursts: the visible pages are fetched at most this often. */
const RELOAD_DELAY_MS = 200
/** The largest page the engine gives. */
const LARGEST_PAGE = 1000

export interface TaskListState {
  query: ListQuery
  /** counts queries: a late reply to an earlier one is dropped, and the scroll position starts over */
  generation: number
  view: TaskView
  viewport: Viewport
  selection: TaskSelection
  /** why the visible rows could not be fetched */
  error: ErrorInfo | null
}

export type SelectHow = 'only' | 'toggle' | 'range' | 'focus'

export type TaskListStore = ReturnType<typeof createTaskListStore>

export function createTaskListStore(options: { onRows?: (rows: readonly TaskRow[], known: TaskView) => void } = {}) {
  const store = create<TaskListState>(() => ({
    query: { sort: 'position', descending: false },
    generation: 0,
    view: EMPTY_VIEW,
    viewport: { first: 0, last: 0 },
    selection: NOTHING_SELECTED,
    error: null,
  }))
  let client: Client<Contract> | null = null
  let subscription: Subscription | null = null
  let reloadTimer: ReturnType<typeof setTimeout> | undefined
  let loading = false

  function setView(view: TaskView): void {
    store.setState(({ selection }) => ({
      view,
      selection: refocus(
        selection,
        (id) => indexOf(view, id),
        (index) => idAt(view, index),
      ),
    }))
  }

  /** Fetches what the viewport lacks until it lacks nothing; scrolling on meanwhile only moves the goal. */
  async function load(): Promise<void> {
    if (loading) return
    loading = true
    try {
      while (await loadOnePage()) {}
    } finally {
      loading = false
    }
  }

  /** false: nothing is missing, or nothing can be done about it now. */
  async function loadOnePage(): Promise<boolean> {
    const { view, viewport, query, generation } = store.getState()
    const [page] = pagesToLoad(view, viewport)
    const source = client
    if (page === undefined || source === null) return false
    try {
      const fetched = await source.call('tasks.list', { ...query, offset: page * PAGE_ROWS, limit: PAGE_ROWS })
      const now = store.getState()
      if (client === source && now.generation === generation) {
        setView(applyPage(now.view, page, fetched, now.viewport))
        store.setState({ error: null })
      }
      return true
    } catch (error) {
      // Another channel has come meanwhile: ask that one.
      if (client !== source) return true
      const info = toErrorInfo(error)
      // A lost channel is the connection banner's to tell; the next channel loads again.
      if (info.code !== 'disconnected') store.setState({ error: info })
      return false
    }
  }

  function onDelta(delta: TaskDelta): void {
    const before = store.getState().view
    const { view, reload } = applyDelta(before, delta)
    options.onRows?.(delta.rows, before)
    store.setState(({ selection }) => ({ view, selection: withoutRemoved(selection, delta.removed) }))
    if (reload && reloadTimer === undefined) {
      reloadTimer = setTimeout(() => {
        reloadTimer = undefined
        void load()
      }, RELOAD_DELAY_MS)
    }
  }

  /** Ids from one index to another, whether loaded or not. */
  async function fetchIds(from: number, to: number): Promise<TaskId[]> {
    const { view, query } = store.getState()
    const loaded = idsBetween(view, from, to)
    if (loaded !== undefined || client === null) return loaded ?? []
    const first = Math.min(from, to)
    const count = Math.abs(to - from) + 1
    const ids: TaskId[] = []
    while (ids.length < count) {
      const limit = Math.min(LARGEST_PAGE, count - ids.length)
      const { rows } = await client.call('tasks.list', { ...query, offset: first + ids.length, limit })
      if (rows.length === 0) break
      for (const row of rows) ids.push(row.id)
    }
    return ids
  }

  return {
    store,

    /** A new channel: subscribe first, then snapshot, so that nothing falls between. */
    async attach(next: Client<Contract>, visible: boolean): Promise<void> {
      client = next
      // The revisions of another engine process mean nothing here: begin anew, showing the old rows meanwhile.
      setView({ ...markStale(store.getState().view), rev: 0 })
      const opened = await next.subscribe('tasks.changed', onDelta, { visible })
      if (client !== next) return
      subscription = opened
      await load()
    },

    detach(): void {
      client = null
      subscription = null
    },

    setVisible(visible: boolean): void {
      subscription?.setVisible(visible)
    },

    setViewport(viewport: Viewport): void {
      const { first, last } = store.getState().viewport
      if (first !== viewport.first || last !== viewport.last) store.setState({ viewport })
      void load()
    },

    /** Another filter, search or order. The selection of a filter that is left behind is dropped. */
    setQuery(change: Partial<ListQuery>): void {
      store.setState(({ query, generation, view, selection }) => {
        const filterChanged = 'states' in change || 'text' in change || 'queueId' in change
        return {
          query: { ...query, ...change },
          generation: generation + 1,
          view: { ...EMPTY_VIEW, counts: view.counts, rev: view.rev },
          viewport: { first: 0, last: 0 },
          selection: filterChanged ? NOTHING_SELECTED : selection,
        }
      })
      void load()
    },

    reload(): void {
      setView(markStale(store.getState().view))
      void load()
    },

    /** Selects the row at an index as mouse and keyboard ask for; rows that are not loaded are fetched for it. */
    async select(index: number, how: SelectHow): Promise<void> {
      const { view, selection, generation } = store.getState()
      if (view.total === null || view.total === 0) return
      const at = Math.max(0, Math.min(index, view.total - 1))
      const id = idAt(view, at) ?? (await fetchIds(at, at))[0]
      if (id === undefined) return
      const cursor = { index: at, id }
      const from = selection.anchor?.index ?? selection.focus?.index ?? at
      const range = how === 'range' ? (idsBetween(view, from, at) ?? (await fetchIds(from, at))) : []
      const all = how === 'toggle' && selection.chosen === 'all' ? await fetchIds(0, view.total - 1) : []
      if (store.getState().generation !== generation) return
      store.setState(({ selection: now }) => {
        if (how === 'toggle') return { selection: toggle(now, cursor, all) }
        if (how === 'range') return { selection: extendTo(now, cursor, range) }
        return { selection: how === 'focus' ? moveFocus(now, cursor) : selectOnly(cursor) }
      })
    },

    /** Ids of the rows from one index to another (both included). */
    idsAt: (from: number, to: number): Promise<TaskId[]> => fetchIds(from, to),

    /** Ids of everything the list shows, loaded or not. */
    async allIds(): Promise<TaskId[]> {
      const { total } = store.getState().view
      return total === null || total === 0 ? [] : fetchIds(0, total - 1)
    },

    /** Where these are in the loaded pages; null: one of them is not. */
    indexesOf(ids: ReadonlySet<TaskId>): number[] | null {
      const { view } = store.getState()
      const indexes = [...ids].map((id) => indexOf(view, id))
      return indexes.includes(-1) ? null : indexes
    },

    selectAll(): void {
      store.setState(({ selection }) => ({ selection: selectAll(selection) }))
    },

    selectNone(): void {
      store.setState(({ selection }) => ({ selection: selectNone(selection) }))
    },

    /** For tests and the end of the window. */
    dispose(): void {
      clearTimeout(reloadTimer)
      subscription?.dispose()
      client = null
    },
  }
}
