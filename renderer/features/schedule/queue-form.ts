/** A queue's settings as its dialog holds them, and what of it is new. Pure. */
import {
  type CategoryRule,
  DEFAULT_QUEUE_SETTINGS,
  type MISSED,
  type QueuePatch,
  type QueueSettings,
  type QueueView,
  type WhenDone,
} from '../../../shared/queues.ts'
import { formatTime, formatWindows, parseTime, parseWindows } from '../../../shared/windows.ts'
import { limitText, readLimit } from '../settings/limits-form.ts'
import { type WeekSpan, weekOf, windowsOf } from './week.ts'

export type NumberKey = 'priority' | 'weight' | 'downloadsAtOnce' | 'connections'

/** As QueueSettings says in its schema. */
export const NUMBERS: Readonly<Record<NumberKey, { min: number; max: number; optional: boolean }>> = {
  priority: { min: -10, max: 10, optional: false },
  weight: { min: 1, max: 100, optional: false },
  downloadsAtOnce: { min: 1, max: 100, optional: true },
  connections: { min: 1, max: 64, optional: true },
}

export interface CategoryDraft {
  key: number
  name: string
  /** `iso, img` */
  extensions: string
  hosts: string
  folder: string
}

export interface ActionDraft {
  key: number
  kind: WhenDone['kind']
  /** of a command: one a line, the program first; of a webhook: its address */
  text: string
}

export interface QueueForm extends Record<NumberKey, string> {
  name: string
  /** MB/s */
  limit: string
  folder: string
  stopped: boolean
  /** false: always */
  scheduled: boolean
  windows: string
  timeZone: string
  missed: (typeof MISSED)[number]
  finishBy: string
  categories: CategoryDraft[]
  whenDone: ActionDraft[]
}

/** What one begins with where there were no windows: nights and weekends. */
export const USUAL_WINDOWS = 'Mon-Sun 23:00-07:00'

export function toQueueForm(queue: (QueueSettings & { name: string }) | null): QueueForm {
  const { name = '', ...settings } = queue ?? { ...DEFAULT_QUEUE_SETTINGS, name: '' }
  const text = (value: number | null) => (value === null ? '' : String(value))
  return {
    name,
    limit: limitText(settings.limitBytesPerSecond),
    priority: text(settings.priority),
    weight: text(settings.weight),
    downloadsAtOnce: text(settings.downloadsAtOnce),
    connections: text(settings.connections),
    folder: settings.folder ?? '',
    stopped: settings.stopped,
    scheduled: settings.windows !== null,
    windows: settings.windows ?? USUAL_WINDOWS,
    timeZone: settings.timeZone ?? '',
    missed: settings.missed,
    finishBy: settings.finishBy ?? '',
    categories: settings.categories.map((rule, key) => ({
      key,
      name: rule.name,
      extensions: rule.extensions.join(', '),
      hosts: rule.hosts.join(', '),
      folder: rule.folder,
    })),
    whenDone: actionDrafts(settings.whenDone),
  }
}

export function actionDrafts(actions: readonly WhenDone[]): ActionDraft[] {
  return actions.map((action, key) => ({
    key,
    kind: action.kind,
    text:
      action.kind === 'command'
        ? [action.program, ...action.args].join('\n')
        : action.kind === 'webhook'
          ? action.url
          : '',
  }))
}

export interface QueueProblems {
  name?: 'required' | 'repeated'
  limit?: true
  priority?: true
  weight?: true
  downloadsAtOnce?: true
  connections?: true
  /** the sentence of shared/windows.ts */
  windows?: string
  timeZone?: true
  finishBy?: true
  /** keys of drafts that cannot be used */
  categories: number[]
  whenDone: number[]
}

