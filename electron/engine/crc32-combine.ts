/**
 * The CRC-32 of a file from those of its blocks, without reading it again. A CRC is a remainder modulo a polynomial over
 * GF(2), so that of A followed by B is CRC(A)·x^(8·|B|) + CRC(B). As in zlib; bits are reflected.
 */
import { BLOCK_BYTES, type BlockChecksum } from '../../shared/records.ts'

const POLYNOMIAL = 0xedb88320
const ONE = 0x80000000
const X = 0x40000000

/** a·b modulo the polynomial */
function times(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product >>> 0
}

/** x^(8·bytes) modulo the polynomial */
function shiftBy(bytes: number): number {
  let result = ONE
  // x^8 first, squared for every further binary digit
  let power = times(times(times(X, X), times(X, X)), times(times(X, X), times(X, X)))
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = times(result, power)
    power = times(power, power)
  }
  return result
}

const WHOLE_BLOCK = shiftBy(BLOCK_BYTES)

/** Lower-case hex; null: a block is missing, or they are not those of a file of `sizeBytes`. */
export function crc32OfBlocks(blocks: readonly BlockChecksum[], sizeBytes: number): string | null {
  let crc = 0
  let end = 0
  for (const block of blocks.toSorted((a, b) => a.index - b.index)) {
    if (block.index * BLOCK_BYTES !== end) return null
    crc = (times(crc, block.bytes === BLOCK_BYTES ? WHOLE_BLOCK : shiftBy(block.bytes)) ^ block.crc32) >>> 0
    end += block.bytes
  }
  return end === sizeBytes ? crc.toString(16).padStart(8, '0') : null
}
