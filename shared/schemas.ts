/**
 * Everything that crosses the contract as zod schemas, with the types derived from them. Units are in the names.
 * Long because: clients read one list; what belongs to hosts and statistics alone has files of its own.
 */
import { z } from 'zod'
import type { ErrorInfo } from './errors.ts'
import { Checksum, type ChecksumResult, ExpectedDigest, PieceHashes } from './integrity.ts'
import { WhenDone } from './queues.ts'
import type { RequestFigures, TallyTotals } from './request-statistics.ts'
import { TASK_STATES, type TaskState } from './task-state.ts'
import type { TaskStrategyReason } from './task-strategy.ts'
import { ON_BATTERY } from './unattended.ts'
import type { Verdict, Verification, VerifyProgress } from './verification.ts'

export const TaskId = z.int().positive()
export type TaskId = z.infer<typeof TaskId>

export const QueueId = z.int().positive()
export type QueueId = z.infer<typeof QueueId>
/** It is always there, and takes the tasks of queues that are removed. */
export const DEFAULT_QUEUE_ID: QueueId = 1

/** An absolute http or https URL. Anything else is refused with a sentence a person understands. */
export const HttpUrl = z
  .string()
  .trim()
  .max(64 * 1024)
  .pipe(
    z.url({
      error: (issue) =>
        `“${String(issue.input).slice(0, 200)}” is not a URL (it should begin with https:// or http://)`,
    }),
  )
  .refine((text) => /^https?:\/\/./i.test(text), {
    error: (issue) => `“${String(issue.input).slice(0, 200)}” is not supported: links begin with https:// or http://`,
  })

/** A header as the user gives it. Names are tokens (RFC 9110 §5.1), values hold no control characters. */
export const HeaderList = z
  .array(
    z.tuple([
      z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name holds letters, digits and dashes'),
      z.string().regex(/^[^\0-\x08\x0a-\x1f\x7f]*$/, 'a header value holds no line breaks'),
    ]),
  )
  .max(100)

export const ON_CONFLICT = ['rename', 'overwrite', 'skip'] as const
export const ON_CHANGE = ['ask', 'restart', 'keep'] as const
export const DURABILITY = ['strict', 'background'] as const

/** Methods that bring a file back. Anything but GET is one request, from the start, on one connection. */
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH'] as const

export const MOST_BODY_BYTES = 1024 * 1024

/** What a request carries: text (sent as UTF-8) or any bytes. */
export const RequestBody = z.union([
  z.object({ text: z.string().max(MOST_BODY_BYTES) }).strict(),
  z.object({ base64: z.base64().max(Math.ceil(MOST_BODY_BYTES / 3) * 4) }).strict(),
])
export type RequestBody = z.infer<typeof RequestBody>

/** Who we are to a server that asks (TLS): certificate and key as PEM, or both as PKCS #12. */
export const ClientCertificate = z.union([
  z
    .object({
      certPem: z.string().min(1).max(1_000_000),
      keyPem: z.string().min(1).max(1_000_000),
      passphrase: z.string().max(1000).optional(),
    })
    .strict(),
  z.object({ pfxBase64: z.base64().min(1).max(1_400_000), passphrase: z.string().max(1000).optional() }).strict(),
])
export type ClientCertificate = z.infer<typeof ClientCertificate>

const TimeoutMs = z.int().min(100).max(3_600_000)

