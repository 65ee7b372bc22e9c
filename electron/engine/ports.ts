/** What the engine is given instead of reaching for it: clock, random, logger, file system, identity of the boot. */
import type { ChecksumAlgorithm } from '../../shared/integrity.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { RequestSample } from '../../shared/request-statistics.ts'
import type { SettingsPatch } from '../../shared/schemas.ts'
import type { Digests } from './hashes.ts'
import type { HttpSettings } from './http/http-client.ts'
import type { Lane } from './lane/lane.ts'
import type { Interfaces } from './network-watch.ts'

export interface Clock {
  /** epoch ms; may jump */
  now(): number
  /** ms from an arbitrary start; never goes back */
  monotonic(): number
  setTimeout(callback: () => void, ms: number): Timer
}

export interface Timer {
  cancel(): void
}

export interface Logger {
  debug(data: Record<string, unknown>, message: string): void
  info(data: Record<string, unknown>, message: string): void
  warn(data: Record<string, unknown>, message: string): void
  error(data: Record<string, unknown>, message: string): void
}

/** An open file. Positions are absolute; `write` returns the number of bytes taken, which may be short. */
export interface OpenFile {
  /** of the process, for a worker that writes; left out where only this object may write */
  readonly descriptor?: number
  write(buffers: readonly Uint8Array[], position: number): Promise<number>
  read(buffer: Uint8Array, position: number): Promise<number>
  /** size in bytes */
  size(): Promise<number>
  truncate(bytes: number): Promise<void>
  /** fdatasync: data and the metadata needed to read it back */
  datasync(): Promise<void>
  close(): Promise<void>
}

/** What is known of a volume (a mounted file system). */
export interface Volume {
  /** the same for all folders on it, as long as it stays mounted */
  device: string
  /** null: cannot be told */
  totalBytes: number | null
  /** null: no bound that matters */
  largestFileBytes: number | null
}

/** The few file operations the engine needs; tests put a lying disk behind them. Errors carry Node's `code`. */
export interface FileSystem {
  /** `create`: O_CREAT|O_EXCL read-write; `open`: existing, read-write; `read`: existing, read-only */
  open(path: string, mode: 'create' | 'open' | 'read'): Promise<OpenFile>
  /** atomically gives `from` the name `to`; replaces an existing `to` */
  rename(from: string, to: string): Promise<void>
  /**
   * The same, but throws EEXIST where `to` exists (link + unlink, or the best the file system has). `named` runs while both
   * names stand, where there is such a moment; where it fails, only the old one stays.
   */
  renameExclusive(from: string, to: string, named?: () => Promise<void>): Promise<void>
  unlink(path: string): Promise<void>
  /** with its parents, where they are missing; what was made survives a power cut */
  mkdir(path: string): Promise<void>
  /** null: does not exist */
  stat(path: string): Promise<{ bytes: number; isDirectory: boolean } | null>
  /** fsync of a folder, so that names in it survive a power cut; nothing where the platform has none */
  syncFolder(path: string): Promise<void>
  /** bytes free for us on the volume of an existing folder; null where it cannot be told */
  freeBytes(folder: string): Promise<number | null>
  /** the volume of an existing file or folder; null where it cannot be told */
  volume(path: string): Promise<Volume | null>
  /** throws where an existing folder takes no files (EROFS, EACCES); writes nothing */
  checkWritable(folder: string): Promise<void>
  /** digests of a whole file, where it is none of the operating system's, whose files a thread reads (checksum.ts) */
  digest?(path: string, algorithms: readonly ChecksumAlgorithm[], signal: AbortSignal): Promise<Digests>
  /** platform's mark “came from the internet”; best effort, never throws */
  markOrigin(path: string, url: string, referrer: string | null): Promise<void>
}

export interface ProgramOrder {
  program: string
  args: readonly string[]
  /** beside this process' own */
  env: Readonly<Record<string, string>>
  timeoutMs: number
  signal: AbortSignal
}

export interface ProgramEnd {
  code: number
  /** the beginning of what it wrote */
  output: string
}

export interface EngineDeps {
  store: TaskStore
  fs: FileSystem
  /** what moves the bytes; workers where `fs` is the operating system's. `onRequest`: told of requests that ended */
  openLane(settings: HttpSettings, onRequest: (sample: RequestSample) => void): Lane
  clock: Clock
  /** [0, 1) */
  random: () => number
  logger: Logger
  /** changes with every boot of the machine */
  bootId: string
  /** used where settings have no folder yet */
  defaultDownloadFolder: string
  version: string
  host: 'electron' | 'headless'
  platform: string
  /** profile folder, for `app.info` */
  profile: string
  /**
   * null: this engine owns the profile's queue. Otherwise it works only on tasks leased to this owner (`get`):
   * `tasks.add` leases what it adds, and adopts an unfinished task of the same URL and folder when nobody holds it.
   */
  lease: string | null
  /** tasks that the disk stopped go on by themselves; otherwise whoever asked is told, and that is the end of it */
  watchesDisk: boolean
  /** by which the engine measures what its own work costs (ms); left out: the time that really passes */
  stopwatch?: () => number
  /** false: many hosts that fail at once are many that fail, and never the network's absence; true when left out */
  judgesNetwork?: boolean
  /** runs a program of the user's without a shell; rejects where it cannot be started or took too long */
  runProgram(order: ProgramOrder): Promise<ProgramEnd>
  /** settings of this process alone, never stored (`get` and its flags) */
  settingsOverride?: SettingsPatch
  /** as os.networkInterfaces(): looked at to notice another network; left out: `network.changed` alone tells */
  networkInterfaces?: () => Interfaces
  /** keeps the report of a night as files, and those of the latest `keep` nights; left out: nobody does */
  saveReport?: (
    night: string,
    contents: { json: string; html: string },
    keep: number,
  ) => Promise<{ json: string; html: string }>
  /** in which nights begin and end; the machine's when left out */
  timeZone?: string
  /** whether the process behind a lease still runs */
  isOwnerAlive(owner: string): boolean
  /** whether some process owns the profile's queue now */
  isQueueOwned(): boolean
}
