/** Each line of the night's report, against what the simulated network saw. */
import type { NightReport } from '../../shared/report.ts'
import type { Morning } from './night.ts'
import { nameOf } from './night-plan.ts'

/** The journal counts by seconds. */
const SECOND = 1_000

export function judgeReport(morning: Morning): string[] {
  return [
    ...judgeItems(morning),
    ...judgeTotals(morning),
    ...judgeHosts(morning),
    ...judgeQuiet(morning),
    ...judgeIncidents(morning),
  ]
}

/** Every download is in one list, and in the right one. */
function judgeItems({ plan, tasks, report }: Morning): string[] {
  const { finished, failed, undone } = report
  const complaints: string[] = []
  for (const file of plan.files) {
    const task = tasks.get(file.number)
    const name = nameOf(file)
    const [done, gaveUp, open] = [finished, failed, undone].map((list) => list.filter((item) => item.name === name))
    const lines = `finished ${done!.length}, failed ${gaveUp!.length}, undone ${open!.length}`
    const isTrue =
      task?.state === 'done'
        ? done!.length === 1 && gaveUp!.length === 0 && open!.length === 0
        : done!.length === 0 && open!.length === 1 && gaveUp!.length > 0 === (task?.state === 'failed')
    if (!isTrue) complaints.push(`report: ${name} is ${task?.state}, and told as ${lines}`)
  }
  for (const { name, bytes } of finished) {
    const file = plan.files.find((one) => nameOf(one) === name)
    if (bytes !== file?.sizeBytes) complaints.push(`report: ${name} has ${file?.sizeBytes} bytes, not ${bytes}`)
  }
  for (const { name, reason } of failed) {
    const task = [...tasks.values()].find(({ filename, requestedFilename }) => (filename ?? requestedFilename) === name)
    if (reason.code !== task?.error?.code)
      complaints.push(`report: ${name} failed by ${task?.error?.code}, not ${reason.code}`)
  }
  return complaints
}

function judgeTotals({ journal, tasks, report: { totals, finished, failed, undone } }: Morning): string[] {
  const inState = (state: string) => [...tasks.values()].filter((task) => task.state === state).length
  const bytes = journal.asked
    .filter(({ status, file }) => file !== null && (status === 200 || status === 206))
    .reduce((sum, asked) => sum + asked.bytes, 0)
  const pairs: [what: string, said: number, was: number][] = [
    ['added', totals.added, tasks.size],
    ['finished', totals.finished, inState('done')],
    ['failed', totals.failed, inState('failed')],
    ['finished lines', finished.length, inState('done')],
    ['failed lines', failed.length, inState('failed')],
    ['undone lines', undone.length, tasks.size - inState('done')],
    ['bytes', totals.receivedBytes, bytes],
  ]
  return pairs.flatMap(([what, said, was]) => (said === was ? [] : [`report: ${said} ${what}, and it were ${was}`]))
}

/** Hosts that refused are named, and no others. */
function judgeHosts({ journal, report }: Morning): string[] {
  const refused = new Set(
    journal.asked.filter(({ status }) => status === 429 || status === 503).map(({ host }) => host),
  )
  const said = new Set(report.hosts.map(({ host }) => host))
  return [
    ...[...refused].filter((host) => !said.has(host)).map((host) => `report: ${host} refused, and is not named`),
    ...[...said].filter((host) => !refused.has(host)).map((host) => `report: ${host} is named, and refused nothing`),
  ]
}

/** In a quiet time nothing came. */
function judgeQuiet({ journal, report }: Morning): string[] {
  const seconds = new Set([...journal.bytesBySecond.values()].flatMap((bySecond) => [...bySecond.keys()]))
  return report.quiet.flatMap(({ from, to, reasons }) => {
    for (let second = Math.ceil(from / SECOND); second < Math.floor(to / SECOND); second++)
      if (seconds.has(second))
        return [
          `report: quiet (${reasons[0]!.code}) from ${clock(from)} to ${clock(to)}, but bytes came at ${clock(second * SECOND)}`,
        ]
    return []
  })
}

/** What is said of the machine happened to it, and what happened to it is said. */
function judgeIncidents({ plan, report }: Morning): string[] {
  const slept = report.incidents.filter(({ code }) => code === 'slept')
  const naps = plan.sleeps.map(({ at, ms }) => [at, at + ms] as const)
  const meets = ({ from, to }: NightReport['incidents'][number], spans: readonly (readonly [number, number])[]) =>
    spans.some(([begins, ends]) => from < ends + 2 * 60_000 && (to ?? Number.POSITIVE_INFINITY) > begins - 60_000)
  const away = report.incidents.filter(({ code }) => code === 'network_away')
  // Where no host in use answers, nobody can tell whether it is they or the network; the report says so.
  const outages = [...plan.outages, ...plan.hosts.flatMap(({ troubles }) => troubles)].map(({ span }) => span)
  return [
    ...slept.filter((one) => !meets(one, naps)).map(({ from }) => `report: asleep at ${clock(from)}, and it was not`),
    ...naps
      .filter((nap) => !slept.some((one) => meets(one, [nap])))
      .map(([from]) => `report: it slept at ${clock(from)}, and nothing says so`),
    ...away
      .filter((one) => !meets(one, [...outages, ...naps]))
      .map(({ from }) => `report: the network was away at ${clock(from)}, and it was not`),
  ]
}

function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}
