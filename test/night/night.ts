/**
 * One night: a whole engine over a real store, given simulated time, network and files. Downloads are added in the
 * evening, nobody looks until the morning, and then judge.ts compares what is there with what happened. The engine may be
 * ended or killed meanwhile; the next one goes on with what is in the store.
 */
import { copyFileSync, existsSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineApi } from '../../electron/engine/api.ts'
import { createEngine } from '../../electron/engine/engine.ts'
import { createInlineLane } from '../../electron/engine/lane/inline-lane.ts'
import type { Clock, Logger } from '../../electron/engine/ports.ts'
import { openStore } from '../../electron/store/index.ts'
import { type Contract, contract } from '../../shared/contract.ts'
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { RepeatView } from '../../shared/repeats.ts'
import type { NightReport } from '../../shared/report.ts'
import type { InputOf, MethodNames, ResultOf } from '../../shared/rpc.ts'
import type { QueueId, StatsSummary, TaskId } from '../../shared/schemas.ts'
import { seeded } from '../durability/seeded.ts'
import { crc32At, digestOf } from './content.ts'
import type { Journal } from './journal.ts'
import { createMemoryFiles, type MemoryFiles } from './memory-files.ts'
import { NightNetwork } from './network.ts'
import { NightClock } from './night-clock.ts'
import { contentOf, type EngineEnd, type FilePlan, isWithin, type NightPlan, nameOf, pathOf } from './night-plan.ts'
import { type Move, Recorder } from './recorder.ts'
import { LINKS } from './servers.ts'

export interface Morning {
  plan: NightPlan
  journal: Journal
  /** of files by number, as the store has them */
  tasks: Map<number, TaskRecord>
  /** how states changed, of files by number; downloads of repeating ones by their ids below 0 */
  moves: (Move & { file: number | null })[]
  files: MemoryFiles
  stats: StatsSummary
  repeats: RepeatView[]
  report: NightReport
  realMs: number
}

/** The list is in memory where there is such a folder: how fast this machine's disk syncs is no part of the night. */
const MEMORY = '/dev/shm'
/** Where downloads go: a name that no disk knows. */
const FOLDER = '/night/downloads'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

type Call = <K extends MethodNames<Contract>>(name: K, input?: InputOf<Contract, K>) => Promise<ResultOf<Contract, K>>

/** An engine from its start to its end, whichever that is. */
interface Life {
  engine: EngineApi
  store: TaskStore
  folder: string
  call: Call
  /** no timer of it is heard any more */
  dead: boolean
  closed: boolean
}

export async function spendNight(plan: NightPlan, logger: Logger = SILENT): Promise<Morning> {
  const night = new Night(plan, logger)
  try {
    return await night.spend()
  } finally {
    await night.clear()
  }
}

class Night {
  readonly #plan: NightPlan
  readonly #logger: Logger
  readonly #clock: NightClock
  readonly #network: NightNetwork
  readonly #files = createMemoryFiles()
  readonly #recorder: Recorder
  readonly #lives: Life[] = []
  readonly #ids = new Map<TaskId, number>()
  /** what went wrong in what was done by the clock: it is no part of any night */
  readonly #failures: unknown[] = []
  /** the engine that works now; while there is none, what is wanted of it waits */
  #life: Promise<Life>

  constructor(plan: NightPlan, logger: Logger) {
    this.#plan = plan
    this.#logger = logger
    this.#clock = new NightClock(plan.startsAt)
    this.#network = new NightNetwork(plan, this.#clock, seeded(plan.seed + 1))
    this.#recorder = new Recorder(() => this.#clock.now())
    this.#life = this.#begin(null)
    // It is waited for where it is needed.
    this.#life.catch(() => undefined)
  }

