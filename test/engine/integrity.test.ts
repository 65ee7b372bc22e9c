/** Files verified by what is known of them, wherever it comes from; and what happens to those that are bad. */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, crc32c } from '@node-rs/crc32'
import Database from 'better-sqlite3'
import { describe, expect, it, test, vi } from 'vitest'
import { RunningDigests } from '../../electron/engine/hashes.ts'
import type { ExpectedDigest, PieceHashes } from '../../shared/integrity.ts'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import type { Fault } from '../helpers/faults.ts'

const MIB = 1024 * 1024
const SIZE = 3 * MIB + 17
const SEED = 1
const CONTENT = contentBytes(SEED, 0, SIZE)
const SHA256 = contentSha256(SEED, SIZE)
const WRONG = '0'.repeat(64)
const digest = (algorithm: string, encoding: 'hex' | 'base64') => createHash(algorithm).update(CONTENT).digest(encoding)
const crc = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes.toString('base64')
}
const CRC64 = (() => {
  const running = new RunningDigests(['crc64nvme'])
  running.update(CONTENT)
  return Buffer.from(running.digest().crc64nvme!, 'hex').toString('base64')
})()
const reprDigest = (hex: string) => ({ 'repr-digest': `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:` })

/** Turns over a byte of the file, in whatever range it is sent. */
const flip =
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

const PIECE_BYTES = 300_000
const PIECES: PieceHashes = {
  algorithm: 'sha-1',
  pieceBytes: PIECE_BYTES,
  values: Array.from({ length: Math.ceil(SIZE / PIECE_BYTES) }, (_, n) =>
    createHash('sha1')
      .update(CONTENT.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES))
      .digest('hex'),
  ),
}

const sends =
  (text: string, headers: Record<string, string> = { 'content-type': 'text/plain' }): Fault =>
  (reply) => {
    const bytes = Buffer.from(text)
    reply.status = 200
    reply.headers = headers
    reply.framing = 'length'
    reply.bodyBytes = bytes.length
    reply.body = (offset, length) => bytes.subarray(offset, offset + length)
  }

async function serverWith(path: string, headers: Record<string, string> = {}): Promise<FaultServer> {
  const server = await startFaultServer()
  server.add(path, { size: SIZE, seed: SEED, headers })
  return server
}

/** As a file of a time when nothing was compared. The engine may have a transaction open until its next turn. */
async function asNeverVerified(engine: TestEngine, id: number): Promise<void> {
  const db = new Database(join(engine.profile, 'nighthaul.db'), { timeout: 0 })
  await vi.waitFor(() => db.prepare('UPDATE tasks SET checksum = NULL WHERE id = ?').run(id))
  await vi.waitFor(() => db.prepare('DELETE FROM block_pages WHERE task_id = ?').run(id))
  db.close()
}

/** Those that a person sees. */
const namesIn = async (engine: TestEngine) =>
  (await readdir(engine.folder)).filter((name) => !name.startsWith('.')).sort()
const asked = (server: FaultServer) => server.requests.map(({ path }) => path)

