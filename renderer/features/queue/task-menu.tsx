/** The context menu of the selection. Everything in it can be done elsewhere too. */
import { ContextMenu } from '@base-ui/react/context-menu'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useShallow } from 'zustand/react/shallow'
import { isUnfinished } from '../../../shared/task-state.ts'
import {
  askWhereTo,
  copyLink,
  decide,
  focusedId,
  openDetails,
  openFile,
  pauseSelected,
  refreshLink,
  removeSelected,
  repairAndShow,
  resumeSelected,
  retrySelected,
  showInFolder,
  stopVerifying,
  verifyAndShow,
} from '../../actions.ts'
import { askEdit, canReorder, forceSelected, moveToQueue, reorderSelected, startSelected } from '../../queue-actions.ts'
import { taskList } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { isSelected, selectedCount } from '../../stores/selection.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { canRepair, canVerify } from '../detail/verification-words.ts'
import { clockText } from '../schedule/queue-words.ts'
import { readStart } from '../schedule/start-time.ts'
import { abilitiesOf } from './abilities.ts'

export function TaskMenu() {
  return (
    <ContextMenu.Portal>
      <ContextMenu.Positioner className="menu-positioner">
        <ContextMenu.Popup className="menu">
          <Items />
        </ContextMenu.Popup>
      </ContextMenu.Positioner>
    </ContextMenu.Portal>
  )
}

/** Mounted only while the menu is open. */
function Items() {
  const { t } = useTranslation()
  const can = taskList.store(useShallow((state) => abilitiesOf(state.view, state.selection, state.query)))
  const one = taskList.store((state) => {
    const single = selectedCount(state.selection, state.view.total ?? 0) === 1 ? focusedId() : undefined
    return single === undefined ? undefined : state.view.rows.get(single)
  })
  const shell = window.nighthaul
  return (
    <>
      {one && (
        <>
          {shell && one.state === 'done' && (
            <Item icon="active" label={t('menu.open')} onClick={() => openFile(one.id)} />
          )}
          {shell && <Item icon="folder" label={t('menu.show')} onClick={() => showInFolder(one.id)} />}
          <Item icon="all" label={t('menu.details')} shortcut="Enter" onClick={() => openDetails(one.id)} />
          <Item icon="copy" label={t('menu.copyLink')} onClick={() => void copyLink(one.url)} />
          {isUnfinished(one.state) && (
            <Item icon="retry" label={t('menu.refreshLink')} onClick={() => refreshLink(one.id, one.filename)} />
          )}
          {one.verifying ? (
            <Item icon="close" label={t('verify.stopMenu')} onClick={() => stopVerifying(one.id)} />
          ) : (
            <>
              <Item
                icon="verify"
                label={t('verify.menu')}
                disabled={!canVerify(one)}
                onClick={() => verifyAndShow(one.id)}
              />
              <Item
                icon="retry"
                label={t('verify.repairMenu')}
                disabled={!canRepair(one)}
                onClick={() => repairAndShow(one.id)}
              />
            </>
          )}
          <Item icon="search" label={t('menu.locate')} onClick={() => askWhereTo(true)} />
          <ContextMenu.Separator className="menu-separator" />
          {one.state === 'changed' && (
            <>
              <Item icon="active" label={t('detail.decideNew')} onClick={() => decide(one.id, 'restart')} />
              <Item icon="pause" label={t('detail.decideKeep')} onClick={() => decide(one.id, 'keep')} />
              <ContextMenu.Separator className="menu-separator" />
            </>
          )}
        </>
      )}
      <Item icon="pause" label={t('toolbar.pause')} shortcut="P" disabled={!can.pause} onClick={pauseSelected} />
      <Item icon="resume" label={t('toolbar.resume')} shortcut="R" disabled={!can.resume} onClick={resumeSelected} />
      <Item icon="retry" label={t('toolbar.retry')} shortcut="R" disabled={!can.retry} onClick={retrySelected} />
      <Item icon="force" label={t('menu.force')} shortcut="S" disabled={!can.force} onClick={forceSelected} />
      <StartMenu disabled={!can.postpone} />
      <ContextMenu.Separator className="menu-separator" />
      <QueueMenu />
      <OrderMenu />
      <Item icon="settings" label={t('menu.edit')} shortcut="E" disabled={!can.postpone} onClick={() => askEdit()} />
      <Item icon="folder" label={t('menu.move')} disabled={!can.remove} onClick={() => askWhereTo(false)} />
      <Item icon="all" label={t('menu.selectAll')} shortcut="Ctrl+A" onClick={() => taskList.selectAll()} />
      <Item icon="remove" label={t('toolbar.remove')} shortcut="Del" disabled={!can.remove} onClick={removeSelected} />
    </>
  )
}

