/** What `report` prints for people. Pure: a report in, lines out. */
import { formatBytes, formatCount, formatDuration, formatRate } from '../../shared/format.ts'
import { formatMoment, formatSpan, formatTimeOfDay } from '../../shared/local-time.ts'
import type { Graph, NightReport, NightSummary } from '../../shared/report.ts'
import { counted, reportTitle } from '../../shared/report-text.en.ts'
import { printable } from './terminal.ts'

/** Entries of one list; JSON and HTML have more. */
const MOST_LINES = 50
const INDENT = '  '

export function reportLines(report: NightReport): string[] {
  const { timeZone } = report
  const at = (moment: number) => formatMoment(moment, timeZone)
  const span = ({ from, to }: { from: number; to: number | null }) => formatSpan(from, to, timeZone)
  const title = `${reportTitle(report)}${report.complete ? '' : ' (not over yet)'}`
  return [
    title,
    report.summary,
    ...graphLines(report),
    ...list('Failed', report.failed, ({ name, reason, tries }) => [
      `${name}: ${reason.title} (${counted(tries, 'try', 'tries')})`,
      `${INDENT}${reason.next}`,
    ]),
    ...list('Changed on the server', report.changed, ({ name, reason, decision }) => [
      `${name}: ${decision === null ? reason.next : decision === 'restart' ? 'started over' : 'the partial was kept'}`,
    ]),
    ...list('Next', report.next, ({ at: moment, text }) => [`${moment === null ? '' : `${at(moment)}: `}${text}`]),
    ...list('Not done yet', report.undone, ({ name, writtenBytes, sizeBytes, reason, state }) => [
      `${name}: ${formatBytes(writtenBytes)}${sizeBytes === null ? '' : ` of ${formatBytes(sizeBytes)}`}, ${reason?.title ?? state}`,
    ]),
    ...list('Quiet times', report.quiet, ({ from, to, reasons }) => [
      `${span({ from, to })} (${formatDuration(to - from)}): ${reasons.map(({ text }) => text).join(' ')}`,
    ]),
    ...list('Hosts that refused', report.hosts, ({ from, until, text }) => [`${span({ from, to: until })}: ${text}`]),
    ...list('What happened to the machine', report.incidents, ({ text, ...time }) => [`${span(time)}: ${text}`]),
    ...list('Repeating downloads', report.repeats, ({ at: began, name, text, nextAt }) => [
      `${at(began)}: ${name}: ${text}${nextAt === null ? '' : ` Next: ${at(nextAt)}.`}`,
    ]),
    ...list('Done when the work was done', report.done, ({ at: moment, text }) => [`${at(moment)}: ${text}`]),
    ...list('Tried again', report.retried, ({ name, times, reasons, outcome }) => [
      `${name}: ${counted(times, 'time')}, ${reasons.map((why) => `${why.title} × ${formatCount(why.times)}`).join(', ')}; ${OUTCOMES[outcome]}`,
    ]),
    ...queueLines(report),
    ...list('Finished', report.finished, ({ name, bytes, against }) => [
      `${name}: ${formatBytes(bytes)}, ${against === null ? 'nothing to verify against' : against.text}`,
    ]),
  ].map(printable)
}

const OUTCOMES = { finished: 'finished', failed: 'failed', removed: 'removed', open: 'not done yet' } as const

function list<T>(title: string, rows: readonly T[], linesOf: (row: T) => string[]): string[] {
  if (rows.length === 0) return []
  const more = rows.length - MOST_LINES
  const lines = rows.slice(0, MOST_LINES).flatMap(linesOf)
  return [
    '',
    title,
    ...lines.map((line) => INDENT + line),
    ...(more > 0 ? [`${INDENT}and ${formatCount(more)} more (--json or --html)`] : []),
  ]
}

function queueLines({ queues, timeZone }: NightReport): string[] {
  const busy = queues.filter(({ totals }) => totals.finished + totals.failed + totals.undone + totals.receivedBytes > 0)
  if (busy.length < 2) return []
  return list('Queues', busy, ({ name, totals, windows }) => {
    const rate = totals.bytesPerSecond === null ? '' : ` at ${formatRate(totals.bytesPerSecond)}`
    const open = windows?.map(({ from, to }) => formatSpan(from, to, timeZone)).join(', ')
    return [
      `${name}: ${formatCount(totals.finished)} finished, ${formatCount(totals.failed)} failed, ${formatCount(totals.undone)} left, ${formatBytes(totals.receivedBytes)}${rate}${open ? `; might work ${open}` : ''}`,
    ]
  })
}

const BARS = ' ▁▂▃▄▅▆▇█'
const COLUMNS = 72

/** How much came, by the time, as one line of bars. */
function graphLines({ graph, from, to, madeAt, timeZone }: NightReport): string[] {
  if (graph === null || graph.steps.length === 0) return []
  const first = graph.steps[0]!.at
  const end = Math.min(
    Math.max(graph.steps.at(-1)!.at + graph.stepMs, first + graph.stepMs),
    Math.max(to, from),
    madeAt + graph.stepMs,
  )
  const sums = columnsOf(graph, first, end)
  const most = Math.max(...sums)
  const bars = sums.map((bytes) =>
    bytes === 0 ? ' ' : BARS[Math.max(1, Math.round((bytes / most) * (BARS.length - 1)))]!,
  )
  const columnMs = (end - first) / sums.length
  const [begin, last] = [formatTimeOfDay(first, timeZone), formatTimeOfDay(end, timeZone)]
  return [
    '',
    `Received (the highest bar is ${formatRate((most * 1000) / columnMs)})`,
    INDENT + bars.join(''),
    `${INDENT}${begin}${last.padStart(Math.max(last.length + 1, sums.length - begin.length))}`,
  ]
}

function columnsOf({ steps, stepMs }: Graph, first: number, end: number): number[] {
  const count = Math.max(1, Math.min(COLUMNS, Math.ceil((end - first) / stepMs)))
  const sums = new Array<number>(count).fill(0)
  for (const { at, bytes } of steps) {
    const column = Math.min(count - 1, Math.floor(((at - first) / (end - first)) * count))
    sums[column]! += bytes
  }
  return sums
}

export function nightLines(nights: readonly NightSummary[]): string[] {
  return nights.map(
    ({ night, finished, failed, receivedBytes, complete }) =>
      `${night}  ${formatCount(finished).padStart(7)} finished  ${formatCount(failed).padStart(5)} failed  ${formatBytes(receivedBytes).padStart(9)}${complete ? '' : '  (not over yet)'}`,
  )
}
