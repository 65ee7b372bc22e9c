/** The page of statistics: how requests went, overall and by host, and how fast bytes came. */
import { useTranslation } from 'react-i18next'
import { formatBytes, formatCount, formatFrequency, formatPercent } from '../../../shared/format.ts'
import { OTHER_HOSTS, type RequestFigures } from '../../../shared/request-statistics.ts'
import type { StatsSummary } from '../../../shared/schemas.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { texts } from '../../i18n/index.ts'
import { PERIODS, type Period, useStatistics } from '../../stores/statistics.ts'
import { Choice } from '../../ui/choice.tsx'
import { HistorySection } from './history-chart.tsx'
import { HostSection } from './host-table.tsx'
import { RepliesSection, TimesSection } from './request-figures.tsx'
import { useSummary } from './use-stats.ts'
import './stats-page.css'

export function StatsPage() {
  const { t } = useTranslation()
  const period = useStatistics((state) => state.period)
  const chosen = useStatistics((state) => state.host)
  const { summary, error } = useSummary(period)
  const figures = summary?.hosts.find(({ host }) => host === chosen) ?? null
  const host = figures?.host ?? null
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="stats" tabIndex={0} aria-labelledby="stats-title">
      <header className="stats-head">
        <h2 id="stats-title">{t('stats.title')}</h2>
        <p className="stats-aside">
          {summary && summary.overall.requests > 0 && <Since summary={summary} host={host} />}
        </p>
        <Choice
          label={t('stats.period')}
          options={(Object.keys(PERIODS) as Period[]).map((key) => ({ key, label: t(`stats.periods.${key}`) }))}
          value={period}
          onChange={(key) => useStatistics.setState({ period: key })}
        />
      </header>
      {error !== null && error.code !== 'disconnected' && (
        <p className="stats-problem" role="alert">
          {[t('stats.loadFailed'), errorWords(error, en.errors).title].join('. ')}
        </p>
      )}
      {summary === null ? (
        error === null && <p className="stats-empty empty-loading">{t('stats.loading')}</p>
      ) : summary.overall.requests === 0 ? (
        <Empty period={period} />
      ) : (
        <Figures summary={summary} figures={figures ?? summary.overall} />
      )}
      <HistorySection />
      {summary !== null && summary.overall.requests > 0 && (
        <>
          <div className="stats-columns">
            <TimesSection figures={figures ?? summary.overall} />
            <RepliesSection figures={figures ?? summary.overall} />
          </div>
          <HostSection hosts={summary.hosts} chosen={host} />
        </>
      )}
    </section>
  )
}

function Since({ summary, host }: { summary: StatsSummary; host: string | null }) {
  const { t } = useTranslation()
  const time = new Date(summary.from).toLocaleString(texts.language, { dateStyle: 'medium', timeStyle: 'short' })
  if (host === null) return t('stats.since', { time })
  return (
    <>
      {t('stats.sinceOfHost', { host: host === OTHER_HOSTS ? t('stats.otherHosts') : host, time })}
      <button type="button" className="button button-small" onClick={() => useStatistics.setState({ host: null })}>
        {t('stats.allHosts')}
      </button>
    </>
  )
}

function Figures({ summary, figures }: { summary: StatsSummary; figures: RequestFigures }) {
  const { t } = useTranslation()
  const { requests, failed, stopped, successRate, bytes, reusedShare } = figures
  const perSecond = (summary.requestsPerSecond * requests) / summary.overall.requests
  return (
    <dl className="stats-figures number">
      <div>
        <dt>{t('stats.requests')}</dt>
        <dd>{formatCount(requests)}</dd>
        {failed > 0 && <dd className="stats-note">{t('stats.failed', { requests: formatCount(failed) })}</dd>}
        {stopped > 0 && <dd className="stats-note">{t('stats.stopped', { requests: formatCount(stopped) })}</dd>}
      </div>
      <div>
        <dt>{t('stats.success')}</dt>
        <dd>{successRate === null ? '–' : formatPercent(successRate)}</dd>
      </div>
      <div>
        <dt>{t('stats.received')}</dt>
        <dd>{formatBytes(bytes)}</dd>
      </div>
      <div>
        <dt>{t('stats.frequency')}</dt>
        <dd>{formatFrequency(perSecond)}</dd>
      </div>
      <div>
        <dt>{t('stats.reused')}</dt>
        <dd>{reusedShare === null ? '–' : formatPercent(reusedShare)}</dd>
      </div>
    </dl>
  )
}

function Empty({ period }: { period: Period }) {
  const { t } = useTranslation()
  return (
    <div className="stats-empty">
      <p className="empty-title">{t('stats.emptyTitle')}</p>
      <p className="empty-body">{t('stats.emptyBody')}</p>
      {period !== 'all' && (
        <button type="button" className="button" onClick={() => useStatistics.setState({ period: 'all' })}>
          {t('stats.showAll')}
        </button>
      )}
    </div>
  )
}