/** Options of one task beyond its URL; every field may be left out, the settings then decide. */
export const TaskOptions = z.object({
  connections: z.int().min(1).max(64).optional(),
  method: z.enum(METHODS).optional(),
  body: RequestBody.optional(),
  headers: HeaderList.optional(),
  user: z.string().max(1000).optional(),
  password: z.string().max(1000).optional(),
  auth: z.enum(['basic', 'digest']).describe('digest: never send the password itself').optional(),
  bearer: z
    .string()
    .max(16_384)
    .regex(/^[\x21-\x7e]*$/, 'a token holds no spaces')
    .optional(),
  netrcFile: z.string().max(4096).describe('absolute path on the engine’s machine; empty: none').optional(),
  cookies: z.string().max(1_000_000).describe('a Netscape cookie file’s text').optional(),
  proxy: z.string().max(2000).describe('http://, https:// or socks5:// URL').optional(),
  caPem: z.string().max(1_000_000).describe('extra certificate authorities, PEM').optional(),
  clientCertificate: ClientCertificate.optional(),
  checksum: Checksum.describe('what the user expects').optional(),
  expected: z.array(ExpectedDigest).max(32).describe('further digests the file should have').optional(),
  verifyFound: z.boolean().describe('verify by digests that the server sends').optional(),
  findChecksums: z.boolean().describe('ask for files of checksums beside the download').optional(),
  limitBytesPerSecond: z.int().positive().optional(),
  onConflict: z.enum(ON_CONFLICT).optional(),
  onChange: z.enum(ON_CHANGE).optional(),
  durability: z.enum(DURABILITY).optional(),
  temporaryFolder: z.string().min(1).max(4096).describe('absolute path on the engine’s machine').optional(),
  retries: z.int().min(0).max(10_000).optional(),
  timeoutMs: TimeoutMs.describe('for connect, headers and stall').optional(),
  connectTimeoutMs: TimeoutMs.optional(),
  headersTimeoutMs: TimeoutMs.optional(),
  stallTimeoutMs: TimeoutMs.optional(),
  sizeBytes: z.int().min(0).describe('the size that the file must have').optional(),
  acceptHtml: z.boolean().describe('save a web page even where the link names another kind of file').optional(),
})
export type TaskOptions = z.infer<typeof TaskOptions>

/** Who named a mirror: the user, a Metalink, or the server in a Link header (RFC 6249). */
export const MIRROR_ORIGINS = ['user', 'metalink', 'link'] as const
export type MirrorOrigin = (typeof MIRROR_ORIGINS)[number]

/** Another URL of the same file. */
export const MirrorInput = z.object({
  url: HttpUrl,
  priority: z.int().min(1).max(999_999).default(1).describe('1 comes first'),
  location: z.string().min(2).max(20).toLowerCase().nullable().default(null).describe('country code'),
  origin: z.enum(MIRROR_ORIGINS).default('user'),
})
export type MirrorInput = z.output<typeof MirrorInput>

/** One of the URLs that a task's file can be had from. */
export interface MirrorView {
  url: string
  priority: number
  location: string | null
  origin: MirrorOrigin
  /** `active`: the task is fetched, or was last fetched, from here; `used`: it brought bytes before */
  state: 'active' | 'used' | 'failed' | 'unused'
  /** why it was left */
  error: ErrorInfo | null
  bytes: number
}

export const AddItem = z.object({
  url: HttpUrl,
  /** other URLs of the same file, tried where this one fails */
  mirrors: z.array(MirrorInput).max(100).optional(),
  filename: z.string().min(1).max(1000).optional(),
  options: TaskOptions.optional(),
  /** hashes of its pieces, as a Metalink gives them */
  pieces: PieceHashes.optional(),
})
export type AddItem = z.infer<typeof AddItem>

export const AddTasksInput = z.object({
  items: z.array(AddItem).min(1).max(100_000),
  /** absolute path on the engine's machine; the settings' folder when left out */
  folder: z.string().min(1).max(4096).optional(),
  options: TaskOptions.optional(),
  paused: z.boolean().default(false),
  /** epoch ms: not before */
  startAt: z.int().positive().optional(),
  /** the default queue when left out */
  queueId: QueueId.optional(),
  /** an unfinished task with the same URL and folder: name it in the result (`skip`) or add a second one */
  onDuplicate: z.enum(['skip', 'add']).default('skip'),
})
export type AddTasksInput = z.output<typeof AddTasksInput>
export interface AddTasksResult {
  /** one entry per item, in order */
  items: { id: TaskId; duplicate: boolean }[]
}

/** Some tasks: by id, or by what a list shows (never “the first 1,000”). */
export const Selection = z.union([
  z.object({ ids: z.array(TaskId).max(100_000) }),
  z.object({
    filter: z.object({
      states: z.array(z.enum(TASK_STATES)).optional(),
      text: z.string().max(1000).optional(),
      queueId: QueueId.optional(),
    }),
  }),
])
export type Selection = z.infer<typeof Selection>

