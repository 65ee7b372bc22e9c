/** All that a repeating download says, in one dialog; of one that is there, what was changed is sent. */
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { MISSED } from '../../../shared/queues.ts'
import type { RepeatId, RepeatView } from '../../../shared/repeats.ts'
import { DEFAULT_QUEUE_ID } from '../../../shared/schemas.ts'
import { call, useSettings } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { useRepeats } from '../../stores/repeats.ts'
import { EMPTY_ACCESS, useWindow } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { type ControlProps, Field, FolderInput, SelectField } from '../../ui/field.tsx'
import { toasts } from '../../ui/toasts.tsx'
import { useSaving } from '../../use-saving.ts'
import { MOST_KEPT, type RepeatForm, type RepeatSeed, readRepeatForm, toRepeatForm } from './repeat-form.ts'

export function RepeatDialog(props: { id: RepeatId | null; seed: RepeatSeed | null; fromAdd: boolean }) {
  const { id, seed, fromAdd } = props
  const repeats = useRepeats((state) => state.repeats)
  const [stored] = useState(() => repeats?.find((repeat) => repeat.id === id) ?? null)
  if (id !== null && stored === null) return null
  // Somebody else removed it: what was typed here can still repeat.
  const isGone = stored !== null && repeats !== null && !repeats.some((repeat) => repeat.id === id)
  return <Form opened={stored} isGone={isGone} seed={seed} fromAdd={fromAdd} />
}

function Form(props: { opened: RepeatView | null; isGone: boolean; seed: RepeatSeed | null; fromAdd: boolean }) {
  const { opened, isGone, seed, fromAdd } = props
  const stored = isGone ? null : opened
  const { t } = useTranslation()
  const queues = useQueues((state) => state.queues) ?? []
  const settings = useSettings((state) => state.settings)
  const [form, setForm] = useState(() => toRepeatForm(opened, seed))
  const [busy, save] = useSaving()
  const [tried, setTried] = useState(false)
  const urlRef = useRef<HTMLInputElement>(null)
  const whenRef = useRef<HTMLInputElement>(null)
  const set = (change: Partial<RepeatForm>): void => setForm((before) => ({ ...before, ...change }))
  const queue = queues.find(({ id }) => id === form.queueId)
  // One that was removed meanwhile is not sent: its repeats are in the default queue by now.
  const queueId = queues.length > 0 && !queue ? DEFAULT_QUEUE_ID : form.queueId
  const { said, patch, problems } = readRepeatForm({ ...form, queueId }, stored)
  const hasProblems = Object.keys(problems).length > 0

  const submit = async (): Promise<void> => {
    setTried(true)
    if (hasProblems) return
    await save(async () => {
      if (stored) await call('repeats.update', { id: stored.id, patch })
      else {
        await call('repeats.add', { ...said, ...(seed && { options: seed.options }) })
        toasts.add({ title: t('repeats.added') })
      }
      if (fromAdd) useWindow.setState(({ addDraft }) => ({ addDraft: { ...addDraft, links: '', ...EMPTY_ACCESS } }))
    })
  }

  const text =
    (key: 'when' | 'nameTemplate' | 'timeZone', placeholder?: string, more: object = {}) =>
    (control: ControlProps) => (
      <input
        {...control}
        {...more}
        className={key === 'timeZone' ? 'input' : 'input mono'}
        value={form[key]}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => set({ [key]: event.target.value })}
      />
    )

  return (
    <Dialog
      title={t(opened ? 'repeats.title' : 'repeats.titleNew')}
      submit={t(stored ? 'settings.save' : 'repeats.submit')}
      wide
      busy={busy || (tried && hasProblems)}
      initialFocus={form.url === '' ? urlRef : whenRef}
      onSubmit={submit}
    >
      {isGone && (
        <p className="field-problem" role="alert">
          {t('repeats.gone')}
        </p>
      )}
      <Field label={t('repeats.url')} problem={tried && problems.url ? t('refreshLink.invalid') : null}>
        {(control) => (
          <input
            {...control}
            ref={urlRef}
            className="input mono"
            value={form.url}
            placeholder="https://"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => set({ url: event.target.value })}
          />
        )}
      </Field>
      <div className="field-columns">
        <Field
          label={t('repeats.when')}
          hint={t('repeats.whenHint')}
          problem={
            problems.when === undefined ? null : problems.when === 'empty' ? t('settings.required') : problems.when
          }
        >
          {(control) => text('when', 'daily 02:00', { ref: whenRef })(control)}
        </Field>
        <Field
          label={t('repeats.name')}
          hint={t('repeats.nameHint')}
          problem={problems.nameTemplate === undefined ? null : t('repeats.nameInvalid')}
        >
          {text('nameTemplate')}
        </Field>
        <Field
          label={t('repeats.keep')}
          hint={t('repeats.keepHint')}
          problem={problems.keepLast ? t('settings.invalid', { min: 1, max: MOST_KEPT }) : null}
        >
          {(control) => (
            <input
              {...control}
              className="input input-number"
              inputMode="numeric"
              value={form.keepLast}
              placeholder={t('repeats.keepAll')}
              onChange={(event) => set({ keepLast: event.target.value })}
            />
          )}
        </Field>
        <SelectField
          label={t('repeats.missed')}
          value={form.missed}
          options={MISSED.map((value) => [value, t(`queue.missedOptions.${value}`)])}
          onChange={(missed) => set({ missed })}
        />
        {queues.length > 1 && (
          <SelectField
            label={t('detail.queue')}
            value={queueId}
            options={queues.map(({ id, name }) => [id, name])}
            onChange={(id) => set({ queueId: id })}
          />
        )}
        <Field label={t('queue.timeZone')} problem={problems.timeZone ? t('queue.timeZoneInvalid') : null}>
          {text('timeZone', t('queue.none.timeZone', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone }))}
        </Field>
      </div>
      <Field label={t('add.folder')}>
        {(control) => (
          <FolderInput
            control={control}
            value={form.folder}
            placeholder={queue?.folder ?? settings?.downloadFolder}
            chooseLabel={t('add.choose')}
            onChange={(folder) => set({ folder })}
          />
        )}
      </Field>
      {seed && Object.keys(seed.options).length > 0 && <p className="field-hint">{t('repeats.withOptions')}</p>}
      <label className="check">
        <input type="checkbox" checked={form.paused} onChange={(event) => set({ paused: event.target.checked })} />
        {t('repeats.pausedLabel')}
      </label>
    </Dialog>
  )
}

/** What it brought stays: it only asks because its times and its name are gone with it. */
export function RemoveRepeatDialog({ id, name }: { id: RepeatId; name: string }) {
  const { t } = useTranslation()
  const [busy, save] = useSaving()
  const submit = async (): Promise<void> => {
    await save(async () => {
      await call('repeats.remove', { id })
    })
  }
  return (
    <Dialog
      title={t('repeats.removeTitle', { name })}
      description={t('repeats.removeBody')}
      submit={t('repeats.removeSubmit')}
      danger
      busy={busy}
      onSubmit={submit}
    />
  )
}
