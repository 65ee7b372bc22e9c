/** What a queue is doing and what comes next, in a few words. Pure but for the clock's language. */
import { formatCount } from '../../../shared/format.ts'
import type { QueueView } from '../../../shared/queues.ts'
import { texts } from '../../i18n/index.ts'
import { outlookWords } from './outlook-words.ts'

const DAY_MS = 86_400_000

/** `23:00`, or with its day where that is not today: `Sat 23:00`. */
export function clockText(at: number, now: number, language = texts.language): string {
  const time = new Date(at).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  if (new Date(at).toDateString() === new Date(now).toDateString()) return time
  const day: Intl.DateTimeFormatOptions =
    Math.abs(at - now) < 6 * DAY_MS ? { weekday: 'short' } : { day: 'numeric', month: 'short' }
  return `${new Date(at).toLocaleDateString(language, day)} ${time}`
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
    parts.push(t('queues.finishBy', { time: queue.finishBy }))
  if (queue.lends !== null) parts.push(t('queues.lends'))
  return parts.length === 0 ? t('queues.idle') : parts.join(' · ')
}

/** 0 is Monday. */
export function weekdayName(day: number, style: 'short' | 'long', language = texts.language): string {
  // The 5th of January 1970 was a Monday.
  return new Date(Date.UTC(1970, 0, 5 + day)).toLocaleDateString(language, { weekday: style, timeZone: 'UTC' })
}