describe('a download is verified by', () => {
  const s3 = { 'x-amz-request-id': 'B1' }
  test.each([
    ['Repr-Digest', reprDigest(SHA256), 'sha-256', 'repr-digest'],
    ['Content-Digest', { 'content-digest': `sha-512=:${digest('sha512', 'base64')}:` }, 'sha-512', 'content-digest'],
    ['Digest', { digest: `SHA=${digest('sha1', 'base64')}` }, 'sha-1', 'digest'],
    ['Content-MD5', { 'content-md5': digest('md5', 'base64') }, 'md5', 'content-md5'],
    ['x-goog-hash', { 'x-goog-hash': `crc32c=${crc(crc32c(CONTENT))}` }, 'crc32c', 'x-goog-hash'],
    ['x-amz-checksum-crc64nvme', { 'x-amz-checksum-crc64nvme': CRC64 }, 'crc64nvme', 'x-amz-checksum'],
    ['x-amz-checksum-crc32', { 'x-amz-checksum-crc32': crc(crc32(CONTENT)) }, 'crc32', 'x-amz-checksum'],
    ['X-Checksum', { 'x-checksum-sha1': digest('sha1', 'hex') }, 'sha-1', 'x-checksum'],
  ])('%s', async (_name, headers, algorithm, source) => {
    await using server = await serverWith('/data.bin', headers as Record<string, string>)
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'))
    const task = await engine.until(id, 'done', 'failed')
    expect(task.checksum).toMatchObject({ algorithm, source, verified: true, from: null })
    expect(task.expected[0]).toMatchObject({ algorithm, value: task.checksum!.value, source })
  })

  it('an ETag of an object store that is an MD5', async () => {
    const etag = `"${digest('md5', 'hex')}"`
    await using server = await startFaultServer()
    server.add('/data.bin', { size: SIZE, seed: SEED, etag, headers: s3 })
    await using engine = await startEngine()
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task.checksum).toMatchObject({ algorithm: 'md5', source: 'etag', verified: true })
  })

  it('the strongest, whether the file came in one body or in parts', async () => {
    const headers = {
      ...reprDigest(SHA256),
      'content-md5': digest('md5', 'base64'),
      'x-amz-checksum-crc32': crc(crc32(CONTENT)),
    }
    await using server = await serverWith('/data.bin', headers)
    server.fault('/data.bin', () => faults.slow(4 * MIB))
    await using engine = await startEngine()
    for (const connections of [1, 4]) {
      const id = await engine.add(server.url('/data.bin'), { connections })
      expect(await engine.until(id, 'done', 'failed')).toMatchObject({ state: 'done', checksum: { value: SHA256 } })
    }
  })

  it('CRC-32, which is put together from the blocks’ when the file came in parts', async () => {
    await using server = await serverWith('/data.bin', { 'x-checksum-crc32': crc(crc32(CONTENT)) })
    await using engine = await startEngine()
    server.fault('/data.bin', (_request, index) => (index === 0 ? faults.resetAt(MIB + 5) : null))
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(server.requests.length).toBeGreaterThan(1)
    expect(task.checksum).toMatchObject({ algorithm: 'crc32', value: crc32(CONTENT).toString(16).padStart(8, '0') })
  })

  it('what the user gave, whatever the server says; all of it', async () => {
    await using server = await serverWith('/data.bin', reprDigest(WRONG))
    await using engine = await startEngine()
    const checksum = { algorithm: 'md5' as const, value: digest('md5', 'hex') }
    const good = await engine.until(await engine.add(server.url('/data.bin'), { checksum }), 'done', 'failed')
    expect(good.checksum).toMatchObject({ ...checksum, source: 'user' })
    const expected: ExpectedDigest[] = [{ algorithm: 'crc32', value: '00000000', source: 'user' }]
    const bad = await engine.until(await engine.add(server.url('/data.bin'), { checksum, expected }), 'done', 'failed')
    expect(bad.error).toMatchObject({ code: 'checksum_mismatch', params: { algorithm: 'crc32', source: 'user' } })
  })

  it('nothing where nothing is known, or where the user does not want it', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: null, expected: [] })
    server.add('/lies.bin', { size: SIZE, seed: SEED, headers: reprDigest(WRONG) })
    const ignored = await engine.until(
      await engine.add(server.url('/lies.bin'), { verifyFound: false }),
      'done',
      'failed',
    )
    expect(ignored).toMatchObject({ state: 'done', checksum: null })
    const wants = server.requests.map(({ headers }) => headers['want-repr-digest'] !== undefined)
    expect(wants.at(0)).toBe(true)
    expect(wants.at(-1)).toBe(false)
  })

  it('what was said at its beginning, also after a restart of the program', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    server.fault('/data.bin', (_request, index) =>
      index === 0 ? faults.stallAt(MIB) : faults.withHeaders({ 'repr-digest': 'sha-256=:broken:' }),
    )
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'))
    await engine.untilTask(id, (task) => task.writtenBytes >= MIB)
    await engine.stop()
    await using next = await startEngine({ from: engine })
    expect(await next.until(id, 'done', 'failed')).toMatchObject({
      state: 'done',
      resumedFromBytes: expect.any(Number),
      checksum: { value: SHA256, source: 'repr-digest' },
    })
  })
})