/** What may change while tasks run; takes effect at once. Left out: stays; `null`: as the settings say. */
export const UpdateTasksInput = z.object({
  selection: Selection,
  limitBytesPerSecond: z.int().positive().nullable().optional(),
  connections: z.int().min(1).max(64).nullable().optional(),
  queueId: QueueId.optional(),
  /** epoch ms: not before, also for those that run, are paused or have failed; null, or past: as their queue says */
  startAt: z.int().positive().nullable().optional(),
})
export type UpdateTasksInput = z.output<typeof UpdateTasksInput>

/** What to bring back: a removal as `tasks.remove` answered it, the last one, or single tasks. */
export const RestoreTasksInput = z.union([
  z.object({ removal: z.union([z.int().positive(), z.literal('last')]) }).strict(),
  z.object({ ids: z.array(TaskId).min(1).max(100_000) }).strict(),
])
export type RestoreTasksInput = z.output<typeof RestoreTasksInput>

/** A task that was taken off the list and can come back. */
export interface RemovedTask {
  id: TaskId
  /** what went with it has the same number */
  removal: number
  removedAt: number
  url: string
  filename: string | null
  folder: string
  state: TaskState
  sizeBytes: number | null
  /** epoch ms at which its files will be deleted; null: they stay, or are gone */
  filesDueAt: number | null
  /** its files were deleted: it would start over */
  filesGone: boolean
}

export const RefreshLinkInput = z.object({ id: TaskId, url: HttpUrl })
export type RefreshLinkInput = z.output<typeof RefreshLinkInput>

/** Takes files to a folder, or one file to a path. */
export const MoveTasksInput = z.object({
  ids: z.array(TaskId).min(1).max(10_000),
  /** absolute, on the engine’s machine. A folder, if it is one, ends with a separator, or there are several downloads */
  to: z.string().min(1).max(4096),
  /** somebody moved the file already: it is compared with what came, and believed */
  alreadyThere: z.boolean().default(false),
})
export type MoveTasksInput = z.output<typeof MoveTasksInput>
export interface MoveTasksResult {
  moved: { id: TaskId; path: string }[]
  failed: { id: TaskId; error: ErrorInfo }[]
}

export const SORT_KEYS = ['position', 'name', 'size', 'progress', 'state', 'created'] as const
export const ListTasksInput = z.object({
  states: z.array(z.enum(TASK_STATES)).optional(),
  text: z.string().max(1000).optional(),
  queueId: QueueId.optional(),
  sort: z.enum(SORT_KEYS).default('position'),
  descending: z.boolean().default(false),
  offset: z.int().min(0).default(0),
  limit: z.int().min(1).max(1000).default(200),
})
export type ListTasksInput = z.output<typeof ListTasksInput>

/** One row of the list. */
export interface TaskRow {
  id: TaskId
  url: string
  /** the name in the folder; before the first reply, a guess from the URL */
  filename: string
  folder: string
  state: TaskState
  /** null: not known (yet) */
  sizeBytes: number | null
  writtenBytes: number
  /** of its file, copied to another volume so far; null: it is not being copied */
  copiedBytes: number | null
  bytesPerSecond: number
  /** null: cannot be told */
  etaMs: number | null
  /** connections open now */
  connections: number
  /** null: not known yet; false: an interruption means comparing or starting over */
  resumable: boolean | null
  error: ErrorInfo | null
  /** epoch ms of the next try while `waiting` */
  retryAt: number | null
  /** epoch ms: not before; null: whenever its queue works */
  startAt: number | null
  createdAt: number
  finishedAt: number | null
  /** its file is being compared with its checksums, or waits for its turn */
  verifying: VerifyProgress | null
  /** what the latest comparison of the present file found; null: none was made */
  verified: { at: number; verdict: Verdict } | null
}

export interface TaskPage {
  /** the revision of the list this page shows; later `tasks.changed` frames carry higher ones */
  rev: number
  total: number
  rows: TaskRow[]
  counts: Record<TaskState, number>
}

/**
 * Rows that changed after revision `since`, up to `rev` (both count all frames of the engine; a hidden window gets
 * fewer, wider ones). A client at revision r: `rev <= r` is old, ignore it; `since > r` is a gap, list again;
 * otherwise apply it and be at `rev`.
 */
