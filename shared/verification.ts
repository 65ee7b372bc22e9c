/** The result of reading a file back and comparing it with the checksums that were kept while its bytes came. */
import { z } from 'zod'
import { CHECKSUM_ALGORITHMS } from './integrity.ts'

/** Ranges that are kept in a result; of more, only their number and size. */
export const MOST_BAD_RANGES = 1_000

const Count = z.int().min(0)

/**
 * right: everything that could be compared is as it came. damaged: blocks or a digest differ, or the file is not as long
 * as it was. missing: it is not where it was (moved, renamed, deleted, or its drive is not there). unknown: there is
 * nothing to compare against.
 */
export const VERDICTS = ['right', 'damaged', 'missing', 'unknown'] as const
export type Verdict = (typeof VERDICTS)[number]

export const Verification = z.object({
  /** epoch ms of its end */
  at: Count,
  verdict: z.enum(VERDICTS),
  path: z.string(),
  /** how long the file should be; of a partial: how much of it was written */
  bytes: Count,
  /** null: missing */
  bytesOnDisk: Count.nullable(),
  /** the file is shorter or longer than it should be; a partial: shorter than what was written */
  sizeDiffers: z.boolean(),
  /** of 1 MiB each, the last one shorter: those that were compared, those without a checksum, those that differ */
  checkedBlocks: Count,
  uncheckedBlocks: Count,
  badBlocks: Count,
  badBytes: Count,
  /** where they are, neighbours as one, in order; at most MOST_BAD_RANGES */
  badRanges: z.array(z.object({ start: Count, end: Count })),
  /** the digest that the whole file should have; null: none is known, or not the whole file is here */
  checksum: z
    .object({ algorithm: z.enum(CHECKSUM_ALGORITHMS), expected: z.string(), actual: z.string(), matches: z.boolean() })
    .nullable(),
  /** its bad parts are recorded as missing, and the whole file is compared again before it is done */
  repairing: z.boolean(),
})
export type Verification = z.infer<typeof Verification>

/** How far a comparison that runs, or waits for its turn, has come. */
export interface VerifyProgress {
  checkedBytes: number
  totalBytes: number
}

/**
 * nothing: no byte of it differs. fetching: the bad parts are fetched again as soon as there is a place. marked: they
 * are fetched again when the download goes on.
 */
export const REPAIRS = ['nothing', 'fetching', 'marked'] as const
export interface RepairResult {
  repair: (typeof REPAIRS)[number]
  /** that are fetched again */
  bytes: number
  /** what the repair goes by */
  verification: Verification
}
