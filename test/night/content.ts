/**
 * What files in a night hold: pieces of one long random text, each file from another place in it. Nothing is ever
 * copied: a chunk on its way and a file at rest are views of that text.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Digests } from '../../electron/engine/hashes.ts'
import type { ChecksumAlgorithm } from '../../shared/integrity.ts'
import { seeded } from '../durability/seeded.ts'
import type { MemoryFile } from './memory-files.ts'

/** A prime, so that no file repeats itself block by block. */
const TEXT_BYTES = 4_194_319

const TEXT = (() => {
  const random = seeded(0x6e69676874)
  const words = new Uint32Array(Math.ceil(TEXT_BYTES / 4))
  for (let n = 0; n < words.length; n++) words[n] = random() * 2 ** 32
  return Buffer.from(words.buffer, 0, TEXT_BYTES)
})()

/** At most `bytes` bytes of the content with this number, from `offset` on; at least one. */
export function contentAt(content: number, offset: number, bytes: number): Buffer {
  const from = (content * 1_000_003 + offset) % TEXT_BYTES
  return TEXT.subarray(from, Math.min(from + bytes, TEXT_BYTES))
}

/** Whether the buffer is a view of the text, which never changes. */
export function isContent(buffer: Uint8Array): boolean {
  return buffer.buffer === TEXT.buffer
}

/** Offset of the first byte that is not the content's; null: all are. */
export function firstDifference(content: number, offset: number, bytes: Uint8Array): number | null {
  for (let at = 0; at < bytes.length; ) {
    const wanted = contentAt(content, offset + at, bytes.length - at)
    const got = bytes.subarray(at, at + wanted.length)
    if (Buffer.compare(wanted, got) !== 0) {
      for (let n = 0; n < wanted.length; n++) if (wanted[n] !== got[n]) return offset + at + n
    }
    at += wanted.length
  }
  return null
}

/** CRC-32 of the first bytes of the content with this number, in lower-case hex. */
export function crc32At(content: number, sizeBytes: number): string {
  let crc = 0
  for (let at = 0; at < sizeBytes; ) {
    const piece = contentAt(content, at, sizeBytes - at)
    crc = crc32(piece, crc)
    at += piece.length
  }
  return crc.toString(16).padStart(8, '0')
}

/** As the engine's thread makes them of files on a disk; SHA-256 is all that is asked for in a night. */
export function digestOf(file: MemoryFile, algorithms: readonly ChecksumAlgorithm[]): Digests {
  if (algorithms.some((algorithm) => algorithm !== 'sha-256')) throw new Error(`no ${algorithms.join(', ')} at night`)
  const hash = createHash('sha256')
  file.eachPiece((bytes) => hash.update(bytes))
  return { 'sha-256': hash.digest('hex') }
}