export interface TaskDelta {
  since: number
  rev: number
  rows: TaskRow[]
  removed: TaskId[]
  /** the order or the membership of lists may have changed (added, removed, another state): page again */
  listChanged: boolean
  counts: Record<TaskState, number>
}

/** Bytes [start, end) of a file. */
export interface ByteRange {
  start: number
  end: number
}

export interface SegmentView {
  /** first byte */
  start: number
  /** one past the last byte; null while the length is unknown */
  end: number | null
  writtenBytes: number
  durableBytes: number
  active: boolean
  bytesPerSecond: number
}

export interface TaskDetail extends TaskRow {
  /** every URL of the file, its own first; none where there is but that */
  mirrors: MirrorView[]
  finalUrl: string | null
  path: string | null
  partPath: string | null
  etag: string | null
  lastModified: string | null
  contentType: string | null
  httpVersion: string | null
  segments: SegmentView[]
  attempts: number
  /** how often it came again at the end of its queue */
  secondChances: number
  startedAt: number | null
  /** the most connections that were open at once */
  connectionsUsed: number
  /** why it is, or was, fetched as it is; the reason that decides most first */
  strategy: TaskStrategyReason[]
  /** what it was verified by; null: not yet, or there was nothing to verify it by */
  checksum: ChecksumResult | null
  /** every digest the file should have that is known so far, the one that decides first */
  expected: ExpectedDigest[]
  /** where files are that came and did not have their digest */
  badFiles: string[]
  /** what the latest comparison with the checksums of its blocks found; null: none was made of the present file */
  verification: Verification | null
  resumedFromBytes: number
  /** true once the finished file and its name were fsynced */
  durable: boolean
  queueId: QueueId
  /** the options with secrets left out (passwords, cookies, Authorization) */
  options: TaskOptions
}

export const ProbeInput = z.object({ url: HttpUrl, options: TaskOptions.optional() })
export type ProbeInput = z.output<typeof ProbeInput>
export interface ProbeDigest {
  algorithm: string
  value: string
  source: string
}
export interface ProbeResult {
  url: string
  finalUrl: string
  status: number
  filename: string
  size: number | null
  ranges: boolean
  etag: string | null
  lastModified: string | null
  contentType: string | null
  digests: ProbeDigest[]
  httpVersion: string
}

export const DEADLINE_ORDERS = ['mostFiles', 'asListed'] as const
export const PROXY_MODES = ['system', 'environment', 'none'] as const

export const WHEN_CLOSED = ['tray', 'quit'] as const

export const REPORT_TIMES = ['done', 'night', 'never'] as const

