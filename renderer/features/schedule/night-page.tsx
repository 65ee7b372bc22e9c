/** The coming night: when each queue works, which profile holds, what is due; as a picture and as a list. */
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ErrorInfo, toErrorInfo } from '../../../shared/errors.ts'
import type { Forecast } from '../../../shared/forecast.ts'
import { formatBytes, formatRate } from '../../../shared/format.ts'
import type { ScheduleSpans } from '../../../shared/schedule.ts'
import { en } from '../../i18n/en.ts'
import { errorWords } from '../../i18n/error-words.ts'
import { editQueue } from '../../queue-actions.ts'
import { call, useConnection } from '../../session.ts'
import { useQueues } from '../../stores/queues.ts'
import { useRepeats } from '../../stores/repeats.ts'
import { timeMarks } from '../../stores/statistics.ts'
import { useNow } from '../../ui/use-now.ts'
import {
  fractionOf,
  type NightEvent,
  type NightRange,
  type NightRow,
  nextDownloads,
  nightEvents,
  nightRange,
  nightRows,
} from './night.ts'
import { forecastSentence, outlookTone } from './outlook-words.ts'
import { clockText, queueStatus } from './queue-words.ts'
import { RepeatList } from './repeat-list.tsx'
import './night-page.css'

const REFRESH_MS = 15_000
const HOUR_MS = 3_600_000
const SHOWN_DOWNLOADS = 20
const MARKS = 9
/** Beyond it, a time would reach over the edge. */
const LAST_MARK = 0.96

const share = (fraction: number): string => `${fraction * 100}%`

interface Night {
  range: NightRange
  spans: ScheduleSpans
  forecast: Forecast
}

/** Asked again when what a queue says changed, and now and then: foretelling much takes the engine a while. */
function useNight(): { night: Night | null; error: ErrorInfo | null } {
  const [shown, setShown] = useState<{ night: Night | null; error: ErrorInfo | null }>({ night: null, error: null })
  const connected = useConnection((state) => state.status.kind === 'open')
  const step = Math.floor(useNow() / REFRESH_MS)
  const said = useQueues((state) =>
    JSON.stringify(
      state.queues?.map(({ id, windows, timeZone, finishBy, stopped }) => [id, windows, timeZone, finishBy, stopped]),
    ),
  )
  useEffect(() => {
    if (!connected) return
    let current = true
    const range = nightRange(step * REFRESH_MS)
    Promise.all([
      call('schedule.windows', range),
      call('schedule.forecast', { tasks: SHOWN_DOWNLOADS, hours: Math.ceil((range.to - range.from) / HOUR_MS) }),
    ]).then(
      ([spans, forecast]) => current && setShown({ night: { range, spans, forecast }, error: null }),
      (error: unknown) => current && setShown(({ night }) => ({ night, error: toErrorInfo(error) })),
    )
    return () => {
      current = false
    }
  }, [connected, step, said])
  return shown
}

export function NightPage() {
  const { t } = useTranslation()
  const { night, error } = useNight()
  const queues = useQueues((state) => state.queues)
  const repeats = useRepeats((state) => state.repeats) ?? []
  const now = useNow()
  const rows = night && queues ? nightRows(queues, night.spans.queues, night.forecast, night.range) : []
  const events = night && queues ? nightEvents(queues, night.spans, night.forecast, repeats, night.range) : []
  const until = night ? clockText(night.range.to, now) : ''
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="page night" tabIndex={0} aria-labelledby="night-title">
      <header className="page-head">
        <h2 id="night-title">{t('night.title')}</h2>
        {night && <p className="page-aside">{t('night.aside', { time: until })}</p>}
      </header>
      {error !== null && error.code !== 'disconnected' && (
        <p className="page-problem" role="alert">
          {[t('night.loadFailed'), errorWords(error, en.errors).title].join('. ')}
        </p>
      )}
      {night === null ? (
        error === null && <p className="empty-loading">{t('night.loading')}</p>
      ) : (
        <>
          <Timeline night={night} rows={rows} label={t('night.label', { time: until })} now={now} />
          <Outlooks rows={rows} now={now} />
          <section className="page-section" aria-labelledby="night-comes">
            <h3 id="night-comes">{t('night.comes')}</h3>
            {events.length === 0 ? (
              <p className="faint">{t('night.nothing')}</p>
            ) : (
              <ol className="night-events">
                {events.map((event) => (
                  <Event
                    key={`${event.at} ${event.kind} ${'queueId' in event ? event.queueId : 'repeatId' in event ? event.repeatId : ''}`}
                    event={event}
                    now={now}
                  />
                ))}
              </ol>
            )}
          </section>
          <Downloads forecast={night.forecast} now={now} />
          <RepeatList />
        </>
      )}
    </section>
  )
}

