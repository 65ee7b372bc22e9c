/** The parts of a request with their times, and how requests were answered. */
import { useTranslation } from 'react-i18next'
import { formatCount, formatShortTime } from '../../../shared/format.ts'
import { type RequestFigures, TIMINGS } from '../../../shared/request-statistics.ts'
import { en } from '../../i18n/en.ts'

export function TimesSection({ figures }: { figures: RequestFigures }) {
  const { t } = useTranslation()
  return (
    <section className="stats-section" aria-labelledby="stats-times">
      <h3 id="stats-times">{t('stats.times')}</h3>
      <table className="stats-table number" aria-labelledby="stats-times">
        <thead>
          <tr>
            <th scope="col">
              <span className="visually-hidden">{t('stats.part')}</span>
            </th>
            <th scope="col">{t('stats.average')}</th>
            <th scope="col">{t('stats.median')}</th>
            <th scope="col" title={t('stats.p95Long')}>
              {t('stats.p95')}
            </th>
            <th scope="col" title={t('stats.p99Long')}>
              {t('stats.p99')}
            </th>
          </tr>
        </thead>
        <tbody>
          {TIMINGS.map((name) => {
            const timing = figures.timings[name]
            const cells = timing
              ? [timing.averageMs, timing.medianMs, timing.p95Ms, timing.p99Ms].map((ms) => formatShortTime(ms))
              : ['–', '–', '–', '–']
            return (
              <tr key={name}>
                <th scope="row">{t(`stats.timings.${name}`)}</th>
                {cells.map((text, index) => (
                  <td key={index}>{text}</td>
                ))}
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}

export function RepliesSection({ figures }: { figures: RequestFigures }) {
  const { t } = useTranslation()
  const statuses = mostFirst(figures.statuses)
  const errors = mostFirst(figures.errors)
  return (
    <section className="stats-section" aria-labelledby="stats-replies">
      <h3 id="stats-replies">{t('stats.replies')}</h3>
      <dl className="stats-counts number">
        {statuses.map(([status, count]) => (
          <div key={status}>
            <dt>{/^\d+$/.test(status) ? t('stats.status', { status }) : t('stats.otherStatus')}</dt>
            <dd>{formatCount(count)}</dd>
          </div>
        ))}
      </dl>
      <h4 className="stats-subtitle">{t('stats.errors')}</h4>
      {errors.length === 0 ? (
        <p className="faint">{t('stats.noErrors')}</p>
      ) : (
        <dl className="stats-counts number">
          {errors.map(([code, count]) => (
            <div key={code}>
              <dt title={code}>{wordsFor(code)}</dt>
              <dd>{formatCount(count)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}

const mostFirst = (counts: Record<string, number>): [string, number][] =>
  Object.entries(counts).sort(([, a], [, b]) => b - a)

/** The title of an error where it names nothing of one download, otherwise its code. */
function wordsFor(code: string): string {
  const title = (en.errors as Partial<Record<string, { title: string }>>)[code]?.title
  return title === undefined || title.includes('{{') ? code : title
}
