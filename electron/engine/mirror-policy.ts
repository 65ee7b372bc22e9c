/** Which of a task's URLs to ask, and when to leave one for another. Pure. */
import { ERROR_KINDS, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { MirrorFile, MirrorRecord, TaskPatch, TaskRecord } from '../../shared/records.ts'
import { classify } from './retry-policy.ts'

/** What says something about a URL or its server. Others, such as a full disk, are the same with every mirror. */
const ABOUT_THE_SERVER: ReadonlySet<string> = new Set(['network', 'http', 'integrity', 'changed'])

/** The bytes came, and were not what they should be: others had better come from elsewhere. */
const WRONG_BYTES: ReadonlySet<string> = new Set<ErrorCode>(['checksum_mismatch', 'size_mismatch', 'blocks_damaged'])

export interface MirrorFailure {
  error: ErrorInfo
  /** the host asked everybody to wait: nothing is wrong with the URL */
  deferred: boolean
  /** bytes came before it failed */
  progressed: boolean
  /** the URL that failed */
  current: string
  /** all of them, the failure of the current one counted */
  mirrors: readonly MirrorRecord[]
  /** share of requests to a URL's host that succeeded lately, 0 to 1; null: not known */
  reliability: (url: string) => number | null
}

/** `now`: another one has not been tried yet. `later`: all of them failed; after a pause this one is tried again. */
export type MirrorDecision = { kind: 'stay' } | { kind: 'now' | 'later'; to: MirrorRecord }

/** What to do when one URL failed. A URL that failed for good is not asked again until the user says so. */
export function afterMirrorFailure(failure: MirrorFailure): MirrorDecision {
  const { error, deferred, progressed, current, mirrors } = failure
  if (!ABOUT_THE_SERVER.has(ERROR_KINDS[error.code])) return { kind: 'stay' }
  const hopeless = isHopeless(error)
  // What went well until now goes on where it was: its validators are known and its connections are warm.
  if (progressed && !hopeless && !WRONG_BYTES.has(error.code)) return { kind: 'stay' }
  const others = mirrors.filter((mirror) => mirror.url !== current && !isHopeless(mirror.error))
  const untried = others.filter((mirror) => mirror.failures === 0)
  const next = best(untried, failure)
  if (next) return { kind: 'now', to: next }
  if (deferred) return { kind: 'stay' }
  const again = best(hopeless ? others : mirrors.filter((mirror) => !isHopeless(mirror.error)), failure)
  return again && again.url !== current ? { kind: 'later', to: again } : { kind: 'stay' }
}

/** Asking again would be answered the same. */
function isHopeless(error: ErrorInfo | null): boolean {
  if (error === null) return false
  const handling = classify(error)
  return handling === 'give-up' || handling === 'changed'
}

/** The fewest failures, then the lowest priority number, then what was measured, then the order given. */
function best(
  mirrors: readonly MirrorRecord[],
  { reliability }: Pick<MirrorFailure, 'reliability'>,
): MirrorRecord | undefined {
  const speed = ({ bytes, busyMs }: MirrorRecord) => (busyMs > 0 ? bytes / busyMs : 0)
  const known = new Map(mirrors.map((mirror) => [mirror, reliability(mirror.url) ?? 1]))
  return [...mirrors].sort(
    (a, b) =>
      a.failures - b.failures || a.priority - b.priority || speed(b) - speed(a) || known.get(b)! - known.get(a)!,
  )[0]
}

const NOTHING_LEARNT: MirrorFile = {
  etag: null,
  lastModified: null,
  lastModifiedStrong: false,
  finalUrl: null,
  httpVersion: null,
  acceptsRanges: null,
}

/** What a task knows of the URL it uses now. */
export function fileOf(task: TaskRecord): MirrorFile {
  const { etag, lastModified, lastModifiedStrong, finalUrl, httpVersion, acceptsRanges } = task
  return { etag, lastModified, lastModifiedStrong, finalUrl, httpVersion, acceptsRanges }
}

/**
 * The task's record when it turns to another URL: that one's own validators, if it has any that protect a request.
 * Without them `acceptsRanges` is null, by which the next run knows that it has to compare first (source-proof.ts).
 */
export function turnedTo(task: Pick<TaskRecord, 'url'>, mirror: Pick<MirrorRecord, 'url' | 'file'>): TaskPatch {
  const { file } = mirror
  const isProtected = file !== null && (file.etag?.startsWith('"') === true || file.lastModifiedStrong)
  return { sourceUrl: mirror.url === task.url ? null : mirror.url, ...(isProtected ? file : NOTHING_LEARNT) }
}
