/** One row of the list. Subscribes to its own task alone: a delta of 200 rows renders what is in view and changed. */
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the grid has the keyboard and does the same
// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by transform, which a table's layout does not take
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid keeps the focus and names the active row (ARIA activedescendant)
import { type MouseEvent, memo } from 'react'
import { useTranslation } from 'react-i18next'
import { MENDED_BY_THEMSELVES } from '../../../shared/errors.ts'
import { formatBytes, formatDuration, formatPercent, formatRate } from '../../../shared/format.ts'
import type { TaskRow as Task, TaskId } from '../../../shared/schemas.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { taskList } from '../../session.ts'
import { isSelected } from '../../stores/selection.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { useNow } from '../../ui/use-now.ts'
import { isKnownBad, stateKey } from '../detail/verification-words.ts'
import { clockText } from '../schedule/queue-words.ts'
import { dragTasks } from './dragging.ts'

export const ROW_HEIGHT = 46

const STATE_ICONS: Record<Task['state'], IconName> = {
  queued: 'queued',
  active: 'active',
  waiting: 'retry',
  paused: 'pause',
  changed: 'changed',
  finishing: 'active',
  done: 'done',
  failed: 'failed',
}

export function rowElementId(id: TaskId): string {
  return `task-${id}`
}

export const TaskRow = memo(function TaskRow(props: {
  index: number
  id: TaskId | undefined
  top: number
  onPress: (event: MouseEvent, index: number, id: TaskId) => void
  onOpen: (id: TaskId) => void
}) {
  const { index, id, top } = props
  const { t } = useTranslation()
  const task = taskList.store((state) => (id === undefined ? undefined : state.view.rows.get(id)))
  const selected = taskList.store((state) => id !== undefined && isSelected(state.selection, id))
  const focused = taskList.store((state) => id !== undefined && state.selection.focus?.id === id)
  const style = { transform: `translateY(${top}px)` }
  if (task === undefined || id === undefined) {
    return (
      <div role="row" className="row row-loading" style={style} aria-rowindex={index + 2}>
        <div role="gridcell" className="cell-name">
          <span className="visually-hidden">{t('row.placeholder')}</span>
          <span className="skeleton" />
        </div>
      </div>
    )
  }
  return (
    <div
      role="row"
      id={rowElementId(id)}
      className="row"
      style={style}
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-focused={focused || undefined}
      data-state={task.state}
      data-bad={isKnownBad(task) || undefined}
      data-starts={startsLater(task) || undefined}
      data-odd={index % 2 === 1 || undefined}
      draggable
      onMouseDown={(event) => {
        // What is selected may be about to be dragged, all of it: choosing one of it waits for the click.
        if (!waits(event, selected)) props.onPress(event, index, id)
      }}
      onClick={(event) => {
        if (waits(event, selected)) props.onPress(event, index, id)
      }}
      onDragStart={dragTasks}
      onDoubleClick={() => props.onOpen(id)}
    >
      <NameCell task={task} />
      <div role="gridcell" className="cell-size number">
        {task.sizeBytes === null ? <span className="faint">{t('row.unknownSize')}</span> : formatBytes(task.sizeBytes)}
      </div>
      <ProgressCell task={task} />
      <div role="gridcell" className="cell-speed number">
        {task.state === 'active' && task.bytesPerSecond > 0 ? formatRate(task.bytesPerSecond) : ''}
      </div>
      <div role="gridcell" className="cell-left number">
        {task.state === 'active' && task.etaMs !== null ? formatDuration(task.etaMs) : ''}
      </div>
      <div role="gridcell" className="cell-state">
        <Icon name={isKnownBad(task) ? 'failed' : startsLater(task) ? 'queued' : STATE_ICONS[task.state]} />
        <span className="cell-state-text">
          <StateText task={task} />
        </span>
      </div>
    </div>
  )
})

function waits(event: MouseEvent, selected: boolean): boolean {
  return selected && event.button === 0 && !event.shiftKey && !event.ctrlKey && !event.metaKey
}

function NameCell({ task }: { task: Task }) {
  const words = task.error && errorWords(task.error, en.errors)
  return (
    <div role="gridcell" className="cell-name">
      <span className="row-name" title={task.filename}>
        {task.filename}
      </span>
      {words ? (
        <span className="row-problem" title={task.error?.message}>
          {words.next ? `${words.title}. ${words.next}` : words.title}
        </span>
      ) : (
        <span className="row-where" title={`${task.url}\n${task.folder}`}>
          {startsLater(task) && (
            <span className="row-start">
              <StartsAt at={task.startAt} />
            </span>
          )}
          <span>{hostOf(task.url)}</span>
          <span className="row-folder">{task.folder}</span>
        </span>
      )}
    </div>
  )
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url
}

function ProgressCell({ task }: { task: Task }) {
  const { t } = useTranslation()
  if (task.sizeBytes === null) {
    const bytes = formatBytes(task.writtenBytes)
    return (
      <div role="gridcell" className="cell-progress">
        {task.writtenBytes > 0 && (
          <span className="progress-text number">
            <span className="when-wide">{t('row.written', { bytes })}</span>
            <span className="when-narrow">{bytes}</span>
          </span>
        )}
      </div>
    )
  }
  // An empty file is complete once it is done, not before.
  const fraction = task.state === 'done' ? 1 : task.sizeBytes === 0 ? 0 : task.writtenBytes / task.sizeBytes
  const percent = formatPercent(fraction)
  return (
    <div role="gridcell" className="cell-progress">
      <svg className="progress" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect className="progress-track" width="100" height="4" />
        <rect className="progress-bar" width={fraction * 100} height="4" />
      </svg>
      <span className="progress-text number">{percent}</span>
    </div>
  )
}

function StateText({ task }: { task: Task }) {
  const { t } = useTranslation()
  if (task.verifying) {
    const { checkedBytes, totalBytes } = task.verifying
    return t('row.verifying', { percent: formatPercent(totalBytes === 0 ? 0 : checkedBytes / totalBytes) })
  }
  if (task.copiedBytes !== null)
    return t('row.copying', { percent: formatPercent(task.copiedBytes / (task.sizeBytes || task.copiedBytes || 1)) })
  if (task.state === 'paused' && task.error !== null && MENDED_BY_THEMSELVES.has(task.error.code))
    return t('row.waitsForDisk')
  if (startsLater(task)) return <StartsAt at={task.startAt} />
  if (task.state === 'waiting' && task.retryAt !== null) return <RetryCountdown at={task.retryAt} />
  if (task.state === 'active' && task.connections === 0) return t('row.connecting')
  // A connection that nothing comes through is not downloading, however long it is patient.
  if (task.state === 'active' && task.bytesPerSecond === 0) {
    return t(task.sizeBytes === null && task.writtenBytes === 0 ? 'row.asking' : 'row.noData')
  }
  return t(stateKey(task))
}

/** It waits for a time of its own, and for nothing that went wrong. */
function startsLater(task: Task): task is Task & { startAt: number } {
  return task.state === 'waiting' && task.startAt !== null && task.retryAt === task.startAt && task.error === null
}

function StartsAt({ at }: { at: number }) {
  const { t } = useTranslation()
  const now = useNow()
  return at > now ? t('row.startsAt', { time: clockText(at, now) }) : t('state.queued')
}

function RetryCountdown({ at }: { at: number }) {
  const { t } = useTranslation()
  const now = useNow()
  return at > now ? t('row.retryIn', { time: formatDuration(at - now) }) : t('row.retrying')
}
