/** Records and live progress as the rows and details that clients see. Secrets are left out here. */
import { join } from 'node:path'
import { keptBadFiles } from '../../shared/integrity.ts'
import type { SegmentRecord, TaskRecord } from '../../shared/records.ts'
import type { MirrorView, SegmentView, TaskDetail, TaskOptions, TaskRow } from '../../shared/schemas.ts'
import type { TaskStrategyReason } from '../../shared/task-strategy.ts'
import type { VerifyProgress } from '../../shared/verification.ts'
import { expectationsOf } from './expectations.ts'
import { filenameInLink } from './filename.ts'
import { maskProxy } from './http/proxies.ts'
import { partPathOf } from './place.ts'
import { timesAgain } from './second-chances.ts'

/** What a running download knows better than the store. */
export interface LiveProgress {
  writtenBytes: number
  bytesPerSecond: number
  openConnections: number
  connectionsUsed: number
  resumedFromBytes: number
  /** why there are as many connections as there are */
  readonly strategy: readonly TaskStrategyReason[]
  segmentViews(): SegmentView[]
}

/** What is being done with a file besides downloading it. */
export interface FileWork {
  verifying: VerifyProgress | null
  /** to another volume */
  copiedBytes: number | null
}

export function rowOf(
  task: TaskRecord,
  live: LiveProgress | undefined,
  { verifying, copiedBytes }: FileWork = { verifying: null, copiedBytes: null },
): TaskRow {
  const writtenBytes = live && live.writtenBytes > 0 ? live.writtenBytes : task.writtenBytes
  const bytesPerSecond = task.state === 'active' ? Math.round(live?.bytesPerSecond ?? 0) : 0
  const left = task.sizeBytes === null ? null : task.sizeBytes - writtenBytes
  return {
    id: task.id,
    url: task.url,
    filename: shownName(task),
    folder: task.folder,
    state: task.state,
    sizeBytes: task.sizeBytes,
    writtenBytes,
    copiedBytes,
    bytesPerSecond,
    etaMs: left !== null && bytesPerSecond > 0 ? Math.round((left / bytesPerSecond) * 1000) : null,
    connections: live?.openConnections ?? 0,
    resumable: task.acceptsRanges,
    error: task.error,
    retryAt: task.state === 'waiting' ? task.retryAt : null,
    startAt: task.startAt,
    createdAt: task.createdAt,
    finishedAt: task.finishedAt,
    verifying,
    verified: task.verification && { at: task.verification.at, verdict: task.verification.verdict },
  }
}

export function detailOf(
  task: TaskRecord,
  live: LiveProgress | undefined,
  others: {
    segments: () => SegmentView[]
    strategy: TaskStrategyReason[]
    mirrors: MirrorView[]
    work: FileWork
  },
): TaskDetail {
  const done = task.state === 'done'
  return {
    ...rowOf(task, live, others.work),
    mirrors: others.mirrors,
    finalUrl: task.finalUrl,
    path: done && task.filename !== null ? join(task.folder, task.filename) : null,
    partPath: done ? null : partPathOf(task),
    etag: task.etag,
    lastModified: task.lastModified,
    contentType: task.contentType,
    httpVersion: task.httpVersion,
    segments: live ? live.segmentViews() : done ? wholeFile(task) : others.segments(),
    attempts: task.attempts,
    secondChances: timesAgain(task),
    startedAt: task.startedAt,
    connectionsUsed: live?.connectionsUsed ?? task.connectionsUsed,
    strategy: others.strategy,
    checksum: task.checksum,
    expected: expectationsOf(task),
    badFiles: keptBadFiles(task.badTries),
    verification: task.verification,
    resumedFromBytes: live?.resumedFromBytes ?? task.resumedFromBytes,
    durable: task.fsyncedAt !== null,
    queueId: task.queueId,
    options: withoutSecrets(task.options),
  }
}

/** A stored segment, on which nobody works. */
export function viewOf({ start, end, written, durable }: SegmentRecord): SegmentView {
  return { start, end, writtenBytes: written - start, durableBytes: durable - start, active: false, bytesPerSecond: 0 }
}

/** Headers that may hold a secret are named, their values are not shown. */
export function withoutSecrets(options: TaskOptions): TaskOptions {
  const { password: _p, cookies: _c, bearer: _b, body: _d, clientCertificate: _k, headers, proxy, ...rest } = options
  return {
    ...rest,
    ...(headers ? { headers: headers.map(([name]) => [name, '…'] as [string, string]) } : {}),
    ...(proxy ? { proxy: maskProxy(proxy) } : {}),
  }
}

/** The file's name; before the first reply, a guess from the link. */
export function shownName(task: Pick<TaskRecord, 'filename' | 'requestedFilename' | 'url'>): string {
  return task.filename ?? task.requestedFilename ?? filenameInLink(task.url)
}

/** A finished file needs no look at how it came to be. */
function wholeFile({ sizeBytes, writtenBytes, fsyncedAt }: TaskRecord): SegmentView[] {
  const end = sizeBytes ?? writtenBytes
  const durableBytes = fsyncedAt === null ? 0 : end
  return end === 0 ? [] : [{ start: 0, end, writtenBytes: end, durableBytes, active: false, bytesPerSecond: 0 }]
}