describe('a bad file', () => {
  it('is kept as NAME.bad and fetched once more', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    server.fault('/data.bin', (_request, index) => (index === 0 ? flip(MIB) : null))
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    const task = await engine.until(id, 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', error: null, checksum: { value: SHA256, source: 'repr-digest' } })
    expect(await readFile(task.path!)).toEqual(CONTENT)
    expect(await namesIn(engine)).toEqual(['data.bin', 'data.bin.bad'])
    const kept = await readFile(join(engine.folder, 'data.bin.bad'))
    expect(kept[MIB]).toBe(CONTENT[MIB]! ^ 0xff)
  })

  it('twice bad fails, says what differs and from where, keeps one copy of the same bytes, and overwrites none', async () => {
    await using server = await serverWith('/data.bin', reprDigest(WRONG))
    await using engine = await startEngine()
    await engine.until(await engine.add(server.url('/data.bin'), { verifyFound: false }), 'done')
    await writeFile(join(engine.folder, 'data (1).bin.bad'), 'mine')
    const id = await engine.add(server.url('/data.bin'))
    const { error } = await engine.until(id, 'done', 'failed')
    expect(error).toMatchObject({
      code: 'checksum_mismatch',
      params: { algorithm: 'sha-256', expected: WRONG, actual: SHA256, source: 'repr-digest' },
    })
    for (const part of [SHA256, WRONG, 'Repr-Digest', 'data (1) (1).bin.bad', 'The same bytes came twice'])
      expect(error!.message).toContain(part)
    expect(await namesIn(engine)).toEqual(['data (1) (1).bin.bad', 'data (1).bin.bad', 'data.bin'])
    expect(await readFile(join(engine.folder, 'data (1).bin.bad'), 'utf8')).toBe('mine')
    // One download, one try more, and no further.
    expect(server.requests.filter(({ headers }) => headers['want-repr-digest'])).toHaveLength(2)
  })

  it('that differed each time is kept each time, and both go with the task', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    let tries = 0
    server.fault('/data.bin', ({ headers }) => flip(headers['want-repr-digest'] ? tries++ : 0))
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.until(id, 'failed')
    expect(await namesIn(engine)).toEqual(['data (1).bin.bad', 'data.bin.bad'])
    await engine.call('tasks.remove', { selection: { ids: [id] }, deleteFiles: true })
    expect(await namesIn(engine)).toEqual([])
  })

  it('is not fetched again where no retries are wanted', async () => {
    await using server = await serverWith('/data.bin', reprDigest(WRONG))
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { retries: 0, connections: 1 })
    await engine.until(id, 'failed')
    expect(asked(server)).toEqual(['/data.bin'])
  })

  it('is mended where hashes of its pieces tell the bad part: only that is fetched again', async () => {
    await using server = await serverWith('/data.bin')
    server.fault('/data.bin', (_request, index) => (index === 0 ? flip(2 * MIB - 3) : null))
    await using engine = await startEngine()
    const expected: ExpectedDigest[] = [{ algorithm: 'sha-256', value: SHA256, source: 'metalink' }]
    const { items } = await engine.call('tasks.add', {
      items: [
        {
          url: server.url('/data.bin'),
          options: { expected, connections: 1 },
          pieces: PIECES,
        },
      ],
    })
    const task = await engine.until(items[0]!.id, 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: { value: SHA256, source: 'metalink' } })
    expect(await readFile(task.path!)).toEqual(CONTENT)
    expect(await namesIn(engine)).toEqual(['data.bin'])
    const ranges = server.requests.slice(1).map(({ headers }) => headers.range)
    // The piece from 1,800,000 to 2,100,000 lies in the second block alone and the third.
    expect(ranges).toEqual([`bytes=${MIB}-${3 * MIB - 1}`])
  })
})

