/**
 * Nights by name. Each begins with a calm one, made by the seed, and adds its trouble; `everything` adds all, `mix` some of
 * it. Instants of windows are written down as they were computed by hand, not taken from the code under test. What people
 * set up in the evening is in evenings.ts, what becomes of the machine in mishaps.ts.
 */
import { createRandom, type Random } from '../soak/random.ts'
import { deadlines, profiles, repeats, starts } from './evenings.ts'
import { battery, clockJumps, engineEnds } from './mishaps.ts'
import type { Fate, FilePlan, HostPlan, NightPlan, QueuePlan, Span } from './night-plan.ts'
import { LINKS } from './servers.ts'
import { BUSY_MS_PER_FILE, spans, USUAL, waveAt, within } from './waves.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

export const SCENARIOS = [
  'calm',
  'flaps',
  'storm429',
  'expiring',
  'restarts',
  'dst-spring',
  'dst-autumn',
  'sleep',
  'portal',
  'slowHost',
  'deadlines',
  'profiles',
  'engineEnds',
  'repeats',
  'starts',
  'clockJumps',
  'battery',
  'everything',
  'mix',
] as const
export type Scenario = (typeof SCENARIOS)[number]

/** Bytes of the smallest and the largest file. */
const SIZES = [20_000, 8_000_000] as const
/** `hours`: how long the window is open, where the scenario does not say. */
export function planNight(scenario: Scenario, seed: number, count: number, hours = 8): NightPlan {
  const random = createRandom(seed)
  const plan = calm(scenario, seed, count, hours, random)
  TROUBLE[scenario](plan, random)
  tellChecksums(plan)
  return plan
}

/** Some files come with a checksum, and a few of these are of something else. */
function tellChecksums(plan: NightPlan): void {
  for (const file of plan.files) {
    const { number, fate, changesAt, thereBy } = file
    if (fate !== 'good' || changesAt !== null || number % 3 !== 1) continue
    file.told = true
    if (number % 30 === 16 && thereBy === null && file.forcedAt === null) file.fate = 'altered'
  }
}

// ── the calm night ──

const BERLIN = 'Europe/Berlin'
const utc = (text: string) => Date.parse(`${text}Z`)

/** 23:00 in Berlin in November. */
const ELEVEN = utc('2026-11-26T22:00')

function calm(scenario: Scenario, seed: number, count: number, hours: number, random: Random): NightPlan {
  const open: Span = [ELEVEN, ELEVEN + hours * HOUR]
  const hosts = HOSTS.map((name, n) => host(name, n, random))
  const windows = `23:00-${String((23 + hours) % 24).padStart(2, '0')}:00`
  const night: QueuePlan = { name: 'Night', patch: { windows, timeZone: BERLIN }, open: [open], due: null }
  const files = Array.from({ length: count }, (_, n): FilePlan => {
    const fate = random.weighted<Fate>([
      [92, 'good'],
      [3, 'gone'],
      [3, 'forbidden'],
      [2, 'down'],
    ])
    return {
      number: n,
      host: fate === 'down' ? DOWN : random.pick(USUAL),
      sizeBytes: random.magnitude(...SIZES),
      fate,
      queue: night.name,
      linkLastsMs: null,
      changesAt: null,
      addedAt: waveAt(open, n),
      startAt: null,
      told: false,
      forcedAt: null,
      thereBy: null,
    }
  })
  const plan: NightPlan = {
    scenario,
    seed,
    startsAt: open[0] - 30 * MINUTE,
    endsAt: open[1] + 10 * MINUTE,
    bytesPerSecond: 0,
    hosts,
    links: { ...host(LINKS, 1, random), bytesPerSecond: 1e6, bytesPerSecondEach: 1e6 },
    files,
    queues: [night],
    outages: [],
    sleeps: [],
    ends: [],
    battery: [],
    clockSets: [],
    profiles: [],
    repeats: [],
    settings: {},
  }
  pace(plan)
  for (const down of hosts.filter(({ name }) => name === DOWN))
    down.troubles.push({ kind: random.chance(0.5) ? 'refuses' : 'silent', span: [0, Number.MAX_SAFE_INTEGER] })
  return plan
}

const DOWN = 'down.example'
/** has nothing but what is late */
const CRAWLING = 'crawling.example'
const HOSTS = [...USUAL, DOWN, CRAWLING]

