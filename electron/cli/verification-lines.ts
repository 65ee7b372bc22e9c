/** What comparing and repairing a file found, for a person and as an exit code. Pure. */
import { EXIT_CODES } from '../../shared/errors.ts'
import { formatBytes, formatCount } from '../../shared/format.ts'
import type { Verification } from '../../shared/verification.ts'
import { printable } from './terminal.ts'

const RANGES_SHOWN = 5

const CODES: Record<Verification['verdict'], number> = {
  right: 0,
  damaged: EXIT_CODES.integrity,
  missing: EXIT_CODES.disk,
  unknown: EXIT_CODES.other,
}

export function exitCodeOfVerdict({ verdict }: Verification): number {
  return CODES[verdict]
}

function blocks(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'block' : 'blocks'}`
}

function ranges({ badRanges }: Verification): string {
  const shown = badRanges.slice(0, RANGES_SHOWN).map(({ start, end }) => `${formatBytes(start)}–${formatBytes(end)}`)
  const more = badRanges.length - shown.length
  return shown.join(', ') + (more > 0 ? `, and ${formatCount(more)} more` : '')
}

/** `large.iso: All 1,024 blocks are right, sha-256 too` */
export function verificationSentence(name: string, found: Verification): string {
  return `${printable(name)}: ${printable(verificationFacts(found).join('; '))}`
}

export function verificationFacts(found: Verification): string[] {
  const { verdict, path, checkedBlocks, uncheckedBlocks, badBlocks, badBytes, bytes, bytesOnDisk, checksum } = found
  if (verdict === 'missing') return [`Not there: ${path} was moved, renamed or deleted`]
  if (verdict === 'unknown') return ['Nothing to compare against: no checksums were kept while it came']
  const said: string[] = []
  if (badBlocks > 0) {
    const of = formatCount(checkedBlocks + uncheckedBlocks)
    said.push(
      `${blocks(badBlocks)} of ${of} ${badBlocks === 1 ? 'differs' : 'differ'} (${formatBytes(badBytes)} at ${ranges(found)})`,
    )
  } else if (checkedBlocks > 0)
    said.push(checkedBlocks === 1 ? 'Its one block is right' : `All ${blocks(checkedBlocks)} are right`)
  if (found.sizeDiffers && bytesOnDisk !== null)
    said.push(`it is ${formatCount(bytesOnDisk)} bytes long instead of ${formatCount(bytes)}`)
  if (checksum?.matches) said.push(`its ${checksum.algorithm} matches`)
  if (checksum?.matches === false)
    said.push(`its ${checksum.algorithm} is ${checksum.actual}, not ${checksum.expected}`)
  if (uncheckedBlocks > 0 && !checksum) said.push(`${blocks(uncheckedBlocks)} without a checksum not compared`)
  return said
}
