/** The settings, grouped by what they are about. Only what was changed is sent. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  DEADLINE_ORDERS,
  DURABILITY,
  ON_CHANGE,
  ON_CONFLICT,
  REPORT_TIMES,
  type Settings,
  WHEN_CLOSED,
} from '../../../shared/schemas.ts'
import { call, useConnection, useSettings } from '../../session.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { type ControlProps, Field, FolderInput, SelectField } from '../../ui/field.tsx'
import { toasts } from '../../ui/toasts.tsx'
import { useSaving } from '../../use-saving.ts'
import { AwayFields } from './away-fields.tsx'
import { RuleFields } from './limits-fields.tsx'
import {
  type NumberField,
  type OptionalField,
  PROXY_CHOICES,
  readForm,
  type SettingsForm,
  toForm,
} from './settings-form.ts'
import { useLimitsForm } from './use-limits.ts'
import './settings.css'

const PREALLOCATE = ['sparse', 'none'] as const
const THEMES = ['system', 'light', 'dark'] as const

export function SettingsDialog() {
  const settings = useSettings((state) => state.settings)
  return settings === null ? null : <Form settings={settings} />
}

function Form({ settings }: { settings: Settings }) {
  const { t } = useTranslation()
  const [form, setForm] = useState(() => toForm(settings))
  const [busy, save] = useSaving()
  const about = useConnection((state) => (state.status.kind === 'open' ? state.status.info : null))
  const { patch, problems, wrongActions } = readForm(form, settings)
  const set = (change: Partial<SettingsForm>): void => setForm((before) => ({ ...before, ...change }))
  const limits = useLimitsForm()
  const hasProblems = Object.keys(problems).length > 0 || wrongActions.length > 0 || limits.hasProblems

  const submit = async (): Promise<void> => {
    if (hasProblems) return
    await save(async () => {
      const changed = Object.keys(patch).length > 0
      if (changed) await call('settings.set', patch)
      if ((await limits.save()) || changed) toasts.add({ title: t('settings.saved') })
    })
  }

  const problemOf = (key: keyof SettingsForm): string | null => {
    const problem = problems[key]
    if (problem === undefined) return null
    if (problem === 'proxy') return t('settings.proxyInvalid')
    if (problem === 'absolute') return t('settings.notAbsolute')
    return problem === 'required' ? t('settings.required') : t('settings.invalid', problem)
  }

  const number = (key: NumberField | OptionalField, unit?: string, hint?: string, none?: string) => (
    <Field label={t(`settings.${key}`)} problem={problemOf(key)} hint={hint}>
      {(control) => (
        <span className="field-row">
          <input
            {...control}
            className="input input-number"
            inputMode="decimal"
            value={form[key]}
            placeholder={none}
            onChange={(event) => set({ [key]: event.target.value })}
          />
          {unit && <span className="unit">{unit}</span>}
        </span>
      )}
    </Field>
  )

  const text = (key: 'proxy' | 'netrcFile' | 'userAgent', placeholder?: string) => (control: ControlProps) => (
    <input
      {...control}
      className="input"
      value={form[key]}
      placeholder={placeholder}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => set({ [key]: event.target.value })}
    />
  )

  return (
    <Dialog title={t('settings.title')} submit={t('settings.save')} wide busy={busy || hasProblems} onSubmit={submit}>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.files')}</legend>
        <Field
          label={t('settings.downloadFolder')}
          hint={t('settings.downloadFolderHint')}
          problem={problemOf('downloadFolder')}
        >
          {(control) => (
            <FolderInput
              control={control}
              value={form.downloadFolder}
              chooseLabel={t('add.choose')}
              onChange={(downloadFolder) => set({ downloadFolder })}
            />
          )}
        </Field>
        <div className="field-columns">
          <SelectField
            label={t('settings.onConflict')}
            value={form.onConflict}
            options={ON_CONFLICT.map((value) => [value, t(`settings.onConflictOptions.${value}`)])}
            onChange={(onConflict) => set({ onConflict })}
          />
          <SelectField
            label={t('settings.durability')}
            value={form.durability}
            options={DURABILITY.map((value) => [value, t(`settings.durabilityOptions.${value}`)])}
            onChange={(durability) => set({ durability })}
          />
        </div>
        <p className="field-hint">{t('settings.durabilityHint')}</p>
        <Field
          label={t('settings.temporaryFolder')}
          hint={t('settings.temporaryFolderHint')}
          problem={problemOf('temporaryFolder')}
        >
          {(control) => (
            <FolderInput
              control={control}
              value={form.temporaryFolder}
              placeholder={t('settings.temporaryFolderNone')}
              chooseLabel={t('add.choose')}
              onChange={(temporaryFolder) => set({ temporaryFolder })}
            />
          )}
        </Field>
        <div className="field-columns">
          {number('keepFreeBytes', t('settings.mebibytes'), t('settings.keepFreeBytesHint'))}
          <SelectField
            label={t('settings.preallocate')}
            value={form.preallocate}
            options={PREALLOCATE.map((value) => [value, t(`settings.preallocateOptions.${value}`)])}
            onChange={(preallocate) => set({ preallocate })}
          />
        </div>
        <label className="check">
          <input
            type="checkbox"
            checked={form.serverMirrors}
            onChange={(event) => set({ serverMirrors: event.target.checked })}
          />
          {t('settings.serverMirrors')}
        </label>
        {(['verifyFound', 'findChecksums'] as const).map((key) => (
          <label key={key} className="check">
            <input type="checkbox" checked={form[key]} onChange={(event) => set({ [key]: event.target.checked })} />
            {t(`settings.${key}`)}
          </label>
        ))}
      </fieldset>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.speed')}</legend>
        <div className="field-columns">
          {number('downloadsAtOnce')}
          <Field label={t('settings.limit')} problem={problemOf('limit')}>
            {(control) => (
              <span className="field-row">
                <input
                  {...control}
                  className="input input-number"
                  inputMode="decimal"
                  value={form.limit}
                  placeholder={t('settings.limitNone')}
                  onChange={(event) => set({ limit: event.target.value })}
                />
                <span className="unit">{t('settings.limitUnit')}</span>
              </span>
            )}
          </Field>
          {number('connectionsPerDownload')}
          {number('connectionsPerHost', undefined, t('settings.connectionsPerHostHint'))}
          {number('requestsPerSecondPerHost', undefined, undefined, t('settings.limitNone'))}
          {number('requestSpacingMsPerHost', t('settings.seconds'), undefined, t('settings.limitNone'))}
        </div>
      </fieldset>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.network')}</legend>
        <div className="field-columns">
          <SelectField
            label={t('settings.proxyChoice')}
            value={form.proxyChoice}
            options={PROXY_CHOICES.map((value) => [value, t(`settings.proxyOptions.${value}`)])}
            onChange={(proxyChoice) => set({ proxyChoice })}
          />
          {form.proxyChoice === 'manual' && (
            <Field label={t('settings.proxy')} hint={t('settings.proxyHint')} problem={problemOf('proxy')}>
              {text('proxy')}
            </Field>
          )}
          <Field label={t('settings.netrcFile')} hint={t('settings.netrcFileHint')}>
            {text('netrcFile')}
          </Field>
          <Field label={t('settings.userAgent')} hint={t('settings.userAgentHint')}>
            {text('userAgent', 'Nighthaul')}
          </Field>
        </div>
        <details>
          <summary>{t('settings.pool')}</summary>
          <p className="field-hint">{t('settings.poolHint')}</p>
          <div className="field-columns">
            {number('idleConnectionsPerHost')}
            {number('idleConnections')}
            {number('keepAliveMs', t('settings.seconds'))}
            {number('busyConnectionsPerHost')}
            {number('busyConnections')}
            {number('connectionWaitMs', t('settings.seconds'))}
            {number('addressAttemptMs', t('settings.seconds'), t('settings.addressAttemptMsHint'))}
          </div>
        </details>
      </fieldset>
      <RuleFields form={limits} />
      <fieldset className="settings-group">
        <legend>{t('settings.groups.trouble')}</legend>
        <div className="field-columns">
          <SelectField
            label={t('settings.onChange')}
            value={form.onChange}
            options={ON_CHANGE.map((value) => [value, t(`settings.onChangeOptions.${value}`)])}
            onChange={(onChange) => set({ onChange })}
          />
          {number('retries', undefined, t('settings.retriesHint'))}
          {number('connectTimeoutMs', t('settings.seconds'))}
          {number('headersTimeoutMs', t('settings.seconds'))}
          {number('stallTimeoutMs', t('settings.seconds'))}
        </div>
      </fieldset>
      <AwayFields form={form} set={set} number={number} wrongActions={wrongActions} />
      <fieldset className="settings-group">
        <legend>{t('settings.groups.night')}</legend>
        <div className="field-columns">
          <SelectField
            label={t('settings.deadlineOrder')}
            value={form.deadlineOrder}
            options={DEADLINE_ORDERS.map((value) => [value, t(`settings.deadlineOrderOptions.${value}`)])}
            onChange={(deadlineOrder) => set({ deadlineOrder })}
          />
          <SelectField
            label={t('settings.reports')}
            value={form.reports}
            options={REPORT_TIMES.map((value) => [value, t(`settings.reportsOptions.${value}`)])}
            onChange={(reports) => set({ reports })}
          />
          {form.reports !== 'never' &&
            number(
              'reportsKept',
              t('settings.nights'),
              t('settings.reportsKeptHint', { profile: about?.profile ?? '…' }),
            )}
          {number('journalDays', t('settings.days'), t('settings.journalDaysHint'))}
        </div>
        {(['deadlineMayBorrow', 'probeSizes'] as const).map((key) => (
          <label key={key} className="check">
            <input type="checkbox" checked={form[key]} onChange={(event) => set({ [key]: event.target.checked })} />
            {t(`settings.${key}`)}
          </label>
        ))}
      </fieldset>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.list')}</legend>
        <div className="field-columns">
          {number('keepRemovedDays', t('settings.days'))}
          {number('keepRemovedFilesMinutes', t('settings.minutes'), t('settings.keepRemovedFilesMinutesHint'))}
          {number('backupDays', t('settings.days'), t('settings.backupDaysHint'))}
          {number('backupWeeks', t('settings.weeks'))}
        </div>
      </fieldset>
      <fieldset className="settings-group">
        <legend>{t('settings.groups.look')}</legend>
        <div className="field-columns">
          <SelectField
            label={t('settings.theme')}
            value={form.theme}
            options={THEMES.map((value) => [value, t(`settings.themeOptions.${value}`)])}
            onChange={(theme) => set({ theme })}
          />
          {window.nighthaul && (
            <SelectField
              label={t('settings.whenClosed')}
              value={form.whenClosed}
              options={WHEN_CLOSED.map((value) => [value, t(`settings.whenClosedOptions.${value}`)])}
              onChange={(whenClosed) => set({ whenClosed })}
            />
          )}
          {number('statisticsDays', t('settings.days'), t('settings.statisticsDaysHint'))}
        </div>
      </fieldset>
      {about && (
        <p className="field-hint selectable">
          {t('settings.about', { version: about.version, profile: about.profile })}
        </p>
      )}
    </Dialog>
  )
}
