/** Whether a download that failed for good comes once more at the end of its queue, and when. Pure. */
import { ERROR_KINDS, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { Settings } from '../../shared/schemas.ts'

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

/** Epoch ms of its next try; null: it is given up. `used`: chances it had; `answered`: its host was reached before. */
export function secondChanceAt(
  error: ErrorInfo,
  { used, answered }: { used: number; answered: boolean },
  { secondChances, secondChanceMinutes }: Pick<Settings, 'secondChances' | 'secondChanceMinutes'>,
  now: number,
): number | null {
  const kind = ERROR_KINDS[error.code]
  // What the disk refused is waited for by other means, or needs another name.
  if (secondChances === 0 || kind === 'usage' || kind === 'disk' || FOR_GOOD.has(error.code)) return null
  const firstMs = secondChanceMinutes * 60_000
  if (used < secondChances) return now + firstMs * 2 ** used
  if (kind !== 'network' || !answered) return null
  const waits = Array.from({ length: used }, (_, n) => (n < secondChances ? firstMs * 2 ** n : LONGEST_WAIT_MS))
  const waitedMs = waits.reduce((sum, ms) => sum + ms, 0)
  return waitedMs < NIGHT_MS ? now + LONGEST_WAIT_MS : null
}
