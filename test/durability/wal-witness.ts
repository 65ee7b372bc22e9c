/**
 * What a power cut leaves of a database in WAL mode, as SQLite documents it: a commit under synchronous=FULL is on the
 * disk with all before it; those under NORMAL since then may be missing, the latest first. Of frames that were not
 * synced any sectors are left; SQLite's checksums decide how far the log is believed.
 */
import { promises, readFileSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const SECTOR_BYTES = 512

/** Lengths of the log: all of it, and what is surely on the disk. */
export interface WalMark {
  written: number
  synced: number
}

/** A database as it lies on the disk. */
export interface DatabaseImage {
  main: Buffer
  log: Buffer
}

export interface WalWitness extends Disposable {
  /** how things stand now */
  mark(): WalMark
  /** what the database was at first, and its log as it is now */
  image(): DatabaseImage
}

type Pragma = Database.Database['pragma']

/**
 * Watches the database at `path`, which nobody may have open yet. `happened` is told when the level of durability is
 * about to change (then an intent was stored, or is about to be), and before and after the log is flushed.
 */
export function witnessWal(path: string, happened: () => void): WalWitness {
  const walPath = `${path}-wal`
  const main = readFileSync(path)
  const length = () => statSync(walPath, { throwIfNoEntry: false })?.size ?? 0
  let level: string | null = null
  // What is there already survived.
  let synced = length()
  /** length of the log when FULL began */
  let fullFrom = 0
  const mark = () => {
    const written = length()
    if (level === 'FULL' && written > fullFrom) synced = written
    return { written, synced }
  }
  const prototype = Database.prototype as { pragma: Pragma }
  const original = prototype.pragma
  const realOpen = promises.open
  // The log is flushed beside SQLite as well: from the engine's point of view at the moment that ends.
  promises.open = async (file, flags, mode) => {
    const handle = await realOpen(file, flags, mode)
    if (file !== walPath) return handle
    const datasync = handle.datasync.bind(handle)
    handle.datasync = async () => {
      const flushed = length()
      happened()
      await datasync()
      synced = Math.max(synced, flushed)
      happened()
    }
    return handle
  }
  prototype.pragma = function (this: Database.Database, source, options) {
    const wanted = this.name === path && /^synchronous = (\w+)$/.exec(source)?.[1]
    if (wanted) {
      happened()
      level = wanted
      fullFrom = length()
    }
    return original.call(this, source, options)
  }
  return {
    mark,
    image: () => ({ main, log: length() === 0 ? Buffer.alloc(0) : readFileSync(walPath) }),
    [Symbol.dispose]() {
      prototype.pragma = original
      promises.open = realOpen
    },
  }
}

/**
 * What is left of a log: its first `kept` bytes, and of the rest any sectors, or nothing at all.
 */
export function tearLog(log: Buffer, kept: number, random: () => number): Buffer {
  if (random() < 0.5) return Buffer.from(log.subarray(0, kept))
  const torn = Buffer.from(log)
  for (let at = kept; at < torn.length; at += SECTOR_BYTES)
    if (random() < 0.5) torn.fill(0, at, Math.min(at + SECTOR_BYTES, torn.length))
  return torn
}

/** Ends of all commits in a log, in order. https://www.sqlite.org/fileformat2.html#the_write_ahead_log; throws where the log was begun anew. */
export function commitEnds(log: Buffer): number[] {
  const ends: number[] = []
  if (log.length < HEADER_BYTES) return ends
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8)
  const salts = log.subarray(16, 24)
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) throw new Error('the log was begun anew: that is not modelled')
    if (log.readUInt32BE(at + 4) !== 0) ends.push(at + frameBytes)
  }
  return ends
}
