/** The lines a person reads: progress, results, the list. Pure: rows in, text out, fitted to a terminal's columns. */
import stringWidth from 'string-width'
import { formatBytes, formatCount, formatDuration, formatPercent, formatRate } from '../../shared/format.ts'
import { type ChecksumResult, DIGEST_SOURCE_NAMES, digestToTell } from '../../shared/integrity.ts'
import type { MirrorView, TaskDetail, TaskRow } from '../../shared/schemas.ts'
import { strategySentence } from '../../shared/task-strategy.en.ts'
import type { VerifyProgress } from '../../shared/verification.ts'
import { printable } from './terminal.ts'
import { verificationFacts } from './verification-lines.ts'

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const BAR_COLUMNS = 20
const NAME_COLUMNS_LEAST = 12

/** `text` cut with … or filled with spaces to exactly `columns` of a terminal; the end of a name tells more than its middle. */
export function fit(text: string, columns: number): string {
  const clean = printable(text)
  if (columns < 1) return ''
  if (stringWidth(clean) <= columns) return clean + ' '.repeat(columns - stringWidth(clean))
  const parts = [...graphemes.segment(clean)].map(({ segment }) => segment)
  const tail: string[] = []
  const tailColumns = Math.floor((columns - 1) / 3)
  while (parts.length > 0 && stringWidth(tail.join('')) + stringWidth(parts.at(-1)!) <= tailColumns) {
    tail.unshift(parts.pop()!)
  }
  const room = columns - 1 - stringWidth(tail.join(''))
  let head = ''
  for (const part of parts) {
    if (stringWidth(head) + stringWidth(part) > room) break
    head += part
  }
  const cut = `${head}…${tail.join('')}`
  return cut + ' '.repeat(Math.max(0, columns - stringWidth(cut)))
}

function bar(fraction: number): string {
  const full = Math.round(fraction * BAR_COLUMNS)
  return '█'.repeat(full) + '░'.repeat(BAR_COLUMNS - full)
}

function fractionOf(row: Pick<TaskRow, 'sizeBytes' | 'writtenBytes'>): number | null {
  if (row.sizeBytes === null) return null
  return row.sizeBytes === 0 ? 1 : row.writtenBytes / row.sizeBytes
}

/** What a row says beside its name: amounts and speed while active, otherwise why it stands. */
function status(row: TaskRow, now: number): string {
  const fraction = fractionOf(row)
  const amount =
    row.sizeBytes === null
      ? formatBytes(row.writtenBytes)
      : `${formatBytes(row.writtenBytes)} of ${formatBytes(row.sizeBytes)}`
  const percent = fraction === null ? null : formatPercent(fraction)
  switch (row.state) {
    case 'active':
      // Padded, so that nothing jumps while the numbers grow.
      return [
        (percent ?? '').padStart(5),
        amount.padStart(18),
        formatRate(row.bytesPerSecond).padStart(9),
        (row.etaMs === null ? '' : `${formatDuration(row.etaMs)} left`).padEnd(11),
        `${row.connections} conn`,
      ].join('  ')
    case 'waiting': {
      const wait = row.retryAt === null ? '' : ` in ${formatDuration(row.retryAt - now)}`
      return row.error === null ? `${amount}  starts${wait}` : `${amount}  tries again${wait}: ${row.error.message}`
    }
    case 'finishing':
      return `${amount}  finishing`
    case 'done':
      return formatBytes(row.writtenBytes)
    default:
      return [percent, amount, row.state, row.error?.message].filter(Boolean).join('  ')
  }
}

/** One running download in one line of at most `columns`. `now` is epoch ms. */
export function progressLine(row: TaskRow, columns: number, now: number): string {
  const fraction = fractionOf(row)
  const says = status(row, now)
  const withBar = fraction !== null && row.state === 'active' ? `${bar(fraction)}  ${says}` : says
  for (const right of [withBar, says]) {
    const name = columns - stringWidth(right) - 2
    if (name >= NAME_COLUMNS_LEAST) return `${fit(row.filename, Math.min(name, 40))}  ${printable(right)}`
  }
  return fit(`${fit(row.filename, NAME_COLUMNS_LEAST)}  ${says}`, columns).trimEnd()
}

