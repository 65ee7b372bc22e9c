/** What people are told until they have read it: in the window and by `nighthaul list`. */
import type { ErrorParams } from './errors.ts'
import { formatCount } from './format.ts'

export const NOTICE_CODES = [
  'list_salvaged',
  'list_salvaged_unsure',
  'list_parts_unsure',
  'list_missing',
  'log_damaged',
  'backup_failed',
  'queue_done',
  'all_done',
  'done_command_failed',
  'done_webhook_failed',
  'repeat_missed',
  'window_missed',
  'deadline_tight',
  'deadline_misses',
] as const
export type NoticeCode = (typeof NOTICE_CODES)[number]

export interface Notice {
  id: number
  /** epoch ms */
  at: number
  code: NoticeCode
  params: ErrorParams
}

export function isNoticeCode(code: string): code is NoticeCode {
  return NOTICE_CODES.some((known) => known === code)
}

/** English; placeholders are filled from the params. */
export const noticesEn: Record<NoticeCode, string> = {
  list_salvaged:
    'The list was damaged and was put together again. Downloads kept: {{kept}}, taken from a backup: {{fromBackup}}, lost: {{lost}}. The damaged file is {{setAside}}.',
  list_salvaged_unsure:
    'The list was damaged and was put together again. Downloads kept: {{kept}}, taken from a backup: {{fromBackup}}. Some may be missing; how many cannot be told. The damaged file is {{setAside}}.',
  list_parts_unsure:
    'The damage reached more than the downloads: some of these may be missing, or older than they were: {{parts}}. Look them over. The damaged file is {{setAside}}.',
  list_missing:
    'There was no list of downloads here, but backups of one, the newest {{backup}}. “nighthaul restore latest” brings it back once this Nighthaul has ended.',
  log_damaged:
    'The last changes to the list ({{changes}}) could not be read, because its log was damaged. Downloads added just before may be missing: “nighthaul backups” shows earlier lists, or add them again.',
  repeat_missed:
    'The repeating download {{id}} ({{url}}) was missed, because the machine slept or was off. It runs in ten minutes: “nighthaul schedule repeat run {{id}}” runs it at once, “nighthaul schedule repeat skip {{id}}” leaves it out.',
  window_missed:
    'The window of the queue “{{queue}}” was missed from {{from}} to {{to}}, because the machine slept or was off. Its downloads wait for the next one: “nighthaul schedule missed run {{queueId}}” lets them run now for as long.',
  deadline_tight:
    'The queue “{{queue}}” will just be done by {{by}}: at about {{ends}}, and a slower line would be too slow.',
  deadline_misses:
    'The queue “{{queue}}” will not be done by {{by}}: of {{files}} downloads {{late}} will be missing then ({{lateBytes}}). It would be done {{ends}}.',
  queue_done: '“{{queue}}” is done: {{done}} finished ({{bytes}}), {{failed}} not.',
  all_done: 'All downloads are done: {{done}} finished ({{bytes}}), {{failed}} not.',
  done_command_failed: 'The command “{{program}}” that was to run when the downloads were done failed: {{reason}}',
  done_webhook_failed:
    '“{{origin}}” could not be told that the downloads are done, after three tries: {{reason}} Everything else went its way.',
  backup_failed: 'The daily backup of the list failed: {{reason}} Older backups are as they were; it is tried again.',
}

/** The sentence of a notice, in the language of `words`. */
export function noticeSentence({ code, params }: Pick<Notice, 'code' | 'params'>, words = noticesEn): string {
  return words[code].replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = params[name]
    return typeof value === 'number' ? formatCount(value) : String(value ?? '?')
  })
}
