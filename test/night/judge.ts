/** The morning after: what is there and what is said about it, against what happened. */
import type { TaskRecord } from '../../shared/records.ts'
import { firstDifference } from './content.ts'
import type { Asked, Violation } from './journal.ts'
import { judgeReport } from './judge-report.ts'
import { workSpans } from './made-up.ts'
import { type Morning, pathIn, pathOfRun } from './night.ts'
import { contentOf, type FilePlan, isWithin, type Span } from './night-plan.ts'
import { byTheWall, isCause, twice } from './truth.ts'

export interface Verdict {
  scenario: string
  seed: number
  files: number
  /** files that could be had */
  possible: number
  had: number
  /** files that are there and hold something else */
  wrong: number
  /** why files are not there, and how many for each reason */
  reasons: Record<string, number>
  requests: number
  /** requests for a file after the first one */
  retries: number
  bytes: number
  violations: Violation[]
  /** whatever else is not as it should be */
  complaints: string[]
  simulatedHours: number
  realSeconds: number
}

/** Codes by which a file that could not be had may be reported, by its fate. */
const TRUE_REASONS: Record<Exclude<FilePlan['fate'], 'good' | 'late'>, ReadonlySet<string>> = {
  gone: new Set(['not_found']),
  forbidden: new Set(['forbidden']),
  altered: new Set(['checksum_mismatch']),
  down: new Set(['connect_refused', 'connect_timeout', 'connection_reset', 'network_unreachable']),
}

export function judge(morning: Morning): Verdict {
  const { plan, journal, tasks, stats } = morning
  const complaints: string[] = []
  const reasons: Record<string, number> = {}
  const madeUp = new Set(
    plan.queues
      .filter((queue) => (workSpans(plan, queue)?.length ?? 0) > (queue.open?.length ?? 0))
      .map(({ name }) => name),
  )
  const closed = new Set(
    plan.queues
      .filter((queue) => {
        const spans = workSpans(plan, queue)
        return spans !== null && !isWithin(plan.endsAt, spans)
      })
      .map(({ name }) => name),
  )
  let [had, wrong] = [0, 0]
  for (const file of plan.files) {
    const task = tasks.get(file.number)
    if (!task) {
      complaints.push(`file ${file.number}: its task is gone`)
      continue
    }
    const there = lookAt(file, task, morning)
    if (there === 'right') had++
    if (there === 'wrong') wrong++
    complaints.push(
      ...judgeTask(file, task, there, {
        asked: journal.asked.filter((asked) => asked.file === file.number),
        atHosts: journal.asked.filter(({ host }) => host === file.host || host === plan.links.name),
        portals: plan.outages.flatMap(({ kind, span }) => (kind === 'portal' ? [byTheWall(morning, span)] : [])),
        madeUp: madeUp.has(file.queue),
        isClosed: closed.has(file.queue),
      }),
    )
    if (there === 'absent') {
      const reason = `${task.state}${task.error ? ` ${task.error.code}` : ''}`
      reasons[reason] = (reasons[reason] ?? 0) + 1
    }
  }
  complaints.push(...judgeFigures(morning), ...judgeRates(morning), ...judgeProfiles(morning))
  complaints.push(...judgeRuns(morning), ...judgeReport(morning))
  const asked = journal.asked.filter(({ file }) => file !== null)
  return {
    scenario: plan.scenario,
    seed: plan.seed,
    files: plan.files.length,
    possible: plan.files.filter(({ fate }) => fate === 'good').length,
    had,
    wrong,
    reasons,
    requests: journal.asked.length,
    retries: asked.length - new Set(asked.map(({ file }) => file)).size,
    bytes: stats.overall.bytes,
    violations: journal.violations,
    complaints,
    simulatedHours: (plan.endsAt - plan.startsAt) / 3_600_000,
    realSeconds: morning.realMs / 1000,
  }
}

export function isGood(verdict: Verdict): boolean {
  return verdict.wrong === 0 && verdict.violations.length === 0 && verdict.complaints.length === 0
}

type There = 'right' | 'wrong' | 'absent'