function host(name: string, n: number, random: Random): HostPlan {
  // Every second one the user was told about.
  const told = n % 2 === 0
  return {
    name,
    secure: n % 3 === 0 && !name.includes(':'),
    bytesPerSecond: 0,
    bytesPerSecondEach: 0,
    roundTripMs: random.whole(10, 150),
    mostConnections: told ? random.whole(1, 4) : random.whole(6, 12),
    requestsPerSecond: told ? random.pick([1, 2, 5]) : 20,
    told,
    retryAfterS: random.whole(5, 60),
    cutShare: 0.01,
    troubles: [],
  }
}

/** The line is as fast as keeps it busy for its time, and each host takes its share of it. */
function pace(plan: NightPlan): void {
  const bytes = plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const busyMs = plan.files.length * BUSY_MS_PER_FILE
  plan.bytesPerSecond = bytes / (busyMs / 1000)
  for (const [n, one] of plan.hosts.entries()) {
    one.bytesPerSecond = plan.bytesPerSecond * (0.3 + 0.2 * n)
    one.bytesPerSecondEach = one.bytesPerSecond / 2
  }
}

// ── trouble ──

type MakesTrouble = (plan: NightPlan, random: Random) => void

const flaps: MakesTrouble = (plan, random) => {
  for (const span of spans(plan, random, 6, 20_000, 25 * MINUTE))
    plan.outages.push({ kind: random.pick(['away', 'silent']), span, newAddress: random.chance(0.5) })
  plan.outages.sort((a, b) => a.span[0] - b.span[0])
}

const storm429: MakesTrouble = (plan, random) => {
  for (const one of plan.hosts.filter(({ name }) => USUAL.includes(name))) {
    for (const span of spans(plan, random, 2, 5 * MINUTE, 40 * MINUTE)) one.troubles.push({ kind: 'storm', span })
    one.retryAfterS = random.whole(20, 240)
    if (!one.told) Object.assign(one, { mostConnections: 3, requestsPerSecond: 4 })
  }
}

const expiring: MakesTrouble = (plan, random) => {
  for (const file of plan.files) if (random.chance(0.6)) file.linkLastsMs = random.whole(5_000, 10 * MINUTE)
  for (const one of plan.hosts) one.cutShare = 0.1
}

const restarts: MakesTrouble = (plan, random) => {
  for (const one of plan.hosts.filter(({ name }) => USUAL.includes(name))) {
    for (const span of spans(plan, random, 4, 15_000, 6 * MINUTE))
      one.troubles.push({ kind: random.pick(['refuses', 'refuses', 'silent', 'errors']), span })
    one.cutShare = 0.05
  }
  const [from, to] = within(plan)
  for (const file of plan.files)
    if (random.chance(0.1)) file.changesAt = random.whole(file.addedAt, file.addedAt + Math.floor((to - from) / 20))
}

const sleep: MakesTrouble = (plan, random) => {
  for (const [at, end] of spans(plan, random, 3, 2 * MINUTE, 50 * MINUTE))
    plan.sleeps.push({ at, ms: end - at, monotonicRuns: random.chance(0.5) })
  // It also sleeps through the end of the window, with what is left.
  const [, closes] = within(plan)
  plan.sleeps.push({ at: closes - 5 * MINUTE, ms: 20 * MINUTE, monotonicRuns: random.chance(0.5) })
  plan.endsAt = closes + 30 * MINUTE
}

const portal: MakesTrouble = (plan, random) => {
  for (const span of spans(plan, random, 2, 3 * MINUTE, 40 * MINUTE))
    plan.outages.push({ kind: 'portal', span, newAddress: random.chance(0.5) })
}

/** How long a slow host takes for what is wanted of it, at best. */
const SLOW_MS = 20 * MINUTE

const slowHost: MakesTrouble = (plan) => {
  const slow = plan.hosts[1]!
  // A third of all files come from it; the others must not wait for them.
  for (const file of plan.files) if (file.fate === 'good' && file.number % 3 === 0) file.host = slow.name
  pace(plan)
  const bytes = plan.files.filter(({ host }) => host === slow.name).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  for (const file of plan.files) {
    file.addedAt = waveAt(within(plan), 0)
    if (file.fate === 'good' && file.host !== slow.name)
      file.thereBy = within(plan)[0] + 2 * plan.files.length * BUSY_MS_PER_FILE
  }
  slow.bytesPerSecond = bytes / (SLOW_MS / 1000)
  slow.bytesPerSecondEach = slow.bytesPerSecond
}

/** The night on which 02:00 becomes 03:00: one window ends at a time that there is not, another begins there. */
const dstSpring: MakesTrouble = (plan) => {
  const [opens, gap, closes] = [utc('2027-03-27T22:00'), utc('2027-03-28T01:00'), utc('2027-03-28T05:00')] as const
  changeover(plan, opens, gap, closes)
}

