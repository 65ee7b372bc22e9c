/** Times that a report tells of: when nothing came and why, what hosts did, what happened to the machine. */
import type { Incident, NightReport, QuietTime } from '../../shared/report.ts'
import type { Morning } from './night.ts'
import { isWithin, type Span } from './night-plan.ts'
import { byTheWall, clockText, type FileTruth, meets, naps, statesOfRuns, twice, wanted } from './truth.ts'

const SECOND = 1_000
const MINUTE = 60_000
/** Things are noticed within so long. */
const NOTICED_MS = 2 * MINUTE
/** So long after the window opened it is to be said that not all will be done. */
const SAID_MS = 5 * MINUTE

export function judgeTimes(morning: Morning, truth: readonly FileTruth[]): string[] {
  return [
    ...judgeQuiet(morning, truth),
    ...judgeSilence(morning, truth),
    ...judgeHosts(morning),
    ...judgeIncidents(morning),
    ...judgeDeadlines(morning, truth),
  ]
}

// ── quiet times ──

function secondsOf({ journal }: Morning): Set<number> {
  return new Set([...journal.bytesBySecond.values()].flatMap((bySecond) => [...bySecond.keys()]))
}

/** In a quiet time nothing came, and the graph shows that; its reason is one. */
function judgeQuiet(morning: Morning, truth: readonly FileTruth[]): string[] {
  const { report } = morning
  const seconds = secondsOf(morning)
  const again = twice(morning)
  const { stepMs, steps } = report.graph!
  return report.quiet.flatMap((quiet) => {
    const { from, to, reasons } = quiet
    if (again.some((span) => meets(span, [from, to], MINUTE))) return []
    const about = `quiet (${reasons.map(({ code }) => code).join(', ')}) from ${clockText(from)} to ${clockText(to)}`
    const complaints: string[] = []
    for (let second = Math.ceil(from / SECOND); second < Math.floor(to / SECOND); second++)
      if (seconds.has(second)) {
        complaints.push(`${about}, but bytes came at ${clockText(second * SECOND)}`)
        break
      }
    if (steps.some(({ at }) => at >= from && at + stepMs <= to)) complaints.push(`${about}, and the graph shows bytes`)
    for (const reason of reasons)
      if (reason.ms >= MINUTE && !isReason(reason, [from, to], morning, truth))
        complaints.push(`${about}, which is not why: ${reason.text}`)
    for (const { text } of reasons)
      if (text.length < 10 || text.includes('{{')) complaints.push(`${about} reads “${text}”`)
    return complaints
  })
}

function isReason(
  { code, params }: QuietTime['reasons'][number],
  span: Span,
  morning: Morning,
  truth: readonly FileTruth[],
): boolean {
  const { plan, journal } = morning
  const meetsAny = (spans: readonly Span[], slackMs = NOTICED_MS) =>
    spans.some((one) => meets(span, byTheWall(morning, one), slackMs))
  const downs = (how: 'quit' | 'kill') =>
    plan.ends.filter((end) => end.how === how).map(({ at, downMs }): Span => [at, at + downMs])
  const inState = (is: (state: FileTruth['states'][number]) => boolean) =>
    [...truth.map(({ states }) => states), ...statesOfRuns(morning)].some((states) =>
      states.some((state) => is(state) && meets(span, [state.from, state.to])),
    )
  switch (code) {
    case 'window_closed':
      return plan.queues.some(({ name, open }) => {
        const isNamed = String(params.queues).split(', ').includes(name)
        return (
          isNamed && open !== null && !open.some(([from, to]) => from <= span[0] - MINUTE && to >= span[1] + MINUTE)
        )
      })
    case 'asleep':
      return naps(morning).some((nap) => meets(span, nap, NOTICED_MS))
    case 'crashed':
      return meetsAny(downs('kill'))
    case 'not_running':
      return meetsAny(downs('quit'))
    case 'network_away':
      // Where no host in use answers, nobody can tell whether it is they or the network.
      return (
        meetsAny([...plan.outages, ...plan.hosts.flatMap(({ troubles }) => troubles)].map((one) => one.span)) ||
        naps(morning).length > 0
      )
    case 'battery':
      return meetsAny(plan.battery)
    case 'host_refused':
      return String(params.hosts)
        .split(', ')
        .every((host) =>
          journal.asked.some(
            (asked) => asked.host === host && asked.at <= span[1] && [403, 429, 503].includes(asked.status ?? 0),
          ),
        )
    case 'waiting_to_retry':
      return inState(({ state, code: why }) => state === 'waiting' && why !== null)
    case 'not_due':
      return inState(({ state, code: why }) => state === 'waiting' && why === null)
    case 'waiting_for_decision':
      return inState(({ state }) => state === 'changed')
    case 'silent':
      return inState(({ state }) => state === 'active' || state === 'finishing')
    // Nothing holds up a night in which there are places.
    default:
      return false
  }
}

