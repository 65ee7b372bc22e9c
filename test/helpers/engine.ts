/** A whole engine for tests: real SQLite, real files in a folder that disappears afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineApi } from '../../electron/engine/api.ts'
import { createEngine } from '../../electron/engine/engine.ts'
import { createInlineLane } from '../../electron/engine/lane/inline-lane.ts'
import { createLanePool } from '../../electron/engine/lane/lane-pool.ts'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import type { Clock, EngineDeps } from '../../electron/engine/ports.ts'
import { runProgram } from '../../electron/platform/run-program.ts'
import { openStore } from '../../electron/store/index.ts'
import { type Contract, contract } from '../../shared/contract.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { InputOf, MethodNames, ResultOf } from '../../shared/rpc.ts'
import type { TaskDetail, TaskId } from '../../shared/schemas.ts'
import type { TaskState } from '../../shared/task-state.ts'

export const realClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

const began = Date.now()

/** Time runs so many times faster, so that backoff does not slow a test down. */
export function clockOfHaste(times: number): Clock {
  return {
    now: () => began + (Date.now() - began) * times,
    monotonic: () => performance.now() * times,
    setTimeout: (callback, ms) => realClock.setTimeout(callback, ms / times),
  }
}

/** Rates are not to be trusted under it. */
export const hastyClock = clockOfHaste(100)

/** Settings for tests that count requests or connections: a busy machine must not look like a server that is silent. */
export const PATIENT = { connectTimeoutMs: 3_600_000, headersTimeoutMs: 3_600_000, stallTimeoutMs: 3_600_000 }

/** Runs all tests of the engine as the programs do; otherwise only those that ask for it, because workers take time. */
const WORKERS = process.env.NIGHTHAUL_TEST_WORKERS === '1'
/** What a lane's worker runs. */
export const LANE_WORKER = new URL('../../electron/engine/lane/lane-worker.ts', import.meta.url)

const silent = { debug() {}, info() {}, warn() {}, error() {} }

export interface TestEngine extends AsyncDisposable {
  engine: EngineApi
  folder: string
  profile: string
  call<K extends MethodNames<Contract>>(name: K, input?: InputOf<Contract, K>): Promise<ResultOf<Contract, K>>
  add(url: string, options?: InputOf<Contract, 'tasks.add'>['options'], filename?: string): Promise<TaskId>
  get(id: TaskId): Promise<TaskDetail>
  /** resolves when the task is in one of these states; rejects with the story after a while */
  until(id: TaskId, ...states: TaskState[]): Promise<TaskDetail>
  /** resolves when the condition holds for the task */
  untilTask(id: TaskId, condition: (task: TaskDetail) => boolean): Promise<TaskDetail>
  /** resolves after so many ticks, each a second of the engine's clock at least: for what must not happen meanwhile */
  ticks(count: number): Promise<void>
  /** ends this engine as a clean quit does */
  stop(): Promise<void>
}

export interface TestEngineOptions extends Partial<EngineDeps> {
  /** of an earlier engine, to go on with its profile */
  from?: { folder: string; profile: string }
  settings?: InputOf<Contract, 'settings.set'>
  /** puts something between the engine and its store */
  wrapStore?: (store: TaskStore) => TaskStore
  /** as in the programs: writes are grouped, and bytes are moved in worker threads (not where a test has its own disk) */
  workers?: boolean
  /** as `workers` when left out */
  groupCommits?: boolean
}

export async function startEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const { from, settings, wrapStore = (store) => store, workers = WORKERS, groupCommits = workers, ...deps } = options
  const profile = from?.profile ?? (await mkdtemp(join(tmpdir(), 'nighthaul-engine-')))
  const folder = from?.folder ?? join(profile, 'downloads')
  const { store } = openStore({
    path: join(profile, 'nighthaul.db'),
    now: Date.now,
    logger: silent,
    groupCommits,
  })
  const clock = deps.clock ?? hastyClock
  const engine = createEngine({
    store: wrapStore(store),
    fs: createNodeFileSystem(),
    clock,
    openLane: (httpSettings, onRequest) =>
      workers && !deps.fs
        ? createLanePool({ entry: LANE_WORKER, settings: httpSettings, onRequest, logger: silent })
        : createInlineLane({ settings: httpSettings, clock, onRequest }),
    random: Math.random,
    logger: silent,
    bootId: 'boot-1',
    defaultDownloadFolder: folder,
    version: '0.0.0-test',
    host: 'headless',
    platform: process.platform,
    profile,
    lease: null,
    watchesDisk: deps.lease === undefined || deps.lease === null,
    runProgram,
    isOwnerAlive: () => false,
    isQueueOwned: () => true,
    ...deps,
  })
  const call = async <K extends MethodNames<Contract>>(name: K, input?: InputOf<Contract, K>) => {
    const parsed = contract[name].input.parse(input)
    return (await (engine.handlers[name] as (input: unknown) => unknown)(parsed)) as ResultOf<Contract, K>
  }
  // What fails is to be seen to fail, except where a test is about second chances.
  await call('settings.set', { secondChances: 0, ...settings })
  await engine.start()
  const get = (id: TaskId) => call('tasks.get', { id })
  const untilTask = async (id: TaskId, condition: (task: TaskDetail) => boolean) => {
    const deadline = Date.now() + 30_000
    for (;;) {
      const task = await get(id)
      if (condition(task)) return task
      if (Date.now() > deadline) throw new Error(`gave up waiting; the task is ${JSON.stringify(task, null, 1)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  let stopped: Promise<void> | null = null
  const stop = () => {
    stopped ??= engine.drain().finally(() => store.close())
    return stopped
  }
  return {
    engine,
    folder,
    profile,
    call,
    get,
    untilTask,
    async add(url, taskOptions, filename) {
      const { items } = await call('tasks.add', {
        items: [{ url, options: taskOptions, ...(filename ? { filename } : {}) }],
        onDuplicate: 'add',
      })
      return items[0]!.id
    },
    ticks: (count) =>
      new Promise((resolve) => {
        let left = count
        const listening = engine.events.subscribe(
          'throughput.tick',
          () => {
            if (--left > 0) return
            listening.dispose()
            resolve()
          },
          { visible: true },
        )
      }),
    until: (id, ...states) => untilTask(id, (task) => states.includes(task.state)),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      if (!from) await rm(profile, { recursive: true, force: true })
    },
  }
}
