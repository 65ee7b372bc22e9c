/** What can be changed of a download while it runs: its limit and its queue. */
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { QueueView } from '../../../shared/queues.ts'
import type { TaskDetail } from '../../../shared/schemas.ts'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import { limitText, readLimit } from '../settings/limits-form.ts'

/** Taken over with Enter or when it is left; Escape takes back what was typed. */
export function LimitField({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const [draft, setDraft] = useState<string | null>(null)
  const stored = detail.options.limitBytesPerSecond ?? null
  const limit = draft === null ? stored : readLimit(draft)
  const wrong = limit === undefined
  // What was sent is shown until the engine says the same.
  useEffect(() => setDraft(null), [stored, detail.id])
  const take = (): void => {
    if (draft === null || wrong) return
    if (limit === stored) setDraft(null)
    else
      call('tasks.update', { selection: { ids: [detail.id] }, limitBytesPerSecond: limit }).catch((error: unknown) => {
        tellError(error)
        setDraft(null)
      })
  }
  return (
    <span className="field-row">
      <input
        className="input input-number input-small"
        inputMode="decimal"
        aria-label={t('detail.limit')}
        aria-invalid={wrong || undefined}
        title={wrong ? t('settings.invalid', { min: 0.001, max: 100_000 }) : undefined}
        value={draft ?? limitText(stored)}
        placeholder={t('settings.limitNone')}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => (wrong ? setDraft(null) : take())}
        onKeyDown={(event) => {
          if (event.key === 'Enter') take()
          if (event.key !== 'Escape' || draft === null) return
          event.stopPropagation()
          setDraft(null)
        }}
      />
      <span className="unit">{t('settings.limitUnit')}</span>
    </span>
  )
}

export function QueueField({ detail, queues }: { detail: TaskDetail; queues: readonly QueueView[] }) {
  const { t } = useTranslation()
  const [chosen, setChosen] = useState<number | null>(null)
  useEffect(() => setChosen(null), [detail.queueId, detail.id])
  return (
    <select
      className="input select input-small"
      aria-label={t('detail.queue')}
      value={chosen ?? detail.queueId}
      onChange={(event) => {
        const queueId = Number(event.target.value)
        setChosen(queueId)
        call('tasks.update', { selection: { ids: [detail.id] }, queueId }).catch((error: unknown) => {
          tellError(error)
          setChosen(null)
        })
      }}
    >
      {queues.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  )
}
