/** Files are compared with the checksums kept while they came, and only what differs is fetched again. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, rename, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, vi } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import { openStore } from '../../electron/store/index.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import { PATIENT_MS } from '../helpers/patience.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const MIB = 1024 * 1024
const SIZE = 9 * MIB + 17
const range = (from: number, to: number) => `bytes=${from}-${to - 1}`

async function flip(path: string, ...offsets: number[]): Promise<void> {
  const file = await open(path, 'r+')
  for (const offset of offsets) {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset)
    await file.write(Buffer.from([buffer[0]! ^ 1]), 0, 1, offset)
  }
  await file.close()
}

const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

/** A finished download of `size` bytes. */
async function finished(engine: TestEngine, server: FaultServer, options: TaskOptions = {}, size = SIZE) {
  server.add('/file.bin', { size, seed: 1 })
  const id = await engine.add(server.url('/file.bin'), { connections: 1, ...options })
  const { path } = await engine.until(id, 'done', 'failed')
  return { id, path: path! }
}

/** As a file that came before checksums were kept. The engine may have a transaction open until its next turn. */
async function forgetBlocks(engine: TestEngine, id: number): Promise<void> {
  const db = new Database(join(engine.profile, 'nighthaul.db'), { timeout: 0 })
  await vi.waitFor(() => db.prepare('DELETE FROM block_pages WHERE task_id = ?').run(id), PATIENT_MS)
  db.close()
}

const asked = (server: FaultServer, from: number) => server.requests.slice(from).map(({ headers }) => headers.range)

