/** All that a queue says, in one dialog; sent is what was changed. */
import { type Dispatch, type SetStateAction, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { QueueView } from '../../../shared/queues.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../../shared/schemas.ts'
import { removeQueue } from '../../queue-actions.ts'
import { call } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, FolderInput } from '../../ui/field.tsx'
import { useSaving } from '../../use-saving.ts'
import {
  NUMBERS,
  type NumberKey,
  type QueueForm,
  type QueueProblems,
  readQueueForm,
  toQueueForm,
} from './queue-form.ts'
import { ActionFields, CategoryFields } from './queue-lists.tsx'
import { WindowFields } from './window-fields.tsx'
import './queue-dialog.css'

export interface PartProps {
  form: QueueForm
  set: (change: Partial<QueueForm>) => void
  problems: QueueProblems
}

export function QueueDialog({ id }: { id: QueueId | null }) {
  const queues = useQueues((state) => state.queues)
  const [stored] = useState(() => queues?.find((queue) => queue.id === id) ?? null)
  if (queues === null || (id !== null && stored === null)) return null
  // Somebody else removed it: what was typed here can still become a queue.
  const isGone = stored !== null && !queues.some((queue) => queue.id === id)
  const others = queues.filter((queue) => queue.id !== id).map(({ name }) => name)
  return <Form opened={stored} isGone={isGone} others={others} />
}

function Form(props: { opened: QueueView | null; isGone: boolean; others: readonly string[] }) {
  const { opened, isGone, others } = props
  const stored = isGone ? null : opened
  const { t } = useTranslation()
  const [form, setForm]: [QueueForm, Dispatch<SetStateAction<QueueForm>>] = useState(() => toQueueForm(opened))
  const [busy, save] = useSaving()
  const [tried, setTried] = useState(false)
  const nameRef = useRef<HTMLInputElement>(null)
  const { patch, problems, hasProblems } = readQueueForm(form, stored, others)
  const set = (change: Partial<QueueForm>): void => setForm((before) => ({ ...before, ...change }))
  const part = { form, set, problems }

  const submit = async (): Promise<void> => {
    setTried(true)
    if (hasProblems) return
    await save(async () => {
      await (stored ? call('queues.update', { id: stored.id, patch }) : call('queues.add', patch))
    })
  }

  const number = (key: NumberKey, hint?: string) => (
    <Field label={t(`queue.${key}`)} hint={hint} problem={problems[key] ? t('settings.invalid', NUMBERS[key]) : null}>
      {(control) => (
        <input
          {...control}
          className="input input-number"
          inputMode="numeric"
          value={form[key]}
          placeholder={NUMBERS[key].optional ? t(`queue.none.${key as 'connections' | 'downloadsAtOnce'}`) : undefined}
          onChange={(event) => set({ [key]: event.target.value })}
        />
      )}
    </Field>
  )

  return (
    <Dialog
      title={opened ? t('queue.title', { name: opened.name }) : t('queue.titleNew')}
      submit={stored ? t('settings.save') : t('queue.add')}
      wide="wider"
      busy={busy || (tried && hasProblems)}
      initialFocus={nameRef}
      onSubmit={submit}
    >
      {isGone && (
        <p className="field-problem" role="alert">
          {t('queue.gone')}
        </p>
      )}
      <div className="field-columns">
        <Field
          label={t('queue.name')}
          problem={
            problems.name === 'repeated' ? t('queue.repeated') : problems.name && tried ? t('settings.required') : null
          }
        >
          {(control) => (
            <input
              {...control}
              ref={nameRef}
              className="input"
              value={form.name}
              maxLength={100}
              onChange={(event) => set({ name: event.target.value })}
            />
          )}
        </Field>
        <Field label={t('queue.folder')}>
          {(control) => (
            <FolderInput
              control={control}
              value={form.folder}
              placeholder={t('queue.none.folder')}
              chooseLabel={t('add.choose')}
              onChange={(folder) => set({ folder })}
            />
          )}
        </Field>
      </div>
      <label className="check">
        <input type="checkbox" checked={form.stopped} onChange={(event) => set({ stopped: event.target.checked })} />
        {t('queue.stopped')}
      </label>
      <WindowFields {...part} />
      <fieldset className="settings-group">
        <legend>{t('queue.groups.share')}</legend>
        <div className="field-columns queue-share">
          {number('downloadsAtOnce')}
          {number('connections')}
          {number('priority', t('queue.priorityHint'))}
          {number('weight', t('queue.weightHint'))}
        </div>
      </fieldset>
      <CategoryFields {...part} tried={tried} />
      <ActionFields {...part} tried={tried} />
    </Dialog>
  )
}

/** Its downloads stay: it only asks because the windows and rules of the queue are gone with it. */
export function RemoveQueueDialog({ id, name }: { id: QueueId; name: string }) {
  const { t } = useTranslation()
  const [busy, save] = useSaving()
  const toDefault = useQueues((state) => state.queues?.find((queue) => queue.id === DEFAULT_QUEUE_ID)?.name ?? '')
  const submit = async (): Promise<void> => {
    await save(async () => {
      await removeQueue(id, name)
    })
  }
  return (
    <Dialog
      title={t('queues.removeTitle', { name })}
      description={t('queues.removeBody', { name: toDefault })}
      submit={t('queues.removeSubmit')}
      danger
      busy={busy}
      onSubmit={submit}
    />
  )
}
