/** What a comparison of a file found, in words of the window. Pure but for the texts. */
import { formatBytes, formatCount } from '../../../shared/format.ts'
import type { TaskRow } from '../../../shared/schemas.ts'
import { isRunning } from '../../../shared/task-state.ts'
import type { Verification } from '../../../shared/verification.ts'
import { texts } from '../../i18n/index.ts'

const RANGES_SHOWN = 3

export interface FoundWords {
  /** good: all is right. bad: something is not. quiet: nothing can be said. */
  tone: 'good' | 'bad' | 'quiet'
  title: string
  /** further facts, each a sentence */
  more: string[]
}

/** Whether the file of a task can be read back now. */
export function canVerify(task: Pick<TaskRow, 'state' | 'writtenBytes' | 'verifying'>): boolean {
  return !isRunning(task.state) && task.verifying === null && (task.state === 'done' || task.writtenBytes > 0)
}

export function canRepair(task: Pick<TaskRow, 'state' | 'writtenBytes' | 'verifying'>): boolean {
  return canVerify(task) && task.state !== 'changed'
}

/** It is done, and its file is known not to be what came. */
export function isKnownBad({ state, verified }: Pick<TaskRow, 'state' | 'verified'>): boolean {
  return state === 'done' && (verified?.verdict === 'damaged' || verified?.verdict === 'missing')
}

/** The text for the state of a task, or for what is known of its file where it is done. */
export function stateKey(task: Pick<TaskRow, 'state' | 'verified'>) {
  if (!isKnownBad(task)) return `state.${task.state}` as const
  return task.verified?.verdict === 'missing' ? 'row.missing' : 'row.damaged'
}

export function foundWords(found: Verification): FoundWords {
  const { t } = texts
  if (found.verdict === 'missing') return { tone: 'bad', title: t('verify.missing'), more: [] }
  if (found.verdict === 'unknown') return { tone: 'quiet', title: t('verify.unknown'), more: [] }
  const facts: string[] = []
  const { badBlocks, checkedBlocks, uncheckedBlocks, checksum } = found
  if (badBlocks > 0)
    facts.push(t('verify.differ', { count: badBlocks, formatted: formatCount(badBlocks), ranges: rangesText(found) }))
  if (found.sizeDiffers)
    facts.push(t('verify.size', { actual: formatCount(found.bytesOnDisk ?? 0), expected: formatCount(found.bytes) }))
  if (checksum?.matches === false) facts.push(t('verify.checksumDiffers', { algorithm: checksum.algorithm }))
  if (found.verdict === 'right' && checkedBlocks > 0)
    facts.push(t('verify.right', { count: checkedBlocks, formatted: formatCount(checkedBlocks) }))
  if (checksum?.matches) facts.push(t('verify.checksumMatches', { algorithm: checksum.algorithm }))
  if (uncheckedBlocks > 0 && !checksum)
    facts.push(t('verify.unchecked', { count: uncheckedBlocks, formatted: formatCount(uncheckedBlocks) }))
  const [title = t('verify.empty'), ...more] = facts
  return { tone: found.verdict === 'right' ? 'good' : 'bad', title, more }
}

/** `3.15 MB–4.19 MB, 7.34 MB–8.39 MB and 4 more` */
function rangesText({ badRanges }: Verification): string {
  const shown = badRanges.slice(0, RANGES_SHOWN).map(({ start, end }) => `${formatBytes(start)}–${formatBytes(end)}`)
  const count = badRanges.length - shown.length
  const more = count > 0 ? ` ${texts.t('verify.moreRanges', { count, formatted: formatCount(count) })}` : ''
  return shown.join(', ') + more
}