describe('verify', () => {
  it('says that a file is right, how much was compared, and keeps the result', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    const found = await engine.call('tasks.verify', { id })
    expect(found).toMatchObject({
      ...{ verdict: 'right', path, bytes: SIZE, bytesOnDisk: SIZE, sizeDiffers: false },
      ...{ checkedBlocks: 10, uncheckedBlocks: 0, badBlocks: 0, badRanges: [], checksum: null, repairing: false },
    })
    expect((await engine.get(id)).verification).toEqual(found)
    await engine.stop()
    await using second = await startEngine({ from: engine })
    expect((await second.get(id)).verification).toEqual(found)
  })

  it('counts as work on files while it lasts', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id } = await finished(engine, server)
    const comparing = engine.call('tasks.verify', { id })
    expect(await engine.call('activity.get')).toMatchObject({ files: 1 })
    await comparing
    expect(await engine.call('activity.get')).toMatchObject({ files: 0 })
  })

  it('names the ranges that differ, neighbours as one, and changes nothing', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    await flip(path, 2 * MIB, 4 * MIB + 5, 6 * MIB - 1, SIZE - 1)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({
      ...{ verdict: 'damaged', checkedBlocks: 10, badBlocks: 4, badBytes: 3 * MIB + 17 },
      badRanges: [
        { start: 2 * MIB, end: 3 * MIB },
        { start: 4 * MIB, end: 6 * MIB },
        { start: 9 * MIB, end: SIZE },
      ],
    })
    expect(await engine.get(id)).toMatchObject({ state: 'done', path, error: null })
    expect(existsSync(path)).toBe(true)
  })

  it('tells a missing file, another length, and that there is nothing to compare against', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    const verify = () => engine.call('tasks.verify', { id })
    await rename(path, `${path}.elsewhere`)
    expect(await verify()).toMatchObject({ verdict: 'missing', bytesOnDisk: null, checkedBlocks: 0 })
    await expect(engine.call('tasks.repair', { id })).rejects.toMatchObject({ code: 'file_missing' })
    await rename(`${path}.elsewhere`, path)

    await writeFile(path, 'tail', { flag: 'a' })
    expect(await verify()).toMatchObject({
      ...{ verdict: 'damaged', sizeDiffers: true, bytesOnDisk: SIZE + 4, badBlocks: 0 },
    })
    await truncate(path, 8 * MIB + 1)
    expect(await verify()).toMatchObject({
      ...{ verdict: 'damaged', sizeDiffers: true, badBlocks: 2 },
      badRanges: [{ start: 8 * MIB, end: SIZE }],
    })
    await truncate(path, SIZE)
    await forgetBlocks(engine, id)
    expect(await verify()).toMatchObject({ verdict: 'unknown', checkedBlocks: 0, uncheckedBlocks: 10 })
  })

  it('compares the whole file with its checksum too, and that alone where blocks have none', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const checksum = { algorithm: 'sha-256' as const, value: contentSha256(1, SIZE) }
    const { id, path } = await finished(engine, server, { checksum })
    expect((await engine.call('tasks.verify', { id })).checksum).toEqual({
      ...{ algorithm: 'sha-256', expected: checksum.value, actual: checksum.value, matches: true },
    })
    await forgetBlocks(engine, id)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({ verdict: 'right', uncheckedBlocks: 10 })
    await flip(path, 5)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({
      ...{ verdict: 'damaged', badBlocks: 0, checksum: { matches: false } },
    })
    // Nobody can say which block it is: all of them are fetched again, into the same file.
    const before = server.requests.length
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching', bytes: SIZE })
    const task = await engine.until(id, 'done', 'failed', 'changed')
    expect(task).toMatchObject({ state: 'done', checksum: { verified: true }, verification: { verdict: 'right' } })
    expect(asked(server, before)).toEqual([range(0, SIZE)])
    expect(await sha256(path)).toBe(checksum.value)
  })

  it('compares a partial up to its marks, and what is known to be bad is not built upon', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/file.bin', { size: SIZE, seed: 1 })
    server.fault('/file.bin', () => faults.stallAt(5 * MIB + 7))
    const id = await engine.add(server.url('/file.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 5 * MIB + 7)
    await expect(engine.call('tasks.verify', { id })).rejects.toMatchObject({ code: 'task_state' })
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    // At once: the run is still letting go of its file.
    expect(await engine.call('tasks.verify', { id })).toMatchObject({
      ...{ verdict: 'right', checkedBlocks: 5, uncheckedBlocks: 1, bytes: 5 * MIB + 7 },
    })
    const { partPath } = await engine.get(id)
    await flip(partPath!, MIB + 1, 3 * MIB)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({ verdict: 'damaged', badBlocks: 2 })
    server.fault('/file.bin', null)
    const before = server.requests.length
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const task = await engine.until(id, 'done', 'failed', 'changed')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(asked(server, before).sort()).toEqual([
      range(MIB, 2 * MIB),
      range(3 * MIB, 4 * MIB),
      range(5 * MIB + 7, SIZE),
    ])
  })

  it('shows how far it is, one file after the other, and can be stopped', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    const blocks = 4096
    // A file that takes a moment: sparse, and the store believes that it is as long.
    await truncate(path, blocks * MIB)
    const { store } = await vi.waitFor(
      () => openStore({ path: join(engine.profile, 'nighthaul.db'), now: Date.now }),
      PATIENT_MS,
    )
    store.updateTask(id, { sizeBytes: blocks * MIB, writtenBytes: blocks * MIB })
    const page = Array.from({ length: blocks - 10 }, (_, n) => ({ index: n + 10, crc32: 1, bytes: MIB }))
    store.checkpoint([{ id, bootId: 'boot-1', writtenBytes: blocks * MIB, blocks: page }])
    store.close()
    const other = await finished(engine, server, {}, MIB)

    const rows: number[] = []
    const events = engine.engine.events.subscribe(
      'tasks.changed',
      (delta) => rows.push(...delta.rows.flatMap((row) => (row.id === id ? (row.verifying?.checkedBytes ?? []) : []))),
      { visible: true },
    )
    const first = engine.call('tasks.verify', { id })
    const second = engine.call('tasks.verify', { id: other.id })
    const joined = engine.call('tasks.verify', { id })
    const task = await engine.untilTask(id, ({ verifying }) => (verifying?.checkedBytes ?? 0) > 0)
    expect(task.verifying!.totalBytes).toBe((blocks - 1) * MIB + 17)
    expect((await engine.get(other.id)).verifying).toEqual({ checkedBytes: 0, totalBytes: MIB })
    expect(await engine.call('tasks.stopVerifying', { selection: { ids: [id] } })).toEqual({ count: 1 })
    await expect(first).rejects.toMatchObject({ code: 'interrupted' })
    await expect(joined).rejects.toMatchObject({ code: 'interrupted' })
    expect(await second).toMatchObject({ verdict: 'right' })
    expect((await engine.get(id)).verifying).toBe(null)
    expect(rows.length).toBeGreaterThan(0)
    events.dispose()
  })
})

