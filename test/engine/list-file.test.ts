/** The list as a file: out of one profile and into another, with progress, without secrets, nothing twice. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromRuns, toRuns } from '../../electron/engine/list-export.ts'
import { importFormat, type ListedTask, listFileText } from '../../shared/list-file.ts'
import { BLOCK_BYTES } from '../../shared/records.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { realClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import fc from '../helpers/property.ts'

const MIB = 1024 * 1024

async function exported(engine: TestEngine, secrets = false): Promise<{ text: string; leftOut: number }> {
  let leftOut = 0
  const parts: string[] = []
  const ask = (input: { secrets: boolean; after: number }) => engine.call('list.export', { ...input, limit: 2 })
  for await (const part of listFileText(ask, secrets, (count) => {
    leftOut += count
  }))
    parts.push(part)
  return { text: parts.join(''), leftOut }
}

const urlsOf = async (engine: TestEngine) => (await engine.call('tasks.list', {})).rows.map((row) => row.url)
const fileOf = (tasks: unknown[], more = {}) =>
  JSON.stringify({ format: 'nighthaul-list', version: 1, exportedAt: '', secrets: false, settings: {}, tasks, ...more })

describe('an exported list', () => {
  it('is the same list in another profile: order, options, queues, rules, settings', async () => {
    await using first = await startEngine({ settings: { downloadsAtOnce: 2 } })
    const queue = await first.call('queues.add', { name: 'Night', limitBytesPerSecond: 1000 })
    await first.call('hostRules.set', { pattern: 'a.test', patch: { connections: 2 } })
    const items = [1, 2, 3, 4, 5].map((n) => ({ url: `http://127.0.0.1:9/${n}`, filename: `${n}.bin` }))
    const options = { connections: 3, checksum: { algorithm: 'md5' as const, value: '0'.repeat(32) } }
    await first.call('tasks.add', { items, options, queueId: queue.id, paused: true })
    const startAt = Date.now() + 10_000_000_000
    await first.call('tasks.update', { selection: { filter: { text: '/2' } }, startAt })
    const { text, leftOut } = await exported(first)
    expect(leftOut).toBe(0)

    await using second = await startEngine()
    const result = await second.call('list.import', { text })
    expect(result).toMatchObject({ added: 5, duplicates: 0, refused: [], queues: 1, hostRules: 1, settings: 1 })
    expect(await urlsOf(second)).toEqual(items.map((item) => item.url))
    expect(await second.call('hostRules.list')).toMatchObject([{ pattern: 'a.test', connections: 2 }])
    expect((await second.call('settings.get')).downloadsAtOnce).toBe(2)
    const night = (await second.call('queues.list')).find(({ name }) => name === 'Night')
    expect(night).toMatchObject({ limitBytesPerSecond: 1000 })
    const [row] = (await second.call('tasks.list', {})).rows
    expect(await second.get(row!.id)).toMatchObject({ filename: '1.bin', queueId: night!.id, options, state: 'paused' })
    const later = (await second.call('tasks.list', { text: '/2' })).rows[0]!
    expect(await second.get(later.id)).toMatchObject({ state: 'waiting', startAt, retryAt: startAt })
  })

  it('brings nothing twice, and lets stay what was chosen here', async () => {
    await using engine = await startEngine({ settings: { downloadsAtOnce: 2 } })
    await engine.call('tasks.add', { items: [{ url: 'http://127.0.0.1:9/a' }], paused: true })
    const { text } = await exported(engine)
    await engine.call('settings.set', { downloadsAtOnce: 9 })
    expect(await engine.call('list.import', { text })).toMatchObject({ added: 0, duplicates: 1, settings: 0 })
    const twice = JSON.parse(text)
    twice.tasks[0].url = 'http://127.0.0.1:9/b'
    twice.tasks.push(twice.tasks[0])
    const result = await engine.call('list.import', { text: JSON.stringify(twice) })
    expect(result).toMatchObject({ added: 1, duplicates: 1 })
    expect((await engine.call('settings.get')).downloadsAtOnce).toBe(9)
  })

  it('lets a partial go on in another profile, every byte of it compared first', async () => {
    await using server = await startFaultServer()
    const size = 4 * MIB
    server.add('/big.bin', { size, seed: 3 })
    server.fault('/big.bin', (request) => (request.index === 0 ? faults.stallAt(3 * MIB + 1000) : null))
    // No checkpoint comes between the bytes and the export.
    await using first = await startEngine({ clock: realClock })
    const id = await first.add(server.url('/big.bin'), { connections: 1 })
    await first.untilTask(id, (task) => task.writtenBytes >= 3 * MIB)
    await first.call('tasks.pause', { selection: { ids: [id] } })
    const { text } = await exported(first)
    const { partPath } = await first.get(id)

    await using second = await startEngine()
    await mkdir(second.folder, { recursive: true })
    await copyFile(partPath!, join(second.folder, 'big.bin.part'))
    const result = await second.call('list.import', { text: text.replaceAll(first.folder, second.folder) })
    expect(result).toMatchObject({ added: 1, withProgress: 1 })
    const [row] = (await second.call('tasks.list', {})).rows
    await second.call('tasks.resume', { selection: { ids: [row!.id] } })
    const done = await second.until(row!.id, 'done')
    // Whole blocks whose checksums were stored; what came after them is fetched again.
    expect(done.resumedFromBytes).toBeGreaterThanOrEqual(MIB)
    expect(done.resumedFromBytes % MIB).toBe(0)
    expect((await readFile(done.path!)).equals(contentBytes(3, 0, size))).toBe(true)
  })

  it('begins anew where the partial is not here, or is another file', async () => {
    await using server = await startFaultServer()
    server.add('/big.bin', { size: 2 * MIB, seed: 3 })
    server.fault('/big.bin', (request) => (request.index === 0 ? faults.stallAt(MIB + 1000) : null))
    await using first = await startEngine()
    const id = await first.add(server.url('/big.bin'), { connections: 1 })
    await first.untilTask(id, (task) => task.writtenBytes >= MIB)
    await first.call('tasks.pause', { selection: { ids: [id] } })
    const { text } = await exported(first)
    await using second = await startEngine()
    const here = text.replaceAll(first.folder, second.folder)
    expect(await second.call('list.import', { text: here })).toMatchObject({ added: 1, withProgress: 0 })
    const [row] = (await second.call('tasks.list', {})).rows
    await second.call('tasks.resume', { selection: { ids: [row!.id] } })
    const done = await second.until(row!.id, 'done')
    expect((await readFile(done.path!)).equals(contentBytes(3, 0, 2 * MIB))).toBe(true)
  })

  it('holds no secret unless it is asked for, and then all of them', async () => {
    await using engine = await startEngine({ settings: { proxy: 'http://me:pr0xy@127.0.0.1:9' } })
    const url = 'http://user:s3cret-1@127.0.0.1:9/a'
    const headers: [string, string][] = [
      ['Authorization', 's3cret-2'],
      ['X-Api-Key', 's3cret-3'],
      ['Referer', 'https://example.org/'],
    ]
    const proxy = 'http://me:s3cret-4@127.0.0.1:9'
    const secret = { password: 's3cret-5', bearer: 's3cret-6', cookies: 's3cret-7', body: { text: 's3cret-8' } }
    await engine.call('tasks.add', {
      items: [
        { url, options: { headers, proxy } },
        { url: 'http://127.0.0.1:9/b', options: { ...secret, method: 'POST', user: 'me' } },
        { url: 'http://127.0.0.1:9/c' },
      ],
      paused: true,
    })
    const rule = { password: 's3cret-9', user: 'me' }
    await engine.call('hostRules.set', { pattern: 'b.test', patch: rule })
    const { text, leftOut } = await exported(engine)
    expect(text).not.toMatch(/s3cret|pr0xy/)
    expect(text).toContain('https://example.org/')
    expect(leftOut).toBe(4)
    const whole = await exported(engine, true)
    expect(whole.leftOut).toBe(0)
    for (let n = 1; n <= 9; n++) expect(whole.text).toContain(`s3cret-${n}`)
    await using second = await startEngine()
    await second.call('list.import', { text: whole.text })
    expect((await exported(second, true)).text.replace(/"exportedAt": .*/, '')).toBe(
      whole.text.replace(/"exportedAt": .*/, ''),
    )
  })
})