/** The night on which 03:00 becomes 02:00: 02:30 is there twice, and the first one counts. */
const dstAutumn: MakesTrouble = (plan) => {
  const [opens, first, closes] = [utc('2026-10-24T21:00'), utc('2026-10-25T00:30'), utc('2026-10-25T06:00')] as const
  changeover(plan, opens, first, closes)
}

/** So large that it is never silent for long, however slow. */
const LATE_BYTES = 20_000_000
/** It would take twice as long. */
const LATE_MS = 10 * MINUTE

function changeover(plan: NightPlan, opens: number, halfPastTwo: number, closes: number): void {
  const timeZone = BERLIN
  plan.queues = [
    { name: 'Night', patch: { timeZone, windows: '23:00-07:00' }, open: [[opens, closes]], due: null },
    { name: 'Early', patch: { timeZone, windows: '23:00-02:30' }, open: [[opens, halfPastTwo]], due: null },
    { name: 'Late', patch: { timeZone, windows: '02:30-07:00' }, open: [[halfPastTwo, closes]], due: null },
  ]
  for (const file of plan.files) {
    const queue = plan.queues[file.number % 3]!
    file.queue = queue.name
    file.addedAt = waveAt(queue.open![0]!, Math.floor(file.number / 3))
  }
  // One of the late window is wanted before it opens, and one of the early one is more than it has room for.
  const [forced, late] = ['Late', 'Early'].map((name) =>
    plan.files.find(({ queue, fate }) => queue === name && fate === 'good'),
  )
  if (forced) Object.assign(forced, { forcedAt: opens + 10 * MINUTE, addedAt: opens, thereBy: opens + HOUR })
  if (late) Object.assign(late, { fate: 'late', host: CRAWLING, sizeBytes: LATE_BYTES, addedAt: halfPastTwo - LATE_MS })
  plan.startsAt = opens - 30 * MINUTE
  plan.endsAt = closes + 10 * MINUTE
  pace(plan)
  const crawling = plan.hosts.find(({ name }) => name === CRAWLING)!
  crawling.bytesPerSecond = LATE_BYTES / ((2 * LATE_MS) / 1000)
  crawling.bytesPerSecondEach = crawling.bytesPerSecond
  for (const { name, patch } of plan.queues)
    if (name === 'Night') patch.limitBytesPerSecond = Math.ceil(plan.bytesPerSecond / 2)
}

const TROUBLE: Record<Scenario, MakesTrouble> = {
  calm: () => undefined,
  flaps,
  storm429,
  expiring,
  restarts,
  'dst-spring': dstSpring,
  'dst-autumn': dstAutumn,
  sleep,
  portal,
  slowHost,
  deadlines,
  profiles,
  engineEnds,
  repeats,
  starts,
  clockJumps,
  battery,
  everything(plan, random) {
    dstAutumn(plan, random)
    for (const trouble of [expiring, restarts, storm429, portal, flaps, sleep]) trouble(plan, random)
    apart(plan)
  },
  mix(plan, random) {
    const [begin] = [random.pick([null, dstSpring, dstAutumn, deadlines, clockJumps])]
    begin?.(plan, random)
    const may = [expiring, restarts, storm429, portal, flaps, battery, engineEnds, sleep, repeats, profiles]
    for (const trouble of may) if (random.chance(0.35)) trouble(plan, random)
    apart(plan)
  },
}

/**
 * The network has one trouble at a time, and so has the machine: of outages that meet, the later one begins when the
 * earlier one is over. Nobody sets the clock of a machine that sleeps, nor ends what does not run.
 */
function apart(plan: NightPlan): void {
  const machine = [
    ...plan.sleeps.map((one) => ({ one, ms: one.ms })),
    ...plan.ends.map((one) => ({ one, ms: one.downMs })),
    ...plan.clockSets.map((one) => ({ one, ms: 0 })),
  ].sort((a, b) => a.one.at - b.one.at)
  let awake = 0
  for (const { one, ms } of machine) {
    one.at = Math.max(one.at, awake)
    awake = one.at + ms + 2 * MINUTE
  }
  plan.endsAt = Math.max(plan.endsAt, awake + 10 * MINUTE)
  plan.outages.sort((a, b) => a.span[0] - b.span[0])
  let free = 0
  for (const outage of plan.outages) {
    const [from, to] = outage.span
    const begins = Math.max(from, free)
    outage.span = [begins, begins + to - from]
    free = outage.span[1] + MINUTE
  }
}
