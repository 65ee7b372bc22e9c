/** The hosts with their figures: sorted by any column, only the rows in view in the document. */
// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by transform, which a table's layout does not take
// biome-ignore-all lint/a11y/useFocusableInteractive: rows are no controls; the buttons in them are
import { useVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatBytes, formatCount, formatPercent, formatShortTime } from '../../../shared/format.ts'
import { OTHER_HOSTS } from '../../../shared/request-statistics.ts'
import {
  HOST_COLUMNS,
  type HostColumn,
  type HostFigures,
  nextHostSort,
  sortHosts,
  useStatistics,
} from '../../stores/statistics.ts'
import { Icon } from '../../ui/icon.tsx'

/** Pixels; the stylesheet says the same. */
const ROW_HEIGHT = 32

const orDash = <T,>(value: T | null | undefined, format: (value: T) => string): string =>
  value === null || value === undefined ? '–' : format(value)

const CELLS: Record<Exclude<HostColumn, 'host'>, (figures: HostFigures) => string> = {
  requests: ({ requests }) => formatCount(requests),
  success: ({ successRate }) => orDash(successRate, formatPercent),
  bytes: ({ bytes }) => formatBytes(bytes),
  median: ({ timings }) => orDash(timings.duration?.medianMs, formatShortTime),
  p95: ({ timings }) => orDash(timings.duration?.p95Ms, formatShortTime),
  reused: ({ reusedShare }) => orDash(reusedShare, formatPercent),
}

export function HostSection(props: { hosts: readonly HostFigures[]; chosen: string | null }) {
  const { t } = useTranslation()
  const sort = useStatistics((state) => state.sort)
  const hosts = useMemo(() => sortHosts(props.hosts, sort), [props.hosts, sort])
  const body = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  // Whatever is above may have become higher or lower.
  useLayoutEffect(() => setTop(body.current?.offsetTop ?? 0))
  const virtual = useVirtualizer({
    count: hosts.length,
    getScrollElement: () => body.current?.closest('.stats') ?? null,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
    scrollMargin: top,
    getItemKey: (index) => hosts[index]!.host,
  })
  return (
    <section className="stats-section" aria-labelledby="stats-hosts">
      <h3 id="stats-hosts">{t('stats.hosts')}</h3>
      <div
        className="hosts number"
        role="table"
        aria-labelledby="stats-hosts"
        aria-rowcount={hosts.length + 1}
        aria-colcount={HOST_COLUMNS.length}
      >
        <div role="rowgroup">
          <div className="hosts-row hosts-head" role="row" aria-rowindex={1}>
            {HOST_COLUMNS.map((column) => (
              <HostHeader key={column} column={column} />
            ))}
          </div>
        </div>
        <div ref={body} className="hosts-rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => (
            <div
              key={item.key}
              className="hosts-row"
              role="row"
              aria-rowindex={item.index + 2}
              style={{ transform: `translateY(${item.start - top}px)` }}
            >
              <HostCells figures={hosts[item.index]!} chosen={props.chosen === hosts[item.index]!.host} />
            </div>
          ))}
        </div>
      </div>
    </section>
  )
}

function HostHeader({ column }: { column: HostColumn }) {
  const { t } = useTranslation()
  const sort = useStatistics((state) => state.sort)
  const sorted = sort.column === column
  const direction = sort.descending ? 'descending' : 'ascending'
  const label = t(`stats.hostColumns.${column}`)
  return (
    <div role="columnheader" className={`hosts-${column}`} aria-sort={sorted ? direction : 'none'}>
      <button
        type="button"
        className="head-button"
        title={t('stats.sortBy', { column: label })}
        onClick={() => useStatistics.setState({ sort: nextHostSort(sort, column) })}
      >
        {label}
        {sorted && <Icon name={direction} />}
      </button>
    </div>
  )
}

function HostCells({ figures, chosen }: { figures: HostFigures; chosen: boolean }) {
  const { t } = useTranslation()
  const name = figures.host === OTHER_HOSTS ? t('stats.otherHosts') : figures.host
  return (
    <>
      <div role="rowheader" className="hosts-host">
        <button
          type="button"
          className="hosts-name"
          aria-pressed={chosen}
          title={t('stats.showHost', { host: name })}
          onClick={() => useStatistics.setState({ host: chosen ? null : figures.host })}
        >
          {name}
        </button>
      </div>
      {HOST_COLUMNS.map(
        (column) =>
          column !== 'host' && (
            <div key={column} role="cell" className={`hosts-${column}`}>
              {CELLS[column](figures)}
            </div>
          ),
      )}
    </>
  )
}
