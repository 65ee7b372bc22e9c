/** A file with all its digests, servers that send them with it, and what goes wrong with its bytes. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { vi } from 'vitest'
import { RunningDigests } from '../../electron/engine/hashes.ts'
import type { PieceHashes } from '../../shared/integrity.ts'
import { contentBytes, contentSha256 } from './bytes.ts'
import type { TestEngine } from './engine.ts'
import { type FaultServer, startFaultServer } from './fault-server.ts'
import type { Fault } from './faults.ts'
import { PATIENT_MS } from './patience.ts'

export const MIB = 1024 * 1024
export const SIZE = 3 * MIB + 17
export const SEED = 1
export const CONTENT = contentBytes(SEED, 0, SIZE)
export const SHA256 = contentSha256(SEED, SIZE)
export const WRONG = '0'.repeat(64)
export const digest = (algorithm: string, encoding: 'hex' | 'base64') =>
  createHash(algorithm).update(CONTENT).digest(encoding)
export const crc = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes.toString('base64')
}
export const CRC64 = (() => {
  const running = new RunningDigests(['crc64nvme'])
  running.update(CONTENT)
  return Buffer.from(running.digest().crc64nvme!, 'hex').toString('base64')
})()
export const reprDigest = (hex: string) => ({
  'repr-digest': `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`,
})

/** Turns over a byte of the file, in whatever range it is sent. */
export const flip =
  (position: number): Fault =>
  (reply) => {
    const start = Number(/^bytes (\d+)/.exec(reply.headers['content-range'] ?? '')?.[1] ?? 0)
    const { body } = reply
    reply.body = (offset, length) => {
      const bytes = Buffer.from(body(offset, length))
      const at = position - start - offset
      if (at >= 0 && at < length) bytes[at]! ^= 0xff
      return bytes
    }
  }

export const PIECE_BYTES = 300_000
export const PIECES: PieceHashes = {
  algorithm: 'sha-1',
  pieceBytes: PIECE_BYTES,
  values: Array.from({ length: Math.ceil(SIZE / PIECE_BYTES) }, (_, n) =>
    createHash('sha1')
      .update(CONTENT.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES))
      .digest('hex'),
  ),
}

export const sends =
  (text: string, headers: Record<string, string> = { 'content-type': 'text/plain' }): Fault =>
  (reply) => {
    const bytes = Buffer.from(text)
    reply.status = 200
    reply.headers = headers
    reply.framing = 'length'
    reply.bodyBytes = bytes.length
    reply.body = (offset, length) => bytes.subarray(offset, offset + length)
  }

export async function serverWith(path: string, headers: Record<string, string> = {}): Promise<FaultServer> {
  const server = await startFaultServer()
  server.add(path, { size: SIZE, seed: SEED, headers })
  return server
}

/** As a file of a time when nothing was compared. The engine may have a transaction open until its next turn. */
export async function asNeverVerified(engine: TestEngine, id: number): Promise<void> {
  const db = new Database(join(engine.profile, 'nighthaul.db'), { timeout: 0 })
  await vi.waitFor(() => db.prepare('UPDATE tasks SET checksum = NULL WHERE id = ?').run(id), PATIENT_MS)
  await vi.waitFor(() => db.prepare('DELETE FROM block_pages WHERE task_id = ?').run(id), PATIENT_MS)
  db.close()
}

/** Those that a person sees. */
export const namesIn = async (engine: TestEngine) =>
  (await readdir(engine.folder)).filter((name) => !name.startsWith('.')).sort()
export const asked = (server: FaultServer) => server.requests.map(({ path }) => path)
