/** Requests with a method and a body: as they are sent, over redirects, when a connection breaks. */
import { describe, expect, test } from 'vitest'
import type { TaskOptions } from '../../shared/schemas.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { startClient } from '../helpers/http-client.ts'

const post: TaskOptions = {
  proxy: '',
  method: 'POST',
  body: { text: 'name=wért' },
  headers: [['Content-Type', 'application/x-www-form-urlencoded']],
}

test('method and body go as they were given, as text or as bytes', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/f', { size: 1000, seed: 1 })
  expect((await client.read(server.url('/f'), { options: post })).body).toEqual(contentBytes(1, 0, 1000))
  const bytes = { ...post, method: 'PUT' as const, body: { base64: Buffer.from('€').toString('base64') } }
  await client.read(server.url('/f'), { options: bytes })
  await client.read(server.url('/f'), { options: { proxy: '', method: 'POST' } })
  expect(server.requests.map(({ method, body, headers }) => [method, body, headers['content-length']])).toEqual([
    ['POST', 'name=wért', '10'],
    ['PUT', '€', '3'],
    ['POST', '', '0'],
  ])
  expect(server.requests[0]!.headers['content-type']).toBe('application/x-www-form-urlencoded')
  expect(server.requests[2]!.headers['content-type']).toBeUndefined()
})

describe('a redirect', () => {
  test.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [301, 'PUT', 'PUT'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
  ] as const)('%i makes of a %s a %s', async (status, method, expected) => {
    await using server = await startFaultServer()
    await using client = startClient()
    server.add('/f', { size: 10, seed: 1 })
    server.fault('/start', () => faults.redirect('/f', status))
    await client.read(server.url('/start'), { options: { ...post, method } })
    const { method: asked, body, headers } = server.requests[1]!
    expect([asked, body, headers['content-type']]).toEqual(
      expected === 'GET' ? ['GET', '', undefined] : [expected, 'name=wért', 'application/x-www-form-urlencoded'],
    )
  })

  test.each([307, 308])(
    '%i does not take a body to another site: it ends there, with an error that says so',
    async (status) => {
      await using home = await startFaultServer()
      await using other = await startFaultServer()
      await using client = startClient()
      home.fault('/start', () => faults.redirect(other.url('/f'), status))
      await expect(client.request(home.url('/start'), { options: post })).rejects.toMatchObject({
        code: 'redirect_refused',
        params: { status, target: `127.0.0.1:${other.port}` },
      })
      expect(other.requests).toHaveLength(0)
    },
  )

  test('303 to another site is a plain GET there', async () => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using client = startClient()
    home.fault('/start', () => faults.redirect(other.url('/f'), 303))
    other.add('/f', { size: 10, seed: 1 })
    await client.read(home.url('/start'), { options: post })
    expect(other.requests[0]).toMatchObject({ method: 'GET', body: '' })
    expect(other.requests[0]!.headers['content-type']).toBeUndefined()
  })
})

test('a body meant for the link is not sent where the link had led before', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  other.add('/f', { size: 10, seed: 1 })
  for (const method of ['GET', 'POST'] as const)
    await client.read(other.url('/f'), { options: { ...post, method }, home: home.url('/start') })
  expect(other.requests.map(({ method, body }) => [method, body])).toEqual([
    ['GET', ''],
    ['GET', ''],
  ])
})

test('a GET with a body is sent, and is no request for parts', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/f.bin', { size: 3 * 1024 * 1024, seed: 1 })
  const id = await engine.add(server.url('/f.bin'), { ...post, method: 'GET' })
  expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
  expect(server.requests.map(({ method, body, headers }) => [method, body, headers.range])).toEqual([
    ['GET', 'name=wért', undefined],
  ])
})

test('a POST does not use a connection that may have died: it is sent once', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/f', { size: 10, seed: 1 })
  await client.read(server.url('/f'))
  server.fault('/f', () => faults.closeImmediately('reset'))
  await expect(client.request(server.url('/f'), { options: post })).rejects.toMatchObject({ code: 'connection_reset' })
  expect(server.requests.map(({ method, connection }) => [method, connection])).toEqual([
    ['GET', 0],
    ['POST', 1],
  ])
})

describe('a download by POST', () => {
  const SIZE = 3 * 1024 * 1024

  test('is one request without ranges; after an interruption it comes again from the start and is compared', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/f.bin', { size: SIZE, seed: 1 })
    server.fault('/f.bin', (_request, index) => (index === 0 ? faults.truncateAt(2 * 1024 * 1024) : null))
    const id = await engine.add(server.url('/f.bin'), { ...post })
    const done = await engine.until(id, 'done', 'failed')
    expect(done.state).toBe('done')
    expect(done.resumedFromBytes).toBeGreaterThan(0)
    expect(server.requests.map(({ method, headers, body }) => [method, headers.range, body])).toEqual([
      ['POST', undefined, 'name=wért'],
      ['POST', undefined, 'name=wért'],
    ])
    const { readFile } = await import('node:fs/promises')
    expect((await readFile(done.path!)).equals(contentBytes(1, 0, SIZE))).toBe(true)
  })

  test('which brings another file the second time is asked about, and the partial kept', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    const file = { size: SIZE, seed: 1, etag: null, lastModified: null }
    server.add('/f.bin', file)
    server.fault('/f.bin', (_request, index) => (index === 0 ? faults.stallAt(2 * 1024 * 1024) : null))
    const id = await engine.add(server.url('/f.bin'), post)
    await engine.untilTask(id, ({ writtenBytes }) => writtenBytes > 0)
    server.add('/f.bin', { ...file, seed: 2 })
    server.disconnect()
    expect((await engine.until(id, 'changed', 'done', 'failed')).state).toBe('changed')
  })

  test('goes to the link itself every time, not to where it led', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/f.bin', { size: SIZE, seed: 1 })
    server.fault('/start', () => faults.redirect('/f.bin', 303))
    server.fault('/f.bin', (_request, index) => (index === 0 ? faults.truncateAt(2 * 1024 * 1024) : null))
    const id = await engine.add(server.url('/start'), post)
    expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /start',
      'GET /f.bin',
      'POST /start',
      'GET /f.bin',
    ])
  })

  test('of one link are two downloads where their bodies differ, and one where they are the same', async () => {
    await using engine = await startEngine()
    const url = 'http://127.0.0.1:9/f'
    const item = (text: string) => ({ url, options: { ...post, body: { text } } })
    const add = (...items: ReturnType<typeof item>[]) => engine.call('tasks.add', { items, paused: true })
    const first = await add(item('a'), item('b'), item('a'))
    expect(first.items.map(({ duplicate }) => duplicate)).toEqual([false, false, true])
    const again = await add(item('b'), item('c'), { url, options: { proxy: '' } } as ReturnType<typeof item>)
    expect(again.items.map(({ duplicate }) => duplicate)).toEqual([true, false, false])
    // also where a newer one asks something else
    const oldest = await add(item('a'))
    expect(oldest.items[0]).toEqual({ id: first.items[0]!.id, duplicate: true })
  })
})
