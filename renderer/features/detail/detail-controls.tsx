/** What can be changed of a download while it runs: its limit, its queue and when it starts. */
import { useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { QueueView } from '../../../shared/queues.ts'
import type { TaskDetail } from '../../../shared/schemas.ts'
import { tellError } from '../../actions.ts'
import { call } from '../../session.ts'
import { useNow } from '../../ui/use-now.ts'
import { StartIdeas } from '../schedule/start-field.tsx'
import { readStart, startText } from '../schedule/start-time.ts'
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

/** Taken over with Enter or when it is left; empty: whenever its queue works. Escape takes back what was typed. */
export function StartControl({ detail }: { detail: TaskDetail }) {
  const { t } = useTranslation()
  const now = useNow()
  const ideas = useId()
  const [draft, setDraft] = useState<string | null>(null)
  // One that is past says nothing any more.
  const stored = startText(detail.startAt !== null && detail.startAt > now ? detail.startAt : null)
  const read = draft === null ? null : readStart(draft, now)
  const problem = read !== null && 'problem' in read ? t(`start.${read.problem}`) : undefined
  useEffect(() => setDraft(null), [stored, detail.id])
  const take = (): void => {
    if (draft === null || read === null || 'problem' in read) return
    if (startText(read.at) === stored) setDraft(null)
    else
      call('tasks.update', { selection: { ids: [detail.id] }, startAt: read.at }).catch((error: unknown) => {
        tellError(error)
        setDraft(null)
      })
  }
  return (
    <>
      <input
        className="input input-small input-start"
        list={ideas}
        aria-label={t('start.label')}
        aria-invalid={problem !== undefined || undefined}
        title={problem ?? t('start.hint')}
        value={draft ?? stored}
        placeholder={t('start.queue')}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => (problem === undefined ? take() : setDraft(null))}
        onKeyDown={(event) => {
          if (event.key === 'Enter') take()
          if (event.key !== 'Escape' || draft === null) return
          event.stopPropagation()
          setDraft(null)
        }}
      />
      <StartIdeas id={ideas} />
    </>
  )
}
