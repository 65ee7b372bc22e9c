/** Changes of several downloads at once: when they start, which queue they are in, and where in it. */
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { QueueId, Selection } from '../../../shared/schemas.ts'
import { tellError } from '../../actions.ts'
import { editTasks } from '../../queue-actions.ts'
import { useQueues } from '../../stores/queues.ts'
import { closeDialog, START_CHOICES, type StartChoice } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Field } from '../../ui/field.tsx'
import { toasts } from '../../ui/toasts.tsx'
import { useNow } from '../../ui/use-now.ts'
import { StartField } from '../schedule/start-field.tsx'
import { readStart } from '../schedule/start-time.ts'

const PLACES = ['stay', 'first', 'last'] as const

export function EditDialog(props: { selection: Selection; count: number; name: string | null; start: StartChoice }) {
  const { selection, count, name } = props
  const { t } = useTranslation()
  const queues = useQueues((state) => state.queues) ?? []
  const [choice, setChoice] = useState(props.start)
  const [time, setTime] = useState('23:00')
  const [queueId, setQueueId] = useState<QueueId | null>(null)
  const [place, setPlace] = useState<(typeof PLACES)[number]>('stay')
  const [busy, setBusy] = useState(false)
  const first = useRef<HTMLSelectElement>(null)
  const read = readStart(time, useNow())
  const isWrong = choice === 'at' && 'problem' in read
  const isSame = choice === 'stay' && queueId === null && place === 'stay'

  const submit = async (): Promise<void> => {
    if (isWrong || isSame) return
    setBusy(true)
    try {
      const changed = await editTasks(selection, {
        ...(choice === 'queue' && { start: null }),
        ...(choice === 'force' && { start: 'force' as const }),
        ...(choice === 'at' && 'at' in read && { start: read.at }),
        ...(queueId !== null && { queueId }),
        ...(place !== 'stay' && { place }),
      })
      toasts.add({ title: t('edit.changed', { count: changed, formatted: formatCount(changed) }) })
      closeDialog()
    } catch (error) {
      tellError(error)
      setBusy(false)
    }
  }

  return (
    <Dialog
      title={t('edit.title', {
        name: name === null ? t('edit.several', { count, formatted: formatCount(count) }) : `“${name}”`,
      })}
      submit={t('edit.submit')}
      busy={busy || isWrong || isSame}
      initialFocus={first}
      wide
      onSubmit={submit}
    >
      <div className="field-columns">
        <Field label={t('start.label')}>
          {(control) => (
            <select
              {...control}
              ref={first}
              className="input select"
              value={choice}
              onChange={(event) => setChoice(event.target.value as StartChoice)}
            >
              {START_CHOICES.map((value) => (
                <option key={value} value={value}>
                  {t(`edit.starts.${value}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {choice === 'at' && (
          <StartField label={t('edit.time')} value={time} placeholder={t('start.queue')} onChange={setTime} />
        )}
        {queues.length > 1 && (
          <Field label={t('detail.queue')}>
            {(control) => (
              <select
                {...control}
                className="input select"
                value={queueId ?? ''}
                onChange={(event) => setQueueId(Number(event.target.value) || null)}
              >
                <option value="">{t('edit.stay')}</option>
                {queues.map((queue) => (
                  <option key={queue.id} value={queue.id}>
                    {queue.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Field label={t('menu.order')}>
          {(control) => (
            <select
              {...control}
              className="input select"
              value={place}
              onChange={(event) => setPlace(event.target.value as (typeof PLACES)[number])}
            >
              {PLACES.map((value) => (
                <option key={value} value={value}>
                  {t(`edit.places.${value}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </Dialog>
  )
}