/** What was quiet is told: each minute in which nothing came although something was wanted all the time. */
function judgeSilence(morning: Morning, truth: readonly FileTruth[]): string[] {
  const { report } = morning
  const seconds = secondsOf(morning)
  const busy = new Set([...seconds].map((second) => Math.floor((second * SECOND) / MINUTE)))
  const again = twice(morning)
  let silentMs = 0
  const complaints: string[] = []
  for (let at = Math.ceil(report.from / MINUTE) * MINUTE; at + MINUTE <= report.to; at += MINUTE) {
    const minute: Span = [at, at + MINUTE]
    // Bytes are written down a moment after they came, or with those of a moment before.
    if (busy.has(at / MINUTE) || busy.has(at / MINUTE - 1) || seconds.has((at + MINUTE) / SECOND)) continue
    if (
      again.some((span) => meets(span, minute, MINUTE)) ||
      !truth.some((one) => wanted(one, at - MINUTE, at + MINUTE))
    )
      continue
    silentMs += MINUTE
    if (!report.quiet.some(({ from, to }) => from < at + MINUTE && to > at))
      complaints.push(`it was quiet at ${clockText(at)}, and nothing says so`)
  }
  if (report.totals.quietMs < silentMs)
    complaints.push(`it was quiet for ${silentMs} ms at least, and told are ${report.totals.quietMs}`)
  const told = report.quiet.reduce((sum, { from, to }) => sum + to - from, 0)
  if (report.totals.quietMs < told)
    complaints.push(`quiet times last ${told} ms, and counted are ${report.totals.quietMs}`)
  return complaints.slice(0, 5)
}

// ── hosts ──

const DENIED_IN_A_ROW = 5

/** Hosts that refused are named, and no others; when it began, and how often. */
function judgeHosts({ journal, plan, report }: Morning): string[] {
  const refusals = Map.groupBy(
    journal.asked.filter(({ status }) => status === 429 || status === 503),
    ({ host }) => host,
  )
  const denials = Map.groupBy(
    journal.asked.filter(({ status }) => status === 403),
    ({ host }) => host,
  )
  const complaints = [...refusals.keys()].flatMap((host) =>
    report.hosts.some((one) => one.host === host) ? [] : [`${host} refused, and is not named`],
  )
  for (const { host, from, until, status, times, complaints: count, text } of report.hosts) {
    const [refused, denied] = [refusals.get(host) ?? [], denials.get(host) ?? []]
    const all = [...refused, ...(denied.length >= DENIED_IN_A_ROW ? denied : [])]
    if (all.length === 0) {
      complaints.push(`${host} is named, and refused nothing`)
      continue
    }
    if (!all.some((asked) => asked.status === status)) complaints.push(`${host} is said to have answered ${status}`)
    if (count > all.length || count < 1 || times > count)
      complaints.push(`${host} refused ${all.length} times, and told are ${count} in ${times}`)
    // As it happened: where the clock was set back, what came later has an earlier time.
    const first = all[0]!.at
    const isBack = plan.clockSets.some(({ ms }) => ms < 0)
    if (isBack && !all.some((asked) => Math.abs(asked.at - from) <= MINUTE))
      complaints.push(`${host} refused nothing at ${clockText(from)}`)
    if ((from < first && !isBack) || (refused.length > 0 && denied.length < DENIED_IN_A_ROW && from > first + MINUTE))
      complaints.push(`${host} refused from ${clockText(first)}, not ${clockText(from)}`)
    if (until !== null && until < from && !isBack) complaints.push(`${host} is said to be over it before it began`)
    if ((status === 403) !== text.includes('refused one download after the other'))
      complaints.push(`${host} answered ${status}, and the line reads “${text}”`)
  }
  return complaints
}

