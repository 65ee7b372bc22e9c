/** Whether a download that failed for good comes once more at the end of its queue, and when. Pure. */
import { ERROR_KINDS, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import { evidenceOf, isOfOneSite } from './network-presence.ts'

/** Time mends none of these: they need another link, another password or another decision of the user. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthorized',
  'checksum_mismatch',
  'size_mismatch',
  'blocks_damaged',
  'unsupported_encoding',
  'task_leased',
  'internal',
])

/** A host that answered before, and answers no more, is back within a night, or not at all. */
const NIGHT_MS = 12 * 3_600_000
/** Meanwhile it is asked so often at least. */
const LONGEST_WAIT_MS = 30 * 60_000

export interface Again {
  /** epoch ms */
  at: number
  /** what it costs: a chance, or nothing but patience, because the download itself was not tried */
  patch: Partial<Pick<TaskRecord, 'secondChances' | 'hostWaits'>>
}

/** How often it came again since the last word of the user, for whatever reason. */
export function timesAgain({ secondChances, hostWaits }: Pick<TaskRecord, 'secondChances' | 'hostWaits'>): number {
  return secondChances + hostWaits
}

/**
 * Whether not the host refused, but nobody or somebody of another site answered for it, as captive portals do. One host
 * alone does not show that the network is away; it shows as little that the host is there.
 */
export function isHostAway(error: ErrorInfo, asked: string): boolean {
  if (ERROR_KINDS[error.code] === 'network') return true
  const evidence = evidenceOf(error, asked)
  return evidence?.kind === 'portal' && evidence.via !== null && !isOfOneSite(evidence.via, asked)
}

/** Its next try; null: it is given up. `answered`: its host was reached before. */
export function onceMore(
  error: ErrorInfo,
  { secondChances: used, hostWaits: waits }: Pick<TaskRecord, 'secondChances' | 'hostWaits'>,
  { asked, answered }: { asked: string; answered: boolean },
  settings: Pick<Settings, 'secondChances' | 'secondChanceMinutes'>,
  now: number,
): Again | null {
  const kind = ERROR_KINDS[error.code]
  // What the disk refused is waited for by other means, or needs another name.
  if (settings.secondChances === 0 || kind === 'usage' || kind === 'disk' || FOR_GOOD.has(error.code)) return null
  const firstMs = settings.secondChanceMinutes * 60_000
  if (answered && isHostAway(error, asked)) {
    const waitMs = (n: number) => Math.min(firstMs * 2 ** n, LONGEST_WAIT_MS)
    const waitedMs = Array.from({ length: waits }, (_, n) => waitMs(n)).reduce((sum, ms) => sum + ms, 0)
    return waitedMs < NIGHT_MS ? { at: now + waitMs(waits), patch: { hostWaits: waits + 1 } } : null
  }
  return used < settings.secondChances ? { at: now + firstMs * 2 ** used, patch: { secondChances: used + 1 } } : null
}
