/**
 * One night: a whole engine over a real store, given simulated time, network and files. Downloads are added in the
 * evening, nobody looks until the morning, and then judge.ts compares what is there with what happened.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../electron/engine/engine.ts'
import { createInlineLane } from '../../electron/engine/lane/inline-lane.ts'
import type { Logger } from '../../electron/engine/ports.ts'
import { openStore } from '../../electron/store/index.ts'
import { type Contract, contract } from '../../shared/contract.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { NightReport } from '../../shared/report.ts'
import type { InputOf, MethodNames, ResultOf } from '../../shared/rpc.ts'
import type { QueueId, StatsSummary, TaskId } from '../../shared/schemas.ts'
import { seeded } from '../durability/seeded.ts'
import type { Journal } from './journal.ts'
import { createMemoryFiles, type MemoryFiles } from './memory-files.ts'
import { NightNetwork } from './network.ts'
import { NightClock } from './night-clock.ts'
import { type FilePlan, type NightPlan, nameOf, pathOf } from './night-plan.ts'
import { LINKS } from './servers.ts'

export interface Morning {
  plan: NightPlan
  journal: Journal
  /** of files by number, as the store has them */
  tasks: Map<number, TaskRecord>
  files: MemoryFiles
  stats: StatsSummary
  report: NightReport
  realMs: number
}

/** The list is in memory where there is such a folder: how fast this machine's disk syncs is no part of the night. */
const MEMORY = '/dev/shm'
/** Where downloads go: a name that no disk knows. */
const FOLDER = '/night/downloads'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export async function spendNight(plan: NightPlan, logger: Logger = SILENT): Promise<Morning> {
  const began = performance.now()
  const clock = new NightClock(plan.startsAt)
  const network = new NightNetwork(plan, clock, seeded(plan.seed + 1))
  const files = createMemoryFiles()
  await files.mkdir(FOLDER)
  const profile = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'nighthaul-night-'))
  const { store } = openStore({
    path: join(profile, 'nighthaul.db'),
    now: () => clock.now(),
    logger: SILENT,
    groupCommits: true,
    flushesHere: true,
  })
  try {
    const engine = createEngine({
      store,
      clock,
      logger,
      profile,
      fs: files,
      openLane: (settings, onRequest) =>
        createInlineLane({ settings, clock, onRequest, openConnections: network.openConnections }),
      random: seeded(plan.seed),
      bootId: 'boot',
      defaultDownloadFolder: FOLDER,
      version: '0.0.0-night',
      host: 'headless',
      platform: process.platform,
      lease: null,
      watchesDisk: true,
      networkInterfaces: network.interfaces,
      runProgram: () => Promise.reject(new Error('no programs run in a simulated night')),
      isOwnerAlive: () => false,
      isQueueOwned: () => true,
    })
    const call = async <K extends MethodNames<Contract>>(name: K, input?: InputOf<Contract, K>) =>
      (await (engine.handlers[name] as (input: unknown) => unknown)(contract[name].input.parse(input))) as ResultOf<
        Contract,
        K
      >
    // A backup is copied by a thread of SQLite's, which knows no simulated time.
    await call('settings.set', { proxyMode: 'none', backupDays: 0, backupWeeks: 0, ...plan.settings })
    for (const { told, name, mostConnections, requestsPerSecond } of plan.hosts)
      if (told && (mostConnections ?? requestsPerSecond) !== null)
        await call('hostRules.set', {
          pattern: name,
          patch: {
            ...(mostConnections !== null && { connections: mostConnections }),
            ...(requestsPerSecond !== null && { requestsPerSecond }),
          },
        })
    for (const { at, ms, monotonicRuns } of plan.sleeps) clock.at(at, () => network.sleep(ms, monotonicRuns))
    await engine.start()
    const ids = new Map<TaskId, number>()
    const add = async (queueId: QueueId, own: readonly FilePlan[]) => {
      const { items } = await call('tasks.add', {
        items: own.map((file) => ({ url: linkTo(file, plan), filename: nameOf(file) })),
        queueId,
        options: { onChange: 'restart' },
      })
      for (const [n, { id }] of items.entries()) {
        const { number, forcedAt } = own[n]!
        ids.set(id, number)
        if (forcedAt !== null) clock.at(forcedAt, () => void call('tasks.force', { selection: { ids: [id] } }))
      }
    }
    for (const queue of plan.queues) {
      const { id } = await call('queues.add', { name: queue.name, ...queue.patch })
      const waves = Map.groupBy(
        plan.files.filter((file) => file.queue === queue.name),
        ({ addedAt }) => addedAt,
      )
      for (const [at, wave] of waves) clock.at(at, () => void add(id, wave))
    }
    await clock.run(plan.endsAt)
    // Those that end in this very moment may.
    const morning = store.getTasks([...ids.keys()])
    const report = await call('report.get', { from: plan.startsAt, to: plan.endsAt })
    const draining = engine.drain()
    await clock.run(clock.now() + 60_000)
    await draining
    return {
      plan,
      journal: network.journal,
      tasks: new Map(morning.map((task) => [ids.get(task.id)!, task])),
      files,
      report,
      stats: await call('stats.summary', {}),
      realMs: performance.now() - began,
    }
  } finally {
    store.close()
    await rm(profile, { recursive: true, force: true })
  }
}

export function pathIn(task: TaskRecord): string {
  return join(task.folder, task.filename ?? '')
}

function linkTo(file: FilePlan, plan: NightPlan): string {
  const host = plan.hosts.find(({ name }) => name === file.host)!
  if (file.linkLastsMs !== null) return `http://${LINKS}${pathOf(file)}`
  return `${host.secure ? 'https' : 'http'}://${host.name}${pathOf(file)}`
}
