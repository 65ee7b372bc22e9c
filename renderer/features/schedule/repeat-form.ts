/** A repeating download as its dialog holds it, and what of it is new. Pure. */
import type { MISSED } from '../../../shared/queues.ts'
import {
  type AddRepeatInput,
  DEFAULT_REPEAT,
  NameTemplate,
  type RepeatPatch,
  type RepeatSettings,
  type RepeatView,
} from '../../../shared/repeats.ts'
import { HttpUrl, type QueueId, type TaskOptions } from '../../../shared/schemas.ts'
import { formatTimes, parseTimes } from '../../../shared/windows.ts'
import { isTimeZone, withoutRemedy } from './queue-form.ts'

export const MOST_KEPT = 1000

export interface RepeatForm {
  url: string
  when: string
  timeZone: string
  nameTemplate: string
  /** empty: all stay */
  keepLast: string
  queueId: QueueId
  /** empty: as the queue says */
  folder: string
  missed: (typeof MISSED)[number]
  paused: boolean
}

/** What a new one begins with. */
export interface RepeatSeed {
  url: string
  folder: string
  queueId: QueueId
  options: TaskOptions
}

export interface RepeatProblems {
  url?: true
  /** the sentence of shared/windows.ts, or `empty` */
  when?: string
  timeZone?: true
  /** the sentence of shared/repeats.ts */
  nameTemplate?: string
  keepLast?: true
}

const EVERY_NIGHT = 'daily 02:00'

export function toRepeatForm(stored: RepeatView | null, seed: RepeatSeed | null): RepeatForm {
  const from: Omit<RepeatSettings, 'options'> = stored ?? {
    ...DEFAULT_REPEAT,
    ...(seed && { url: seed.url, queueId: seed.queueId }),
    url: seed?.url ?? '',
    folder: seed?.folder.trim() || null,
    when: EVERY_NIGHT,
  }
  return {
    url: from.url,
    when: from.when,
    timeZone: from.timeZone ?? '',
    nameTemplate: from.nameTemplate,
    keepLast: from.keepLast === null ? '' : String(from.keepLast),
    queueId: from.queueId,
    folder: from.folder ?? '',
    missed: from.missed,
    paused: from.paused,
  }
}

/** What a form says that `stored` does not (all of it where that is null), or what is wrong with it. */
export function readRepeatForm(
  form: RepeatForm,
  stored: RepeatView | null,
): { said: RepeatPatch & Pick<AddRepeatInput, 'url' | 'when'>; patch: RepeatPatch; problems: RepeatProblems } {
  const problems: RepeatProblems = {}
  const url = form.url.trim()
  if (!HttpUrl.safeParse(url).success) problems.url = true
  const when = readWhen(form.when)
  if ('problem' in when) problems.when = when.problem
  const zone = form.timeZone.trim()
  if (zone !== '' && !isTimeZone(zone)) problems.timeZone = true
  const name = NameTemplate.safeParse(form.nameTemplate)
  if (!name.success) problems.nameTemplate = name.error.issues[0]?.message ?? ''
  const keepText = form.keepLast.trim()
  const keep = /^\d+$/.test(keepText) ? Number(keepText) : Number.NaN
  if (keepText !== '' && !(keep >= 1 && keep <= MOST_KEPT)) problems.keepLast = true
  const said = {
    url,
    when: 'text' in when ? when.text : '',
    timeZone: zone || null,
    nameTemplate: form.nameTemplate.trim(),
    keepLast: keepText === '' ? null : keep,
    queueId: form.queueId,
    folder: form.folder.trim() || null,
    missed: form.missed,
    paused: form.paused,
  }
  const before: Record<string, unknown> = { ...stored }
  const patch = Object.fromEntries(Object.entries(said).filter(([key, value]) => before[key] !== value))
  return { said, patch, problems }
}

function readWhen(text: string): { text: string } | { problem: string } {
  if (text.trim() === '') return { problem: 'empty' }
  try {
    return { text: formatTimes(parseTimes(text)) }
  } catch (error) {
    return { problem: withoutRemedy(error) }
  }
}
