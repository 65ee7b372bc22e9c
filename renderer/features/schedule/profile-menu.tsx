/** The profile that holds, in the toolbar: another one is chosen here, for a while, until told otherwise, or never more. */
import { Menu } from '@base-ui/react/menu'
import { useTranslation } from 'react-i18next'
import { formatRate } from '../../../shared/format.ts'
import { PROFILE_NAMES, type ProfileName, type ProfilesView, type UseProfileInput } from '../../../shared/profiles.ts'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import { useProfiles } from '../../stores/profiles.ts'
import { useWindow } from '../../stores/window.ts'
import { Icon } from '../../ui/icon.tsx'
import { useNow } from '../../ui/use-now.ts'
import { clockText } from './queue-words.ts'

const HOUR_MS = 3_600_000
const HOURS = [1, 2, 4, 8]

function use(name: ProfileName | null, until: UseProfileInput['until'] = 'change'): void {
  call('profiles.use', { name, until }).catch(tellError)
}

export function ProfileMenu() {
  const { t } = useTranslation()
  const view = useProfiles((state) => state.view)
  const now = useNow()
  if (view === null) return null
  const { current } = view
  const plain = t(`profiles.names.${current.name}`)
  // What somebody chose ends some time: that they should see without asking.
  const name =
    current.by === 'hand' && current.until !== null
      ? t('profiles.nameUntil', { name: plain, time: clockText(current.until, now) })
      : plain
  return (
    <Menu.Root>
      <Menu.Trigger
        className="button button-quiet profile-button"
        data-slow={view.effective.limitBytesPerSecond !== null || undefined}
        aria-label={t('profiles.label', { name })}
        title={t('profiles.label', { name })}
      >
        <Icon name="speed" />
        <span className="button-label">{name}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner className="menu-positioner" align="end" sideOffset={4}>
          <Menu.Popup className="menu">
            <Items view={view} />
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  )
}

function Items({ view }: { view: ProfilesView }) {
  const { t } = useTranslation()
  const now = useNow()
  const { current, scheduled } = view
  return (
    <>
      <Menu.RadioGroup value={current.name} onValueChange={(name) => use(name as ProfileName)}>
        {PROFILE_NAMES.map((name) => {
          const limit = view.profiles.find((profile) => profile.name === name)?.limitBytesPerSecond ?? null
          return (
            <Menu.RadioItem key={name} className="menu-item" value={name} closeOnClick>
              <span className="menu-check">{name === current.name && <Icon name="done" />}</span>
              <span className="menu-label">{t(`profiles.names.${name}`)}</span>
              <span className="menu-shortcut">
                {limit === null ? '' : limit === 0 ? t('profiles.limits.none') : formatRate(limit)}
              </span>
            </Menu.RadioItem>
          )
        })}
      </Menu.RadioGroup>
      <Menu.Separator className="menu-separator" />
      <p className="menu-note">
        {t(`profiles.by.${current.by}`)}
        {current.until !== null && ` ${t('profiles.until', { time: clockText(current.until, now) })}`}
        {current.until === null && current.by === 'hand' && ` ${t('profiles.untilTold')}`}
      </p>
      <Menu.SubmenuRoot>
        <Menu.SubmenuTrigger className="menu-item">
          <Icon name="queued" />
          <span className="menu-label">{t('profiles.hold', { name: t(`profiles.names.${current.name}`) })}</span>
          <Icon name="forward" />
        </Menu.SubmenuTrigger>
        <Menu.Portal>
          <Menu.Positioner className="menu-positioner" alignOffset={-5}>
            <Menu.Popup className="menu">
              {HOURS.map((count) => (
                <Menu.Item
                  key={count}
                  className="menu-item"
                  onClick={() => use(current.name, Date.now() + count * HOUR_MS)}
                >
                  <span className="menu-label">{t('profiles.forHours', { count })}</span>
                </Menu.Item>
              ))}
              <Menu.Item className="menu-item" onClick={() => use(current.name, 'told')}>
                <span className="menu-label">{t('profiles.untilISay')}</span>
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.SubmenuRoot>
      {current.by === 'hand' && (
        <Menu.Item className="menu-item" onClick={() => use(null)}>
          <Icon name="undo" />
          {t('profiles.back', { name: t(`profiles.names.${scheduled}`) })}
        </Menu.Item>
      )}
      <Menu.Item className="menu-item" onClick={() => useWindow.setState({ dialog: { kind: 'profiles' } })}>
        <Icon name="settings" />
        {t('profiles.edit')}
      </Menu.Item>
    </>
  )
}
