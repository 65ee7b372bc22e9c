/** Names, folders, disks and durability: where a file goes, when it appears, and what a failing disk costs. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { realClock, startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const MIB = 1024 * 1024
const SIZE = 3 * MIB + 17
const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

async function serverWith(...paths: string[]) {
  const server = await startFaultServer()
  for (const [n, path] of paths.entries()) server.add(path, { size: SIZE, seed: n + 1 })
  return server
}

describe('names', () => {
  it('gives two downloads of the same name two names, and keeps a file that was there', async () => {
    await using server = await serverWith('/one/data.bin', '/two/data.bin')
    await using engine = await startEngine()
    await mkdir(engine.folder, { recursive: true })
    await writeFile(join(engine.folder, 'data.bin'), 'mine')
    const ids = [await engine.add(server.url('/one/data.bin')), await engine.add(server.url('/two/data.bin'))]
    const tasks = await Promise.all(ids.map((id) => engine.until(id, 'done', 'failed')))
    expect(tasks.map((task) => task.filename).sort()).toEqual(['data (1).bin', 'data (2).bin'])
    expect(await readFile(join(engine.folder, 'data.bin'), 'utf8')).toBe('mine')
    for (const [n, task] of tasks.entries()) expect(await sha256(task.path!)).toBe(contentSha256(n + 1, SIZE))
  })

  it('overwrites or skips where asked to', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    await mkdir(engine.folder, { recursive: true })
    await writeFile(join(engine.folder, 'data.bin'), 'mine')
    const skipped = await engine.add(server.url('/data.bin'), { onConflict: 'skip' })
    expect((await engine.until(skipped, 'done', 'failed')).error?.code).toBe('file_exists')
    expect(await readFile(join(engine.folder, 'data.bin'), 'utf8')).toBe('mine')
    const id = await engine.add(server.url('/data.bin'), { onConflict: 'overwrite' })
    const task = await engine.until(id, 'done', 'failed')
    expect(task.filename).toBe('data.bin')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  })

  it('never leaves the folder, whatever the server calls the file', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    for (const filename of ['../../etc/passwd', '/abs/olute', '..\\..\\windows', 'CON', '..', 'a/b/c.bin']) {
      server.add('/x', { size: 10, seed: 1, headers: { 'content-disposition': `attachment; filename="${filename}"` } })
      const task = await engine.until(await engine.add(server.url('/x')), 'done', 'failed')
      expect(task.state).toBe('done')
      expect(await readdir(engine.folder)).toContain(task.filename)
    }
  })

  it('takes the same URL twice only when asked to', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    server.fault('/data.bin', () => faults.stallAt(1000))
    const url = server.url('/data.bin')
    const first = await engine.call('tasks.add', { items: [{ url }, { url: `${url}#top` }] })
    expect(first.items).toEqual([
      { id: first.items[0]!.id, duplicate: false },
      { id: first.items[0]!.id, duplicate: true },
    ])
    const second = await engine.call('tasks.add', { items: [{ url }] })
    expect(second.items).toEqual([{ id: first.items[0]!.id, duplicate: true }])
    const third = await engine.call('tasks.add', { items: [{ url }], onDuplicate: 'add' })
    expect(third.items[0]!.id).not.toBe(first.items[0]!.id)
  })

  it('refuses a web page where the link names an archive, unless told otherwise', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/app.zip', { size: 500, seed: 1 })
    server.fault('/app.zip', () => faults.html())
    const task = await engine.until(await engine.add(server.url('/app.zip')), 'done', 'failed')
    expect(task.error?.code).toBe('html_instead_of_file')
    expect(existsSync(engine.folder) ? await readdir(engine.folder) : []).toEqual([])
    const anyway = await engine.until(await engine.add(server.url('/app.zip'), { acceptHtml: true }), 'done', 'failed')
    expect(anyway.state).toBe('done')
  })
})

describe('durability', () => {
  it('strict: the data is synced before the name, the name before "done"', async () => {
    await using server = await serverWith('/data.bin')
    const fs = createSpyFileSystem()
    await using engine = await startEngine({ fs, clock: realClock })
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task.durable).toBe(true)
    const last = fs.operations.slice(-4)
    expect(last).toEqual([
      'open data.bin.part',
      'datasync data.bin.part',
      'rename data.bin.part data.bin',
      'syncFolder downloads',
    ])
  })

  it('background: the name comes first, the sync after, and then it is on record', async () => {
    await using server = await serverWith('/data.bin')
    const fs = createSpyFileSystem()
    await using engine = await startEngine({ fs, clock: realClock, settings: { durability: 'background' } })
    const id = await engine.add(server.url('/data.bin'))
    await engine.untilTask(id, (task) => task.durable)
    const renamed = fs.operations.indexOf('rename data.bin.part data.bin')
    expect(fs.operations.indexOf('datasync data.bin')).toBeGreaterThan(renamed)
    expect(fs.operations.slice(0, renamed).filter((o) => o === 'datasync data.bin.part')).toEqual([])
  })

  it('after a reboot, a file that was never synced is compared block by block and only its bad block is fetched again', async () => {
    await using server = await serverWith('/data.bin')
    await using first = await startEngine({
      fs: createSpyFileSystem((o) => (o === 'syncFolder' ? 'EIO' : null)),
      settings: { durability: 'background' },
    })
    const id = await first.add(server.url('/data.bin'), { connections: 1 })
    const task = await first.until(id, 'done', 'failed')
    await first.stop()
    const file = await open(task.path!, 'r+')
    await file.write(Buffer.alloc(4096), 0, 4096, MIB + 100)
    await file.close()
    const before = server.requests.length
    await using second = await startEngine({ from: first, bootId: 'boot-2' })
    const mended = await second.untilTask(id, (t) => t.state === 'done' && t.durable)
    expect(await sha256(mended.path!)).toBe(contentSha256(1, SIZE))
    expect(server.requests.slice(before).map((r) => r.headers.range)).toEqual([`bytes=${MIB}-${2 * MIB - 1}`])
  })

  it('a crash between the rename and its record is no second download', async () => {
    await using server = await serverWith('/data.bin')
    // The process "dies" once the file has its name: nothing after that reaches the store.
    let dead = false
    const fs = createSpyFileSystem((operation) => {
      if (operation === 'syncFolder') dead = true
      return dead && operation === 'syncFolder' ? 'EIO' : null
    })
    await using first = await startEngine({ fs })
    const id = await first.add(server.url('/data.bin'), { retries: 0 })
    await first.until(id, 'paused', 'failed')
    await first.stop()
    const before = server.requests.length
    await using second = await startEngine({ from: first })
    await second.call('tasks.resume', { selection: { ids: [id] } })
    const task = await second.untilTask(id, (t) => t.durable || t.state === 'failed')
    expect(task).toMatchObject({ state: 'done', filename: 'data.bin' })
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(server.requests.length).toBe(before)
  })

  it('under another boot, what was not synced is checked block by block before it is trusted', async () => {
    await using server = await serverWith('/data.bin')
    await using first = await startEngine({ fs: createSpyFileSystem((o) => (o === 'datasync' ? 'EINVAL' : null)) })
    server.fault('/data.bin', () => faults.stallAt(2 * MIB + 500))
    const id = await first.add(server.url('/data.bin'), { connections: 1 })
    await first.untilTask(id, (task) => task.writtenBytes === 2 * MIB + 500)
    await first.call('tasks.pause', { selection: { ids: [id] } })
    const paused = await first.untilTask(id, (task) => task.connections === 0)
    await first.stop()
    // The power cut: the second block never reached the disk.
    const part = await open(paused.partPath!, 'r+')
    await part.write(Buffer.alloc(1000), 0, 1000, MIB + 5)
    await part.close()
    server.fault('/data.bin', null)
    await using second = await startEngine({ from: first, bootId: 'boot-2' })
    await second.call('tasks.resume', { selection: { ids: [id] } })
    const task = await second.until(id, 'done', 'failed', 'changed')
    expect(task.resumedFromBytes).toBe(MIB)
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  })
})

describe('disks', () => {
  it('a full disk pauses with a typed reason, keeps the partial, and resume finishes it', async () => {
    await using server = await serverWith('/data.bin')
    let writes = 0
    let full = false
    const fs = createSpyFileSystem((operation) => {
      if (operation === 'write' && ++writes === 2) full = true
      return operation === 'write' && full ? 'ENOSPC' : null
    })
    await using engine = await startEngine({ fs })
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    const task = await engine.until(id, 'paused', 'failed', 'done')
    expect(task).toMatchObject({ state: 'paused', error: { code: 'disk_full' } })
    const part = await readFile(task.partPath!)
    expect(task.writtenBytes).toBeGreaterThan(0)
    expect(part.subarray(0, task.writtenBytes).equals(contentBytes(1, 0, task.writtenBytes))).toBe(true)
    full = false
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const done = await engine.until(id, 'failed', 'done')
    expect(done.resumedFromBytes).toBe(task.writtenBytes)
    expect(await sha256(done.path!)).toBe(contentSha256(1, SIZE))
  })

  it('a write that fails as the last of its segment ends the try, and asks the server for nothing more', async () => {
    await using server = await startFaultServer()
    server.add('/small.bin', { size: 70_000, seed: 1 })
    const fs = createSpyFileSystem((operation) => (operation === 'write' ? 'ENOSPC' : null))
    await using engine = await startEngine({ fs })
    const id = await engine.add(server.url('/small.bin'))
    const task = await engine.until(id, 'paused', 'failed', 'done')
    expect(task).toMatchObject({ state: 'paused', error: { code: 'disk_full' } })
    expect(server.requests).toHaveLength(1)
  })

  it('says beforehand that a file will not fit', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ fs: { ...createSpyFileSystem(), freeBytes: async () => 1000 } })
    server.add('/big.bin', { size: SIZE, seed: 1 })
    const task = await engine.until(await engine.add(server.url('/big.bin')), 'paused', 'failed', 'done')
    expect(task).toMatchObject({
      state: 'paused',
      error: { code: 'disk_full', params: { neededBytes: SIZE, freeBytes: 1000 } },
    })
    expect(await readdir(engine.folder)).toEqual([])
  })

  it('a folder that cannot be made or written is a typed error', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    await writeFile(join(engine.profile, 'a-file'), '')
    const url = server.url('/data.bin')
    const { items } = await engine.call('tasks.add', {
      items: [{ url }],
      folder: join(engine.profile, 'a-file', 'sub'),
    })
    const task = await engine.until(items[0]!.id, 'paused', 'failed', 'done')
    expect(task).toMatchObject({ state: 'paused', error: { code: 'folder_missing' } })
    await using refused = await startEngine({ fs: createSpyFileSystem((o) => (o === 'mkdir' ? 'EACCES' : null)) })
    const other = await refused.until(await refused.add(url), 'paused', 'failed', 'done')
    expect(other).toMatchObject({ state: 'paused', error: { code: 'folder_not_writable' } })
  })

  it('an unplugged folder is not mistaken for a lost partial', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    server.fault('/data.bin', () => faults.stallAt(2 * MIB))
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.connections === 0)
    await rename(engine.folder, `${engine.folder}-elsewhere`)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const gone = await engine.until(id, 'paused', 'failed', 'done')
    expect(gone).toMatchObject({ state: 'paused', error: { code: 'folder_missing' } })
    await rename(`${engine.folder}-elsewhere`, engine.folder)
    server.fault('/data.bin', null)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    expect((await engine.until(id, 'failed', 'done')).resumedFromBytes).toBe(2 * MIB)
  })

  it('a partial that is gone is waited for, and begun anew only when somebody says so', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    server.fault('/data.bin', () => faults.stallAt(2 * MIB))
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    const paused = await engine.untilTask(id, (task) => task.connections === 0)
    await rm(paused.partPath!)
    server.fault('/data.bin', null)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const missing = await engine.untilTask(id, (task) => task.error !== null || task.state === 'done')
    expect(missing).toMatchObject({ state: 'paused', writtenBytes: 2 * MIB, error: { code: 'partial_missing' } })
    await engine.call('tasks.retry', { selection: { ids: [id] } })
    const task = await engine.until(id, 'failed', 'done')
    expect(task.resumedFromBytes).toBe(0)
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  })
})

describe('checksums', () => {
  it('verifies a given checksum, and keeps a file that fails it as NAME.bad', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    const url = server.url('/data.bin')
    const right = { algorithm: 'sha-256' as const, value: contentSha256(1, SIZE) }
    const good = await engine.until(await engine.add(url, { checksum: right }), 'done', 'failed')
    expect(good.checksum).toEqual({ ...right, verified: true, source: 'user', from: null })
    const wrong = { algorithm: 'sha-256' as const, value: '0'.repeat(64) }
    const id = await engine.add(url, { checksum: wrong })
    const bad = await engine.until(id, 'done', 'failed')
    expect(bad.error).toMatchObject({ code: 'checksum_mismatch', params: { actual: right.value } })
    expect(await readdir(engine.folder)).toContain('data (1).bin.bad')
    expect(await readdir(engine.folder)).not.toContain('data (1).bin')
    await engine.call('tasks.remove', { selection: { ids: [id] }, deleteFiles: true, now: true })
    expect(await readdir(engine.folder)).toEqual(['data.bin'])
  })
})
