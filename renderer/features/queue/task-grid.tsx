/** The list: a virtual grid over pages of the engine's list, worked by mouse and keyboard. */
// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by transform, which a table's layout does not take
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid keeps the focus and names the active row (ARIA activedescendant)
import { ContextMenu } from '@base-ui/react/context-menu'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type DragEvent, type KeyboardEvent, type MouseEvent, useCallback, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { TaskId } from '../../../shared/schemas.ts'
import {
  focusedId,
  goOnSelected,
  openDetails,
  openFile,
  pauseSelected,
  removeSelected,
  undoRemove,
} from '../../actions.ts'
import { askEdit, canReorder, dropTasks, forceSelected, reorderSelected } from '../../queue-actions.ts'
import { taskList } from '../../session.ts'
import { isSelected } from '../../stores/selection.ts'
import type { SelectHow } from '../../stores/task-list.ts'
import { idAt } from '../../stores/task-view.ts'
import { useWindow } from '../../stores/window.ts'
import { ColumnHeaders, HEAD_HEIGHT } from './column-headers.tsx'
import { draggedTasks, isDraggingTasks } from './dragging.ts'
import { EmptyList } from './empty-list.tsx'
import { type ListKey, listCommand } from './list-keys.ts'
import { TaskMenu } from './task-menu.tsx'
import { ROW_HEIGHT, rowElementId, TaskRow } from './task-row.tsx'

const COLUMNS = 6

export function TaskGrid() {
  const { t } = useTranslation()
  const scroller = useRef<HTMLDivElement>(null)
  const grid = useRef<HTMLDivElement>(null)
  const total = taskList.store((state) => state.view.total)
  const generation = taskList.store((state) => state.generation)
  // Which ids are where: changes when a page comes, not when a row progresses.
  const pages = taskList.store((state) => state.view.pages)
  const focus = taskList.store((state) => state.selection.focus)

  const virtual = useVirtualizer({
    count: total ?? 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
    scrollMargin: HEAD_HEIGHT,
    scrollPaddingStart: HEAD_HEIGHT,
  })
  const items = virtual.getVirtualItems()
  const first = items.at(0)?.index ?? 0
  const last = items.at(-1)?.index ?? 0
  useEffect(() => taskList.setViewport({ first, last }), [first, last])
  /** Keys that came before the list they are meant for: a filter was just chosen. */
  const early = useRef<ListKey[]>([])
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 })
    early.current = []
  }, [generation])

  const move = async (to: number, how: SelectHow): Promise<void> => {
    await taskList.select(to, how)
    virtual.scrollToIndex(to, { align: 'auto' })
  }

  /** false: not a key of the list. */
  const press = (pressed: ListKey): boolean => {
    const { selection, view } = taskList.store.getState()
    const height = scroller.current?.clientHeight ?? 0
    const at = selection.focus?.index ?? -1
    const command = listCommand(
      pressed,
      at,
      view.total ?? 0,
      Math.max(1, Math.floor((height - HEAD_HEIGHT) / ROW_HEIGHT) - 1),
    )
    if (command === null) return false
    if (command.kind === 'move') void move(command.to, command.how)
    else if (command.kind === 'toggle') void taskList.select(at, 'toggle')
    else if (command.kind === 'selectAll') taskList.selectAll()
    else if (command.kind === 'details') openDetails()
    else if (command.kind === 'remove') removeSelected()
    else if (command.kind === 'undo') undoRemove()
    else if (command.kind === 'pause') pauseSelected()
    else if (command.kind === 'goOn') goOnSelected()
    else if (command.kind === 'force') forceSelected()
    else if (command.kind === 'edit') askEdit()
    else if (command.kind === 'reorder') void reorderSelected(command.place)
    else if (useWindow.getState().details !== null) useWindow.setState({ details: null })
    else taskList.selectNone()
    return true
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== grid.current || event.defaultPrevented) return
    const pressed = { key: event.key, ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey, alt: event.altKey }
    if (taskList.store.getState().view.total === null && listCommand(pressed, 0, 1, 1) !== null)
      early.current.push(pressed)
    else if (!press(pressed)) return
    event.preventDefault()
  }
  useEffect(() => {
    if (taskList.store.getState().view.total === null) return
    for (const pressed of early.current.splice(0)) press(pressed)
  })

  const onPress = useCallback((event: MouseEvent, index: number, id: TaskId): void => {
    // The right button opens the menu for the selection, or for the row that is not part of it.
    if (event.button !== 0) {
      if (!isSelected(taskList.store.getState().selection, id)) void taskList.select(index, 'only')
      return
    }
    const how = event.shiftKey ? 'range' : event.ctrlKey || event.metaKey ? 'toggle' : 'only'
    void taskList.select(index, how)
    if (how === 'only' && useWindow.getState().details !== null) openDetails(id)
  }, [])

  const onOpen = useCallback((id: TaskId): void => {
    const done = taskList.store.getState().view.rows.get(id)?.state === 'done'
    if (done && window.nighthaul) openFile(id)
    else openDetails(id)
  }, [])

  /** The row before which dragged ones would go; null: none are over the list, or its order is not the queue's. */
  const [gap, setGap] = useState<number | null>(null)
  const gapAt = (event: DragEvent): number | null => {
    const rows = scroller.current?.querySelector('.grid-rows')?.getBoundingClientRect()
    const dragged = isDraggingTasks(event) ? draggedTasks() : null
    // All of them together are in order as they are.
    if (rows === undefined || dragged === null || !('ids' in dragged) || !canReorder()) return null
    const at = Math.round((event.clientY - rows.top) / ROW_HEIGHT)
    return Math.max(0, Math.min(total ?? 0, at))
  }
  const onDragOver = (event: DragEvent): void => {
    const at = gapAt(event)
    setGap(at)
    if (at !== null) event.preventDefault()
  }
  const onDragLeave = (event: DragEvent): void => {
    if (!grid.current?.contains(event.relatedTarget as Node | null)) setGap(null)
  }
  const onDrop = (event: DragEvent): void => {
    const at = gapAt(event)
    const dragged = draggedTasks()
    setGap(null)
    if (at === null || dragged === null) return
    event.preventDefault()
    void dropTasks(dragged, at)
  }

  // The details follow the keyboard while they are open.
  useEffect(() => {
    const id = focus && focusedId()
    if (id && useWindow.getState().details !== null) openDetails(id)
  }, [focus])

  return (
    <div
      ref={grid}
      className="grid"
      role="grid"
      tabIndex={0}
      aria-label={t('list.label')}
      aria-multiselectable="true"
      aria-rowcount={total === null ? -1 : total + 1}
      aria-colcount={COLUMNS}
      aria-busy={total === null}
      aria-activedescendant={focus ? rowElementId(focus.id) : undefined}
      onKeyDown={onKeyDown}
      onDragOver={onDragOver}
      onDragLeave={onDragLeave}
      onDragEnd={() => setGap(null)}
      onDrop={onDrop}
    >
      <div ref={scroller} className="grid-scroller" role="presentation">
        <ColumnHeaders />
        <ContextMenu.Root>
          <ContextMenu.Trigger className="grid-rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => (
              <TaskRow
                key={item.key}
                index={item.index}
                id={idAt({ pages }, item.index)}
                top={item.start - HEAD_HEIGHT}
                onPress={onPress}
                onOpen={onOpen}
              />
            ))}
            {gap !== null && <div className="drop-line" role="presentation" style={{ top: gap * ROW_HEIGHT }} />}
          </ContextMenu.Trigger>
          <TaskMenu />
        </ContextMenu.Root>
      </div>
      <EmptyList />
    </div>
  )
}
