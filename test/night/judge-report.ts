/** Each line of the night's report about downloads, against what the simulated network and the store saw. */
import { errorsEn } from '../../shared/errors.en.ts'
import type { ErrorCode } from '../../shared/errors.ts'
import type { UndoneItem } from '../../shared/report.ts'
import { judgeFigures } from './judge-figures.ts'
import { judgeTimes } from './judge-times.ts'
import { workSpans } from './made-up.ts'
import type { Morning } from './night.ts'
import { isWithin, nameOf, type Span } from './night-plan.ts'
import { byTheWall, type FileTruth, isCause, meets, naps, statesOfRuns, truthOf } from './truth.ts'

const SECOND = 1_000
const HOUR = 3_600_000

export function judgeReport(morning: Morning): string[] {
  const truth = truthOf(morning)
  return [
    ...judgeItems(morning, truth),
    ...judgeFailed(morning, truth),
    ...judgeRetried(morning, truth),
    ...judgeUndone(morning),
    ...judgeNext(morning),
    ...judgeRepeats(morning),
    ...judgeFigures(morning, truth),
    ...judgeTimes(morning, truth),
  ].map((complaint) => `report: ${complaint}`)
}

/** Every download is in one list, and in the right one; what finished says when, how much, and what it was verified by. */
function judgeItems({ plan, tasks, report }: Morning, truth: readonly FileTruth[]): string[] {
  const { finished, failed, undone } = report
  const complaints: string[] = []
  const byName = [finished, failed, undone].map((list) => Map.groupBy(list as { name: string }[], ({ name }) => name))
  for (const file of plan.files) {
    const task = tasks.get(file.number)
    const name = nameOf(file)
    const [done, gaveUp, open] = byName.map((names) => names.get(name)?.length ?? 0) as [number, number, number]
    const isTrue =
      task?.state === 'done'
        ? done === 1 && gaveUp === 0 && open === 0
        : done === 0 && open === 1 && gaveUp > 0 === (task?.state === 'failed')
    if (!isTrue)
      complaints.push(`${name} is ${task?.state}, and told as finished ${done}, failed ${gaveUp}, undone ${open}`)
  }
  const truths = new Map(truth.map((one) => [nameOf(one.file), one]))
  for (const { name, at, bytes, against, url } of finished) {
    const known = truths.get(name)
    if (!known) continue
    const { file, moves, asked } = known
    if (bytes !== file.sizeBytes) complaints.push(`${name} has ${file.sizeBytes} bytes, not ${bytes}`)
    const by = against && `${against.algorithm} ${against.source}`
    if (by !== (file.told ? 'crc32 user' : null)) complaints.push(`${name} is said to be verified by ${by}`)
    if (!moves.some((move) => move.to === 'done' && move.at === at)) complaints.push(`${name} did not finish at ${at}`)
    const last = Math.max(...asked.map(({ lastByteAt }) => lastByteAt ?? 0))
    if (plan.clockSets.length === 0 && at < last) complaints.push(`${name} is told to be done before its last byte`)
    if (!url.includes(name) || url.includes('until=')) complaints.push(`${name} is said to be from ${url}`)
  }
  return complaints
}

/** The code is the task's, its words are those of the code, and it was tried as often as that. */
function judgeFailed({ tasks, report }: Morning, truth: readonly FileTruth[]): string[] {
  const truths = new Map(truth.map((one) => [nameOf(one.file), one]))
  return report.failed.flatMap(({ name, at, reason, tries }) => {
    const known = truths.get(name)
    if (!known) return []
    const complaints: string[] = []
    const code = tasks.get(known.file.number)?.error?.code
    if (reason.code !== code) complaints.push(`${name} failed by ${code}, not ${reason.code}`)
    const words = errorsEn[reason.code as ErrorCode]
    if (
      !isFilled(reason.title) ||
      !isFilled(reason.next) ||
      (typeof words?.next === 'string' && !words.next.includes('{') && words.next !== reason.next)
    )
      complaints.push(`the next step of ${name} (${reason.code}) is “${reason.next}”`)
    const ends = known.moves.filter(
      ({ from, to }) => (from === 'active' || from === 'finishing') && to !== 'finishing' && to !== 'active',
    )
    if (!known.moves.some((move) => move.to === 'failed' && move.at === at))
      complaints.push(`${name} did not fail at ${at}`)
    if (tries < 1 || tries > ends.length)
      complaints.push(`${name} is said to have had ${tries} tries, of ${ends.length}`)
    return complaints
  })
}

const isFilled = (text: string) => text.length > 3 && !text.includes('{{')