function lookAt(file: FilePlan, task: TaskRecord, { files, plan }: Morning): There {
  const found = task.filename === null ? undefined : files.file(pathIn(task))
  if (!found) return 'absent'
  if (found.size !== file.sizeBytes) return 'wrong'
  // Whichever version it was: all of it must be of one.
  const versions = new Set([contentOf(file, plan.startsAt), contentOf(file, plan.endsAt)])
  const isVersion = (content: number) => {
    let same = true
    const whole = found.eachPiece((bytes, start) => {
      same &&= firstDifference(content, start, bytes) === null
    })
    return whole && same
  }
  return [...versions].some(isVersion) ? 'right' : 'wrong'
}

/** `asked`: the requests for it. `atHosts`: all to its host and that of its link. `portals`: when one answered for everybody. `madeUp`: its queue made up for a window that it lost. `isClosed`: none is open in the morning. */
function judgeTask(
  file: FilePlan,
  task: TaskRecord,
  there: There,
  {
    asked,
    atHosts,
    portals,
    madeUp,
    isClosed,
  }: {
    asked: readonly Asked[]
    atHosts: readonly Asked[]
    portals: readonly Span[]
    madeUp: boolean
    isClosed: boolean
  },
): string[] {
  const { state, error } = task
  const about = `file ${file.number} (${file.fate}, ${file.host}): ${state}${error ? ` ${error.code}` : ''}`
  if (state === 'active' || state === 'finishing') return [`${about}, although the night is over`]
  if (there === 'wrong') return [`${about}, and holds something else`]
  if (file.fate === 'good') {
    if (there !== 'right' || state !== 'done') return [`${about}, although it could be had`]
    if (file.thereBy === null || task.finishedAt! <= file.thereBy) return []
    return [`${about}, but ${Math.round((task.finishedAt! - file.thereBy) / 1000)} s later than need be`]
  }
  if (file.fate === 'late') {
    if (madeUp && state === 'done' && there === 'right') return []
    // Its window closed: it waits with what it has for the next one.
    const waits = state === 'queued' && there === 'absent' && (task.writtenBytes > 0 || bytesOf(asked) === 0)
    return waits ? [] : [`${about} with ${task.writtenBytes} bytes, although its window closed over it`]
  }
  if (there === 'right' || state === 'done') return [`${about}, although it could not be had`]
  // Its window closed before it was given up: that is no verdict yet, and the report says when it goes on.
  const last = asked.findLast(({ status }) => status === null || status < 300 || status >= 400)
  if (state === 'queued' && isClosed && last && (error === null || isNoVerdict(error.code, last, atHosts))) return []
  // It was asked for alone, so nobody could tell whose page it was.
  const isPage = error?.code === 'html_instead_of_file' && isWithin(asked.at(-1)!.at, portals)
  if (file.fate === 'down' && isPage) return []
  if (error === null || !TRUE_REASONS[file.fate].has(error.code)) return [`${about}, which is not why`]
  return []
}

/** What holds a download up is no verdict: the network, or what its hosts did last, which may have been others' requests. */
function isNoVerdict(code: string, last: Asked, atHosts: readonly Asked[]): boolean {
  return code === 'network_away' || atHosts.some((one) => one.at >= last.at && isCause(code, one))
}

/** A limit is looked at over so long at least; what came early is not more than this share of it. */
const RATE_S = 10
const SURPLUS = 1.15
/** TLS hands its records over whole, whatever a limit allows: it is looked at over the time that so many of them take. */
const RECORDS = 32
const RECORD_BYTES = 16 * 1024

/** The most that came per second within `span` (s) over the time that `limit` is looked at; null: it kept the limit. */
function surplusOf(limit: number, seconds: readonly Map<number, number>[], [first, last]: Span): number | null {
  const lookS = Math.max(RATE_S, Math.ceil((RECORDS * RECORD_BYTES) / limit))
  const came = (second: number) => seconds.reduce((sum, bytes) => sum + (bytes.get(second) ?? 0), 0)
  let [bytes, most] = [0, 0]
  for (let second = first; second < last; second++) {
    bytes += came(second)
    if (second - lookS >= first) bytes -= came(second - lookS)
    most = Math.max(most, bytes)
  }
  return most / lookS <= limit * SURPLUS ? null : Math.round(most / lookS)
}

