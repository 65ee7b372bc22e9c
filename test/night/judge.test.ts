/** The judge of nights can fail: a line of a report that is not true makes its night a bad one, whichever line it is. */
import { beforeAll, expect, test } from 'vitest'
import type { NightReport } from '../../shared/report.ts'
import { isGood, judge } from './judge.ts'
import { type Morning, spendNight } from './night.ts'
import type { NightPlan } from './night-plan.ts'
import { planNight } from './scenarios.ts'
import { FILES, PATIENCE_MS } from './spent.ts'

const MINUTE = 60_000
/** Long enough for all that happens in it. */
const HOURS = 4

/** A calm night with whatever a report may have to tell. */
function eventful(): NightPlan {
  const plan = planNight('repeats', 3, FILES, HOURS)
  const [opens] = plan.queues[0]!.open![0]!
  const storm = [opens, opens + 3 * MINUTE] as const
  const repeating = plan.repeats.map(({ file }) => file.host)
  for (const host of plan.hosts) if (!repeating.includes(host.name)) host.troubles.push({ kind: 'storm', span: storm })
  plan.settings.onBattery = 'pause'
  plan.battery = [[opens + 20 * MINUTE, opens + 30 * MINUTE]]
  plan.sleeps = [{ at: opens + 100 * MINUTE, ms: 10 * MINUTE, monotonicRuns: true }]
  const late = plan.files.find(({ fate }) => fate === 'good')!
  Object.assign(late, { fate: 'late', host: 'crawling.example', sizeBytes: 20_000_000, told: false })
  late.addedAt = opens + (HOURS * 60 - 10) * MINUTE
  const crawling = plan.hosts.find(({ name }) => name === late.host)!
  Object.assign(crawling, { bytesPerSecond: 16_000, bytesPerSecondEach: 16_000 })
  return plan
}

let morning: Morning

beforeAll(async () => {
  morning = await spendNight(eventful())
}, PATIENCE_MS)

test('the night is good as it is, and its report tells of all that may be told wrongly', () => {
  const { violations, complaints } = judge(morning)
  expect({ violations, complaints }).toEqual({ violations: [], complaints: [] })
  const { finished, failed, retried, undone, next, repeats, hosts, quiet, incidents } = morning.report
  for (const list of [finished, failed, retried, undone, next, repeats, hosts, quiet, incidents])
    expect(list.length).toBeGreaterThan(0)
})

/** Changes the report in place. */
type Lie = (report: NightReport) => unknown
const wrong = <T>(list: T[], change: (line: T) => unknown, is: (line: T) => boolean = () => true): unknown =>
  change(list.find(is)!)
const more = (at: number | null) => (at ?? 0) + MINUTE

