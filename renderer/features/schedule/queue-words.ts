/** What a queue is doing and what comes next, in a few words. Pure but for the clock's language. */
import { formatCount } from '../../../shared/format.ts'
import type { QueueView } from '../../../shared/queues.ts'
import { texts } from '../../i18n/index.ts'
import { outlookWords } from './outlook-words.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const FORMATS = {
  time: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  weekday: { weekday: 'short' },
  date: { day: 'numeric', month: 'short' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

/** Kept: making one takes far longer than using it. All are of UTC, so that none goes stale when the zone changes. */
const formats = new Map<string, Intl.DateTimeFormat>()

function written(at: number, language: string, kind: keyof typeof FORMATS): string {
  const key = `${language} ${kind}`
  const format = formats.get(key) ?? new Intl.DateTimeFormat(language, { ...FORMATS[kind], timeZone: 'UTC' })
  formats.set(key, format)
  return format.format(at - new Date(at).getTimezoneOffset() * MINUTE_MS)
}

/** `23:00`, or with its day where that is not today: `Sat 23:00`. */
export function clockText(at: number, now: number, language = texts.language): string {
  const time = written(at, language, 'time')
  if (new Date(at).toDateString() === new Date(now).toDateString()) return time
  return `${written(at, language, Math.abs(at - now) < 6 * DAY_MS ? 'weekday' : 'date')} ${time}`
}

/** `2 running · closes 07:00 · finish by 07:00`: what decides most first. */
export function queueStatus(queue: QueueView, now: number): string {
  const { t } = texts
  const parts: string[] = []
  if (queue.missedWindow !== null && queue.hold !== 'stopped') {
    const { until } = queue.missedWindow
    parts.push(until === null ? t('queues.missed') : t('queues.makesUp', { time: clockText(until, now) }))
  }
  if (queue.hold === 'stopped') parts.push(t('queues.stopped'))
  else if (queue.hold === 'window')
    parts.push(
      queue.changesAt === null ? t('queues.neverOpens') : t('queues.opens', { time: clockText(queue.changesAt, now) }),
    )
  if (queue.running > 0) parts.push(t('queues.running', { formatted: formatCount(queue.running) }))
  else if (queue.hold === null && queue.open > 0) parts.push(t('queues.waits'))
  if (queue.hold === null && queue.changesAt !== null)
    parts.push(t(parts.length > 0 ? 'queues.closes' : 'queues.openUntil', { time: clockText(queue.changesAt, now) }))
  if (queue.outlook !== null && queue.hold !== 'stopped') parts.push(outlookWords(queue.outlook, now))
  else if (queue.finishBy !== null && queue.hold !== 'stopped' && queue.open > 0)
    // All other times here are of this window's clock.
    parts.push(t('queues.finishBy', { time: [queue.finishBy, queue.timeZone].filter(Boolean).join(' ') }))
  if (queue.lends !== null) parts.push(t('queues.lends'))
  return parts.length === 0 ? t('queues.idle') : parts.join(' · ')
}

/** 0 is Monday. */
export function weekdayName(day: number, style: 'short' | 'long', language = texts.language): string {
  // The 5th of January 1970 was a Monday.
  return new Date(Date.UTC(1970, 0, 5 + day)).toLocaleDateString(language, { weekday: style, timeZone: 'UTC' })
}
