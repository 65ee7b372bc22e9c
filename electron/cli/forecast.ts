/** `schedule forecast`: what it asks the engine and what it prints. */
import type { QueueForecast, QueueOutlook, RateBasis, RepeatForecast, TaskForecast } from '../../shared/forecast.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from '../../shared/format.ts'
import { queueNamed, withQueue } from './queue-session.ts'
import type { ForecastFlags } from './schedule-commands.ts'
import { print, printable, printJson } from './terminal.ts'

const BASES: Record<RateBasis, string> = {
  now: 'as it comes now',
  hour: 'as measured at this hour in the last week',
  lately: 'as measured in the last week',
  assumed: 'assumed, because nothing was measured yet',
}

const GAPS: Record<QueueOutlook['missing'][number], string> = {
  rate: 'no speed was measured yet',
  size: 'no size is known yet',
  stopped: 'the queue is stopped',
  battery: 'downloads wait for the mains',
  network: 'the network is away',
}

export async function forecast(flags: ForecastFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const wanted = flags.queue === undefined ? null : (await queueNamed(client, flags.queue)).id
    const { queues, repeats, ...line } = await client.call('schedule.forecast', {
      tasks: flags.tasks,
      hours: flags.hours,
    })
    const shown = queues.filter(({ id }) => wanted === null || id === wanted)
    const runs = repeats.filter(({ queueId }) => wanted === null || queueId === wanted)
    if (flags.json) return [{ ...line, repeats: runs }, ...shown].forEach(printJson)
    print(`Line: ${formatRate(line.line.bytesPerSecond)}, ${BASES[line.line.basis]}`)
    for (const queue of shown) for (const text of queueLines(queue, line.at)) print(printable(text))
    for (const text of repeatLines(runs, line.at)) print(printable(text))
  })
}

/** In words, for one line of a list. */
export function outlookText(outlook: QueueOutlook, now: number): string {
  const { kind, marginMs, deadline, files, filesInTime, leftBytes, bytesInTime, missing } = outlook
  const by = timeOf(deadline, now)
  if (kind === 'unknown') return `by ${by}: cannot be told, ${missing.map((gap) => GAPS[gap]).join(', ')}`
  if (kind === 'misses')
    return `by ${by}: ${formatCount(files - filesInTime)} of ${formatCount(files)} will be missing (${formatBytes(leftBytes - bytesInTime)})`
  const spare = marginMs === null ? '' : `, ${formatDuration(marginMs)} to spare`
  return `by ${by}: ${kind === 'fits' ? 'fits' : 'just fits'}${spare}`
}

function queueLines(queue: QueueForecast, now: number): string[] {
  const { name, files, sizesEstimated, leftBytes, startsAt, endsAt, outlook, tasks } = queue
  if (files === 0) return [`${name}: nothing to do`]
  const sizes = `${sizesEstimated > 0 ? '~' : ''}${formatBytes(leftBytes)}`
  const lines = [
    `${name}: ${formatCount(files)} to do, ${sizes}; ${startsAt === null ? 'does not start' : `${timeOf(startsAt, now)} to ${endsAt === null ? 'later than in a week' : timeOf(endsAt, now)}`}`,
  ]
  if (outlook) {
    lines.push(`  ${outlookText(outlook, now)}`)
    const { shortestFirst, borrowsFrom } = outlook.adapted
    if (shortestFirst) lines.push('  the shortest come first, because not all fit')
    if (borrowsFrom.length > 0) lines.push(`  ${formatCount(borrowsFrom.length)} other queues do with less for it`)
  }
  return [...lines, ...tasks.map((task) => taskLine(task, now))]
}

function taskLine({ id, name, startsAt, endsAt, leftBytes, sizeKnown, inTime }: TaskForecast, now: number): string {
  const times = `${startsAt === null ? '?' : timeOf(startsAt, now)} - ${endsAt === null ? '?' : timeOf(endsAt, now)}`
  const late = inTime === false ? '  late' : ''
  return `  ${String(id).padEnd(6)} ${times}  ${sizeKnown ? '' : '~'}${formatBytes(leftBytes)}  ${name}${late}`
}

function repeatLines(repeats: readonly RepeatForecast[], now: number): string[] {
  if (repeats.length === 0) return []
  const line = ({ id, name, at, startsAt, endsAt, bytes, sizeKnown }: RepeatForecast) => {
    const times = `${startsAt === null ? '?' : timeOf(startsAt, now)} - ${endsAt === null ? '?' : timeOf(endsAt, now)}`
    return `  ${String(id).padEnd(6)} ${timeOf(at, now)}: ${times}  ${sizeKnown ? '' : '~'}${formatBytes(bytes)}  ${name}`
  }
  return ['Repeating downloads, where their files have changed by then:', ...repeats.map(line)]
}

/** Of the machine's zone, with the day where that is not the present one. */
function timeOf(at: number, now: number): string {
  const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: '2-digit', year: 'numeric' })
  const other = day.format(at) !== day.format(now)
  const time = new Intl.DateTimeFormat('en-GB', {
    ...{ hour: '2-digit', minute: '2-digit' },
    ...(other && { weekday: 'short' }),
  })
  return time.format(at)
}