describe('a file of which hashes of its pieces are all that is known', () => {
  const add = async (engine: TestEngine, server: FaultServer, pieces = PIECES) => {
    const item = { url: server.url('/data.bin'), options: { connections: 1 }, pieces }
    return (await engine.call('tasks.add', { items: [item] })).items[0]!.id
  }

  it('is verified by them, and its bad part is fetched again', async () => {
    await using server = await serverWith('/data.bin')
    server.fault('/data.bin', (_request, index) => (index === 0 ? flip(2 * MIB - 3) : null))
    await using engine = await startEngine()
    const task = await engine.until(await add(engine, server), 'done', 'failed')
    expect(task.checksum).toEqual({
      ...{ algorithm: 'sha-1', value: digest('sha1', 'hex'), verified: true, source: 'metalink', from: null },
    })
    expect(await readFile(task.path!)).toEqual(CONTENT)
    expect(server.requests.slice(1).map(({ headers }) => headers.range)).toEqual([`bytes=${MIB}-${3 * MIB - 1}`])
    await writeFile(task.path!, 'x', { flag: 'r+' })
    expect(await engine.call('tasks.verify', { id: task.id })).toMatchObject({
      ...{ verdict: 'damaged', badBlocks: 1, checksum: { algorithm: 'sha-1', matches: false } },
    })
  })

  it('fails where a piece stays bad, which it names', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    const values = PIECES.values.with(3, '0'.repeat(40))
    const { error } = await engine.until(await add(engine, server, { ...PIECES, values }), 'done', 'failed')
    expect(error).toMatchObject({
      code: 'checksum_mismatch',
      params: { piece: 3, expected: '0'.repeat(40), actual: PIECES.values[3] },
    })
    for (const part of ['piece 4', 'The same bytes came twice']) expect(error!.message).toContain(part)
    expect(await namesIn(engine)).toEqual(['data.bin.bad'])
  })

  it('is compared with them by verify too, where it was never verified', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    const { id, path } = await engine.until(await add(engine, server), 'done', 'failed')
    await asNeverVerified(engine, id)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({
      ...{ verdict: 'right', checksum: null, checkedBlocks: 4, uncheckedBlocks: 0 },
    })
    const bytes = Buffer.from(CONTENT)
    bytes[2 * MIB + 600_000]! ^= 1
    await writeFile(path!, bytes)
    // The piece lies in the third block and the fourth.
    expect(await engine.call('tasks.verify', { id })).toMatchObject({
      ...{ verdict: 'damaged', badRanges: [{ start: 2 * MIB, end: 3 * MIB }] },
    })
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching' })
    const task = await engine.until(id, 'done', 'failed')
    expect(await readFile(task.path!)).toEqual(CONTENT)
  })
})

describe('verify compares a file with', () => {
  test.each([
    ['the CRC-32C it was verified by', { 'x-goog-hash': `crc32c=${crc(crc32c(CONTENT))}` }, 'crc32c', false],
    ['the CRC-64 it was verified by', { 'x-amz-checksum-crc64nvme': CRC64 }, 'crc64nvme', false],
    ['what the server said, though it was never verified', reprDigest(SHA256), 'sha-256', true],
  ])('%s', async (_what, headers, algorithm, never) => {
    await using server = await serverWith('/data.bin', headers as Record<string, string>)
    await using engine = await startEngine()
    const { id, path } = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    if (never) await asNeverVerified(engine, id)
    expect((await engine.call('tasks.verify', { id })).checksum).toMatchObject({ algorithm, matches: true })
    await writeFile(path!, 'x', { flag: 'r+' })
    expect((await engine.call('tasks.verify', { id })).checksum).toMatchObject({ algorithm, matches: false })
  })
})

