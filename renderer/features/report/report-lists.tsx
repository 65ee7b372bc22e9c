/** The lists of a report. Long ones show their first entries and more on demand; empty ones are not there. */
import { type ReactNode, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatBytes, formatCount, formatDuration } from '../../../shared/format.ts'
import type {
  ChangedItem,
  FailedItem,
  FinishedItem,
  NightReport,
  RetriedItem,
  UndoneItem,
} from '../../../shared/report.ts'
import type { TaskId } from '../../../shared/schemas.ts'
import { openDetails } from '../../actions.ts'
import { openPage } from '../../stores/window.ts'
import { clockText } from '../schedule/queue-words.ts'

const FIRST = 20
const MORE = 200

interface Totalled<T> {
  items: readonly T[]
  /** the report holds only so many; this is how many there are */
  total: number
}

function Section<T>(props: {
  title: string
  note?: string
  items: readonly T[]
  total?: number
  render: (item: T, index: number) => ReactNode
}) {
  const { items, total = items.length } = props
  const { t } = useTranslation()
  const id = useId()
  const [shown, setShown] = useState(FIRST)
  if (items.length === 0) return null
  const left = items.length - shown
  return (
    <section className="page-section" aria-labelledby={id}>
      <h3 id={id}>
        {props.title} <span className="report-count number">{props.note ?? formatCount(total)}</span>
      </h3>
      <ul className="report-list">{items.slice(0, shown).map(props.render)}</ul>
      {left > 0 && (
        <button type="button" className="button button-small" onClick={() => setShown(shown + MORE)}>
          {t('report.more', { count: left, formatted: formatCount(left) })}
        </button>
      )}
      {left <= 0 && total > items.length && (
        <p className="field-hint">{t('report.beyond', { formatted: formatCount(total - items.length) })}</p>
      )}
    </section>
  )
}

/** A download: its name leads to its details. */
function Item({ id, name, aside, children }: { id: TaskId; name: string; aside?: string; children?: ReactNode }) {
  return (
    <li className="report-item">
      <div className="report-line">
        <button
          type="button"
          className="report-name"
          onClick={() => {
            openPage('downloads')
            openDetails(id)
          }}
        >
          {name}
        </button>
        {aside && <span className="report-aside number">{aside}</span>}
      </div>
      {children}
    </li>
  )
}

export function Failed({ items, total }: Totalled<FailedItem>) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.failedTitle')}
      items={items}
      total={total}
      render={({ id, at, name, reason, tries }) => (
        <Item key={`${id} ${at}`} id={id} name={name} aside={clockText(at, at)}>
          <p className="report-bad">
            {reason.title}. {t('report.tries', { count: tries, formatted: formatCount(tries) })}
          </p>
          {/* The engine's sentence says what to do as well. */}
          <p>{reason.message || reason.next}</p>
        </Item>
      )}
    />
  )
}

export function Changed({ items, total }: Totalled<ChangedItem>) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.changedTitle')}
      items={items}
      total={total}
      render={({ id, at, name, reason, decision }) => (
        <Item key={`${id} ${at}`} id={id} name={name} aside={clockText(at, at)}>
          <p className={decision === null ? 'report-warn' : undefined}>{t(`report.decisions.${decision ?? 'open'}`)}</p>
          {decision === null && reason.next && <p>{reason.next}</p>}
        </Item>
      )}
    />
  )
}

export function Next({ steps, now }: { steps: NightReport['next']; now: number }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.nextTitle')}
      note=""
      items={steps}
      render={({ code, at, queueId, text }) => (
        <li key={`${code} ${at} ${queueId}`} className="report-timed">
          <span className="number faint">{at === null ? '' : clockText(at, now)}</span>
          <span>{text}</span>
        </li>
      )}
    />
  )
}