describe('repair', () => {
  it('fetches only what differs, with If-Range, and the file is NAME.part until all of it was compared again', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    await flip(path, 2 * MIB, 7 * MIB)
    const before = server.requests.length
    server.fault('/file.bin', () => faults.late())
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching', bytes: 2 * MIB })
    await server.until(() => server.held > 0)
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, true])
    expect(await engine.get(id)).toMatchObject({ state: 'active', path: null, verification: { repairing: true } })
    server.fault('/file.bin', null)
    server.release()
    const task = await engine.until(id, 'done', 'failed', 'changed')
    expect(task).toMatchObject({ state: 'done', path, verification: { verdict: 'right', checkedBlocks: 10 } })
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
    expect(asked(server, before).sort()).toEqual([range(2 * MIB, 3 * MIB), range(7 * MIB, 8 * MIB)])
    for (const { headers } of server.requests.slice(before)) expect(headers['if-range']).toBeDefined()
    expect(server.requests.slice(before).reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(2 * MIB)
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'nothing', bytes: 0 })
  })

  it('cuts what was appended and fetches what was cut off', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const { id, path } = await finished(engine, server)
    await writeFile(path, 'tail', { flag: 'a' })
    const before = server.requests.length
    await engine.call('tasks.repair', { id })
    await engine.untilTask(id, (task) => task.state === 'done')
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
    expect(asked(server, before)).toEqual([])
    await truncate(path, 8 * MIB + 5)
    await engine.call('tasks.repair', { id })
    await engine.untilTask(id, (task) => task.state === 'done')
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
    expect(asked(server, before)).toEqual([range(8 * MIB, SIZE)])
  })

  for (const [what, size, change] of [
    ['its validator', SIZE, faults.changeContent({ seed: 2, etag: '"new"' })],
    ['its validator, and no block of ours is good', 1000, faults.changeContent({ seed: 2, etag: '"new"' })],
    ['only its bytes', SIZE, faults.lieAboutContent(2)],
    ['only its bytes, of which there are few', 1000, faults.lieAboutContent(2)],
  ] as const)
    it(`waits for a decision where the remote file is another one by ${what}, and keeps everything`, async () => {
      await using server = await startFaultServer()
      await using engine = await startEngine()
      const { id, path } = await finished(engine, server, {}, size)
      const at = size > 5 * MIB ? 5 * MIB : 3
      await flip(path, at)
      const mine = await readFile(path)
      server.fault('/file.bin', () => change)
      await engine.call('tasks.repair', { id })
      expect(await engine.until(id, 'changed', 'done', 'failed')).toMatchObject({
        ...{ state: 'changed', error: { code: 'remote_changed' } },
      })
      expect(existsSync(path)).toBe(false)
      const kept = await readFile(`${path}.part`)
      const end = Math.min(at + MIB, size)
      const good = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, size > MIB ? at : 0), bytes.subarray(end)])
      expect(good(kept).equals(good(mine))).toBe(true)
      // A repair of it is a decision too, which is somebody's to take.
      await expect(engine.call('tasks.repair', { id })).rejects.toMatchObject({ code: 'task_state' })
      server.fault('/file.bin', null)
      server.add('/file.bin', { size, seed: 1 })
      await engine.call('tasks.decide', { selection: { ids: [id] }, decision: 'keep' })
      await engine.call('tasks.resume', { selection: { ids: [id] } })
      await engine.until(id, 'done', 'failed', 'changed')
      expect(await sha256(path)).toBe(contentSha256(1, size))
    })

  for (const size of [SIZE, 1000])
    it(`reads the whole file where the server gives no ranges any more (${size} bytes)`, async () => {
      await using server = await startFaultServer()
      await using engine = await startEngine()
      const { id, path } = await finished(engine, server, {}, size)
      await flip(path, size > MIB ? 5 * MIB : 3)
      server.fault('/file.bin', () => faults.ignoreRange())
      await engine.call('tasks.repair', { id })
      expect(await engine.until(id, 'done', 'failed', 'changed')).toMatchObject({ state: 'done', error: null })
      expect(await sha256(path)).toBe(contentSha256(1, size))
    })

  it('a disk that spoils the repair too leaves no wrong file under its name', async () => {
    await using server = await startFaultServer()
    const real = createNodeFileSystem()
    let spoils = false
    const fs: typeof real = {
      ...real,
      async open(name, mode) {
        const file = await real.open(name, mode)
        return {
          ...file,
          descriptor: undefined,
          write: (buffers, at) =>
            file.write(
              spoils && at === 5 * MIB ? [Buffer.alloc(buffers[0]!.length), ...buffers.slice(1)] : buffers,
              at,
            ),
        }
      },
    }
    await using engine = await startEngine({ fs })
    const { id, path } = await finished(engine, server)
    await flip(path, 5 * MIB + 9)
    spoils = true
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching', bytes: MIB })
    const task = await engine.until(id, 'done', 'failed', 'changed')
    expect(task).toMatchObject({ state: 'failed', error: { code: 'blocks_damaged' }, writtenBytes: SIZE - MIB })
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, true])
    spoils = false
    const before = server.requests.length
    expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching', bytes: MIB })
    await engine.until(id, 'done', 'changed')
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
    expect(asked(server, before)).toEqual([range(5 * MIB, 6 * MIB)])
  })

  it('leaves all as it was where the partial’s name is taken or the file cannot be renamed', async () => {
    await using server = await startFaultServer()
    let refuse = false
    await using engine = await startEngine({
      fs: createSpyFileSystem((o) => (refuse && o === 'rename' ? 'EIO' : null)),
    })
    const { id, path } = await finished(engine, server)
    await flip(path, 5 * MIB)
    await writeFile(`${path}.part`, 'of somebody else')
    await expect(engine.call('tasks.repair', { id })).rejects.toMatchObject({ code: 'file_exists' })
    await unlink(`${path}.part`)
    refuse = true
    await expect(engine.call('tasks.repair', { id })).rejects.toMatchObject({ code: 'io_error' })
    refuse = false
    expect(await engine.get(id)).toMatchObject({
      ...{ state: 'done', path, durable: true, verification: { verdict: 'damaged', repairing: false } },
    })
    await engine.call('tasks.repair', { id })
    await engine.untilTask(id, (task) => task.state === 'done')
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
  })

  it('goes on at the next start where the process died just before or after the rename', async () => {
    await using server = await startFaultServer()
    await using first = await startEngine()
    const { id, path } = await finished(first, server)
    await flip(path, 5 * MIB)
    await first.call('tasks.verify', { id })
    await first.stop()
    // What is on record just before the rename.
    const { store } = openStore({ path: join(first.profile, 'nighthaul.db'), now: Date.now })
    const task = store.getTask(id)!
    store.updateTask(id, { verification: { ...task.verification!, repairing: true }, fsyncedAt: null })
    const segments = [
      { start: 0, end: 5 * MIB, written: 5 * MIB, durable: 5 * MIB },
      { start: 5 * MIB, end: 6 * MIB, written: 5 * MIB, durable: 5 * MIB },
      { start: 6 * MIB, end: SIZE, written: SIZE, durable: SIZE },
    ]
    store.checkpoint([{ id, bootId: 'boot-1', writtenBytes: SIZE - MIB, segments }])
    store.close()
    const before = server.requests.length
    server.fault('/file.bin', () => faults.late())
    await using second = await startEngine({ from: first })
    await server.until(() => server.held > 0)
    await second.stop()
    server.fault('/file.bin', null)
    await using third = await startEngine({ from: first })
    await third.untilTask(id, (t) => t.state === 'done')
    expect(await sha256(path)).toBe(contentSha256(1, SIZE))
    expect(new Set(asked(server, before))).toEqual(new Set([range(5 * MIB, 6 * MIB)]))
  })
})
