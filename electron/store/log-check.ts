/**
 * What a write-ahead log says it holds, compared with what SQLite could read of it. SQLite takes the first frame that
 * does not fit for the end of the log: whatever damage cut off is gone without a word, so a word is said here.
 * The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type Database from 'better-sqlite3'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const MAGIC = 0x377f0682
const USUAL_PAGE_BYTES = 4096

/** For each frame of the log's present generation, in order: whether a transaction ends with it. */
export type LogFrames = readonly boolean[]

/** Null: there is no log, or nothing in it. Reads headers alone. */
export function readLog(path: string): LogFrames | null {
  let descriptor: number
  try {
    descriptor = openSync(`${path}-wal`, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const { size } = fstatSync(descriptor)
    const read = (bytes: number, at: number) => {
      const buffer = Buffer.alloc(bytes)
      return readSync(descriptor, buffer, 0, bytes, at) === bytes ? buffer : null
    }
    const header = read(HEADER_BYTES, 0)
    const first = read(FRAME_HEADER_BYTES, HEADER_BYTES)
    if (header === null || first === null) return null
    const stated = header.readUInt32BE(8)
    const pageBytes = stated >= 512 && stated <= 65_536 && (stated & (stated - 1)) === 0 ? stated : USUAL_PAGE_BYTES
    const salts = (buffer: Buffer, at: number) => buffer.readBigUInt64BE(at)
    // A log that begins anew has salts of its own; what stands behind its header is old then, and in the database.
    const isAnew =
      (header.readUInt32BE(0) & ~1) === MAGIC && header.readUInt32BE(16) === (first.readUInt32BE(8) + 1) >>> 0
    if (isAnew) return null
    const frames: boolean[] = []
    for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES + pageBytes <= size; at += FRAME_HEADER_BYTES + pageBytes) {
      const frame = read(FRAME_HEADER_BYTES, at)
      if (frame === null) break
      const isOurs = salts(frame, 8) === salts(header, 16) || salts(frame, 8) === salts(first, 8)
      // Older ones follow the last; a damaged one stands between ours.
      frames.push(isOurs && frame.readUInt32BE(4) !== 0)
    }
    return frames
  } finally {
    closeSync(descriptor)
  }
}

/** Transactions at the log's end that SQLite, which has it open as `db`, does not see. Moves the others on. */
export function lostTransactions(frames: LogFrames, db: Database.Database): number {
  const [state] = db.pragma('wal_checkpoint(PASSIVE)') as { log: number }[]
  return frames.slice(Math.max(0, state?.log ?? 0)).filter(Boolean).length
}
