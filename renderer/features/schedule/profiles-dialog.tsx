/** What each profile allows, and when it holds. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { PROFILE_NAMES, type ProfileName, type ProfilesView } from '../../../shared/profiles.ts'
import { call } from '../../session.ts'
import { useProfiles } from '../../stores/profiles.ts'
import { Choice } from '../../ui/choice.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field } from '../../ui/field.tsx'
import { useSaving } from '../../use-saving.ts'
import { PaintedWeek } from './painted-week.tsx'
import {
  LIMIT_KINDS,
  PROFILE_NUMBERS,
  type ProfileForm,
  type ProfileNumber,
  readProfile,
  toProfileForms,
  wrongProfiles,
} from './profile-form.ts'
import { readWindows } from './queue-form.ts'
import './queue-dialog.css'

export function ProfilesDialog() {
  const [view] = useState(() => useProfiles.getState().view)
  return view === null ? null : <Form view={view} />
}

function Form({ view }: { view: ProfilesView }) {
  const { t } = useTranslation()
  const [forms, setForms] = useState(() => toProfileForms(view))
  const [name, setName] = useState<ProfileName>(view.current.name)
  const [busy, save] = useSaving()
  const storedOf = (one: ProfileName) => view.profiles.find((profile) => profile.name === one)!
  const form = forms[name]
  const { problems } = readProfile(form, storedOf(name))
  const wrong = wrongProfiles(forms, view)
  const set = (change: Partial<ProfileForm>): void =>
    setForms((before) => ({ ...before, [name]: { ...before[name], ...change } }))
  const read = readWindows(form.windows)

  const submit = async (): Promise<void> => {
    const [first] = wrong
    if (first !== undefined) {
      setName(first)
      return
    }
    await save(async () => {
      for (const one of PROFILE_NAMES) {
        const { patch } = readProfile(forms[one], storedOf(one))
        if (Object.keys(patch).length > 0) await call('profiles.set', { name: one, patch })
      }
    })
  }

  const number = (key: ProfileNumber) => (
    <Field
      label={t(`settings.${key}`)}
      problem={problems.has(key) ? t('settings.invalid', PROFILE_NUMBERS[key]) : null}
    >
      {(control) => (
        <input
          {...control}
          className="input input-number"
          inputMode="numeric"
          value={form[key]}
          placeholder={t('profiles.limits.settings')}
          onChange={(event) => set({ [key]: event.target.value })}
        />
      )}
    </Field>
  )

  return (
    <Dialog
      title={t('profiles.title')}
      description={t('profiles.hint')}
      submit={t('settings.save')}
      wide="wider"
      busy={busy}
      onSubmit={submit}
    >
      <Choice
        label={t('profiles.title')}
        options={PROFILE_NAMES.map((key) => ({ key, label: t(`profiles.names.${key}`) }))}
        value={name}
        onChange={setName}
      />
      <div className="field-columns">
        <Field
          label={t('settings.limit')}
          problem={problems.has('limit') ? t('settings.invalid', { min: 0.001, max: 100_000 }) : null}
        >
          {(control) => (
            <span className="field-row">
              <select
                id={control.id}
                className="input select"
                value={form.limitKind}
                onChange={(event) => set({ limitKind: event.target.value as ProfileForm['limitKind'] })}
              >
                {LIMIT_KINDS.map((kind) => (
                  <option key={kind} value={kind}>
                    {t(`profiles.limits.${kind}`)}
                  </option>
                ))}
              </select>
              {form.limitKind === 'limit' && (
                <>
                  <input
                    className="input input-number"
                    aria-label={t('profiles.limit')}
                    aria-invalid={control['aria-invalid']}
                    aria-describedby={control['aria-describedby']}
                    inputMode="decimal"
                    value={form.limit}
                    onChange={(event) => set({ limit: event.target.value })}
                  />
                  <span className="unit">{t('settings.limitUnit')}</span>
                </>
              )}
            </span>
          )}
        </Field>
        {number('downloadsAtOnce')}
        {number('connectionsPerHost')}
        {number('connectionsPerDownload')}
      </div>
      <PaintedWeek
        key={name}
        label={t('profiles.week', { name: t(`profiles.names.${name}`) })}
        text={form.windows}
        onPaint={(windows) => set({ windows })}
      />
      <div className="field-columns">
        <Field
          label={t('profiles.windows')}
          hint={t(name === 'full' ? 'profiles.windowsHintFull' : 'profiles.windowsHint')}
          problem={problems.has('windows') && 'problem' in read ? read.problem : null}
        >
          {(control) => (
            <input
              {...control}
              className="input mono"
              value={form.windows}
              placeholder="Mon-Fri 08:00-18:00"
              spellCheck={false}
              autoComplete="off"
              maxLength={2000}
              onChange={(event) => set({ windows: event.target.value })}
            />
          )}
        </Field>
        <Field label={t('queue.timeZone')} problem={problems.has('timeZone') ? t('queue.timeZoneInvalid') : null}>
          {(control) => (
            <input
              {...control}
              className="input"
              value={form.timeZone}
              placeholder={t('queue.none.timeZone', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => set({ timeZone: event.target.value })}
            />
          )}
        </Field>
      </div>
    </Dialog>
  )
}