/** What a form says, or what is wrong with it. `others`: names of the other queues. */
export function readQueueForm(
  form: QueueForm,
  stored: QueueView | null,
  others: readonly string[],
): { patch: QueuePatch & { name: string }; problems: QueueProblems; hasProblems: boolean } {
  const problems: QueueProblems = { categories: [], whenDone: [] }
  const name = form.name.trim()
  if (name === '') problems.name = 'required'
  else if (others.some((other) => other.toLowerCase() === name.toLowerCase())) problems.name = 'repeated'
  const limit = readLimit(form.limit)
  if (limit === undefined) problems.limit = true
  const number = (key: NumberKey): number | null => {
    const text = form[key].trim()
    const { min, max, optional } = NUMBERS[key]
    if (text === '' && optional) return null
    const value = /^[-−]?\d+$/.test(text) ? Number(text.replace('−', '-')) : Number.NaN
    const fits = value >= min && value <= max
    if (!fits) problems[key] = true
    return fits ? value : null
  }
  const read = readWindows(form.windows)
  if (form.scheduled && 'problem' in read) problems.windows = read.problem
  const zone = form.timeZone.trim()
  if (zone !== '' && !isTimeZone(zone)) problems.timeZone = true
  const minutes = form.finishBy.trim() === '' ? null : parseTime(form.finishBy)
  if (form.finishBy.trim() !== '' && (minutes === null || minutes === 1440)) problems.finishBy = true

  const categories = form.categories.map((draft): CategoryRule => {
    if (draft.name.trim() === '' || draft.folder.trim() === '') problems.categories.push(draft.key)
    return {
      name: draft.name.trim(),
      extensions: wordsOf(draft.extensions).map((word) => word.replace(/^[*.]+/, '').toLowerCase()),
      hosts: wordsOf(draft.hosts).map((word) => word.toLowerCase()),
      folder: draft.folder.trim(),
    }
  })
  const whenDone = form.whenDone.map((draft): WhenDone => {
    const action = readAction(draft)
    if (action === null) problems.whenDone.push(draft.key)
    return action ?? { kind: 'notify' }
  })
  const settings: QueueSettings = {
    limitBytesPerSecond: limit ?? null,
    priority: number('priority') ?? 0,
    weight: number('weight') ?? 1,
    downloadsAtOnce: number('downloadsAtOnce'),
    connections: number('connections'),
    folder: form.folder.trim() || null,
    categories,
    stopped: form.stopped,
    windows: form.scheduled && 'week' in read ? read.text : null,
    timeZone: zone || null,
    missed: form.missed,
    finishBy: minutes === null ? null : formatTime(minutes),
    whenDone,
  }
  const before: Record<string, unknown> = stored ? { ...stored } : { ...DEFAULT_QUEUE_SETTINGS }
  const changed = Object.entries(settings).filter(
    ([key, value]) => JSON.stringify(before[key]) !== JSON.stringify(value),
  )
  const { categories: wrongCategories, whenDone: wrongActions, ...fields } = problems
  const hasProblems = Object.keys(fields).length + wrongCategories.length + wrongActions.length > 0
  return { patch: { name, ...(Object.fromEntries(changed) as QueuePatch) }, problems, hasProblems }
}

/** Windows as text: as they are always written, and as a week to paint. No text: never open, which is no schedule. */
export function readWindows(text: string): { text: string; week: WeekSpan[] } | { problem: string } {
  if (text.trim() === '') return { problem: 'empty' }
  try {
    const windows = parseWindows(text)
    return { text: formatWindows(windows), week: weekOf(windows) }
  } catch (error) {
    return { problem: withoutRemedy(error) }
  }
}

/** The sentence of shared/windows.ts; what to write instead stands below the field anyway. */
export function withoutRemedy(error: unknown): string {
  return (error as Error).message.split(' Nothing was changed')[0]!
}

/** The text of a week that was painted; empty: nothing is open. */
export function paintedText(week: readonly WeekSpan[]): string {
  return formatWindows(windowsOf(week))
}

/** null: it cannot be used */
export function readAction({ kind, text }: ActionDraft): WhenDone | null {
  if (kind === 'command') {
    const [program, ...args] = text.split('\n').filter((line) => line.trim() !== '')
    return program ? { kind, program: program.trim(), args } : null
  }
  if (kind === 'webhook') {
    const url = URL.parse(text.trim())
    return url && /^https?:$/.test(url.protocol) ? { kind, url: text.trim() } : null
  }
  return { kind }
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean)
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
