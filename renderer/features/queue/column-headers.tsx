/** Headers of the list. A header sorts ascending, then descending, then gives the queue's own order back. */
// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by transform, which a table's layout does not take
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid keeps the focus and names the active row (ARIA activedescendant)
import { useTranslation } from 'react-i18next'
import { taskList } from '../../session.ts'
import type { ListQuery } from '../../stores/task-view.ts'
import { Icon } from '../../ui/icon.tsx'

/** Pixels, its line included; the stylesheet says the same. */
export const HEAD_HEIGHT = 29

const HEADERS = [
  { key: 'name', sort: 'name' },
  { key: 'size', sort: 'size' },
  { key: 'progress', sort: 'progress' },
  { key: 'speed', sort: null },
  { key: 'left', sort: null },
  { key: 'state', sort: 'state' },
] as const

/** What a click on the header of `sort` leads to. Pure. */
export function nextSort(query: ListQuery, sort: ListQuery['sort']): Pick<ListQuery, 'sort' | 'descending'> {
  if (query.sort !== sort) return { sort, descending: false }
  return query.descending ? { sort: 'position', descending: false } : { sort, descending: true }
}

export function ColumnHeaders() {
  const { t } = useTranslation()
  const query = taskList.store((state) => state.query)
  return (
    <div className="grid-head" role="rowgroup">
      <div className="row-head" role="row" aria-rowindex={1}>
        {HEADERS.map(({ key, sort }) => {
          const label = t(key === 'left' ? 'columns.timeLeft' : `columns.${key}`)
          const sorted = sort !== null && query.sort === sort
          const direction = query.descending ? 'descending' : 'ascending'
          return (
            <div
              key={key}
              role="columnheader"
              className={`head-cell cell-${key}`}
              aria-sort={sort === null ? undefined : sorted ? direction : 'none'}
            >
              {sort === null ? (
                label
              ) : (
                <button
                  type="button"
                  className="head-button"
                  title={t('columns.sortBy', { column: label })}
                  onClick={() => taskList.setQuery(nextSort(query, sort))}
                >
                  {label}
                  {sorted && <Icon name={direction} />}
                </button>
              )}
            </div>
          )
        })}
      </div>
    </div>
  )
}
