/**
 * The queues of the sidebar: what each is doing and what comes next. A press shows its downloads; downloads dropped on it
 * go to it; the context menu, and keys, change it. Queues are put in order by dragging or with Alt and the arrows.
 */
import { ContextMenu } from '@base-ui/react/context-menu'
import { type DragEvent, type KeyboardEvent, memo, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { QueueView } from '../../../shared/queues.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../../shared/schemas.ts'
import {
  addQueue,
  askRemoveQueue,
  editQueue,
  makeUp,
  moveToQueue,
  placeQueue,
  showQueue,
  updateQueue,
} from '../../queue-actions.ts'
import { taskList } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { useWindow } from '../../stores/window.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { useNow } from '../../ui/use-now.ts'
import { outlookTone } from '../schedule/outlook-words.ts'
import { queueStatus } from '../schedule/queue-words.ts'
import { draggedQueue, draggedTasks, dragQueue, isDraggingQueue, isDraggingTasks } from './dragging.ts'

/** Memoized, and so are its items: the lists above it change with every download that does something. */
export const QueueList = memo(function QueueList() {
  const { t } = useTranslation()
  const queues = useQueues((state) => state.queues)
  const current = taskList.store((state) => state.query.queueId)
  const inView = useWindow((state) => state.page === 'downloads')
  // The queue that is shown was removed, here or elsewhere: its downloads are among all.
  const isGone = queues !== null && current !== undefined && !queues.some(({ id }) => id === current)
  useEffect(() => {
    if (isGone) taskList.setQuery({ queueId: undefined })
  }, [isGone])
  if (queues === null) return null
  return (
    <section className="sidebar-queues" aria-labelledby="sidebar-queues">
      <header className="sidebar-head">
        <h2 id="sidebar-queues">{t('queues.title')}</h2>
        <button
          type="button"
          className="icon-button sidebar-add"
          aria-label={t('queues.add')}
          title={t('queues.add')}
          onClick={addQueue}
        >
          <Icon name="add" />
        </button>
      </header>
      {queues.map((queue, index) => (
        <QueueItem
          key={queue.id}
          queue={queue}
          isCurrent={inView && queue.id === current}
          isFirst={index === 0}
          isLast={index === queues.length - 1}
        />
      ))}
    </section>
  )
})

interface QueueItemProps {
  queue: QueueView
  isCurrent: boolean
  isFirst: boolean
  isLast: boolean
}

const QueueItem = memo(function QueueItem(props: QueueItemProps) {
  const { queue } = props
  const { t } = useTranslation()
  const status = queueStatus(queue, useNow())
  const [over, setOver] = useState<'tasks' | 'queue' | null>(null)
  const what = (event: DragEvent) => (isDraggingTasks(event) ? 'tasks' : isDraggingQueue(event) ? 'queue' : null)
  const onDrop = (event: DragEvent): void => {
    const kind = what(event)
    setOver(null)
    if (kind === null) return
    event.preventDefault()
    if (kind === 'tasks') void moveToQueue(queue.id, draggedTasks())
    else dropQueue(event, queue.id)
  }
  return (
    <ContextMenu.Root>
      <ContextMenu.Trigger
        render={
          <button
            type="button"
            className="sidebar-item sidebar-queue"
            aria-current={props.isCurrent ? 'page' : undefined}
            aria-keyshortcuts="F2 Alt+ArrowUp Alt+ArrowDown"
            data-queue={queue.id}
            data-hold={queue.hold ?? undefined}
            data-outlook={outlookTone(queue.outlook)}
            data-over={over ?? undefined}
            title={status}
            draggable
            onClick={() => showQueue(queue.id)}
            onKeyDown={(event) => onKey(event, queue)}
            onDragStart={(event) => dragQueue(event, queue.id)}
            onDragOver={(event) => {
              const kind = what(event)
              setOver(kind)
              if (kind !== null) event.preventDefault()
            }}
            onDragLeave={() => setOver(null)}
            onDrop={onDrop}
          />
        }
      >
        <Icon name={iconOf(queue)} />
        <span className="sidebar-queue-text">
          <span className="sidebar-label">{queue.name}</span>
          <span className="sidebar-status">{status}</span>
        </span>
        {queue.open > 0 && (
          <span
            className="sidebar-count"
            title={t('queues.openTitle', { count: queue.open, formatted: formatCount(queue.open) })}
          >
            {formatCount(queue.open)}
          </span>
        )}
      </ContextMenu.Trigger>
      <ContextMenu.Portal>
        <ContextMenu.Positioner className="menu-positioner">
          <ContextMenu.Popup className="menu">
            {queue.missedWindow !== null && (
              <>
                {queue.missedWindow.until === null && (
                  <Item icon="resume" label={t('queues.makeUp')} onClick={() => makeUp(queue.id, 'run')} />
                )}
                <Item icon="queued" label={t('queues.wait')} onClick={() => makeUp(queue.id, 'next')} />
                <ContextMenu.Separator className="menu-separator" />
              </>
            )}
            <Item
              icon={queue.stopped ? 'resume' : 'pause'}
              label={t(queue.stopped ? 'queues.start' : 'queues.stop')}
              onClick={() => updateQueue(queue.id, { stopped: !queue.stopped })}
            />
            <Item icon="settings" label={t('queues.edit')} shortcut="F2" onClick={() => editQueue(queue.id)} />
            <ContextMenu.Separator className="menu-separator" />
            <Item
              icon="ascending"
              label={t('order.up')}
              shortcut="Alt+↑"
              disabled={props.isFirst}
              onClick={() => placeQueue(queue.id, 'up')}
            />
            <Item
              icon="descending"
              label={t('order.down')}
              shortcut="Alt+↓"
              disabled={props.isLast}
              onClick={() => placeQueue(queue.id, 'down')}
            />
            <ContextMenu.Separator className="menu-separator" />
            <Item icon="add" label={t('queues.add')} onClick={addQueue} />
            <Item
              icon="remove"
              label={t('queues.remove')}
              disabled={queue.id === DEFAULT_QUEUE_ID}
              onClick={() => askRemoveQueue(queue)}
            />
          </ContextMenu.Popup>
        </ContextMenu.Positioner>
      </ContextMenu.Portal>
    </ContextMenu.Root>
  )
})

function iconOf(queue: QueueView): IconName {
  if (queue.running > 0) return 'active'
  return queue.hold === 'stopped' ? 'pause' : queue.hold === 'window' ? 'queued' : 'all'
}

function dropQueue(event: DragEvent, at: QueueId): void {
  const dragged = draggedQueue(event)
  if (dragged !== null) placeQueue(dragged, { at })
}

function onKey(event: KeyboardEvent, queue: QueueView): void {
  if (event.key === 'F2') editQueue(queue.id)
  else if (event.key === 'Delete' && queue.id !== DEFAULT_QUEUE_ID) askRemoveQueue(queue)
  else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown'))
    placeQueue(queue.id, event.key === 'ArrowUp' ? 'up' : 'down')
  else return
  event.preventDefault()
}

function Item(props: { icon: IconName; label: string; shortcut?: string; disabled?: boolean; onClick: () => void }) {
  return (
    <ContextMenu.Item className="menu-item" disabled={props.disabled} onClick={props.onClick}>
      <Icon name={props.icon} />
      <span className="menu-label">{props.label}</span>
      {props.shortcut && <kbd className="menu-shortcut">{props.shortcut}</kbd>}
    </ContextMenu.Item>
  )
}