function Timeline({ night, rows, label, now }: { night: Night; rows: NightRow[]; label: string; now: number }) {
  const { t } = useTranslation()
  const { range, spans } = night
  const { marks } = timeMarks(range.from, range.to, MARKS)
  const profiles = spans.profiles.length > 1 ? spans.profiles : []
  return (
    <section className="timeline" aria-label={label}>
      <Row className="timeline-hours number">
        {marks.map((at) => (
          <span
            key={at}
            className="timeline-mark"
            data-last={fractionOf(at, range) > LAST_MARK || undefined}
            style={{ left: share(fractionOf(at, range)) }}
          >
            {clockText(at, at)}
          </span>
        ))}
      </Row>
      {rows.map(({ queue, bars, work, always, deadlines }) => (
        <div key={queue.id} className="timeline-row" data-stopped={queue.stopped || undefined}>
          <button
            type="button"
            className="timeline-name"
            title={t('night.edit', { name: queue.name })}
            onClick={() => editQueue(queue.id)}
          >
            <span className="timeline-queue">{queue.name}</span>
            <span className="timeline-status">{queueStatus(queue, now)}</span>
          </button>
          <div className="timeline-track">
            {marks.map((at) => (
              <span key={at} className="timeline-line" style={{ left: share(fractionOf(at, range)) }} />
            ))}
            {bars.map((bar) => (
              <span
                key={bar.from}
                className="timeline-bar"
                style={{ left: share(bar.from), width: share(bar.to - bar.from) }}
              />
            ))}
            {work.map((bar) => (
              <span
                key={bar.from}
                className="timeline-work"
                style={{ left: share(bar.from), width: share(bar.to - bar.from) }}
              />
            ))}
            <span className="timeline-words" style={{ left: share(queue.stopped ? 0 : (bars[0]?.from ?? 0)) }}>
              {queue.stopped
                ? t('night.stopped')
                : bars.length === 0
                  ? t('night.closedAll')
                  : always
                    ? t('night.always')
                    : ''}
              {queue.limitBytesPerSecond !== null && bars.length > 0 && (
                <span>
                  {always && ', '}
                  {t('night.limit', { rate: formatRate(queue.limitBytesPerSecond) })}
                </span>
              )}
            </span>
            {deadlines.map((at) => (
              <span key={at} className="timeline-deadline" style={{ left: share(at) }} />
            ))}
          </div>
        </div>
      ))}
      {profiles.length > 0 && (
        <Row className="timeline-profiles" name={t('night.profiles')}>
          {profiles.map(({ name, from, to }) => (
            <span
              key={from}
              className="timeline-profile"
              style={{
                left: share(fractionOf(from, range)),
                width: share(fractionOf(to, range) - fractionOf(from, range)),
              }}
            >
              {t(`profiles.names.${name}`)}
            </span>
          ))}
        </Row>
      )}
    </section>
  )
}

/** What is left of each queue, when it is done, and what that means for its deadline. */
function Outlooks({ rows, now }: { rows: readonly NightRow[]; now: number }) {
  const { t } = useTranslation()
  const told = rows.filter(({ forecast }) => forecast !== null && forecast.files > 0)
  if (told.length === 0) return null
  const nameOf = (id: number): string => rows.find(({ queue }) => queue.id === id)?.queue.name ?? ''
  return (
    <section className="page-section" aria-labelledby="night-outlook">
      <h3 id="night-outlook">{t('night.outlook')}</h3>
      <ul className="night-events">
        {told.map(({ queue, forecast }) => (
          <li key={queue.id} data-outlook={outlookTone(forecast!.outlook)}>
            <span className="night-name" title={queue.name}>
              {queue.name}
            </span>
            <span>{forecastSentence(forecast!, nameOf, now)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What will start when. */
function Downloads({ forecast, now }: { forecast: Forecast; now: number }) {
  const { t } = useTranslation()
  const next = nextDownloads(forecast)
  if (next.length === 0) return null
  return (
    <section className="page-section" aria-labelledby="night-downloads">
      <h3 id="night-downloads">{t('night.downloads')}</h3>
      <ol className="night-events">
        {next.slice(0, SHOWN_DOWNLOADS).map(({ queue, task }) => (
          <li key={task.id} data-outlook={task.inTime === false ? 'bad' : undefined}>
            <span className="number night-time">
              {task.startsAt <= now ? t('night.now') : clockText(task.startsAt, now)}
            </span>
            <span className="night-download">
              <span className="night-file" title={task.name}>
                {task.name}
              </span>
              <span className="faint">
                <span className="night-queue" title={queue}>
                  {queue}
                </span>
                {[
                  '',
                  task.sizeKnown
                    ? formatBytes(task.leftBytes)
                    : t('night.about', { bytes: formatBytes(task.leftBytes) }),
                  task.endsAt === null ? null : t('night.until', { time: clockText(task.endsAt, now) }),
                  task.inTime === false ? t('night.tooLate') : null,
                ]
                  .filter((part) => part !== null)
                  .join(' · ')}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

function Row({ className, name, children }: { className: string; name?: string; children: ReactNode }) {
  return (
    <div className={`timeline-row ${className}`}>
      <span className="timeline-label">{name}</span>
      <div className="timeline-track">{children}</div>
    </div>
  )
}

function Event({ event, now }: { event: NightEvent; now: number }) {
  const { t } = useTranslation()
  const words =
    event.kind === 'profile'
      ? t('night.profile', { name: t(`profiles.names.${event.profile}`) })
      : t(`night.${event.kind}`, { name: event.name })
  return (
    <li>
      <time className="number" dateTime={new Date(event.at).toISOString()}>
        {clockText(event.at, now)}
      </time>
      <span>{words}</span>
    </li>
  )
}