describe('a file to import', () => {
  it('has its bad entries named one by one, and its good ones are imported', async () => {
    await using engine = await startEngine()
    const good = { url: 'http://127.0.0.1:9/good', folder: engine.folder, state: 'paused' }
    const text = fileOf(
      [
        good,
        { ...good, url: 'ftp://127.0.0.1/x' },
        { ...good, url: 'http://127.0.0.1:9/rel', folder: 'relative' },
        'no object',
        { ...good, url: 'http://127.0.0.1:9/seg', segments: [[0, 10, 20]] },
        { ...good, url: 'http://127.0.0.1:9/good2', filename: '../../escape.sh' },
      ],
      { queues: [{ name: '' }], hostRules: [{ connections: 2 }], settings: { downloadsAtOnce: 0, nonsense: 1 } },
    )
    const result = await engine.call('list.import', { text })
    expect(result.added).toBe(2)
    expect(result.refused.map(({ what, position }) => `${what} ${position}`)).toEqual([
      'queue 1',
      'host rule 1',
      'setting 1',
      'setting 2',
      'download 2',
      'download 3',
      'download 4',
      'download 5',
    ])
    expect(result.refused.every(({ reason }) => reason.length > 5)).toBe(true)
    for (const row of (await engine.call('tasks.list', {})).rows) expect(row.filename).not.toContain('/')
  })

  it.each([
    ['no JSON', '{"format": "nighthaul-list", "tas'],
    ['another format', '{"tasks": []}'],
    ['no tasks', JSON.stringify({ format: 'nighthaul-list', version: 1, exportedAt: '', secrets: false })],
    ['a newer version', fileOf([], { version: 2 })],
    ['entries without end', fileOf(Array.from({ length: 500_001 }, () => ({})))],
  ])('that is %s is refused, and nothing changes', async (_, text) => {
    await using engine = await startEngine()
    await expect(engine.call('list.import', { text })).rejects.toMatchObject({ code: 'list_file_invalid' })
  })

  it('is known by its content', () => {
    expect(importFormat(' \n{"format": "x"}')).toBe('list')
    expect(importFormat('\uFEFF<?xml version="1.0"?>')).toBe('metalink')
    expect(importFormat('https://example.org/a\n')).toBe('links')
  })

  it('may be damaged anywhere: it is refused or imported in part, and never more than it was', async () => {
    await using engine = await startEngine()
    const items = Array.from({ length: 20 }, (_, n) => ({ url: `http://127.0.0.1:9/${n}` }))
    await engine.call('tasks.add', { items, paused: true })
    const { text } = await exported(engine)
    await engine.call('tasks.remove', { selection: { filter: {} } })
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 3 }), async (at, put) => {
        const hurt = text.slice(0, at) + put + text.slice(at + put.length)
        const { added, refusedInAll, duplicates } = await engine
          .call('list.import', { text: hurt })
          .catch(() => ({ added: 0, refusedInAll: 0, duplicates: 0 }))
        expect(added + refusedInAll + duplicates).toBeLessThanOrEqual(20 + 5)
        await engine.call('tasks.remove', { selection: { filter: {} } })
      }),
      { numRuns: 30 },
    )
  })
})

