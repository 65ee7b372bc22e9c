/** Files that do not have their digest: what is kept of them, and what is fetched again; and files compared later. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import Database from 'better-sqlite3'
import { describe, expect, it, test } from 'vitest'
import type { FileSystem } from '../../electron/engine/ports.ts'
import type { ExpectedDigest } from '../../shared/integrity.ts'
import {
  asked,
  asNeverVerified,
  CONTENT,
  CRC64,
  crc,
  digest,
  flip,
  MIB,
  namesIn,
  PIECES,
  reprDigest,
  SHA256,
  serverWith,
  WRONG,
} from '../helpers/checked-file.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults } from '../helpers/fault-server.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

/** As it is at this moment. */
function copyDatabase(from: string, to: string): void {
  const db = new Database(join(from, 'nighthaul.db'), { readonly: true })
  db.exec(`VACUUM INTO '${join(to, 'nighthaul.db')}'`)
  db.close()
}

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

  it('is remembered over a restart: its second try is its last, and both files are known', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    let tries = 0
    server.fault('/data.bin', ({ headers }) => {
      if (headers['want-repr-digest']) tries++
      return tries === 2 ? [flip(tries), faults.stallAt(MIB)] : flip(tries)
    })
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => tries === 2 && task.writtenBytes >= MIB)
    const first = join(engine.folder, 'data.bin.bad')
    expect((await engine.get(id)).badFiles).toEqual([first])
    await engine.stop()
    server.fault('/data.bin', ({ headers }) => {
      if (headers['want-repr-digest']) tries++
      return flip(tries)
    })
    await using next = await startEngine({ from: engine })
    const task = await next.until(id, 'done', 'failed')
    expect(task).toMatchObject({ state: 'failed', badFiles: [first, join(engine.folder, 'data (1).bin.bad')] })
    expect(await namesIn(engine)).toEqual(['data (1).bin.bad', 'data.bin.bad'])
    expect(tries).toBe(2)
    // A person may want it once more: that is a first try again, and a good file ends it.
    server.fault('/data.bin', null)
    await next.call('tasks.retry', { selection: { ids: [id] } })
    expect(await next.until(id, 'done', 'failed')).toMatchObject({ state: 'done', badFiles: task.badFiles })
    await next.call('tasks.remove', { selection: { ids: [id] }, deleteFiles: true })
    expect(await namesIn(engine)).toEqual([])
  })

  it.each(['before', 'after'] as const)(
    'is fetched no third time where the process died just %s the second was set aside',
    async (when) => {
      await using server = await serverWith('/data.bin', reprDigest(WRONG))
      server.fault('/data.bin', () => flip(server.requests.length))
      let aside = 0
      const over = Promise.withResolvers<void>()
      const real = createSpyFileSystem()
      const fs: FileSystem = {
        ...real,
        async renameExclusive(from, to) {
          const dies = to.endsWith('.bad') && ++aside === 2
          if (!dies || when === 'after') await real.renameExclusive(from, to)
          // As if the process were dead, until the next one has seen what it left.
          if (dies) await over.promise
        },
      }
      await using engine = await startEngine({ fs })
      const id = await engine.add(server.url('/data.bin'), { connections: 1 })
      await expect.poll(() => aside).toBe(2)
      const requests = server.requests.length
      const profile = await mkdtemp(join(tmpdir(), 'nighthaul-left-'))
      copyDatabase(engine.profile, profile)
      await using next = await startEngine({ from: { profile, folder: engine.folder } })
      const task = await next.until(id, 'done', 'failed')
      expect(task).toMatchObject({ state: 'failed', error: { code: 'checksum_mismatch' } })
      expect(task.badFiles).toEqual(['data.bin.bad', 'data (1).bin.bad'].map((name) => join(engine.folder, name)))
      expect(await namesIn(engine)).toEqual(['data (1).bin.bad', 'data.bin.bad'])
      expect(server.requests).toHaveLength(requests)
      over.resolve()
    },
  )

  it('is set aside by the next start where the process died just before, and fetched once more', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    server.fault('/data.bin', (_request, index) => (index === 0 ? flip(MIB) : null))
    const over = Promise.withResolvers<void>()
    const dies = Promise.withResolvers<void>()
    const real = createSpyFileSystem()
    const fs: FileSystem = {
      ...real,
      async renameExclusive(from, to) {
        if (!to.endsWith('.bad')) return real.renameExclusive(from, to)
        dies.resolve()
        await over.promise
      },
    }
    await using engine = await startEngine({ fs })
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await dies.promise
    const profile = await mkdtemp(join(tmpdir(), 'nighthaul-left-'))
    copyDatabase(engine.profile, profile)
    await using next = await startEngine({ from: { profile, folder: engine.folder } })
    expect(await next.until(id, 'done', 'failed')).toMatchObject({
      state: 'done',
      badFiles: [join(engine.folder, 'data.bin.bad')],
    })
    expect((await readFile(join(engine.folder, 'data.bin.bad')))[MIB]).toBe(CONTENT[MIB]! ^ 0xff)
    expect(await readFile(join(engine.folder, 'data.bin'))).toEqual(CONTENT)
    over.resolve()
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
