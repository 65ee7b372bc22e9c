/** The report of a night: what came, what did not and why, when nothing came, and what is tried next. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { formatBytes, formatCount, formatDuration, formatRate } from '../../../shared/format.ts'
import type { NightReport, NightSummary } from '../../../shared/report.ts'
import { reportHtml } from '../../../shared/report-html.ts'
import { DEFAULT_QUEUE_ID } from '../../../shared/schemas.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { texts } from '../../i18n/index.ts'
import { save } from '../../list-file.ts'
import { useQueues } from '../../stores/queues.ts'
import { useReportView } from '../../stores/window.ts'
import { Icon } from '../../ui/icon.tsx'
import { clockText } from '../schedule/queue-words.ts'
import { NightGraph } from './night-graph.tsx'
import {
  Changed,
  Done,
  Failed,
  Finished,
  Hosts,
  Incidents,
  Next,
  Quiet,
  Repeated,
  Retried,
  Undone,
} from './report-lists.tsx'
import { useReport, useShownQueue } from './use-report.ts'
import './report-page.css'

export function ReportPage() {
  const { t } = useTranslation()
  const { asked, error } = useReport()
  const report = asked?.report ?? null
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="page report" tabIndex={0} aria-labelledby="report-title">
      <header className="page-head">
        <h2 id="report-title">{t('report.title')}</h2>
        {report && (
          <p className="page-aside number">
            {t(report.complete ? 'report.span' : 'report.spanOpen', {
              from: clockText(report.from, report.madeAt),
              to: clockText(report.to, report.madeAt),
            })}
          </p>
        )}
        {asked && asked.nights.length > 0 && <Choosing nights={asked.nights} shown={report?.night ?? null} />}
        {report && (
          <button
            type="button"
            className="icon-button"
            aria-label={t('report.save')}
            title={t('report.save')}
            onClick={() => saveReport(report)}
          >
            <Icon name="export" />
          </button>
        )}
      </header>
      {error !== null && error.code !== 'disconnected' && (
        <p className="page-problem" role="alert">
          {[t('report.loadFailed'), errorWords(error, en.errors).title].join('. ')}
        </p>
      )}
      {asked === null ? (
        error === null && <p className="empty-loading">{t('report.loading')}</p>
      ) : report === null ? (
        <div className="page-empty">
          <p className="empty-title">{t('report.emptyTitle')}</p>
          <p className="empty-body">{t('report.emptyBody')}</p>
        </div>
      ) : (
        <Report report={report} />
      )}
    </section>
  )
}

function Report({ report }: { report: NightReport }) {
  return (
    <>
      <p className="report-summary selectable">{report.summary}</p>
      <Figures report={report} />
      {report.graph !== null && report.graph.steps.length > 0 && <NightGraph report={report} graph={report.graph} />}
      <Failed items={report.failed} total={report.totals.failed} />
      <Changed items={report.changed} total={report.totals.changed} />
      <Next steps={report.next} now={report.madeAt} />
      <Undone items={report.undone} total={report.totals.undone} now={report.madeAt} />
      <Quiet times={report.quiet} totalMs={report.totals.quietMs} />
      <Hosts hosts={report.hosts} />
      <Incidents incidents={report.incidents} />
      <Repeated items={report.repeats} now={report.madeAt} />
      <Done items={report.done} />
      <Retried items={report.retried} total={report.totals.retried} />
      <Finished items={report.finished} total={report.totals.finished} />
    </>
  )
}

/** Which night, and of which queue. */
function Choosing({ nights, shown }: { nights: readonly NightSummary[]; shown: string | null }) {
  const { t } = useTranslation()
  const queues = useQueues((state) => state.queues)
  const queueId = useShownQueue()
  return (
    <div className="report-choosing">
      {queues !== null && queues.length > 1 && (
        <select
          className="input select"
          aria-label={t('report.queue')}
          value={queueId ?? ''}
          onChange={(event) => useReportView.setState({ queueId: Number(event.target.value) || null })}
        >
          <option value="">{t('report.allQueues')}</option>
          {queues.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      <select
        className="input select"
        aria-label={t('report.night')}
        value={shown ?? ''}
        onChange={(event) => useReportView.setState({ night: event.target.value })}
      >
        {nights.map((night) => (
          <option key={night.night} value={night.night}>
            {nightText(night.night)}
          </option>
        ))}
      </select>
    </div>
  )
}

/** `Wed, 25 Nov`: the date of its evening. */
function nightText(night: string): string {
  return new Date(`${night}T12:00:00Z`).toLocaleDateString(texts.language, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  })
}

function Figures({ report: { totals } }: { report: NightReport }) {
  const { t } = useTranslation()
  const figure = (label: string, value: string, note: ReactNode = null, bad = false) => (
    <div>
      <dt>{label}</dt>
      <dd data-bad={bad || undefined}>{value}</dd>
      {note && <dd className="stats-note">{note}</dd>}
    </div>
  )
  return (
    <dl className="stats-figures number">
      {figure(
        t('report.finished'),
        formatCount(totals.finished),
        totals.finished > 0 && t('report.verified', { formatted: formatCount(totals.verified) }),
      )}
      {figure(t('report.failed'), formatCount(totals.failed), null, totals.failed > 0)}
      {figure(
        t('report.undone'),
        formatCount(totals.undone),
        totals.changed > 0 && t('report.changedNote', { formatted: formatCount(totals.changed) }),
      )}
      {figure(
        t('report.received'),
        formatBytes(totals.receivedBytes),
        totals.bytesPerSecond !== null && t('report.average', { rate: formatRate(totals.bytesPerSecond) }),
      )}
      {figure(
        t('report.quiet'),
        totals.quietMs === 0 ? t('report.quietNone') : formatDuration(totals.quietMs),
        totals.retries > 0 && t('report.retries', { count: totals.retries, formatted: formatCount(totals.retries) }),
      )}
    </dl>
  )
}

function saveReport(report: NightReport): void {
  const of = report.queueId === null || report.queueId === DEFAULT_QUEUE_ID ? '' : `-queue-${report.queueId}`
  const name = `nighthaul-night-${report.night ?? 'report'}${of}.html`
  save(new Blob([reportHtml(report)], { type: 'text/html' }), name)
}