  async spend(): Promise<Morning> {
    const began = performance.now()
    const plan = this.#plan
    const clock = this.#clock
    await this.#prepare()
    await (await this.#life).engine.start()
    for (const { at, ms, monotonicRuns } of plan.sleeps) clock.at(at, () => this.#network.sleep(ms, monotonicRuns))
    for (const { at, ms } of plan.clockSets) clock.at(at, () => clock.set(ms))
    for (const [from, to] of plan.battery) for (const at of [from, to]) this.#at(at, (life) => this.#tellPower(life))
    for (const end of plan.ends) clock.at(end.at, () => this.#end(end))
    await this.#fill()
    await clock.run(plan.endsAt)
    // Those that end in this very moment may.
    const { call, store, engine } = await this.#life
    const morning = store.getTasks([...this.#ids.keys()])
    const report = await call('report.get', { from: plan.startsAt, to: plan.endsAt })
    const repeats = await call('repeats.list')
    const draining = engine.drain()
    await clock.run(clock.world() + 60_000)
    await draining
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'the night could not be spent as planned')
    return {
      ...{ plan, report, repeats, files: this.#files, journal: this.#network.journal },
      tasks: new Map(morning.map((task) => [this.#ids.get(task.id)!, task])),
      moves: this.#recorder.moves.map((move) => ({ ...move, file: this.#ids.get(move.task) ?? null })),
      stats: await call('stats.summary', {}),
      realMs: performance.now() - began,
    }
  }

  async clear(): Promise<void> {
    for (const { store, folder, closed } of this.#lives) {
      if (!closed) store.close()
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** `from`: the folder of a killed engine, which goes on with what that one left. */
  async #begin(from: string | null): Promise<Life> {
    await this.#files.mkdir(FOLDER)
    // No time passes in the night while this takes some.
    const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'nighthaul-night-'))
    const path = join(folder, 'nighthaul.db')
    for (const end of from === null ? [] : ['', '-wal'])
      if (existsSync(join(from!, `nighthaul.db${end}`)))
        copyFileSync(join(from!, `nighthaul.db${end}`), `${path}${end}`)
    const clock = this.#clock
    const { store } = openStore({
      ...{ path, now: () => clock.now(), logger: SILENT, groupCommits: true, flushesHere: true },
    })
    const life = { store, folder, dead: false, closed: false } as Life
    this.#lives.push(life)
    const ownClock: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimeout: (callback, ms) => clock.setTimeout(() => !life.dead && callback(), ms),
    }
    const network = this.#network
    const engine = createEngine({
      store: this.#recorder.watch(store),
      clock: ownClock,
      logger: this.#logger,
      profile: folder,
      fs: { ...this.#files, digest: async (file, algorithms) => digestOf(this.#files.file(file)!, algorithms) },
      openLane: (settings, onRequest) =>
        createInlineLane({ settings, clock: ownClock, onRequest, openConnections: network.openConnections }),
      random: seeded(this.#plan.seed + this.#lives.length - 1),
      bootId: 'boot',
      // Nothing takes time in a night that repeats.
      stopwatch: () => 0,
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
    const call: Call = async (name, input) =>
      (await (engine.handlers[name] as (input: unknown) => unknown)(contract[name].input.parse(input))) as never
    return Object.assign(life, { engine, call })
  }

  /** What people set before the night. */
  async #prepare(): Promise<void> {
    const plan = this.#plan
    const { call } = await this.#life
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
    for (const { name, patch } of plan.profiles) await call('profiles.set', { name, patch })
  }

  /** Downloads are added, each when it is its turn. */
  async #fill(): Promise<void> {
    const plan = this.#plan
    const { call } = await this.#life
    const queueIds = new Map<string, QueueId>()
    for (const queue of plan.queues)
      queueIds.set(queue.name, (await call('queues.add', { name: queue.name, ...queue.patch })).id)
    for (const { file, when, timeZone, keepLast } of plan.repeats)
      await call('repeats.add', {
        ...{ url: linkTo(file, plan), when, timeZone, keepLast, nameTemplate: REPEAT_NAME },
        queueId: queueIds.get(file.queue)!,
      })
    const waves = Map.groupBy(plan.files, ({ queue, addedAt, startAt }) => `${addedAt} ${queue} ${startAt}`)
    for (const wave of waves.values()) this.#at(wave[0]!.addedAt, (life) => this.#add(life, queueIds, wave))
  }

  async #add({ call }: Life, queueIds: ReadonlyMap<string, QueueId>, wave: readonly FilePlan[]): Promise<void> {
    const { queue, startAt } = wave[0]!
    const { items } = await call('tasks.add', {
      items: wave.map((file) => ({
        url: linkTo(file, this.#plan),
        filename: nameOf(file),
        ...(file.told && { options: { checksum: { algorithm: 'crc32' as const, value: checksumOf(file) } } }),
      })),
      queueId: queueIds.get(queue)!,
      ...(startAt !== null && { startAt }),
      options: { onChange: 'restart' },
    })
    for (const [n, { id }] of items.entries()) {
      const { number, forcedAt } = wave[n]!
      this.#ids.set(id, number)
      if (forcedAt !== null)
        this.#at(forcedAt, async (life) => void (await life.call('tasks.force', { selection: { ids: [id] } })))
    }
  }

  async #tellPower({ call }: Life): Promise<void> {
    const source = isWithin(this.#clock.world(), this.#plan.battery) ? 'battery' : 'ac'
    await call('power.changed', { source })
  }

  /** By the world's time, or as soon as an engine works again. */
  #at(at: number, happen: (life: Life) => Promise<void>): void {
    this.#clock.at(at, () => void this.#life.then(happen).catch((error: unknown) => this.#failures.push(error)))
  }

  #end({ how, downMs }: EngineEnd): void {
    const before = this.#life
    this.#life = this.#again(before, how, downMs)
    this.#life.catch((error: unknown) => this.#failures.push(error))
  }

  async #again(before: Promise<Life>, how: EngineEnd['how'], downMs: number): Promise<Life> {
    const life = await before
    const over = new Promise<void>((resolve) => this.#clock.after(downMs, resolve))
    if (how === 'kill') {
      life.dead = true
      this.#network.kill()
    } else await life.engine.drain()
    if (how === 'quit') {
      life.store.close()
      life.closed = true
    }
    const next = await this.#begin(life.folder)
    await over
    await next.engine.start()
    await this.#tellPower(next)
    return next
  }
}

const REPEAT_NAME = '{name}-{n}{ext}'

/** What people were told it is. */
function checksumOf(file: FilePlan): string {
  const told = file.fate === 'altered' ? { ...file, number: file.number + 1 } : file
  return crc32At(contentOf(told, file.addedAt), file.sizeBytes)
}

export function pathIn(task: TaskRecord): string {
  return join(task.folder, task.filename ?? '')
}

/** Where the file of a run is, the first being 1. */
export function pathOfRun(file: FilePlan, n: number): string {
  return join(FOLDER, nameOf(file).replace(/(\.[^.]*)?$/, `-${n}$1`))
}

function linkTo(file: FilePlan, plan: NightPlan): string {
  const host = plan.hosts.find(({ name }) => name === file.host)!
  if (file.linkLastsMs !== null) return `http://${LINKS}${pathOf(file)}`
  return `${host.secure ? 'https' : 'http'}://${host.name}${pathOf(file)}`
}
