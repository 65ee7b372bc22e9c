/** How a queue stands towards its deadline, and what is known of its end, in words. Pure but for the language. */
import type { QueueForecast, QueueOutlook } from '../../../shared/forecast.ts'
import { formatBytes, formatCount, formatDuration } from '../../../shared/format.ts'
import { texts } from '../../i18n/index.ts'
import { clockText } from './queue-words.ts'

/** What is shown in which colour. */
export function outlookTone(outlook: QueueOutlook | null): 'bad' | 'warn' | undefined {
  return outlook?.kind === 'misses' ? 'bad' : outlook?.kind === 'tight' ? 'warn' : undefined
}

/** One short part of a line: `2 of 9 late for 07:00`. */
export function outlookWords(outlook: QueueOutlook, now: number): string {
  const { t } = texts
  const time = clockText(outlook.deadline, now)
  const late = outlook.files - outlook.filesInTime
  if (outlook.kind === 'misses')
    return t('queues.late', { late: formatCount(late), files: formatCount(outlook.files), time })
  return t(`queues.outlooks.${outlook.kind}`, { time })
}

/** Sentences for the page of the night: what is left, when it is done, what that means for the deadline, what is done. */
export function forecastSentence(
  { files, leftBytes, endsAt, sizesEstimated, outlook }: QueueForecast,
  nameOf: (id: number) => string,
  now: number,
): string {
  const { t } = texts
  if (files === 0) return ''
  const bytes = formatBytes(leftBytes)
  const sentences: string[] = [
    t(endsAt === null ? 'night.leftOpen' : 'night.left', {
      count: files,
      formatted: formatCount(files),
      bytes: sizesEstimated > 0 ? t('night.about', { bytes }) : bytes,
      time: endsAt === null ? '' : clockText(endsAt, now),
    }),
  ]
  if (outlook !== null) {
    const { kind, marginMs, deadline, adapted, missing } = outlook
    const margin = formatDuration(Math.abs(marginMs ?? 0))
    const time = clockText(deadline, now)
    if (kind === 'unknown') sentences.push(t(`night.unknown.${missing[0] ?? 'rate'}`, { time }))
    else if (kind === 'misses')
      sentences.push(
        t('night.misses', {
          time,
          late: formatCount(outlook.files - outlook.filesInTime),
          files: formatCount(outlook.files),
        }),
      )
    else sentences.push(t(`night.${kind}`, { time, margin }))
    if (adapted.shortestFirst) sentences.push(t('night.shortestFirst'))
    if (adapted.borrowsFrom.length > 0)
      sentences.push(t('night.borrows', { names: adapted.borrowsFrom.map(nameOf).join(', ') }))
  }
  return sentences.join(' ')
}