/** How often each download was tried again, and why: as the store has it, and as the network did it. */
function judgeRetried(morning: Morning, truth: readonly FileTruth[]): string[] {
  const { report, tasks } = morning
  const told = new Map(report.retried.map((item) => [item.name, item]))
  return truth.flatMap((known) => {
    const { file, tries } = known
    const name = nameOf(file)
    const item = told.get(name)
    if (!item) return tries.length > 0 ? [`${name} was tried again ${tries.length} times, which is not told`] : []
    const complaints: string[] = []
    const count = (codes: readonly string[]) =>
      JSON.stringify([...Map.groupBy(codes, (code) => code)].map(([code, all]) => [code, all.length]).sort())
    const said = item.reasons.flatMap(({ code, times }) => new Array<string>(times).fill(code))
    if (item.times !== tries.length || count(said) !== count(tries))
      complaints.push(`${name} was tried again for ${count(tries)}, and told is ${item.times} for ${count(said)}`)
    const state = tasks.get(file.number)?.state
    const outcome = state === 'done' ? 'finished' : state === 'failed' ? 'failed' : 'open'
    if (item.outcome !== outcome) complaints.push(`${name} is ${state}, and its tries ended “${item.outcome}”`)
    for (const code of new Set(said))
      if (!hasCause(code, known, morning)) complaints.push(`nothing makes ${name} fail by ${code}`)
    return complaints
  })
}

const isSoon = (at: number, after: number) => at >= after && at <= after + 60 * SECOND

function hasCause(code: string, { file, asked, moves }: FileTruth, morning: Morning): boolean {
  const { journal, plan } = morning
  const { outages, sleeps, ends, hosts } = plan
  const isTroubled =
    outages.length + sleeps.length + ends.length > 0 || hosts.some(({ troubles }) => troubles.length > 0)
  const atHost = journal.asked.filter(({ host }) => host === file.host || host.startsWith('links.'))
  // After a look around, on wake or with another network, what hears nothing is given up and made again.
  const looks = [...naps(morning), ...outages.map(({ span }) => byTheWall(morning, span))].map(([, to]) => to)
  if (code === 'connection_reset' && moves.some((one) => one.code === code && looks.some((at) => isSoon(one.at, at))))
    return true
  // A connection that nobody answers on any more is given up before any of it fails.
  if (code === 'stalled') return isTroubled || asked.some(({ failure }) => failure === 'UND_ERR_BODY_TIMEOUT')
  if ([...asked, ...atHost].some((one) => isCause(code, one))) return true
  switch (code) {
    case 'host_refuses':
      return new Set(atHost.filter(({ status }) => status === 403).map((one) => one.file)).size >= 5
    case 'network_away':
      return isTroubled
    case 'checksum_mismatch':
      return file.fate === 'altered'
    case 'remote_changed':
    case 'validator_mismatch':
      // Half of it is here, and a portal answers with its page instead of the rest.
      return file.changesAt !== null || asked.some(({ at }) => isWithin(at, portals(morning)))
    case 'html_instead_of_file':
    case 'redirect_refused':
    case 'redirect_invalid':
      return outages.some(({ kind }) => kind === 'portal')
    default:
      return false
  }
}

function portals(morning: Morning): Span[] {
  return morning.plan.outages.filter(({ kind }) => kind === 'portal').map(({ span }) => byTheWall(morning, span))
}

/** What is not done says why, and what is next and when. */
function judgeUndone({ plan, tasks, report }: Morning): string[] {
  return report.undone.flatMap((item) => {
    const file = plan.files.find((one) => nameOf(one) === item.name)
    const task = file && tasks.get(file.number)
    if (!file || !task) return []
    const about = `${item.name} (${task.state})`
    const complaints: string[] = []
    const queue = plan.queues.find(({ name }) => name === file.queue)!
    const spans = workSpans(plan, queue)
    const expected = expectedNext(task.state, spans === null || isWithin(report.madeAt, spans))
    if (item.state !== task.state) complaints.push(`${about} is told as ${item.state}`)
    if (!item.text.includes(expected)) complaints.push(`${about} is told to go on so: ${item.text}`)
    const at =
      task.state === 'waiting'
        ? task.retryAt
        : expected.startsWith('when the window')
          ? opensNext(queue.open!.at(0)![0], report.madeAt)
          : null
    if (item.nextAt !== at) complaints.push(`${about} is told to go on at ${item.nextAt}, and it is ${at}`)
    if ((item.reason?.code ?? null) !== (task.error?.code ?? null))
      complaints.push(`${about} is told to be so by ${item.reason?.code}`)
    return complaints
  })
}

function expectedNext(state: UndoneItem['state'], isOpen: boolean): string {
  if (state === 'failed') return 'failed and'
  if (state === 'queued') return isOpen ? 'under way or next' : 'when the window of'
  if (state === 'waiting') return ''
  return state === 'changed' ? 'decide' : 'under way'
}

/** The first time after `now` at which the clocks of Berlin show what they showed then. */
function opensNext(opened: number, now: number): number {
  const clock = (at: number) => new Date(at).toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin' })
  const all = [23, 24, 25].map((hours) => opened + hours * HOUR)
  return all.find((at) => at > now && clock(at) === clock(opened))!
}