// ── what happened to the machine ──

/** What is said to have happened did, and what happened is said. */
function judgeIncidents(morning: Morning): string[] {
  const { plan, report } = morning
  const wall = (spans: readonly Span[]) => spans.map((span) => byTheWall(morning, span))
  const ends = (how: 'quit' | 'kill') =>
    wall(plan.ends.filter((end) => end.how === how).map(({ at, downMs }): Span => [at, at + downMs]))
  const troubles = plan.hosts.flatMap((host) => host.troubles)
  const back = plan.clockSets.filter(({ ms }) => ms < 0).map(({ at }): Span => byTheWall(morning, [at, at]))
  const profileAt = (at: number) =>
    plan.profiles
      .filter(({ open }) => isWithin(at, open))
      .map(({ name }) => name)
      .join()
  const down = [...ends('kill'), ...ends('quit'), ...naps(morning)]
  // Where the clock leaps, or nobody is there to see, it shows afterwards.
  const leaps = [
    ...down,
    ...plan.clockSets.map(
      ({ at, ms }): Span => [byTheWall(morning, [at, at])[0] - ms, byTheWall(morning, [at, at])[0]],
    ),
  ]
  const switches = [
    ...plan.profiles.flatMap(({ open }) =>
      open.flatMap(([from, to]): Span[] => [
        [from, from],
        [to, to],
      ]),
    ),
    ...leaps.filter(([from, to]) => profileAt(from) !== profileAt(to)).map(([, to]): Span => [to, to]),
  ]
  /** `must`: each of these is to be told of */
  const happened: Partial<Record<Incident['code'], { spans: Span[]; must: boolean }>> = {
    slept: { spans: naps(morning), must: true },
    crashed: { spans: ends('kill'), must: true },
    stopped: { spans: ends('quit'), must: true },
    clock_set_back: { spans: back, must: true },
    battery: { spans: wall(plan.battery), must: true },
    network_away: {
      spans: [...wall([...plan.outages, ...troubles].map(({ span }) => span)), ...naps(morning)],
      must: false,
    },
    profile_changed: { spans: switches, must: plan.clockSets.length === 0 },
  }
  return Object.entries(happened).flatMap(([code, { spans, must }]) => {
    const told = report.incidents.filter((one) => one.code === code)
    const during = ({ from, to }: NightReport['incidents'][number], span: Span) =>
      meets([from, to ?? Number.POSITIVE_INFINITY], span, NOTICED_MS)
    // What changes while Nighthaul is down or the machine sleeps nobody sees.
    const unseen =
      code === 'crashed' || code === 'stopped'
        ? []
        : [...ends('kill'), ...ends('quit'), ...(code === 'slept' ? [] : naps(morning))]
    const seen = must ? spans.filter((span) => !unseen.some((other) => meets(span, other, MINUTE))) : []
    return [
      ...told
        .filter((one) => !spans.some((span) => during(one, span)))
        .map(({ from }) => `“${code}” at ${clockText(from)}, and nothing happened`),
      ...seen
        .filter((span) => !told.some((one) => during(one, span)))
        .map(([from]) => `nothing says “${code}” of ${clockText(from)}`),
      ...told
        .filter(({ text }) => text.length < 10 || text.includes('{{'))
        .map(({ text }) => `an incident reads “${text}”`),
    ]
  })
}