describe('files of checksums beside a download', () => {
  const line = (name: string, hex = SHA256) => `${hex}  ${name}\n`

  it('are asked for where the user allows it, the folder’s list once for all its files', async () => {
    await using server = await serverWith('/files/one.bin')
    server.add('/files/two%20%C3%A4.bin', { size: SIZE, seed: SEED })
    server.add('/files/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/files/SHA256SUMS', () => sends(`# release 7\r\n${line('./one.bin')}${line('two ä.bin')}`))
    await using engine = await startEngine({ settings: { findChecksums: true } })
    for (const name of ['one.bin', 'two%20%C3%A4.bin']) {
      const task = await engine.until(await engine.add(server.url(`/files/${name}?token=t`)), 'done', 'failed')
      const from = server.url('/files/SHA256SUMS')
      expect(task.checksum).toMatchObject({ value: SHA256, source: 'sums-file', from, verified: true })
    }
    expect(asked(server).filter((path) => !path.includes('.bin'))).toEqual(['/files/SHA256SUMS'])
  })

  it('are not asked for otherwise, nor where something as strong is known', async () => {
    await using server = await serverWith('/plain.bin')
    server.add('/strong.bin', { size: SIZE, seed: SEED, headers: reprDigest(SHA256) })
    await using engine = await startEngine()
    await engine.until(await engine.add(server.url('/plain.bin')), 'done')
    await engine.until(await engine.add(server.url('/strong.bin'), { findChecksums: true }), 'done')
    expect(asked(server).every((path) => path.endsWith('.bin'))).toBe(true)
  })

  it('that name the file alone are found, and a bad file is told by them', async () => {
    await using server = await serverWith('/data.bin')
    server.add('/data.bin.sha256', { size: 1, seed: 1 })
    server.fault('/data.bin.sha256', () => sends(`SHA256 (data.bin) = ${WRONG}`))
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { findChecksums: true, retries: 0 })
    const { error } = await engine.until(id, 'done', 'failed')
    expect(error?.params).toMatchObject({ source: 'sums-file', from: server.url('/data.bin.sha256'), actual: SHA256 })
  })

  it('may all be missing: files without any are done, and their folder is soon left alone', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ settings: { findChecksums: true, downloadsAtOnce: 1 } })
    for (let n = 0; n < 5; n++) {
      server.add(`/d/${n}.bin`, { size: 10, seed: n })
      const task = await engine.until(await engine.add(server.url(`/d/${n}.bin`)), 'done', 'failed')
      expect(task).toMatchObject({ state: 'done', checksum: null })
    }
    expect(asked(server).filter((path) => path.includes('SUMS'))).toHaveLength(3)
    expect(asked(server).filter((path) => /\.bin\./.test(path))).toHaveLength(9)
  })

  it.each([
    ['a web page', sends(`<html>${line('data.bin', WRONG)}</html>`, { 'content-type': 'text/html' })],
    ['a compressed reply', sends(line('data.bin', WRONG), { 'content-encoding': 'gzip' })],
    ['a file that is too large', sends(line('data.bin', WRONG) + 'x'.repeat(MIB))],
    ['a file that breaks off', [sends(line('data.bin', WRONG)), faults.resetAt(10)]],
    ['another file’s checksum', sends(line('other.bin', WRONG))],
  ])('%s is none', async (_what, reply) => {
    await using server = await serverWith('/data.bin')
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => reply as Fault | Fault[])
    await using engine = await startEngine({ settings: { findChecksums: true } })
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: null })
    expect(asked(server)).toContain('/SHA256SUMS')
  })

  it('get the credentials of the link’s own origin, and no other does', async () => {
    await using server = await serverWith('/data.bin')
    await using elsewhere = await startFaultServer()
    elsewhere.add('/SHA256SUMS', { size: 1, seed: 1 })
    elsewhere.fault('/SHA256SUMS', () => sends(line('data.bin')))
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => faults.redirect(elsewhere.url('/SHA256SUMS')))
    await using engine = await startEngine({ settings: { findChecksums: true } })
    const options = { user: 'me', password: 'geheim' }
    const task = await engine.until(await engine.add(server.url('/data.bin'), options), 'done', 'failed')
    expect(task.checksum).toMatchObject({ source: 'sums-file', verified: true })
    expect(server.requests.find(({ path }) => path === '/SHA256SUMS')?.headers.authorization).toMatch(/^Basic /)
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('are read in a worker as well', async () => {
    await using server = await serverWith('/data.bin')
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => sends(line('data.bin')))
    await using engine = await startEngine({ settings: { findChecksums: true }, workers: true })
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task.checksum).toMatchObject({ source: 'sums-file', value: SHA256 })
  })
})
