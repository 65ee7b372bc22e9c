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

/** Epoch ms of its next try; null: it is given up. `used`: chances it had. */
export function secondChanceAt(
  error: ErrorInfo,
  used: number,
  { secondChances, secondChanceMinutes }: Pick<Settings, 'secondChances' | 'secondChanceMinutes'>,
  now: number,
): number | null {
  const kind = ERROR_KINDS[error.code]
  // What the disk refused is waited for by other means, or needs another name.
  if (used >= secondChances || kind === 'usage' || kind === 'disk' || FOR_GOOD.has(error.code)) return null
  return now + secondChanceMinutes * 60_000 * 2 ** used
}