function judgeRates({ plan, journal }: Morning): string[] {
  return plan.queues.flatMap(({ name, patch: { limitBytesPerSecond: limit } }) => {
    const seconds = journal.bytesByWorldSecond.get(name)
    if (!limit || !seconds) return []
    const surplus = surplusOf(limit, [seconds], [Math.min(...seconds.keys()), Math.max(...seconds.keys()) + 1])
    return surplus === null ? [] : [`“${name}” brought ${surplus} bytes/s and is limited to ${limit}`]
  })
}

/** What is left of a span: where the clock showed a time twice, two seconds look like one. */
function without(span: Span, others: readonly Span[]): Span[] {
  return others.reduce<Span[]>(
    (left, [from, to]) =>
      left.flatMap(([begin, end]): Span[] =>
        to <= begin || end <= from
          ? [[begin, end]]
          : [...(begin < from ? [[begin, from] as const] : []), ...(to < end ? [[to, end] as const] : [])],
      ),
    [span],
  )
}

/** What a profile that holds allows is not exceeded, by all queues together. */
function judgeProfiles(morning: Morning): string[] {
  const { plan, journal } = morning
  return plan.profiles.flatMap(({ name, patch: { limitBytesPerSecond: limit }, open }) =>
    open
      .flatMap((held) => without(held, twice(morning)))
      .flatMap(([opens, closes]) => {
        if (!limit) return []
        const span: Span = [Math.ceil(opens / 1000) + RATE_S, Math.floor(closes / 1000)]
        const surplus = surplusOf(limit, [...journal.bytesBySecond.values()], span)
        return surplus === null ? [] : [`${surplus} bytes/s while “${name}” allows ${limit}`]
      }),
  )
}

/** Of files that repeat the latest is there, and no older one. */
function judgeRuns({ plan, files, repeats }: Morning): string[] {
  return plan.repeats.flatMap(({ file, keepLast }, index) => {
    const { runs, results } = repeats[index]!
    if (file.fate !== 'good')
      return results.length === 0 ? [] : [`${file.number}: a file that there is not was brought`]
    const there = Array.from({ length: runs }, (_, n) => files.file(pathOfRun(file, n + 1))).filter(
      (one) => one !== undefined,
    )
    if (there.length !== keepLast)
      return [`file ${file.number}: ${there.length} of its ${runs} runs are there, not ${keepLast}`]
    const isRight = there.every((one) => {
      let same = true
      const whole = one.eachPiece((bytes, start) => {
        same &&= [plan.startsAt, plan.endsAt].some((at) => firstDifference(contentOf(file, at), start, bytes) === null)
      })
      return whole && same && one.size === file.sizeBytes
    })
    return isRight ? [] : [`file ${file.number}: what its latest run brought is something else`]
  })
}

/** The engine's own figures are the journal's. */
function judgeFigures({ journal, stats, plan }: Morning): string[] {
  const complaints: string[] = []
  /** `lost`: so much a killed engine may have left out */
  const same = (what: string, said: number, was: number, lost: number) => {
    if (said > was || said < was - lost) complaints.push(`${what}: ${said} are reported, ${was} there were`)
  }
  const { lost } = journal
  same('requests', stats.overall.requests, journal.asked.length, lost.asked.length)
  same('bytes', stats.overall.bytes, bytesOf(journal.asked), bytesOf(lost.asked))
  for (const { name } of plan.hosts) {
    const asked = journal.asked.filter(({ host }) => host === name)
    const said = stats.hosts.find(({ host }) => host === name)
    const gone = lost.asked.filter(({ host }) => host === name)
    same(`requests to ${name}`, said?.requests ?? 0, asked.length, gone.length)
    same(`bytes from ${name}`, said?.bytes ?? 0, bytesOf(asked), bytesOf(gone))
  }
  return complaints
}

function bytesOf(asked: readonly Asked[]): number {
  return asked.reduce((sum, { bytes }) => sum + bytes, 0)
}
