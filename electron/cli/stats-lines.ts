/** What `stats` prints for people. Pure: figures in, lines out. */
import { formatBytes, formatCount, formatFrequency, formatPercent, formatShortTime } from '../../shared/format.ts'
import { OTHER_HOSTS, type RequestFigures, TIMINGS, type TimingName } from '../../shared/request-statistics.ts'
import type { StatsSummary } from '../../shared/schemas.ts'
import { printable } from './terminal.ts'

const LABEL_COLUMNS = 15
const CELL_COLUMNS = 10

const TIMING_LABELS: Record<TimingName, string> = {
  queue: 'Queueing',
  connect: 'Connecting',
  tls: 'TLS handshake',
  firstByte: 'First byte',
  duration: 'Duration',
}

const HOST_HEADS = ['REQUESTS', 'OK', 'RECEIVED', 'AVERAGE', 'MEDIAN', 'P95', 'P99', 'REUSED']

function line(label: string, cells: readonly string[]): string {
  return `${label.padEnd(LABEL_COLUMNS)}${cells.map((cell) => cell.padStart(CELL_COLUMNS)).join('')}`.trimEnd()
}

const share = (value: number | null): string => (value === null ? '' : formatPercent(value))
const none = (count: number, what: string): string | null => (count === 0 ? null : `${formatCount(count)} ${what}`)

export function statsLines(summary: StatsSummary): string[] {
  const { overall, hosts } = summary
  return [...totalLines(summary), '', ...timingLines(overall), ...countLines(overall), '', ...hostLines(hosts)]
}

function totalLines({ overall, requestsPerSecond, from }: StatsSummary): string[] {
  const requests = [
    formatCount(overall.requests),
    overall.successRate === null ? null : `${share(overall.successRate)} succeeded`,
    none(overall.failed, 'failed'),
    none(overall.stopped, 'stopped'),
  ]
  const facts: [string, string][] = [
    ['Since', new Date(from).toISOString()],
    ['Requests', requests.filter((part) => part !== null).join(', ')],
    ['Rate', formatFrequency(requestsPerSecond)],
    ['Received', formatBytes(overall.bytes)],
    ['Connections', `${share(overall.reusedShare)} of requests found one open`],
  ]
  return facts.map(([label, value]) => label.padEnd(LABEL_COLUMNS) + value)
}

function timingLines({ timings }: RequestFigures): string[] {
  const rows = TIMINGS.flatMap((name) => {
    const figures = timings[name]
    if (figures === null) return []
    const { averageMs, medianMs, p95Ms, p99Ms } = figures
    return [
      line(
        TIMING_LABELS[name],
        [averageMs, medianMs, p95Ms, p99Ms].map((ms) => formatShortTime(ms)),
      ),
    ]
  })
  return rows.length === 0 ? [] : [line('', ['AVERAGE', 'MEDIAN', 'P95', 'P99']), ...rows, '']
}

/** The most frequent first. */
function countLines({ statuses, errors }: RequestFigures): string[] {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([key, count]) => `${key} × ${formatCount(count)}`)
      .join(', ')
  return [
    ['Statuses', list(statuses)],
    ['Errors', list(errors)],
  ].flatMap(([label = '', value = '']) => (value === '' ? [] : [label.padEnd(LABEL_COLUMNS) + value]))
}

function hostLines(hosts: StatsSummary['hosts']): string[] {
  const rows = hosts.map((figures) => {
    const { duration } = figures.timings
    const times = duration && [duration.averageMs, duration.medianMs, duration.p95Ms, duration.p99Ms]
    const cells = [
      formatCount(figures.requests),
      share(figures.successRate),
      formatBytes(figures.bytes),
      ...(times ? times.map((ms) => formatShortTime(ms)) : ['', '', '', '']),
      share(figures.reusedShare),
    ]
    return `${cells.map((cell) => cell.padStart(CELL_COLUMNS)).join('')}  ${nameOf(figures.host)}`
  })
  return [`${HOST_HEADS.map((head) => head.padStart(CELL_COLUMNS)).join('')}  HOST`, ...rows]
}

const nameOf = (host: string): string => (host === OTHER_HOSTS ? '(other hosts)' : printable(host))
