/** What a report says in sentences, in English. Pure. */
import type { ErrorParams } from './errors.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts'
import { type ChecksumAlgorithm, DIGEST_SOURCE_NAMES, type DigestSource } from './integrity.ts'
import { formatDay, formatSpan } from './local-time.ts'
import type { DoneItem, Incident, NextStep, NightReport, QuietCode, RepeatedItem, ReportTotals } from './report.ts'

/** `1 file`, `2,000 files` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** What a report is called: `The night of 25 November 2026`. */
export function reportTitle({ night, from, to, timeZone }: NightReport): string {
  return night === null ? `Downloads, ${formatSpan(from, to, timeZone)}` : `The night of ${formatDay(from, timeZone)}`
}

/** Placeholders are filled from the params. */
const QUIET: Record<QuietCode, string> = {
  not_running: 'Nighthaul was not running.',
  crashed: 'Nighthaul had ended unexpectedly and was not running.',
  asleep: 'The machine slept, or its clock was set forward.',
  network_away: 'There was no network: {{reason}}.',
  battery: 'The machine ran on battery, and downloads waited for mains power.',
  window_closed: 'The window was closed: {{queues}}.',
  queue_stopped: 'Stopped by hand: {{queues}}.',
  disk: 'The disk held up {{downloads}} ({{error}}).',
  host_refused: 'Refused by {{hosts}}, which was left alone.',
  waiting_to_retry: '{{downloads}} waited to try again ({{error}}).',
  not_due: 'What was left was to start later.',
  waiting_for_decision: '{{downloads}} waited for a decision: the file on the server had changed.',
  silent: 'The servers sent nothing: {{downloads}} under way.',
  no_place: 'Nothing could start: no free place, or none at the hosts.',
}

/** `error` among the params is the title of an error. */
export function quietSentence(code: QuietCode, params: ErrorParams): string {
  return fill(QUIET[code], params)
}

const AWAY: Readonly<Record<string, string>> = {
  no_interface: 'this machine was connected to none',
  no_host_answers: 'no host answered any more',
  captive_portal: 'somebody else answered, as networks do that want a login first',
}

const INCIDENTS: Record<Exclude<Incident['code'], 'deadline' | 'adapted'>, string> = {
  stopped: 'Nighthaul was ended, and started again after {{ms}}.',
  crashed: 'Nighthaul ended unexpectedly, and ran again after {{ms}}. Nothing that was here was lost.',
  slept: 'The machine slept, or its clock was set forward, for {{ms}}.',
  clock_set_back: 'The clock was set back by {{ms}}; times before and after overlap.',
  network_away: 'There was no network for {{ms}}: {{reason}}.',
  battery: 'The machine ran on battery for {{ms}}, and downloads waited for mains power.',
  profile_changed: 'The profile “{{profile}}” began to hold.',
}

const OPEN_INCIDENTS: Partial<typeof INCIDENTS> = {
  stopped: 'Nighthaul was ended.',
  crashed: 'Nighthaul ended unexpectedly.',
  network_away: 'The network went away: {{reason}}.',
  battery: 'The machine runs on battery, and downloads wait for mains power.',
}

/** By what was found (`outlook`). */
const DEADLINES: Readonly<Record<string, string>> = {
  fits: '“{{queue}}” was found to be done by {{by}} after all, with some room.',
  tight: '“{{queue}}” was found to be just done by {{by}}: anything slower makes it late.',
  misses: '“{{queue}}” was found not to be done by {{by}}: {{late}} of {{files}} will be late ({{lateBytes}}).',
}

function adaptation({ shortestFirst, borrowsFrom }: ErrorParams): string {
  const done = [
    shortestFirst ? 'the shortest downloads of “{{queue}}” come first' : '',
    borrowsFrom ? '{{borrowsFrom}} do with less' : '',
  ].filter((part) => part !== '')
  if (done.length === 0) return 'Nothing is done any more so that “{{queue}}” makes its time: all is as it was set.'
  return `So that as much as possible of “{{queue}}” is there by {{by}}, ${done.join(', and ')}.`
}