export const Settings = z.object({
  downloadFolder: z.string().min(1).max(4096),
  downloadsAtOnce: z.int().min(1).max(100),
  connectionsPerDownload: z.int().min(1).max(64),
  connectionsPerHost: z.int().min(1).max(64),
  /** null: no spacing */
  requestsPerSecondPerHost: z.number().positive().max(10_000).nullable(),
  /** the least time between two requests to one host; null: none */
  requestSpacingMsPerHost: z.int().min(1).max(3_600_000).nullable(),
  /** null: no limit */
  limitBytesPerSecond: z.int().positive().nullable(),
  durability: z.enum(DURABILITY),
  preallocate: z.enum(['sparse', 'none']),
  /** where partials live until they are complete; null: beside the file they become */
  temporaryFolder: z.string().min(1).max(4096).nullable(),
  /** room to leave on a volume, but at most a hundredth of it */
  keepFreeBytes: z.int().min(0),
  onConflict: z.enum(ON_CONFLICT),
  onChange: z.enum(ON_CHANGE),
  /** verify finished files by digests that their servers sent with them */
  verifyFound: z.boolean(),
  /** take mirrors that a server names in Link headers (RFC 6249) */
  serverMirrors: z.boolean(),
  /** ask for files of checksums (SHA256SUMS, NAME.sha256, …) beside a download that has no strong digest */
  findChecksums: z.boolean(),
  retries: z.int().min(0).max(10_000),
  /** how often a download that failed comes again at the end of its queue before it is given up */
  secondChances: z.int().min(0).max(20),
  /** minutes before it comes for the first time; each further time it is twice as long */
  secondChanceMinutes: z.int().min(1).max(1440),
  /** minutes for which `onChange: ask` waits, before the new file is fetched beside the partial; null: for ever */
  changedAfterMinutes: z.int().min(1).max(10_080).nullable(),
  /** the machine does not go to sleep by itself while downloads run */
  inhibitSleep: z.boolean(),
  onBattery: z.enum(ON_BATTERY),
  /** of all downloads together, where `onBattery` is `limit` */
  batteryLimitBytesPerSecond: z.int().positive(),
  /** what happens when the last download of all queues has ended */
  whenDone: z.array(WhenDone).max(10),
  /** before the machine sleeps or is turned off, or Nighthaul quits */
  countdownSeconds: z.int().min(5).max(3600),
  connectTimeoutMs: TimeoutMs,
  headersTimeoutMs: TimeoutMs,
  stallTimeoutMs: TimeoutMs,
  /** how long one address of a host (IPv6, then IPv4) may take before the next is tried beside it */
  addressAttemptMs: z.int().min(10).max(60_000),
  /** idle connections kept for later, for one host and in all, and for how long */
  idleConnectionsPerHost: z.int().min(0).max(256),
  idleConnections: z.int().min(0).max(1024),
  keepAliveMs: z.int().min(0).max(3_600_000),
  /** requests under way, whoever makes them, to one host and in all; further ones wait, at most so long */
  busyConnectionsPerHost: z.int().min(1).max(256),
  busyConnections: z.int().min(1).max(1024),
  connectionWaitMs: TimeoutMs,
  userAgent: z.string().max(500).nullable(),
  /** where `proxy` is null: as the system says (in the app; elsewhere as the environment), as the environment, or none */
  proxyMode: z.enum(PROXY_MODES),
  /** shown without its user and password: `http://…@host:port`; set so, these stay as they are */
  proxy: z.string().max(2000).nullable(),
  /** logins by host, as curl reads them; null: none */
  netrcFile: z.string().min(1).max(4096).nullable(),
  /** how long removed downloads can be brought back, and how long their files wait to be deleted; 0: they do not */
  keepRemovedDays: z.int().min(1).max(3650),
  keepRemovedFilesMinutes: z.int().min(0).max(43_200),
  /** copies of the list: the latest of so many days, and beyond those of so many weeks; 0 and 0: none are made */
  backupDays: z.int().min(0).max(365),
  backupWeeks: z.int().min(0).max(520),
  /** how long statistics of requests are kept; 0: not at all */
  statisticsDays: z.int().min(0).max(3650),
  /** how long the journal is kept, of which reports are made; 0: not at all, and there are no reports */
  journalDays: z.int().min(0).max(366),
  /** when the report of a night is stored: as soon as nothing is left to do and when the night ends, or then alone */
  reports: z.enum(REPORT_TIMES),
  /** reports of so many nights are kept as files */
  reportsKept: z.int().min(1).max(3650),
  /** where not all of a queue can be there by its deadline: keep its order, or take the shortest first */
  deadlineOrder: z.enum(DEADLINE_ORDERS),
  /** whether queues without a deadline do with less while one would miss its deadline */
  deadlineMayBorrow: z.boolean(),
  /** ask beforehand for sizes of downloads in queues with a deadline, one request each */
  probeSizes: z.boolean(),
  theme: z.enum(['system', 'light', 'dark']),
  /** of the app, when its last window is closed: stay in the tray while something is to be done, or quit */
  whenClosed: z.enum(WHEN_CLOSED),
})
export type Settings = z.infer<typeof Settings>
export const SettingsPatch = Settings.partial().strict()
export type SettingsPatch = z.infer<typeof SettingsPatch>

