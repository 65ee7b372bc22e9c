/**
 * The one place where store, engine and the machine's clock, files and logs are put together. Only main.ts,
 * engine-process.ts, daemon.ts, cli.ts and their immediate helpers import it (scripts/house-rules.ts holds the list).
 */
import { networkInterfaces } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { TaskStore } from '../shared/records.ts'
import type { SettingsPatch } from '../shared/schemas.ts'
import type { EngineApi } from './engine/api.ts'
import { createEngine } from './engine/engine.ts'
import { createInlineLane } from './engine/lane/inline-lane.ts'
import { createLanePool } from './engine/lane/lane-pool.ts'
import { ThreadLoad } from './engine/lane/thread-load.ts'
import { createNodeFileSystem } from './engine/node-fs.ts'
import type { Logger } from './engine/ports.ts'
import { LANE_WORKER } from './lane-entry.ts'
import { nodeClock } from './platform/clock.ts'
import { defaultDownloadFolder } from './platform/download-folder.ts'
import { runProgram } from './platform/run-program.ts'
import { bootId, databasePath, isOwnerAlive, isQueueOwned } from './profile.ts'
import { saveReport } from './report-files.ts'
import { openStore } from './store/index.ts'

export interface OpenEngineOptions {
  /** absolute path; created where it does not exist */
  profile: string
  host: 'electron' | 'headless'
  /** null: this engine owns the profile's queue, and the caller holds the queue lock. Otherwise see EngineDeps.lease. */
  lease: string | null
  version: string
  /** see EngineDeps.watchesDisk; where it owns the queue when left out */
  watchesDisk?: boolean
  /** a file in the profile's `logs` when left out */
  logger?: Logger
  /** Bytes are moved in this thread, not in workers: for one download that nothing else has to be answered beside. */
  inOwnThread?: boolean
  /** settings of this process alone, above the stored ones */
  settingsOverride?: SettingsPatch
  /** asks the system which proxies to use for a URL, as a PAC script answers; where there is somebody to ask */
  resolveProxy?: (url: string) => Promise<string>
}

export interface OpenedEngine {
  readonly engine: EngineApi
  readonly store: TaskStore
  readonly logger: Logger
  /** what was salvaged when the database was found corrupt, otherwise null */
  readonly recovered: Awaited<ReturnType<typeof openStore>>['recovered']
  /** drains the engine, then closes the store; idempotent */
  close(): Promise<void>
}

/**
 * Opens the profile's store and an engine over it. The engine is not started yet: call `engine.start()`.
 * Throws store_newer, store_corrupt, store_busy or a disk error.
 */
export async function openEngine(options: OpenEngineOptions): Promise<OpenedEngine> {
  const { profile, host, lease, version, inOwnThread = false, resolveProxy } = options
  const logger = options.logger ?? (await openLogFile(profile, host))
  const { store, recovered } = await openStore({
    path: databasePath(profile),
    now: nodeClock.now,
    logger,
    groupCommits: true,
  })
  const engine = createEngine({
    store,
    fs: createNodeFileSystem(process.platform, { writesInThread: inOwnThread }),
    openLane: (settings, onRequest) =>
      inOwnThread
        ? createInlineLane({ ...{ settings, onRequest, resolveProxy }, clock: nodeClock, load: ownLoad() })
        : createLanePool({ entry: LANE_WORKER, settings, onRequest, logger, resolveProxy }),
    clock: nodeClock,
    random: Math.random,
    logger,
    bootId: bootId(),
    defaultDownloadFolder: defaultDownloadFolder(),
    version,
    host,
    platform: process.platform,
    profile,
    lease,
    watchesDisk: options.watchesDisk ?? lease === null,
    settingsOverride: options.settingsOverride,
    networkInterfaces,
    saveReport: (night, contents, keep) => saveReport(profile, night, contents, keep),
    runProgram,
    isOwnerAlive,
    isQueueOwned: () => isQueueOwned(profile),
  })
  let closing: Promise<void> | undefined
  const close = async () => {
    try {
      await engine.drain()
    } finally {
      store.close()
    }
  }
  return { engine, store, logger, recovered, close: () => (closing ??= close()) }
}

const ownLoad = () => new ThreadLoad(performance.eventLoopUtilization)

/** Loaded on demand: the command line brings its own logger and starts faster without this one. */
async function openLogFile(profile: string, host: 'electron' | 'headless'): Promise<Logger> {
  const { createFileLogger } = await import('./platform/logging.ts')
  return createFileLogger(profile, host === 'electron' ? 'engine' : 'headless')
}
