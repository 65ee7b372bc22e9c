/** Rules for hosts as a form holds them, and what of it is new. Secrets come in as names only. Pure. */
import { HostPattern, HostRulePatch, type HostRuleView } from '../../../shared/host-schemas.ts'
import { readNumber } from './settings-form.ts'

const BYTES_PER_MEGABYTE = 1_000_000
const LIMIT = { min: 0.001, max: 100_000 }

/** MB/s as typed; empty: no limit. Undefined: no number. */
export function readLimit(text: string): number | null | undefined {
  if (text.trim() === '') return null
  const value = readNumber(text)
  return value === null || value < LIMIT.min || value > LIMIT.max ? undefined : Math.round(value * BYTES_PER_MEGABYTE)
}

export function limitText(bytesPerSecond: number | null | undefined): string {
  return bytesPerSecond ? String(bytesPerSecond / BYTES_PER_MEGABYTE) : ''
}

export const RULE_NUMBERS = ['connections', 'limitBytesPerSecond', 'requestsPerSecond', 'spacingMs'] as const
export const RULE_TEXTS = ['proxy', 'userAgent', 'referer', 'user'] as const
export type RuleField = (typeof RULE_NUMBERS)[number] | (typeof RULE_TEXTS)[number] | 'password' | 'headers'

export interface RuleDraft extends Record<RuleField, string> {
  key: number
  /** null: not added yet */
  stored: HostRuleView | null
  pattern: string
  /** stored headers are to go */
  clearHeaders: boolean
}

const EMPTY = {
  connections: '',
  requestsPerSecond: '',
  spacingMs: '',
  limitBytesPerSecond: '',
  proxy: '',
  userAgent: '',
  user: '',
  referer: '',
  password: '',
  headers: '',
}

export function ruleDraft(key: number, stored: HostRuleView | null): RuleDraft {
  const draft: RuleDraft = { ...EMPTY, key, stored, pattern: stored?.pattern ?? '', clearHeaders: false }
  for (const field of RULE_NUMBERS) {
    const value = stored?.[field]
    if (value === undefined) continue
    draft[field] =
      field === 'limitBytesPerSecond' ? limitText(value) : String(value / (field === 'spacingMs' ? 1000 : 1))
  }
  for (const field of RULE_TEXTS) draft[field] = stored?.[field] ?? ''
  return draft
}

/** What a draft changes, or the first field that cannot be saved. An empty patch: nothing. */
export function readRule(
  draft: RuleDraft,
): { pattern: string; patch: HostRulePatch } | { problem: RuleField | 'pattern' | 'empty' } {
  const pattern = HostPattern.safeParse(draft.pattern)
  if (!pattern.success) return { problem: 'pattern' }
  const patch: Record<string, unknown> = {}
  const set = (field: RuleField, value: unknown): void => {
    const before = field === 'password' || field === 'headers' ? undefined : draft.stored?.[field]
    if (value === null && before !== undefined) patch[field] = null
    else if (value !== null && value !== before) patch[field] = value
  }
  for (const field of RULE_NUMBERS) {
    const text = draft[field].trim()
    const value =
      field === 'limitBytesPerSecond' ? readLimit(text) : text === '' ? null : (readNumber(text) ?? undefined)
    if (value === undefined) return { problem: field }
    set(
      field,
      value === null || field === 'limitBytesPerSecond'
        ? value
        : field === 'spacingMs'
          ? Math.round(value * 1000)
          : value,
    )
  }
  for (const field of RULE_TEXTS) set(field, draft[field].trim() || null)
  if (draft.password !== '') set('password', draft.password)
  // A login is one thing: without its user, the password goes as well.
  else if (draft.user.trim() === '' && draft.stored?.hasPassword) patch.password = null
  const lines = draft.headers.split('\n').filter((line) => line.trim() !== '')
  const headers = lines.map((line) => /^([^:\s]+)\s*:\s*(.*)$/.exec(line.trim()))
  if (headers.some((match) => match === null)) return { problem: 'headers' }
  if (headers.length > 0) patch.headers = headers.map((match) => [match![1], match![2]])
  else if (draft.clearHeaders && draft.stored?.headers) patch.headers = null
  const parsed = HostRulePatch.safeParse(patch)
  if (!parsed.success) return { problem: (parsed.error.issues[0]?.path[0] as RuleField | undefined) ?? 'pattern' }
  const saysNothing = draft.stored === null && Object.keys(patch).length === 0
  return saysNothing ? { problem: 'empty' } : { pattern: pattern.data, patch: parsed.data }
}