/** Everything but the folder, which the host supplies. */
export const DEFAULT_SETTINGS: Omit<Settings, 'downloadFolder'> = {
  downloadsAtOnce: 4,
  connectionsPerDownload: 8,
  connectionsPerHost: 6,
  requestsPerSecondPerHost: null,
  requestSpacingMsPerHost: null,
  limitBytesPerSecond: null,
  durability: 'strict',
  preallocate: 'sparse',
  temporaryFolder: null,
  keepFreeBytes: 16 * 1024 * 1024,
  onConflict: 'rename',
  onChange: 'ask',
  verifyFound: true,
  serverMirrors: true,
  findChecksums: false,
  retries: 10,
  secondChances: 2,
  secondChanceMinutes: 10,
  changedAfterMinutes: 60,
  inhibitSleep: false,
  onBattery: 'nothing',
  batteryLimitBytesPerSecond: 1_000_000,
  whenDone: [],
  countdownSeconds: 60,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  stallTimeoutMs: 30_000,
  addressAttemptMs: 250,
  idleConnectionsPerHost: 6,
  idleConnections: 32,
  keepAliveMs: 15_000,
  busyConnectionsPerHost: 64,
  busyConnections: 256,
  connectionWaitMs: 30_000,
  userAgent: null,
  proxyMode: 'system',
  proxy: null,
  netrcFile: null,
  keepRemovedDays: 30,
  keepRemovedFilesMinutes: 10,
  backupDays: 7,
  backupWeeks: 4,
  statisticsDays: 730,
  journalDays: 31,
  reports: 'done',
  reportsKept: 60,
  deadlineOrder: 'mostFiles',
  deadlineMayBorrow: true,
  probeSizes: true,
  theme: 'system',
  whenClosed: 'tray',
}

/** Why connections may be dead without knowing it. `offline`: there is no use in trying yet. */
export const NETWORK_CHANGES = ['wake', 'online', 'offline', 'interfaces'] as const
export type NetworkChange = (typeof NETWORK_CHANGES)[number]

/** A Metalink as what `tasks.add` takes. */
export interface ParsedMetalink {
  items: AddItem[]
  /** files without a link that can be fetched here */
  skipped: { name: string; line: number }[]
}

/** A cURL command as what `tasks.add` takes. */
export interface ParsedCurl {
  items: AddItem[]
}

export interface AppInfo {
  version: string
  host: 'electron' | 'headless'
  platform: string
  profile: string
  freeBytes: number | null
}

export interface ThroughputSample {
  /** epoch ms of the end of the interval */
  at: number
  bytesPerSecond: number
}

const EpochMs = z.int().min(0).max(8_640_000_000_000_000)

export const StatsSummaryInput = z
  .object({
    /** from the first hour there is when left out */
    from: EpochMs.optional(),
    /** until now when left out */
    to: EpochMs.optional(),
    /** with its port where that is not the scheme’s own */
    host: z.string().min(1).max(300).toLowerCase().optional(),
  })
  .refine(({ from = 0, to = Infinity }) => from < to, 'the time must begin before it ends')
export type StatsSummaryInput = z.output<typeof StatsSummaryInput>

/** Requests by the hour in which they ended; by the day where that is long ago. */
export interface HourFigures {
  /** epoch ms of its beginning */
  at: number
  spanMs: number
  requests: number
  succeeded: number
  failed: number
  bytes: number
}

export interface StatsSummary {
  /** epoch ms; the whole hours that the figures cover */
  from: number
  to: number
  /** on average from then until now, or until the end that was asked for */
  requestsPerSecond: number
  overall: RequestFigures
  /** the one with the most requests first; `*` stands for those that are not kept apart, and comes last */
  hosts: (RequestFigures & { host: string })[]
  /** those with requests, in order */
  hours: HourFigures[]
}

const MOST_STEPS = 2_000

export const StatsThroughputInput = z
  .object({ from: EpochMs, to: EpochMs, stepMs: z.int().min(60_000).max(86_400_000).multipleOf(60_000) })
  .refine(({ from, to }) => from < to, 'the time must begin before it ends')
  .refine(({ from, to, stepMs }) => (to - from) / stepMs <= MOST_STEPS, `at most ${MOST_STEPS} steps`)
export type StatsThroughputInput = z.output<typeof StatsThroughputInput>

export interface StatsThroughput {
  /** epoch ms of the first step */
  from: number
  stepMs: number
  /** those in which bytes came, in order; minutes are kept for a month */
  steps: { at: number; bytes: number }[]
}

/** Everything since statistics are kept. */
export interface StatsTotals {
  all: TallyTotals
  /** up to a hundred that were used lately */
  hosts: (TallyTotals & { host: string })[]
}
