/** Changes of several downloads at once: when they start, which queue they are in, and where in it. */
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { QueueId, Selection } from '../../../shared/schemas.ts'
import { editTasks } from '../../queue-actions.ts'
import { useQueues } from '../../stores/queues.ts'
import { START_CHOICES, type StartChoice } from '../../stores/window.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { SelectField } from '../../ui/field.tsx'
import { toasts } from '../../ui/toasts.tsx'
import { useNow } from '../../ui/use-now.ts'
import { useSaving } from '../../use-saving.ts'
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
  const [busy, save] = useSaving()
  const first = useRef<HTMLSelectElement>(null)
  const read = readStart(time, useNow())
  const isWrong = choice === 'at' && 'problem' in read
  const isSame = choice === 'stay' && queueId === null && place === 'stay'

  const submit = async (): Promise<void> => {
    if (isWrong || isSame) return
    await save(async () => {
      const changed = await editTasks(selection, {
        ...(choice === 'queue' && { start: null }),
        ...(choice === 'force' && { start: 'force' as const }),
        ...(choice === 'at' && 'at' in read && { start: read.at }),
        ...(queueId !== null && { queueId }),
        ...(place !== 'stay' && { place }),
      })
      toasts.add({ title: t('edit.changed', { count: changed, formatted: formatCount(changed) }) })
    })
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
        <SelectField
          label={t('start.label')}
          value={choice}
          options={START_CHOICES.map((value) => [value, t(`edit.starts.${value}`)])}
          selectRef={first}
          onChange={setChoice}
        />
        {choice === 'at' && (
          <StartField label={t('edit.time')} value={time} placeholder={t('start.queue')} onChange={setTime} />
        )}
        {queues.length > 1 && (
          <SelectField<QueueId | ''>
            label={t('detail.queue')}
            value={queueId ?? ''}
            options={[['', t('edit.stay')], ...queues.map((queue) => [queue.id, queue.name] as const)]}
            onChange={(id) => setQueueId(id || null)}
          />
        )}
        <SelectField
          label={t('menu.order')}
          value={place}
          options={PLACES.map((value) => [value, t(`edit.places.${value}`)])}
          onChange={setPlace}
        />
      </div>
    </Dialog>
  )
}
