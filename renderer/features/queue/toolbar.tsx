/** Actions on the selection, and the search. */
import { Menu } from '@base-ui/react/menu'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useShallow } from 'zustand/react/shallow'
import {
  pauseAll,
  pauseSelected,
  removeDone,
  removeSelected,
  resumeAll,
  resumeSelected,
  retryAll,
  retrySelected,
  undoRemove,
} from '../../actions.ts'
import { chooseImport, exportList } from '../../list-file.ts'
import { taskList } from '../../session.ts'
import { openAdd, openPage, useWindow } from '../../stores/window.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { ProfileMenu } from '../schedule/profile-menu.tsx'
import { abilitiesOf } from './abilities.ts'

const SEARCH_DELAY_MS = 150

export function Toolbar() {
  const { t } = useTranslation()
  const can = taskList.store(useShallow((state) => abilitiesOf(state.view, state.selection, state.query)))
  // What is selected cannot be seen from another page.
  const inView = useWindow((state) => state.page === 'downloads')
  const openSettings = (): void => useWindow.setState({ dialog: { kind: 'settings' } })
  return (
    <div className="toolbar" role="toolbar" aria-label={t('toolbar.label')}>
      <button type="button" className="button button-primary" aria-keyshortcuts="N" onClick={() => openAdd()}>
        <Icon name="add" />
        {t('toolbar.add')}
      </button>
      <div className="toolbar-group">
        <Action
          icon="pause"
          label={t('toolbar.pause')}
          shortcut="P"
          enabled={inView && can.pause}
          onClick={pauseSelected}
        />
        <Action
          icon="resume"
          label={t('toolbar.resume')}
          shortcut="R"
          enabled={inView && can.resume}
          onClick={resumeSelected}
        />
        <Action
          icon="retry"
          label={t('toolbar.retry')}
          shortcut="R"
          enabled={inView && can.retry}
          onClick={retrySelected}
        />
        <Action
          icon="remove"
          label={t('toolbar.remove')}
          shortcut="Delete"
          enabled={inView && can.remove}
          onClick={removeSelected}
        />
      </div>
      <Search />
      <ProfileMenu />
      <Menu.Root>
        <Menu.Trigger className="icon-button" aria-label={t('toolbar.more')} title={t('toolbar.more')}>
          <Icon name="more" />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner className="menu-positioner" align="end" sideOffset={4}>
            <Menu.Popup className="menu">
              <Menu.Item className="menu-item" onClick={pauseAll}>
                <Icon name="pause" />
                {t('toolbar.pauseAll')}
              </Menu.Item>
              <Menu.Item className="menu-item" onClick={resumeAll}>
                <Icon name="resume" />
                {t('toolbar.resumeAll')}
              </Menu.Item>
              <Menu.Item className="menu-item" onClick={retryAll}>
                <Icon name="retry" />
                {t('toolbar.retryAll')}
              </Menu.Item>
              <Menu.Separator className="menu-separator" />
              <Menu.Item className="menu-item" onClick={() => void removeDone()}>
                <Icon name="done" />
                {t('toolbar.removeDone')}
              </Menu.Item>
              <Menu.Item className="menu-item" onClick={undoRemove}>
                <Icon name="undo" />
                {t('toolbar.undoRemove')}
              </Menu.Item>
              <Menu.Separator className="menu-separator" />
              <Menu.Item className="menu-item" onClick={chooseImport}>
                <Icon name="import" />
                {t('toolbar.importList')}
              </Menu.Item>
              <Menu.Item className="menu-item" onClick={() => void exportList()}>
                <Icon name="export" />
                {t('toolbar.exportList')}
              </Menu.Item>
              <Menu.Separator className="menu-separator" />
              <Menu.Item className="menu-item" onClick={() => useWindow.setState({ dialog: { kind: 'hosts' } })}>
                <Icon name="hosts" />
                {t('toolbar.hosts')}
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <button
        type="button"
        className="icon-button"
        aria-label={t('toolbar.settings')}
        title={t('toolbar.settings')}
        onClick={openSettings}
      >
        <Icon name="settings" />
      </button>
    </div>
  )
}

function Action(props: { icon: IconName; label: string; shortcut: string; enabled: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      className="button button-quiet"
      // Not `disabled`: a button that its own press disables would drop the keyboard's place.
      aria-disabled={!props.enabled || undefined}
      aria-keyshortcuts={props.shortcut}
      title={`${props.label} (${props.shortcut})`}
      onClick={() => props.enabled && props.onClick()}
    >
      <Icon name={props.icon} />
      <span className="button-label">{props.label}</span>
    </button>
  )
}

function Search() {
  const { t } = useTranslation()
  const current = taskList.store((state) => state.query.text ?? '')
  const [text, setText] = useState(current)
  const typed = useRef(current)
  useEffect(() => {
    // Cleared from elsewhere (“show all downloads”).
    if (current !== typed.current) setText(current)
    typed.current = current
  }, [current])
  useEffect(() => {
    if (text.trim() === typed.current) return
    const timer = setTimeout(() => {
      typed.current = text.trim()
      openPage('downloads')
      taskList.setQuery({ text: text.trim() || undefined })
    }, SEARCH_DELAY_MS)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <div className="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        className="search-input"
        placeholder={t('toolbar.search')}
        aria-label={t('toolbar.search')}
        value={text}
        spellCheck={false}
        maxLength={1000}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || text === '') return
          event.stopPropagation()
          setText('')
        }}
      />
      {text !== '' && (
        <button
          type="button"
          className="icon-button search-clear"
          aria-label={t('toolbar.clearSearch')}
          onClick={() => setText('')}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  )
}
