/** The lists with their counts. On a narrow window they lie in a strip above the list. */
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import { taskList } from '../../session.ts'
import { countOf } from '../../stores/task-view.ts'
import { openPage, useWindow } from '../../stores/window.ts'
import { Icon } from '../../ui/icon.tsx'
import { FILTERS, filterOf } from './filters.ts'

export function Sidebar() {
  const { t } = useTranslation()
  const counts = taskList.store((state) => state.view.counts)
  const current = taskList.store((state) => filterOf(state.query.states))
  const page = useWindow((state) => state.page)
  return (
    <nav className="sidebar" aria-label={t('filters.label')}>
      {FILTERS.map((filter) => {
        const count = countOf(counts, filter.states)
        const isCurrent = page === 'downloads' && filter.key === current.key
        // A decision is rare: its list shows when there is one to take.
        if (filter.key === 'changed' && count === 0 && !isCurrent) return null
        return (
          <button
            key={filter.key}
            type="button"
            className="sidebar-item"
            data-filter={filter.key}
            aria-current={isCurrent ? 'page' : undefined}
            onClick={() => {
              openPage('downloads')
              taskList.setQuery({ states: filter.states ? [...filter.states] : undefined })
            }}
          >
            <Icon name={filter.icon} />
            <span className="sidebar-label">{t(`filters.${filter.key}`)}</span>
            <span className="sidebar-count">{formatCount(count)}</span>
          </button>
        )
      })}
      <button
        type="button"
        className="sidebar-item sidebar-page"
        aria-current={page === 'statistics' ? 'page' : undefined}
        onClick={() => openPage('statistics')}
      >
        <Icon name="statistics" />
        <span className="sidebar-label">{t('stats.title')}</span>
      </button>
    </nav>
  )
}
