/** The figures of a report: of all, of each queue, and of the graph. */
import type { ReportTotals } from '../../shared/report.ts'
import type { Morning } from './night.ts'
import { bytesByQueue, type FileTruth, triesOf } from './truth.ts'

const SECOND = 1_000
/** Bytes are written down once a second; a moment more where the second is a long one. */
const LATE_MS = 3_000

type Counts = Pick<
  ReportTotals,
  'added' | 'finished' | 'verified' | 'unverified' | 'failed' | 'retried' | 'retries' | 'undone'
>

export function judgeFigures(morning: Morning, truth: readonly FileTruth[]): string[] {
  const { plan, report, journal } = morning
  const bytes = bytesByQueue(morning)
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)
  const lost = journal.lost.bytesByQueue
  const complaints = [
    ...judgeTotals('all', report.totals, countsOf(morning, truth, null), sum(bytes.values()), sum(lost.values())),
    ...judgeGraph('all', morning, null),
  ]
  for (const { name } of plan.queues) {
    const queue = report.queues.find((one) => one.name === name)
    if (!queue) complaints.push(`nothing is told of “${name}”`)
    else {
      const counts = countsOf(morning, truth, name)
      complaints.push(...judgeTotals(`“${name}”`, queue.totals, counts, bytes.get(name)!, lost.get(name) ?? 0))
      complaints.push(...judgeGraph(`“${name}”`, morning, name))
    }
  }
  const { finished, failed, undone, retried } = report
  const lists = { finished, failed, undone, retried }
  for (const [what, list] of Object.entries(lists))
    if (list.length !== report.totals[what as keyof typeof lists])
      complaints.push(`${report.totals[what as keyof typeof lists]} ${what} are counted, and ${list.length} are told`)
  const numbers = [
    `${report.totals.finished.toLocaleString('en')} file`,
    report.totals.failed > 0 ? `${report.totals.failed} failed` : '',
  ]
  for (const part of numbers)
    if (!report.summary.includes(part)) complaints.push(`the summary does not say “${part}”: ${report.summary}`)
  return complaints
}

/** `queue` null: of all. */
function countsOf({ tasks, moves, repeats, plan }: Morning, truth: readonly FileTruth[], queue: string | null): Counts {
  const own = truth.filter(({ file }) => queue === null || file.queue === queue)
  const inState = (state: string) => own.filter(({ file }) => tasks.get(file.number)?.state === state)
  const runs = [
    ...Map.groupBy(
      moves.filter(({ file }) => file === null),
      ({ task }) => task,
    ).values(),
  ]
  // All that repeats is in one queue.
  const repeating = queue === null || plan.repeats[0]?.file.queue === queue
  const ended = (state: string) => (repeating ? runs.filter((all) => all.at(-1)!.to === state).length : 0)
  const again = [...own.map(({ tries }) => tries.length), ...(repeating ? runs.map((all) => triesOf(all).length) : [])]
  const done = inState('done')
  const verified = done.filter(({ file }) => file.told).length
  const finished = done.length + ended('done')
  return {
    added: own.length + (repeating ? repeats.reduce((sum, one) => sum + one.runs, 0) : 0),
    ...{ finished, verified, unverified: finished - verified },
    failed: inState('failed').length + ended('failed'),
    retried: again.filter((times) => times > 0).length,
    retries: again.reduce((sum, times) => sum + times, 0),
    undone: own.length - done.length + (repeating ? runs.filter((all) => all.at(-1)!.to !== 'done').length : 0),
  }
}

function judgeTotals(of: string, said: ReportTotals, is: Counts, bytes: number, lost: number): string[] {
  const complaints = Object.entries(is).flatMap(([what, count]) => {
    const told = said[what as keyof Counts]
    return told === count ? [] : [`${told} ${what} of ${of}, and it were ${count}`]
  })
  if (said.receivedBytes > bytes || said.receivedBytes < bytes - lost)
    complaints.push(
      `${said.receivedBytes} bytes of ${of}, and it were ${bytes}${lost > 0 ? ` (${lost} may be lost)` : ''}`,
    )
  const rate = said.activeMs > 0 ? (said.receivedBytes * SECOND) / said.activeMs : null
  if (said.bytesPerSecond !== rate) complaints.push(`${said.bytesPerSecond} bytes/s of ${of}, and it were ${rate}`)
  return complaints
}

/** Its bytes are those that came, when they came. `queue` null: of all. */
function judgeGraph(of: string, morning: Morning, queue: string | null): string[] {
  const { report, journal, plan } = morning
  const part = queue === null ? report : report.queues.find(({ name }) => name === queue)!
  const { graph, totals } = part
  if (graph === null) return [`there is no graph of ${of}`]
  const complaints: string[] = []
  const told = graph.steps.reduce((sum, { bytes }) => sum + bytes, 0)
  if (told !== totals.receivedBytes)
    complaints.push(`the graph of ${of} has ${told} bytes, and ${totals.receivedBytes} came`)
  // What the clock shows twice is there twice, and what is not looked at while it sleeps is told when it wakes.
  if (plan.clockSets.length + plan.sleeps.length + plan.ends.length > 0) return complaints
  const seconds = new Map<number, number>()
  for (const [name, own] of journal.bytesBySecond)
    if (queue === null || name === queue)
      for (const [second, bytes] of own) seconds.set(second, (seconds.get(second) ?? 0) + bytes)
  const order = [...seconds].sort((a, b) => a[0] - b[0])
  const cameBy = (at: number) => order.reduce((sum, [second, bytes]) => (second * SECOND < at ? sum + bytes : sum), 0)
  let sum = 0
  for (const { at, bytes } of graph.steps) {
    const before = cameBy(at - LATE_MS)
    if (sum < before || sum > cameBy(at))
      return [...complaints, `by ${at} the graph of ${of} has ${sum} bytes, and ${before} to ${cameBy(at)} had come`]
    sum += bytes
  }
  return complaints
}
