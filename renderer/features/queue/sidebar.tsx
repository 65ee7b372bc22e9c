/** The lists with their counts, the queues, and the other pages. On a narrow window they lie in two strips above the list. */
import { useTranslation } from 'react-i18next'
import { formatCount } from '../../../shared/format.ts'
import type { Page } from '../../../shared/shell.ts'
import { taskList } from '../../session.ts'
import { countOf } from '../../stores/task-view.ts'
import { openPage, useWindow } from '../../stores/window.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { FILTERS, filterOf } from './filters.ts'
import { QueueList } from './queue-list.tsx'

const PAGES = [
  { page: 'night', icon: 'night', text: 'night.title' },
  { page: 'report', icon: 'report', text: 'report.title' },
  { page: 'statistics', icon: 'statistics', text: 'stats.title' },
] as const satisfies readonly { page: Page; icon: IconName; text: string }[]

export function Sidebar() {
  const { t } = useTranslation()
  const counts = taskList.store((state) => state.view.counts)
  const current = taskList.store((state) => (state.query.queueId === undefined ? filterOf(state.query.states) : null))
  const page = useWindow((state) => state.page)
  return (
    <nav className="sidebar" aria-label={t('filters.label')}>
      <div className="sidebar-lists">
        {FILTERS.map((filter) => {
          const count = countOf(counts, filter.states)
          const isCurrent = page === 'downloads' && filter.key === current?.key
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
                taskList.setQuery({ states: filter.states ? [...filter.states] : undefined, queueId: undefined })
              }}
            >
              <Icon name={filter.icon} />
              <span className="sidebar-label">{t(`filters.${filter.key}`)}</span>
              <span className="sidebar-count">{formatCount(count)}</span>
            </button>
          )
        })}
      </div>
      <QueueList />
      <div className="sidebar-pages">
        {PAGES.map((entry) => (
          <button
            key={entry.page}
            type="button"
            className="sidebar-item sidebar-page"
            aria-current={page === entry.page ? 'page' : undefined}
            onClick={() => openPage(entry.page)}
          >
            <Icon name={entry.icon} />
            <span className="sidebar-label">{t(entry.text)}</span>
          </button>
        ))}
      </div>
    </nav>
  )
}