const SOON_HOURS = [1, 2]

function StartMenu({ disabled }: { disabled: boolean }) {
  const { t } = useTranslation()
  const hasStart = taskList.store(({ view, selection }) =>
    [...view.rows.values()].some((row) => row.startAt !== null && isSelected(selection, row.id)),
  )
  const now = Date.now()
  const tonight = readStart('23:00', now)
  return (
    <Submenu icon="queued" label={t('menu.later')} disabled={disabled}>
      {SOON_HOURS.map((count) => (
        <ContextMenu.Item
          key={count}
          className="menu-item"
          onClick={() => void startSelected(Date.now() + count * 3_600_000)}
        >
          <span className="menu-label">{t('start.inHours', { count })}</span>
        </ContextMenu.Item>
      ))}
      {'at' in tonight && tonight.at !== null && (
        <ContextMenu.Item className="menu-item" onClick={() => void startSelected(tonight.at)}>
          <span className="menu-label">{t('start.at', { time: clockText(tonight.at, now) })}</span>
        </ContextMenu.Item>
      )}
      <ContextMenu.Item className="menu-item" onClick={() => askEdit('at')}>
        <span className="menu-label">{t('start.other')}</span>
      </ContextMenu.Item>
      {hasStart && (
        <ContextMenu.Item className="menu-item" onClick={() => void startSelected(null)}>
          <span className="menu-label">{t('start.queue')}</span>
        </ContextMenu.Item>
      )}
    </Submenu>
  )
}

function QueueMenu() {
  const { t } = useTranslation()
  const queues = useQueues((state) => state.queues)
  const shown = taskList.store((state) => state.query.queueId)
  if (queues === null || queues.length < 2) return null
  return (
    <Submenu icon="all" label={t('menu.toQueue')}>
      {queues.map(({ id, name }) => (
        <ContextMenu.Item key={id} className="menu-item" disabled={id === shown} onClick={() => void moveToQueue(id)}>
          <span className="menu-label">{name}</span>
        </ContextMenu.Item>
      ))}
    </Submenu>
  )
}

function OrderMenu() {
  const { t } = useTranslation()
  const disabled = !canReorder()
  const places = [
    ['first', 'Alt+Home'],
    ['up', 'Alt+↑'],
    ['down', 'Alt+↓'],
    ['last', 'Alt+End'],
  ] as const
  return (
    <Submenu icon="ascending" label={t('menu.order')} disabled={disabled}>
      {places.map(([place, shortcut]) => (
        <ContextMenu.Item key={place} className="menu-item" onClick={() => void reorderSelected(place)}>
          <span className="menu-label">{t(`order.${place}`)}</span>
          <kbd className="menu-shortcut">{shortcut}</kbd>
        </ContextMenu.Item>
      ))}
    </Submenu>
  )
}

function Submenu(props: { icon: IconName; label: string; disabled?: boolean; children: ReactNode }) {
  return (
    <ContextMenu.SubmenuRoot disabled={props.disabled}>
      <ContextMenu.SubmenuTrigger className="menu-item">
        <Icon name={props.icon} />
        <span className="menu-label">{props.label}</span>
        <Icon name="forward" />
      </ContextMenu.SubmenuTrigger>
      <ContextMenu.Portal>
        <ContextMenu.Positioner className="menu-positioner" alignOffset={-5}>
          <ContextMenu.Popup className="menu">{props.children}</ContextMenu.Popup>
        </ContextMenu.Positioner>
      </ContextMenu.Portal>
    </ContextMenu.SubmenuRoot>
  )
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
