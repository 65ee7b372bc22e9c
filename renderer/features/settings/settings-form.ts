/** The settings as a form holds them: text for numbers, seconds for times, MB/s for the limit. Pure. */
import { Settings, type SettingsPatch } from '../../../shared/schemas.ts'

const BYTES_PER_MEGABYTE = 1_000_000

/** Number fields: factor from what is typed to what is stored, and the bounds of what is typed. */
export const NUMBER_FIELDS = {
  downloadsAtOnce: { factor: 1, min: 1, max: 100, whole: true },
  connectionsPerDownload: { factor: 1, min: 1, max: 64, whole: true },
  connectionsPerHost: { factor: 1, min: 1, max: 64, whole: true },
  statisticsDays: { factor: 1, min: 0, max: 3650, whole: true },
  retries: { factor: 1, min: 0, max: 10_000, whole: true },
  connectTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  headersTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  stallTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
} as const

export type NumberField = keyof typeof NUMBER_FIELDS
const LIMIT = { min: 0.001, max: 100_000 }

export interface SettingsForm extends Record<NumberField, string> {
  downloadFolder: string
  /** MB/s; empty: no limit */
  limit: string
  /** empty: none */
  proxy: string
  onConflict: Settings['onConflict']
  onChange: Settings['onChange']
  durability: Settings['durability']
  theme: Settings['theme']
}

export type Problem = { min: number; max: number } | 'required' | 'proxy'

export function toForm(settings: Settings): SettingsForm {
  const numbers = Object.fromEntries(
    Object.entries(NUMBER_FIELDS).map(([key, { factor }]) => [key, String(settings[key as NumberField] / factor)]),
  ) as Record<NumberField, string>
  const { downloadFolder, onConflict, onChange, durability, theme, limitBytesPerSecond } = settings
  const limit = limitBytesPerSecond === null ? '' : String(limitBytesPerSecond / BYTES_PER_MEGABYTE)
  return { ...numbers, downloadFolder, limit, proxy: settings.proxy ?? '', onConflict, onChange, durability, theme }
}

/** What differs from `settings`, or which fields cannot be saved and why. */
export function readForm(
  form: SettingsForm,
  settings: Settings,
): { patch: SettingsPatch; problems: Partial<Record<keyof SettingsForm, Problem>> } {
  const problems: Partial<Record<keyof SettingsForm, Problem>> = {}
  const next: Settings = {
    ...settings,
    downloadFolder: form.downloadFolder.trim(),
    proxy: form.proxy.trim() || null,
    onConflict: form.onConflict,
    onChange: form.onChange,
    durability: form.durability,
    theme: form.theme,
  }
  if (next.downloadFolder === '') problems.downloadFolder = 'required'
  if (next.proxy !== null && next.proxy !== settings.proxy && !isProxy(next.proxy)) problems.proxy = 'proxy'
  for (const key of Object.keys(NUMBER_FIELDS) as NumberField[]) {
    const { factor, min, max, whole } = NUMBER_FIELDS[key]
    const value = readNumber(form[key])
    if (value === null || value < min || value > max || (whole && !Number.isInteger(value)))
      problems[key] = { min, max }
    else next[key] = Math.round(value * factor)
  }
  if (form.limit.trim() === '') next.limitBytesPerSecond = null
  else {
    const value = readNumber(form.limit)
    if (value === null || value < LIMIT.min || value > LIMIT.max) problems.limit = LIMIT
    else next.limitBytesPerSecond = Math.round(value * BYTES_PER_MEGABYTE)
  }
  const keys = Object.keys(Settings.shape) as (keyof Settings)[]
  const patch = Object.fromEntries(keys.filter((key) => next[key] !== settings[key]).map((key) => [key, next[key]]))
  return { patch, problems }
}

/** A comma is a decimal point to half of the world. */
function readNumber(text: string): number | null {
  const normal = text.trim().replace(',', '.')
  return /^\d+(\.\d+)?$/.test(normal) ? Number(normal) : null
}

function isProxy(text: string): boolean {
  return /^(https?|socks5h?):\/\/[^/]/i.test(text) && URL.canParse(text)
}