export function Undone({ items, total, now }: Totalled<UndoneItem> & { now: number }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.undoneTitle')}
      items={items}
      total={total}
      render={({ id, name, text, nextAt, writtenBytes, sizeBytes }) => (
        <Item
          key={id}
          id={id}
          name={name}
          aside={
            sizeBytes === null
              ? formatBytes(writtenBytes)
              : t('report.part', { done: formatBytes(writtenBytes), total: formatBytes(sizeBytes) })
          }
        >
          <p>
            {text} {nextAt !== null && <span className="faint number">{clockText(nextAt, now)}</span>}
          </p>
        </Item>
      )}
    />
  )
}

export function Quiet({ times, totalMs }: { times: NightReport['quiet']; totalMs: number }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.quietTitle')}
      note={formatDuration(totalMs)}
      items={times}
      render={({ from, to, reasons }) => (
        <li key={from} className="report-timed">
          <span className="number faint">
            {t('report.range', { from: clockText(from, from), to: clockText(to, to) })}
          </span>
          <span>{reasons.map(({ text }) => text).join(' ')}</span>
        </li>
      )}
    />
  )
}

export function Hosts({ hosts }: { hosts: NightReport['hosts'] }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.hostsTitle')}
      items={hosts}
      render={({ host, from, text }) => (
        <li key={`${host} ${from}`} className="report-timed">
          <span className="number faint">{clockText(from, from)}</span>
          <span>{text}</span>
        </li>
      )}
    />
  )
}

export function Incidents({ incidents }: { incidents: NightReport['incidents'] }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.incidentsTitle')}
      items={incidents}
      render={({ code, from, to, text }) => (
        <li key={`${code} ${from}`} className="report-timed">
          <span className="number faint">
            {to === null || to === from
              ? clockText(from, from)
              : t('report.range', { from: clockText(from, from), to: clockText(to, to) })}
          </span>
          <span>{text}</span>
        </li>
      )}
    />
  )
}

export function Repeated({ items, now }: { items: NightReport['repeats']; now: number }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.repeatsTitle')}
      items={items}
      render={({ repeatId, at, name, result, text, nextAt }) => (
        <li key={`${repeatId} ${at}`} className="report-item">
          <div className="report-line">
            <bdi>{name}</bdi>
            <span className="report-aside number">{clockText(at, at)}</span>
          </div>
          <p className={result === 'failed' ? 'report-bad' : undefined}>{text}</p>
          {nextAt !== null && <p className="faint">{t('report.repeatsNext', { time: clockText(nextAt, now) })}</p>}
        </li>
      )}
    />
  )
}

export function Done({ items }: { items: NightReport['done'] }) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.doneTitle')}
      items={items}
      render={({ at, ok, text }, index) => (
        <li key={`${at} ${index}`} className="report-timed">
          <span className="number faint">{clockText(at, at)}</span>
          <span className={ok ? undefined : 'report-bad'}>{text}</span>
        </li>
      )}
    />
  )
}

export function Retried({ items, total }: Totalled<RetriedItem>) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.retriedTitle')}
      items={items}
      total={total}
      render={({ id, name, times, reasons, outcome }) => (
        <Item key={id} id={id} name={name} aside={t(`report.outcomes.${outcome}`)}>
          <p>
            {t('report.tries', { count: times, formatted: formatCount(times) })}{' '}
            {reasons
              .map((reason) => (reason.times > 1 ? `${reason.title} (${formatCount(reason.times)})` : reason.title))
              .join(', ')}
          </p>
        </Item>
      )}
    />
  )
}

export function Finished({ items, total }: Totalled<FinishedItem>) {
  const { t } = useTranslation()
  return (
    <Section
      title={t('report.finishedTitle')}
      items={items}
      total={total}
      render={({ id, at, name, bytes, against }) => (
        <Item key={`${id} ${at}`} id={id} name={name} aside={`${formatBytes(bytes)} · ${clockText(at, at)}`}>
          <p className={against ? undefined : 'faint'}>{against?.text ?? t('report.notVerified')}</p>
        </Item>
      )}
    />
  )
}
