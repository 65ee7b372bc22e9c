/** The settings as a form holds them: text for numbers, seconds for times, MB/s for the limit. Pure. */

import { PROXY_MODES, Settings, type SettingsPatch } from '../../../shared/schemas.ts'
import { type ActionDraft, actionDrafts, readAction } from '../schedule/queue-form.ts'

const BYTES_PER_MEGABYTE = 1_000_000

/** Number fields: factor from what is typed to what is stored, and the bounds of what is typed. */
export const NUMBER_FIELDS = {
  downloadsAtOnce: { factor: 1, min: 1, max: 100, whole: true },
  connectionsPerDownload: { factor: 1, min: 1, max: 64, whole: true },
  connectionsPerHost: { factor: 1, min: 1, max: 64, whole: true },
  keepRemovedDays: { factor: 1, min: 1, max: 3650, whole: true },
  keepRemovedFilesMinutes: { factor: 1, min: 0, max: 43_200, whole: true },
  backupDays: { factor: 1, min: 0, max: 365, whole: true },
  backupWeeks: { factor: 1, min: 0, max: 520, whole: true },
  statisticsDays: { factor: 1, min: 0, max: 3650, whole: true },
  journalDays: { factor: 1, min: 0, max: 366, whole: true },
  reportsKept: { factor: 1, min: 1, max: 3650, whole: true },
  keepFreeBytes: { factor: 1024 * 1024, min: 0, max: 1_000_000, whole: false },
  secondChances: { factor: 1, min: 0, max: 20, whole: true },
  secondChanceMinutes: { factor: 1, min: 1, max: 1440, whole: true },
  batteryLimitBytesPerSecond: { factor: BYTES_PER_MEGABYTE, min: 0.001, max: 100_000, whole: false },
  countdownSeconds: { factor: 1, min: 5, max: 3600, whole: true },
  retries: { factor: 1, min: 0, max: 10_000, whole: true },
  connectTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  headersTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  stallTimeoutMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  addressAttemptMs: { factor: 1000, min: 0.01, max: 60, whole: false },
  keepAliveMs: { factor: 1000, min: 0, max: 3600, whole: false },
  connectionWaitMs: { factor: 1000, min: 0.1, max: 3600, whole: false },
  idleConnectionsPerHost: { factor: 1, min: 0, max: 256, whole: true },
  idleConnections: { factor: 1, min: 0, max: 1024, whole: true },
  busyConnectionsPerHost: { factor: 1, min: 1, max: 256, whole: true },
  busyConnections: { factor: 1, min: 1, max: 1024, whole: true },
} as const

/** The same, where empty means none. */
const OPTIONAL_FIELDS = {
  requestsPerSecondPerHost: { factor: 1, min: 0.001, max: 10_000 },
  changedAfterMinutes: { factor: 1, min: 1, max: 10_080 },
  requestSpacingMsPerHost: { factor: 1000, min: 0.001, max: 3600 },
} as const

export type NumberField = keyof typeof NUMBER_FIELDS
export const PROXY_CHOICES = [...PROXY_MODES, 'manual'] as const
export type OptionalField = keyof typeof OPTIONAL_FIELDS
const OPTIONAL_KEYS = Object.keys(OPTIONAL_FIELDS) as OptionalField[]
const LIMIT = { min: 0.001, max: 100_000 }

/** What the form holds as the settings do. */
const PLAIN_FIELDS = [
  'onConflict',
  'onChange',
  'preallocate',
  'serverMirrors',
  'inhibitSleep',
  'onBattery',
  'durability',
  'verifyFound',
  'findChecksums',
  'reports',
  'deadlineOrder',
  'deadlineMayBorrow',
  'probeSizes',
  'theme',
  'whenClosed',
] as const
type PlainField = (typeof PLAIN_FIELDS)[number]

export interface SettingsForm extends Record<NumberField | OptionalField, string>, Pick<Settings, PlainField> {
  downloadFolder: string
  /** empty: partials lie beside what they become */
  temporaryFolder: string
  /** MB/s; empty: no limit */
  limit: string
  /** `manual`: `proxy` */
  proxyChoice: (typeof PROXY_CHOICES)[number]
  proxy: string
  /** empty: none */
  netrcFile: string
  /** empty: what Nighthaul calls itself */
  userAgent: string
  whenDone: ActionDraft[]
}

function plainOf<T extends Pick<Settings, PlainField>>(from: T): Pick<Settings, PlainField> {
  return Object.fromEntries(PLAIN_FIELDS.map((key) => [key, from[key]])) as unknown as Pick<Settings, PlainField>
}

export type Problem = { min: number; max: number } | 'required' | 'proxy' | 'absolute'