const LIES: Record<string, Lie> = {
  'a finished file left out': ({ finished }) => void finished.pop(),
  'a finished file told twice': ({ finished }) => void finished.push(finished[0]!),
  'its size': ({ finished }) => wrong(finished, (line) => line.bytes++),
  'when it finished': ({ finished }) => wrong(finished, (line) => line.at--),
  'what it was verified by': ({ finished }) =>
    wrong(
      finished,
      (line) => {
        line.against = null
      },
      ({ against }) => against !== null,
    ),
  'that it was verified at all': ({ finished }) => {
    const { against } = finished.find((line) => line.against !== null)!
    wrong(
      finished,
      (line) => Object.assign(line, { against: against }),
      (line) => line.against === null,
    )
  },
  'where it came from': ({ finished }) => wrong(finished, (line) => Object.assign(line, { url: 'https://a.example/' })),
  'a failed file left out': ({ failed }) => void failed.pop(),
  'why it failed': ({ failed }) => wrong(failed, (line) => Object.assign(line.reason, { code: 'stalled' })),
  'its next step': ({ failed }) =>
    wrong(failed, (line) => Object.assign(line.reason, { next: 'Nothing can be done.' })),
  'when it failed': ({ failed }) => wrong(failed, (line) => line.at--),
  'how often it was tried': ({ failed }) => wrong(failed, (line) => Object.assign(line, { tries: 99 })),
  'a retry left out': ({ retried }) => void retried.shift(),
  'how often it was retried': ({ retried }) => wrong(retried, (line) => line.times++),
  'why it was retried': ({ retried }) =>
    wrong(retried, (line) => Object.assign(line.reasons[0]!, { code: 'tls_failed' })),
  'how its retries ended': ({ retried }) => wrong(retried, (line) => Object.assign(line, { outcome: 'removed' })),
  'an unfinished file left out': ({ undone }) => void undone.pop(),
  'when it goes on': ({ undone }) =>
    wrong(
      undone,
      (line) => Object.assign(line, { nextAt: more(line.nextAt) }),
      ({ state }) => state === 'queued',
    ),
  'how it goes on': ({ undone }) =>
    wrong(undone, (line) => Object.assign(line, { text: '1 download paused: resume them.' })),
  'its state': ({ undone }) => wrong(undone, (line) => Object.assign(line, { state: 'paused' })),
  'how many go on': ({ next }) =>
    wrong(
      next,
      (line) => line.count++,
      ({ code }) => code === 'failed',
    ),
  'when they go on': ({ next }) =>
    wrong(
      next,
      (line) => Object.assign(line, { at: more(line.at) }),
      ({ code }) => code === 'window',
    ),
  'that something repeats': ({ next }) =>
    void next.splice(
      next.findIndex(({ code }) => code === 'repeat'),
      1,
    ),
  'what a run came to': ({ repeats }) => wrong(repeats, (line) => Object.assign(line, { result: 'skipped' })),
  'when it runs next': ({ repeats }) => wrong(repeats, (line) => Object.assign(line, { nextAt: null })),
  'a run left out': ({ repeats }) => void repeats.pop(),
  'how many finished': ({ totals }) => void totals.finished++,
  'how many were verified': ({ totals }) => void totals.verified++,
  'how many retries there were': ({ totals }) => void totals.retries++,
  'how much came': ({ totals }) => void totals.receivedBytes++,
  'how fast': ({ totals }) => Object.assign(totals, { bytesPerSecond: 2 * totals.bytesPerSecond! }),
  'how long it was quiet': ({ totals }) => Object.assign(totals, { quietMs: 0 }),
  'how many of a queue failed': ({ queues }) =>
    wrong(
      queues,
      ({ totals }) => void totals.failed++,
      ({ name }) => name === 'Night',
    ),
  'how much came for a queue': ({ queues }) =>
    wrong(
      queues,
      ({ totals }) => void totals.receivedBytes--,
      ({ name }) => name === 'Night',
    ),
  'bytes in the graph': ({ graph }) => wrong(graph!.steps, (step) => step.bytes++),
  'bytes in the graph of a queue': ({ queues }) =>
    wrong(
      queues,
      ({ graph }) => void graph!.steps.pop(),
      ({ name }) => name === 'Night',
    ),
  'bytes in a quiet time': ({ graph, quiet }) => {
    const { from, to } = quiet.find((time) => time.to - time.from > 5 * MINUTE)!
    graph!.steps[0]!.at = Math.ceil(from / graph!.stepMs) * graph!.stepMs
    expect(graph!.steps[0]!.at + graph!.stepMs).toBeLessThanOrEqual(to)
  },
  'a quiet time left out': ({ quiet }) => void quiet.shift(),
  'why it was quiet': ({ quiet }) => wrong(quiet, ({ reasons }) => Object.assign(reasons[0]!, { code: 'crashed' })),
  'how long a quiet time was': ({ quiet }) =>
    wrong(quiet, (time) => Object.assign(time, { to: time.to + 20 * MINUTE })),
  'a host left out': ({ hosts }) => void hosts.pop(),
  'a host that refused nothing': ({ hosts }) => void hosts.push({ ...hosts[0]!, host: 'links.example' }),
  'what a host answered': ({ hosts }) => wrong(hosts, (line) => Object.assign(line, { status: 403 })),
  'how often a host refused': ({ hosts }) => wrong(hosts, (line) => Object.assign(line, { complaints: 10_000 })),
  'since when a host refused': ({ hosts }) => wrong(hosts, (line) => Object.assign(line, { from: line.from - MINUTE })),
  'that it slept': ({ incidents }) =>
    void incidents.splice(
      incidents.findIndex(({ code }) => code === 'slept'),
      1,
    ),
  'when it slept': ({ incidents }) =>
    wrong(
      incidents,
      (line) => {
        line.from -= 40 * MINUTE
        line.to = line.from + MINUTE
      },
      ({ code }) => code === 'slept',
    ),
  'that it crashed': ({ incidents }) => void incidents.push({ ...incidents[0]!, code: 'crashed' }),
  'a wait for power left out': ({ incidents }) =>
    void incidents.splice(
      incidents.findIndex(({ code }) => code === 'battery'),
      1,
    ),
  'what the summary says': (report) => Object.assign(report, { summary: 'There was nothing to do.' }),
}

test.each(Object.entries(LIES))('%s: told wrongly, it makes the night a bad one', (_, lie) => {
  const report = structuredClone(morning.report)
  lie(report)
  expect(report).not.toEqual(morning.report)
  const verdict = judge({ ...morning, report })
  expect(verdict.complaints.join('\n')).toContain('report: ')
  expect(isGood(verdict)).toBe(false)
})

test('a download that could not be had waits for a host that asked for a pause only if it did', () => {
  const gone = morning.plan.files.find(({ fate }) => fate !== 'good' && fate !== 'late')!
  const task = morning.tasks.get(gone.number)!
  const error = { ...task.error!, code: 'too_many_requests' as const }
  const tasks = new Map([...morning.tasks, [gone.number, { ...task, state: 'queued' as const, error }]])
  const complaint = expect.stringMatching(new RegExp(`^file ${gone.number} .*which is not why$`))
  expect(judge({ ...morning, tasks }).complaints).toContainEqual(complaint)
  const asked = morning.journal.asked.map((one) => (one.file === gone.number ? { ...one, status: 429 } : one))
  const journal = Object.create(morning.journal, { asked: { value: asked } })
  expect(judge({ ...morning, tasks, journal }).complaints).not.toContainEqual(complaint)
})

test('a limit that was not kept is noticed', () => {
  const { plan, journal } = morning
  const kept = (limitBytesPerSecond: number) => {
    const queues = plan.queues.map((queue) => ({ ...queue, patch: { ...queue.patch, limitBytesPerSecond } }))
    return !judge({ ...morning, plan: { ...plan, queues } }).complaints.some((one) => one.includes('is limited to'))
  }
  const busiest = Math.max(...[...journal.bytesByWorldSecond.values()].flatMap((seconds) => [...seconds.values()]))
  expect(kept(busiest)).toBe(true)
  expect(kept(Math.round(busiest / 20))).toBe(false)
})