/** The steps count what is not done, queue by queue, and the soonest of them is when they say; what repeats has one too. */
function judgeNext(morning: Morning): string[] {
  const { plan, report } = morning
  const steps = Map.groupBy(
    report.next.filter(({ code }) => code !== 'repeat'),
    ({ queueId }) => queueId,
  )
  const undone = Map.groupBy(report.undone, ({ queueId }) => queueId as number | null)
  const complaints = [...new Set([...steps.keys(), ...undone.keys()])].flatMap((queueId) => {
    const [told, is] = [steps.get(queueId) ?? [], undone.get(queueId) ?? []]
    const count = told.reduce((sum, step) => sum + step.count, 0)
    const soonest = (list: readonly { at: number | null }[]) =>
      Math.min(...list.map(({ at }) => at ?? Number.POSITIVE_INFINITY))
    return [
      ...(count === is.length
        ? []
        : [`the next steps of queue ${queueId} are of ${count} downloads, and ${is.length} are left`]),
      ...(soonest(told) === soonest(is.map(({ nextAt }) => ({ at: nextAt })))
        ? []
        : [`the next step of queue ${queueId} is told for ${soonest(told)}`]),
      ...told.filter(({ text }) => !isFilled(text)).map(({ text }) => `a next step reads “${text}”`),
    ]
  })
  const repeating = report.next.filter(({ code }) => code === 'repeat').reduce((sum, { count }) => sum + count, 0)
  return repeating === plan.repeats.length
    ? complaints
    : [...complaints, `${repeating} repeating downloads come next, and it are ${plan.repeats.length}`]
}

/** Each run has its line, says what became of it, and when the next one is. */
function judgeRepeats(morning: Morning): string[] {
  const { plan, report, repeats } = morning
  return plan.repeats.flatMap(({ file, runs }, index) => {
    const view = repeats[index]!
    const lines = report.repeats.filter(({ repeatId }) => repeatId === view.id)
    const complaints: string[] = []
    if (!isTroubled(morning)) {
      const is = runs.map(({ result, deleted }) => `${result} ${deleted}`).join(', ')
      const said = lines.map(({ result, deleted }) => `${result} ${deleted.length}`).join(', ')
      if (is !== said) complaints.push(`${nameOf(file)} repeated so: ${is}; told is: ${said}`)
    }
    for (const { at, nextAt, text, name } of lines) {
      const run = runs.findLast((one) => one.at <= at)
      if (!run || (at > run.at + RUN_BEGINS_MS && !isHeldUp(morning, file.host, [run.at, at])))
        complaints.push(`${name} is told to have run at ${at}`)
      if (nextAt !== opensNext(runs[0]!.at, report.madeAt)) complaints.push(`${name} is told to run next at ${nextAt}`)
      if (!isFilled(text)) complaints.push(`the line of ${name} reads “${text}”`)
    }
    return complaints
  })
}

/** A run that is not over when the next one is due goes on as that. */
const STILL_OPEN: ReadonlySet<string> = new Set(['queued', 'waiting', 'active', 'finishing'])

/** What was planned to the minute may have come otherwise. */
const RUN_BEGINS_MS = 5 * 60 * SECOND
const RUN_TAKES_MS = 30 * 60 * SECOND

/** Something keeps a run from its time: the machine, its network, or the host that wants to be left alone. */
function isHeldUp(morning: Morning, host: string, span: Span): boolean {
  const { outages, sleeps, ends, battery, clockSets } = morning.plan
  const world = [
    ...outages.map((outage) => outage.span),
    ...sleeps.map(({ at, ms }): Span => [at, at + ms]),
    ...ends.map(({ at, downMs }): Span => [at, at + downMs]),
    ...battery,
    ...clockSets.map(({ at }): Span => [at, at]),
  ]
  const refused = morning.journal.asked.some(
    (one) =>
      one.host === host && (one.status === 429 || one.status === 503) && meets([one.at, one.at], span, 60 * SECOND),
  )
  return refused || world.some((one) => meets(byTheWall(morning, one), span, RUN_BEGINS_MS))
}

function isTroubled(morning: Morning): boolean {
  const { plan } = morning
  const { outages, sleeps, ends, battery, clockSets, hosts, repeats, queues } = plan
  const used = new Set(repeats.map(({ file }) => file.host))
  const troubles = [
    ...[...outages, ...hosts.filter(({ name }) => used.has(name)).flatMap((host) => host.troubles)].map(
      ({ span }) => span,
    ),
    ...sleeps.map(({ at, ms }): Span => [at, at + ms]),
    ...ends.map(({ at, downMs }): Span => [at, at + downMs]),
    ...battery,
  ]
  const runs = repeats.flatMap(({ file, runs }) => runs.map(({ at }) => ({ at, file })))
  const isLong = runs.some(({ at }) =>
    statesOfRuns(morning).some((states) =>
      states.some(({ from, to, state }) => meets([from, to], [at - SECOND, at - SECOND]) && STILL_OPEN.has(state)),
    ),
  )
  return (
    isLong ||
    clockSets.length > 0 ||
    runs.some(({ at, file }) => {
      const { open } = queues.find(({ name }) => name === file.queue)!
      const isClosed = open !== null && !isWithin(at, open)
      return isClosed || troubles.some((span) => meets(span, [at - RUN_BEGINS_MS, at + RUN_TAKES_MS]))
    })
  )
}