export function toForm(settings: Settings): SettingsForm {
  const numbers = Object.fromEntries(
    Object.entries(NUMBER_FIELDS).map(([key, { factor }]) => [key, String(settings[key as NumberField] / factor)]),
  ) as Record<NumberField, string>
  const optional = Object.fromEntries(
    OPTIONAL_KEYS.map((key) => [key, String((settings[key] ?? 0) / OPTIONAL_FIELDS[key].factor || '')]),
  ) as Record<OptionalField, string>
  const { downloadFolder, limitBytesPerSecond } = settings
  const limit = limitBytesPerSecond === null ? '' : String(limitBytesPerSecond / BYTES_PER_MEGABYTE)
  const { proxy, proxyMode, netrcFile } = settings
  return {
    ...numbers,
    ...optional,
    ...plainOf(settings),
    downloadFolder,
    temporaryFolder: settings.temporaryFolder ?? '',
    limit,
    proxyChoice: proxy === null ? proxyMode : 'manual',
    proxy: proxy ?? '',
    netrcFile: netrcFile ?? '',
    userAgent: settings.userAgent ?? '',
    whenDone: actionDrafts(settings.whenDone),
  }
}

/** What differs from `settings`, or which fields cannot be saved and why. */
export function readForm(
  form: SettingsForm,
  settings: Settings,
): { patch: SettingsPatch; problems: Partial<Record<keyof SettingsForm, Problem>>; wrongActions: number[] } {
  const problems: Partial<Record<keyof SettingsForm, Problem>> = {}
  const actions = form.whenDone.map(readAction)
  const wrongActions = form.whenDone.filter((_, index) => actions[index] === null).map(({ key }) => key)
  const next: Settings = {
    ...settings,
    ...plainOf(form),
    downloadFolder: form.downloadFolder.trim(),
    temporaryFolder: form.temporaryFolder.trim() || null,
    proxy: form.proxyChoice === 'manual' ? form.proxy.trim() : null,
    proxyMode: form.proxyChoice === 'manual' ? settings.proxyMode : form.proxyChoice,
    netrcFile: form.netrcFile.trim() || null,
    userAgent: form.userAgent.trim() || null,
    whenDone: actions.every((action) => action !== null) ? actions : settings.whenDone,
  }
  if (next.downloadFolder === '') problems.downloadFolder = 'required'
  if (next.temporaryFolder !== null && !isAbsolute(next.temporaryFolder)) problems.temporaryFolder = 'absolute'
  if (next.proxy === '') problems.proxy = 'required'
  else if (next.proxy !== null && next.proxy !== settings.proxy && !isProxy(next.proxy)) problems.proxy = 'proxy'
  for (const key of Object.keys(NUMBER_FIELDS) as NumberField[]) {
    const { factor, min, max, whole } = NUMBER_FIELDS[key]
    const value = readNumber(form[key])
    if (value === null || value < min || value > max || (whole && !Number.isInteger(value)))
      problems[key] = { min, max }
    else next[key] = Math.round(value * factor)
  }
  for (const key of OPTIONAL_KEYS) {
    const { factor, min, max } = OPTIONAL_FIELDS[key]
    const value = form[key].trim() === '' ? 0 : readNumber(form[key])
    if (value === null || (value !== 0 && value < min) || value > max) problems[key] = { min, max }
    else if (key === 'changedAfterMinutes' && !Number.isInteger(value)) problems[key] = { min, max }
    else next[key] = value === 0 ? null : factor === 1 ? value : Math.round(value * factor)
  }
  if (form.limit.trim() === '') next.limitBytesPerSecond = null
  else {
    const value = readNumber(form.limit)
    if (value === null || value < LIMIT.min || value > LIMIT.max) problems.limit = LIMIT
    else next.limitBytesPerSecond = Math.round(value * BYTES_PER_MEGABYTE)
  }
  const keys = Object.keys(Settings.shape) as (keyof Settings)[]
  const isNew = (key: keyof Settings): boolean => JSON.stringify(next[key]) !== JSON.stringify(settings[key])
  const patch = Object.fromEntries(keys.filter(isNew).map((key) => [key, next[key]]))
  return { patch, problems, wrongActions }
}

/** A comma is a decimal point to half of the world. */
export function readNumber(text: string): number | null {
  const normal = text.trim().replace(',', '.')
  return /^\d+(\.\d+)?$/.test(normal) ? Number(normal) : null
}

/** As on Unix, or on Windows: the engine may run on either, whatever this window runs on. */
function isAbsolute(path: string): boolean {
  return /^(?:\/|[a-z]:[\\/]|\\\\)/i.test(path)
}

function isProxy(text: string): boolean {
  return /^(https?|socks5h?):\/\/[^/]/i.test(text) && URL.canParse(text)
}