/** `Comparing large.iso  45%  1.2 GB of 3 GB` */
export function verifyingLine(name: string, { checkedBytes, totalBytes }: VerifyProgress, columns: number): string {
  const share = totalBytes === 0 ? 0 : checkedBytes / totalBytes
  const right = `${formatPercent(share)}  ${formatBytes(checkedBytes)} of ${formatBytes(totalBytes)}`
  return `Comparing ${fit(name, Math.max(12, Math.min(40, columns - right.length - 12)))}  ${right}`
}

/** All running downloads of one command, in at most `rows` lines, and a line of totals where there are several. */
export function progressBlock(tasks: readonly TaskRow[], size: { columns: number; rows: number }, now: number): string {
  if (tasks.length === 0) return ''
  const running = tasks.filter(({ state }) => state === 'active' || state === 'finishing' || state === 'waiting')
  const shown = running.slice(0, Math.max(1, size.rows - 2)).map((row) => progressLine(row, size.columns, now))
  if (tasks.length === 1) return shown.join('\n')
  const count = (...states: TaskRow['state'][]) => tasks.filter(({ state }) => states.includes(state)).length
  const failed = count('failed', 'changed', 'paused')
  const totals = [
    `${formatCount(count('done'))} of ${formatCount(tasks.length)} done`,
    running.length > shown.length ? `${formatCount(running.length)} running` : null,
    failed > 0 ? `${formatCount(failed)} failed` : null,
    formatRate(tasks.reduce((sum, row) => sum + row.bytesPerSecond, 0)),
  ]
  return [...shown, fit(totals.filter((part) => part !== null).join('  '), size.columns).trimEnd()].join('\n')
}

/** What a finished download says to a person: `large.iso: 1.2 GB in 12s (100 MB/s), sha-256 verified`. */
export function doneSentence(done: {
  filename: string
  bytes: number
  /** bytes that an earlier run had fetched */
  resumedFrom: number
  seconds: number
  checksum: Pick<ChecksumResult, 'algorithm' | 'verified' | 'source'> | null
}): string {
  const fetched = done.bytes - done.resumedFrom
  const rate = done.seconds > 0 ? ` (${formatRate(fetched / done.seconds)})` : ''
  return [
    `${printable(done.filename)}: ${formatBytes(done.bytes)} in ${formatDuration(done.seconds * 1000)}${rate}`,
    done.resumedFrom > 0 ? `continued from ${formatBytes(done.resumedFrom)}` : null,
    done.checksum?.verified ? `${done.checksum.algorithm} verified${foundIn(done.checksum)}` : null,
  ]
    .filter((part) => part !== null)
    .join(', ')
}

/** Where the digest was found; nothing for what the user gave. */
function foundIn({ source }: Pick<ChecksumResult, 'source'>): string {
  return source === 'user' ? '' : ` by ${DIGEST_SOURCE_NAMES[source]}`
}

/** What the file was verified by, or is going to be. Null: nothing is known of it yet. */
function verifiedLine(task: TaskDetail): string | null {
  const told = digestToTell(task)
  if (!told) return task.state === 'done' ? 'nothing to verify it by' : null
  const { digest, result } = told
  const { algorithm, value, from } = digest
  if (result === 'verified') return `${algorithm} ${value} (verified${foundIn(digest)}${from ? `, ${from}` : ''})`
  const then = { pending: '', unverified: ', not compared', failed: ', does not match' }[result]
  return `${algorithm} ${value} expected${foundIn(digest)}${then}`
}

/** Columns of the list and their widths, the same on every page; the name comes last and takes what room there is. */
const LIST_COLUMNS = [
  ['ID', 5],
  ['STATE', 9],
  ['DONE', 8],
  ['SIZE', 8],
  ['SPEED', 9],
  ['LEFT', 7],
] as const

function listLine(cells: readonly string[], name: string, columns: number): string {
  const left = cells.map((cell, index) => `${cell.padEnd(LIST_COLUMNS[index]![1])}  `).join('')
  return (left + (columns === Number.POSITIVE_INFINITY ? printable(name) : fit(name, columns - left.length))).trimEnd()
}