describe('what a list says of when and how', () => {
  it('comes along: the default queue, profiles, and what repeats, under way in its queue', async () => {
    await using first = await startEngine()
    const [own] = await first.call('queues.list')
    await first.call('queues.update', {
      id: own!.id,
      patch: { windows: 'Mon-Fri 23:00-07:00', timeZone: 'Europe/Berlin', missed: 'ask', finishBy: '06:30', weight: 3 },
    })
    const night = await first.call('queues.add', { name: 'Night', stopped: true, downloadsAtOnce: 1 })
    await first.call('profiles.set', { name: 'day', patch: { windows: 'Mon-Fri 08:00-18:00', downloadsAtOnce: 5 } })
    const repeat = {
      url: 'http://127.0.0.1:9/dump.gz',
      when: 'daily 02:00',
      keepLast: 7,
      nameTemplate: '{name}-{n}{ext}',
    }
    const { id } = await first.call('repeats.add', {
      ...repeat,
      queueId: night.id,
      options: { password: 's3cret', connections: 2 },
    })
    await first.call('repeats.add', {
      url: 'http://127.0.0.1:9/other',
      when: 'Sat 12:00',
      timeZone: 'Asia/Tokyo',
      paused: true,
    })
    await first.call('repeats.run', { id })
    const { text, leftOut } = await exported(first)
    // of the repeat, and of the download of its run
    expect(leftOut).toBe(2)
    expect(text).not.toContain('s3cret')

    await using second = await startEngine()
    const result = await second.call('list.import', { text })
    expect(result).toMatchObject({ refused: [], queues: 2, profiles: 1, repeats: 2, added: 1 })
    const queues = await second.call('queues.list')
    expect(queues).toMatchObject([
      {
        name: own!.name,
        windows: 'Mon-Fri 23:00-07:00',
        timeZone: 'Europe/Berlin',
        missed: 'ask',
        finishBy: '06:30',
        weight: 3,
      },
      { name: 'Night', stopped: true, downloadsAtOnce: 1 },
    ])
    const { profiles } = await second.call('profiles.list')
    expect(profiles.find(({ name }) => name === 'day')).toMatchObject({
      windows: 'Mon-Fri 08:00-18:00',
      downloadsAtOnce: 5,
    })
    const repeats = await second.call('repeats.list')
    expect(repeats).toMatchObject([
      { ...repeat, queueId: queues[1]!.id, options: { connections: 2 }, runs: 1, results: [], last: null },
      { when: 'Sat 12:00', timeZone: 'Asia/Tokyo', paused: true },
    ])
    expect(repeats[0]!.nextAt).toBeGreaterThan(Date.now())

    // And once only; what is here stays.
    await second.call('profiles.set', { name: 'day', patch: { downloadsAtOnce: 9 } })
    await second.call('queues.update', { id: own!.id, patch: { weight: 4 } })
    expect(await second.call('list.import', { text })).toMatchObject({ queues: 0, profiles: 0, repeats: 0, added: 0 })
    expect((await second.call('profiles.list')).profiles.find(({ name }) => name === 'day')?.downloadsAtOnce).toBe(9)
    expect((await second.call('queues.list'))[0]!.weight).toBe(4)
  })

  it('may name zones and folders that are none here: its queue comes without them, said one by one, and everything goes on', async () => {
    await using engine = await startEngine()
    const queues = [{ name: 'Odd', windows: '23:00-07:00', timeZone: 'Mars/Olympus', folder: 'C:\\Users', weight: 7 }]
    const profiles = { day: { windows: 'sometimes', downloadsAtOnce: 3 }, lunch: {} }
    const repeats = [{ url: 'http://127.0.0.1:9/a', when: 'daily 02:00', timeZone: 'Mars/Olympus' }, 7]
    const task = { url: 'http://127.0.0.1:9/a', folder: engine.folder, queue: 'Odd' }
    const { refused, ...counts } = await engine.call('list.import', {
      text: fileOf([task], { queues, profiles, repeats }),
    })
    expect(counts).toMatchObject({ added: 1, queues: 1, profiles: 1, repeats: 0 })
    expect(refused.map(({ what, position }) => `${what} ${position}`)).toEqual([
      ...['queue 1', 'queue 1', 'profile 1', 'profile 2', 'repeat 1', 'repeat 2'],
    ])
    const odd = (await engine.call('queues.list')).find(({ name }) => name === 'Odd')
    expect(odd).toMatchObject({ windows: 'Mon-Sun 23:00-07:00', timeZone: null, folder: null, weight: 7, open: 1 })
  })

  it('saves nothing elsewhere where a folder is asked for, and starts nothing where that is', async () => {
    await using engine = await startEngine()
    const categories = [
      { name: 'A', folder: '/elsewhere' },
      { name: 'B', folder: 'below' },
    ]
    const queues = [{ name: 'Night', folder: '/elsewhere', categories }]
    const repeats = [{ url: 'http://127.0.0.1:9/a', when: 'daily 02:00', folder: '/elsewhere', queue: 'Night' }]
    const text = fileOf([], { queues, repeats })
    expect(await engine.call('list.import', { text, folder: engine.folder, paused: true })).toMatchObject({
      refused: [],
    })
    const night = (await engine.call('queues.list')).find(({ name }) => name === 'Night')
    expect(night).toMatchObject({ folder: null, categories: [{ name: 'B' }] })
    expect(await engine.call('repeats.list')).toMatchObject([{ folder: engine.folder, paused: true, nextAt: null }])
  })
})

