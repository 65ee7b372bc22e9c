/** What the list says when it has no rows: how to begin, why nothing is shown, or that it is still loading. */
import { useTranslation } from 'react-i18next'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { taskList, useConnection } from '../../session.ts'
import { countOf } from '../../stores/task-view.ts'
import { openAdd } from '../../stores/window.ts'
import { Icon } from '../../ui/icon.tsx'

export function EmptyList() {
  const { t } = useTranslation()
  const total = taskList.store((state) => state.view.total)
  const inAll = taskList.store((state) => countOf(state.view.counts, undefined))
  const text = taskList.store((state) => state.query.text)
  const error = taskList.store((state) => state.error)
  const away = useConnection((state) => state.status.kind === 'away')
  if (error !== null) {
    const words = errorWords(error, en.errors)
    return (
      <div className="empty" role="alert">
        <p className="empty-title">{t('list.loadFailed')}</p>
        <p className="empty-body">{[words.title, words.next].filter(Boolean).join('. ')}</p>
        <button type="button" className="button" onClick={() => taskList.reload()}>
          {t('list.tryAgain')}
        </button>
      </div>
    )
  }
  if (total === null) return away ? null : <p className="empty empty-loading">{t('list.loading')}</p>
  if (total > 0) return null
  if (text !== undefined || inAll > 0) {
    return (
      <div className="empty">
        <p className="empty-title">{text ? t('list.emptySearchTitle', { text }) : t('list.emptyFilterTitle')}</p>
        <p className="empty-body">{text ? t('list.emptySearchBody') : t('list.emptyFilterBody')}</p>
        <button
          type="button"
          className="button"
          onClick={() => taskList.setQuery({ states: undefined, text: undefined, queueId: undefined })}
        >
          {t('list.showAll')}
        </button>
      </div>
    )
  }
  return (
    <div className="empty">
      <p className="empty-title">{t('list.emptyTitle')}</p>
      <p className="empty-body">{t('list.emptyBody')}</p>
      <button type="button" className="button button-primary" onClick={() => openAdd()}>
        <Icon name="add" />
        {t('list.emptyAdd')}
      </button>
    </div>
  )
}