export function listHead(columns: number): string {
  return listLine(
    LIST_COLUMNS.map(([name]) => name),
    'NAME',
    columns,
  )
}

/** One row of the list. `columns`: of the terminal; Infinity where there is none and nothing is cut. */
export function listRow(row: TaskRow, columns: number): string {
  const fraction = fractionOf(row)
  const active = row.state === 'active'
  const cells = [
    String(row.id),
    row.state,
    fraction === null ? formatBytes(row.writtenBytes) : formatPercent(fraction),
    row.sizeBytes === null ? '?' : formatBytes(row.sizeBytes),
    active ? formatRate(row.bytesPerSecond) : '',
    active && row.etaMs !== null ? formatDuration(row.etaMs) : '',
  ]
  return listLine(cells, row.error === null ? row.filename : `${row.filename}: ${row.error.message}`, columns)
}

const MIRROR_STATES: Record<MirrorView['state'], string> = {
  active: 'in use',
  used: 'used before',
  failed: 'failed',
  unused: 'not used yet',
}

/** One URL of a task's file, what became of it first. */
function mirrorLine({ url, state, error, location, bytes }: MirrorView): string {
  const about = [MIRROR_STATES[state], error?.code, bytes > 0 ? formatBytes(bytes) : null, location?.toUpperCase()]
  return `${about.filter(Boolean).join(', ')}: ${url}`
}

/** Everything about one task, one fact a line; what is not known is left out. `queue`: the name of its queue. */
export function detailLines(task: TaskDetail, queue?: string): string[] {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  const facts: [string, string | null][] = [
    ['ID', String(task.id)],
    ['Name', task.filename],
    ['State', task.state],
    ['Error', task.error === null ? null : `${task.error.message} (${task.error.code})`],
    ['Tries again', task.error === null ? null : time(task.retryAt)],
    ['URL', task.url],
    ['Final URL', task.finalUrl === task.url ? null : task.finalUrl],
    ...task.mirrors.map((mirror, index): [string, string] => [index === 0 ? 'Mirrors' : '', mirrorLine(mirror)]),
    ['Folder', task.folder],
    ['File', task.path],
    ['Partial', task.partPath],
    ['Size', task.sizeBytes === null ? null : `${formatBytes(task.sizeBytes)} (${formatCount(task.sizeBytes)} bytes)`],
    ['Done', formatBytes(task.writtenBytes)],
    ['Speed', task.state === 'active' ? formatRate(task.bytesPerSecond) : null],
    ['Time left', task.etaMs === null ? null : formatDuration(task.etaMs)],
    ['Queue', queue ?? null],
    ['Starts', task.startAt !== null && task.startedAt === null ? new Date(task.startAt).toISOString() : null],
    ['Limit', task.options.limitBytesPerSecond ? formatRate(task.options.limitBytesPerSecond) : null],
    ['Connections', task.state === 'active' ? String(task.connections) : null],
    ...task.strategy.map((reason, index): [string, string] => [
      index === 0 ? 'Strategy' : '',
      strategySentence(reason),
    ]),
    ['Resumes', task.resumable === null ? null : task.resumable ? 'yes' : 'by comparing'],
    ['Type', task.contentType],
    ['ETag', task.etag],
    ['Last modified', task.lastModified],
    ['HTTP', task.httpVersion],
    ['Checksum', verifiedLine(task)],
    ...task.badFiles.map((path): [string, string] => ['Came bad', path]),
    ['Compared', compared(task)],
    ['Added', time(task.createdAt)],
    ['Started', time(task.startedAt)],
    ['Finished', time(task.finishedAt)],
  ]
  return facts
    .filter((fact): fact is [string, string] => fact[1] !== null)
    .map(([name, value]) => `${name.padEnd(15)}${printable(value)}`)
}

function compared({ verification: found }: TaskDetail): string | null {
  return found && `${new Date(found.at).toISOString()}: ${verificationFacts(found).join('; ')}`
}