const OPEN: ReadonlySet<string> = new Set(['queued', 'waiting', 'active', 'finishing', 'changed'])

function isOpen(states: FileTruth['states'], at: number): boolean {
  return states.some(({ from, to, state }) => from <= at && at < to && OPEN.has(state))
}

/** Scenarios in which line and hosts bring all the time what they can. */
const UNTROUBLED: ReadonlySet<string> = new Set(['deadlines', 'clockJumps'])

/** That not all can be done by a time is said at once and acted on; that it can is not denied. */
function judgeDeadlines(morning: Morning, truth: readonly FileTruth[]): string[] {
  const { plan, report, tasks } = morning
  return plan.queues.flatMap(({ name, due, open }) => {
    const said = report.incidents.filter(({ code, params }) => code === 'deadline' && params.queue === name)
    if (due === null) return said.map(({ text }) => `“${name}” has no time to be done by: ${text}`)
    const own = truth.filter(({ file }) => file.queue === name && file.fate === 'good')
    const opens = open![0]![0]
    const complaints: string[] = []
    if (due.feasible) {
      // It may look bad for a while; what was said is taken back before, unless it came so: with what others have of it.
      const last = said.at(-1)
      const states = [
        ...truth.filter(({ file }) => file.queue === name).map((one) => one.states),
        ...(plan.repeats.some(({ file }) => file.queue === name) ? statesOfRuns(morning) : []),
      ]
      const late = states.filter((one) => isOpen(one, due.at)).length
      // What was said in a time that the clock showed twice stands in no order: there it was taken back if it ever was.
      const again = twice(morning).filter((span) => last !== undefined && isWithin(last.from, [span]))
      const isTakenBack = said.some(
        ({ from, params }) => params.outlook !== 'misses' && again.some((span) => from >= span[0]),
      )
      if (last?.params.outlook === 'misses' && late === 0 && !isTakenBack)
        complaints.push(`all was done in time, and told in the end is: ${last.text}`)
      // Where nothing else is in the way, only what is not to be had at all may be feared for.
      const vain = plan.files.filter(({ queue, fate }) => queue === name && fate === 'down').length
      if (UNTROUBLED.has(plan.scenario))
        for (const { params, text } of said)
          if (params.outlook === 'misses' && Number(params.late) > vain)
            complaints.push(`it can be done but for ${vain}, and told is: ${text}`)
      for (const { file } of own) {
        const at = tasks.get(file.number)?.finishedAt ?? Number.POSITIVE_INFINITY
        if (at > due.at && plan.scenario !== 'mix')
          complaints.push(`file ${file.number} of “${name}” was to be there by ${clockText(due.at)}`)
      }
      return complaints
    }
    if (plan.scenario !== 'deadlines') return complaints
    const misses = said.find(({ params }) => params.outlook === 'misses')
    if (!misses || misses.from > opens + SAID_MS)
      complaints.push(
        `“${name}” cannot be done by ${clockText(due.at)}, and it is told at ${misses ? clockText(misses.from) : 'no time'}`,
      )
    if (
      !report.incidents.some(
        ({ code, params }) => code === 'adapted' && params.queue === name && params.shortestFirst === true,
      )
    )
      complaints.push(`nothing says that the shortest of “${name}” come first`)
    // With a third of the line alone so many of the shortest are there; as listed it would be fewer.
    const budget = (plan.bytesPerSecond * (due.at - opens)) / SECOND / 3
    let bytes = 0
    const fit = own
      .map(({ file }) => file.sizeBytes)
      .sort((a, b) => a - b)
      .filter((size) => {
        bytes += size
        return bytes <= budget
      }).length
    const there = own.filter(
      ({ file }) => (tasks.get(file.number)?.finishedAt ?? Number.POSITIVE_INFINITY) <= due.at,
    ).length
    if (there < fit) complaints.push(`${there} of “${name}” were there by ${clockText(due.at)}, and ${fit} fit`)
    return complaints
  })
}