it('block checksums survive the way through the file', () => {
  const block = fc.record({ crc32: fc.nat(0xffffffff), whole: fc.boolean() })
  fc.assert(
    fc.property(fc.dictionary(fc.nat(50).map(String), block), (blocks) => {
      const all = Object.entries(blocks)
        .map(([index, { crc32, whole }]) => ({ index: Number(index), crc32, bytes: whole ? BLOCK_BYTES : 1234 }))
        .sort((a, b) => a.index - b.index)
      expect(fromRuns(toRuns(all))).toEqual(all)
    }),
  )
})

it('what is left out of an entry is simply not known', () => {
  const least: Partial<ListedTask> = { url: 'https://example.org/a', folder: '/downloads' }
  expect(importFormat(fileOf([least]))).toBe('list')
})

it('takes no file for a partial because a list says so: only what is called like one', async () => {
  await using engine = await startEngine()
  await mkdir(engine.folder, { recursive: true })
  const precious = join(engine.folder, 'precious.txt')
  await writeFile(precious, 'x'.repeat(16))
  const task = {
    url: 'http://127.0.0.1:9/x',
    folder: engine.folder,
    filename: 'x',
    partPath: precious,
    state: 'paused',
  }
  const text = fileOf([{ ...task, sizeBytes: 32, segments: [[0, 32, 16]] }])
  expect(await engine.call('list.import', { text })).toMatchObject({ added: 1, withProgress: 0 })
  const [row] = (await engine.call('tasks.list', {})).rows
  expect((await engine.get(row!.id)).partPath).not.toBe(precious)
  const selection = { ids: [row!.id] }
  await engine.call('tasks.remove', { selection, deleteFiles: true, now: true })
  expect(await readFile(precious, 'utf8')).toBe('x'.repeat(16))
})

it('deletes no file because the error of an imported download names it', async () => {
  await using engine = await startEngine()
  await mkdir(engine.folder, { recursive: true })
  const precious = join(engine.folder, 'precious.txt')
  await writeFile(precious, 'mine')
  await writeFile(join(engine.folder, 'x.part'), 'x'.repeat(32))
  const error = { code: 'checksum_mismatch', message: 'It differs.', params: { path: precious, earlierPath: precious } }
  const task = { url: 'http://127.0.0.1:9/x', folder: engine.folder, filename: 'x', state: 'failed', error }
  const text = fileOf([{ ...task, sizeBytes: 32, segments: [[0, 32, 16]] }])
  expect(await engine.call('list.import', { text })).toMatchObject({ added: 1 })
  const ids = (await engine.call('tasks.list', {})).rows.map(({ id }) => id)
  await engine.call('tasks.remove', { selection: { ids }, deleteFiles: true, now: true })
  expect(await readFile(precious, 'utf8')).toBe('mine')
})
