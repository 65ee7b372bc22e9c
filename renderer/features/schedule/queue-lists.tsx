/** The lists in a queue's settings: where files of a kind go, and what happens when all of it is done. */
import { useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { WhenDone } from '../../../shared/queues.ts'
import { Icon } from '../../ui/icon.tsx'
import type { PartProps } from './queue-dialog.tsx'
import type { ActionDraft, CategoryDraft, QueueForm, QueueProblems } from './queue-form.ts'

const KINDS: readonly WhenDone['kind'][] = ['notify', 'command', 'webhook', 'quit', 'sleep', 'hibernate', 'shutdown']

/** Rows are told apart by keys of their own: new ones have none in the engine. */
function nextKey(rows: readonly { key: number }[]): number {
  return rows.reduce((key, row) => Math.max(key, row.key), -1) + 1
}

export function CategoryFields({ form, set, problems, tried }: PartProps & { tried: boolean }) {
  const { t } = useTranslation()
  const problemId = useId()
  const change = (draft: CategoryDraft, to: Partial<CategoryDraft>): void =>
    set({ categories: form.categories.map((other) => (other === draft ? { ...draft, ...to } : other)) })
  return (
    <fieldset className="settings-group">
      <legend>{t('queue.groups.categories')}</legend>
      {form.categories.map((draft) => (
        <div key={draft.key} className="queue-category">
          {(['name', 'extensions', 'hosts', 'folder'] as const).map((field) => (
            <input
              key={field}
              className="input"
              aria-label={t(`queue.category.${field}`)}
              placeholder={t(`queue.category.${field}`)}
              aria-invalid={
                (tried && (field === 'name' || field === 'folder') && draft[field].trim() === '') || undefined
              }
              aria-describedby={tried && problems.categories.includes(draft.key) ? problemId : undefined}
              value={draft[field]}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => change(draft, { [field]: event.target.value })}
            />
          ))}
          <button
            type="button"
            className="icon-button"
            aria-label={t('queue.category.remove', { name: draft.name || t('queue.category.new') })}
            onClick={() => set({ categories: form.categories.filter((other) => other !== draft) })}
          >
            <Icon name="remove" />
          </button>
        </div>
      ))}
      {tried && problems.categories.length > 0 && (
        <p id={problemId} className="field-problem">
          {t('queue.category.incomplete')}
        </p>
      )}
      <div className="limit-add">
        <button
          type="button"
          className="button button-small"
          onClick={() =>
            set({
              categories: [
                ...form.categories,
                { key: nextKey(form.categories), name: '', extensions: '', hosts: '', folder: '' },
              ],
            })
          }
        >
          <Icon name="add" />
          {t('queue.category.add')}
        </button>
        <p className="field-hint">{t('queue.category.hint')}</p>
      </div>
    </fieldset>
  )
}

interface ActionProps {
  form: Pick<QueueForm, 'whenDone'>
  set: (change: Pick<QueueForm, 'whenDone'>) => void
  problems: Pick<QueueProblems, 'whenDone'>
  tried: boolean
  legend?: string
}

export function ActionFields({ form, set, problems, tried, legend }: ActionProps) {
  const { t } = useTranslation()
  const problemId = useId()
  const change = (draft: ActionDraft, to: Partial<ActionDraft>): void =>
    set({ whenDone: form.whenDone.map((other) => (other === draft ? { ...draft, ...to } : other)) })
  return (
    <fieldset className="settings-group">
      <legend>{legend ?? t('queue.groups.whenDone')}</legend>
      {form.whenDone.map((draft) => (
        <div key={draft.key} className="queue-action">
          <select
            className="input select"
            aria-label={t('queue.action.kind')}
            value={draft.kind}
            onChange={(event) => change(draft, { kind: event.target.value as WhenDone['kind'] })}
          >
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {t(`queue.action.kinds.${kind}`)}
              </option>
            ))}
          </select>
          {(draft.kind === 'command' || draft.kind === 'webhook') && (
            <textarea
              className="input mono"
              rows={draft.kind === 'command' ? 2 : 1}
              aria-label={t(`queue.action.${draft.kind}`)}
              placeholder={t(`queue.action.${draft.kind}`)}
              aria-invalid={(tried && problems.whenDone.includes(draft.key)) || undefined}
              aria-describedby={tried && problems.whenDone.includes(draft.key) ? problemId : undefined}
              value={draft.text}
              spellCheck={false}
              onChange={(event) => change(draft, { text: event.target.value })}
            />
          )}
          <button
            type="button"
            className="icon-button"
            aria-label={t('queue.action.remove', { name: t(`queue.action.kinds.${draft.kind}`) })}
            onClick={() => set({ whenDone: form.whenDone.filter((other) => other !== draft) })}
          >
            <Icon name="remove" />
          </button>
        </div>
      ))}
      {tried && problems.whenDone.length > 0 && (
        <p id={problemId} className="field-problem">
          {t('queue.action.incomplete')}
        </p>
      )}
      <div className="limit-add">
        <button
          type="button"
          className="button button-small"
          disabled={form.whenDone.length >= 10}
          onClick={() =>
            set({ whenDone: [...form.whenDone, { key: nextKey(form.whenDone), kind: 'notify', text: '' }] })
          }
        >
          <Icon name="add" />
          {t('queue.action.add')}
        </button>
        <p className="field-hint">{t('queue.action.hint')}</p>
      </div>
    </fieldset>
  )
}
