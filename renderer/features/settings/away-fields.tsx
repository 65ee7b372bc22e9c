/** What happens while nobody is there: sleep, battery, what failed, and what follows when all is done. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ON_BATTERY } from '../../../shared/unattended.ts'
import { SelectField } from '../../ui/field.tsx'
import { ActionFields } from '../schedule/queue-lists.tsx'
import type { NumberField, OptionalField, SettingsForm } from './settings-form.ts'

interface AwayProps {
  form: SettingsForm
  set: (change: Partial<SettingsForm>) => void
  number: (key: NumberField | OptionalField, unit?: string, hint?: string, none?: string) => React.ReactNode
  wrongActions: number[]
}

export function AwayFields({ form, set, number, wrongActions }: AwayProps) {
  const { t } = useTranslation()
  return (
    <>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.away')}</legend>
        <label className="check">
          <input
            type="checkbox"
            checked={form.inhibitSleep}
            onChange={(event) => set({ inhibitSleep: event.target.checked })}
          />
          {t('settings.inhibitSleep')}
        </label>
        <div className="field-columns">
          <SelectField
            label={t('settings.onBattery')}
            value={form.onBattery}
            options={ON_BATTERY.map((value) => [value, t(`settings.onBatteryOptions.${value}`)])}
            onChange={(onBattery) => set({ onBattery })}
          />
          {form.onBattery === 'limit' && number('batteryLimitBytesPerSecond', t('settings.limitUnit'))}
          {number('secondChances', undefined, t('settings.secondChancesHint'))}
          {number('secondChanceMinutes', t('settings.minutes'))}
          {number(
            'changedAfterMinutes',
            t('settings.minutes'),
            t('settings.changedAfterMinutesHint'),
            t('settings.never'),
          )}
          {number('countdownSeconds', t('settings.seconds'), t('settings.countdownSecondsHint'))}
        </div>
        <Permission />
      </fieldset>
      <ActionFields form={form} set={set} problems={{ whenDone: wrongActions }} tried legend={t('settings.whenDone')} />
    </>
  )
}

/** A browser shows notifications only after it was asked; the app needs no leave. */
function Permission() {
  const { t } = useTranslation()
  const [asked, setAsked] = useState(
    () => window.nighthaul !== undefined || !('Notification' in window) || Notification.permission !== 'default',
  )
  if (asked) return null
  return (
    <button
      type="button"
      className="button button-small"
      onClick={() => void Notification.requestPermission().then(() => setAsked(true))}
    >
      {t('settings.allowNotifications')}
    </button>
  )
}