export function incidentSentence(code: Incident['code'], params: ErrorParams, isOver: boolean): string {
  if (code === 'deadline') return fill(DEADLINES[String(params.outlook)] ?? '', params)
  if (code === 'adapted') return fill(adaptation(params), params)
  return fill((!isOver && OPEN_INCIDENTS[code]) || INCIDENTS[code], params)
}

export function verifiedSentence(against: { algorithm: ChecksumAlgorithm; source: DigestSource }): string {
  return `${against.algorithm} as given by ${DIGEST_SOURCE_NAMES[against.source]}`
}

export function refusalSentence(host: { host: string; status: number | null; complaints: number }): string {
  const how = host.status === null ? '' : ` (status ${host.status})`
  if (host.status === 403)
    return `“${host.host}” refused one download after the other (status 403); it was left alone for a while, ${host.complaints === 1 ? 'once' : `${formatCount(host.complaints)} times`}.`
  return `“${host.host}” asked for fewer requests${how}, ${host.complaints === 1 ? 'once' : `${formatCount(host.complaints)} times`}; it was left alone as long as it asked.`
}

type Run = Pick<RepeatedItem, 'name' | 'result' | 'deleted' | 'kept' | 'reason'>

/** `busy`: it was left out because the run before was still under way. */
export function repeatSentence({ name, result, deleted, kept, reason }: Run, busy: boolean): string {
  const quoted = (names: readonly string[]) => names.map((one) => `“${one}”`).join(', ')
  const what: Record<RepeatedItem['result'], string> = {
    started: 'Its download is under way.',
    downloaded: `Downloaded as “${name}”.`,
    unchanged: `The server says that it is still “${name}”; nothing was downloaded.`,
    same: `Downloaded, found to be the same as “${name}”, and removed again.`,
    failed: `${reason?.title ?? 'It failed'}. The next run tries it again, with what is here.`,
    skipped: busy ? 'Left out: the run before was still under way.' : 'Left out: its time was missed.',
  }
  return [
    what[result],
    // The double of what was there is no older result.
    deleted.length > 0 && result !== 'same' ? `Only the latest are kept, so ${quoted(deleted)} went.` : '',
    kept.length > 0 ? `${quoted(kept)} stayed: somebody has changed it since.` : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}

const DONE: Record<DoneItem['code'], { good: string; bad: string; none: string }> = {
  command: {
    good: '“{{program}}” was run for {{work}} and ended with code {{exitCode}}.',
    bad: '“{{program}}” was run for {{work}} and ended with code {{exitCode}}; what it wrote is in the log.',
    none: '“{{program}}” could not be run for {{work}}: {{why}}',
  },
  webhook: {
    good: '{{origin}} was told of {{work}} and answered with status {{status}}.',
    bad: '{{origin}} was to be told of {{work}} and answered with status {{status}} (tries: {{tries}}).',
    none: '{{origin}} could not be told of {{work}} (tries: {{tries}}): {{why}}',
  },
}

/** `params.queue` null: of all queues together. */
export function doneSentence(code: DoneItem['code'], ok: boolean, params: ErrorParams): string {
  const { good, bad, none } = DONE[code]
  const answered = (params.exitCode ?? params.status ?? null) !== null
  const work = params.queue === null ? 'all queues' : `“${params.queue}”`
  return fill(ok ? good : answered ? bad : none, { ...params, work, why: params.reason ?? '' })
}

const NEXT: Record<NextStep['code'], string> = {
  now: '{{downloads}} under way or next in turn.',
  battery: '{{downloads}} when the machine runs on mains power again.',
  window: '{{downloads}} when the window of “{{queue}}” opens.',
  start: '{{downloads}} when {{their}} time comes.',
  retry: '{{downloads}} tried again.',
  host: '{{downloads}} when {{their}} host allows it.',
  disk: '{{downloads}} as soon as the disk takes {{them}}.',
  stopped: '{{downloads}} in “{{queue}}”, which is stopped: start it.',
  paused: '{{downloads}} paused: resume {{them}}.',
  decision: '{{downloads}} changed on the server: decide whether to start over.',
  repeat: '{{repeats}} asked for again, and downloaded where changed.',
  failed: '{{downloads}} failed and {{are}} not tried again by {{themselves}}: see the next steps.',
}

export function nextSentence(code: NextStep['code'], params: ErrorParams): string {
  const some =
    params.downloads === 1
      ? { their: 'its', them: 'it', are: 'is', themselves: 'itself' }
      : { their: 'their', them: 'them', are: 'are', themselves: 'themselves' }
  return fill(NEXT[code], { ...some, ...params })
}

const UNDONE: Record<Exclude<NextStep['code'], 'repeat'>, string> = {
  now: 'It is under way or next in turn.',
  battery: 'It goes on when the machine runs on mains power again.',
  window: 'It goes on when the window of “{{queue}}” opens.',
  start: 'It starts when its time comes.',
  retry: 'It is tried again.',
  host: 'It goes on when its host allows it.',
  disk: 'It goes on as soon as the disk takes it.',
  stopped: 'It is in “{{queue}}”, which is stopped: start that queue.',
  paused: 'It is paused: resume it.',
  decision: 'It changed on the server: decide whether to start over.',
  failed: 'It failed and is not tried again by itself: see the next steps.',
}

/** The same of one download. */
export function undoneSentence(code: keyof typeof UNDONE, params: ErrorParams): string {
  return fill(UNDONE[code], params)
}

/** What the night was, in a few sentences. `quiet`: the reasons of the quiet time, the longest first. */
export function summarySentence(totals: ReportTotals, quiet: readonly string[]): string {
  const { finished, verified, unverified, failed, undone, receivedBytes, bytesPerSecond, quietMs } = totals
  if (finished + failed + undone + receivedBytes + totals.changed + totals.retries === 0)
    return 'There was nothing to do.'
  const rate = bytesPerSecond === null ? '' : ` at ${formatRate(bytesPerSecond)} on average`
  const came = `${counted(finished, 'file')} finished; ${formatBytes(receivedBytes)} came in${rate}.`
  const checked = [
    verified > 0 ? `${formatCount(verified)} verified` : '',
    unverified > 0 ? `${formatCount(unverified)} with nothing to verify against` : '',
  ].filter((part) => part !== '')
  const bad = [
    failed > 0 ? `${formatCount(failed)} failed` : '',
    totals.changed > 0 ? `${formatCount(totals.changed)} changed on the server` : '',
    totals.retried > 0 ? `${formatCount(totals.retried)} had to be tried again` : '',
  ].filter((part) => part !== '')
  const left = undone === 0 ? 'Nothing is left to do.' : `${counted(undone, 'download')} not done yet.`
  const still =
    quietMs < 60_000
      ? ''
      : `Nothing came for ${formatDuration(quietMs)}${quiet[0] ? `, mostly: ${lower(quiet[0])}` : '.'}`
  return [came, sentence(checked), sentence(bad), left, still].filter((part) => part !== '').join(' ')
}

/** One line for a notification. */
export function readyTitle(because: 'done' | 'night_ended', { finished, failed, undone }: ReportTotals): string {
  const isDone = because === 'done' && undone === failed
  const what = isDone ? 'Downloads are done' : because === 'done' ? 'Downloads rest' : 'The night is over'
  const parts = [
    `${formatCount(finished)} finished`,
    failed > 0 ? `${formatCount(failed)} failed` : '',
    undone - failed > 0 ? `${formatCount(undone - failed)} left` : '',
  ]
  return `${what}: ${parts.filter((part) => part !== '').join(', ')}`
}

const sentence = (parts: readonly string[]) => (parts.length === 0 ? '' : `${parts.join(', ')}.`)
const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)

function fill(template: string, params: ErrorParams): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = params[name]
    if (name === 'downloads' && typeof value === 'number') return counted(value, 'download')
    if (name === 'repeats' && typeof value === 'number') return counted(value, 'repeating download')
    if (name === 'reason' && typeof value === 'string') return AWAY[value] ?? value
    if (name === 'ms' && typeof value === 'number') return formatDuration(value)
    return String(value ?? '?')
  })
}
