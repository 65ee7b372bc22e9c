/**
 * Whole replies: a server that says anything at all in its head, asked by a real engine with real files. Each task
 * comes to an end, what is done is whole, and nothing lies outside the folder.
 */
import { mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { ERROR_KINDS, isErrorCode } from '../../shared/errors.ts'
import type { TaskDetail } from '../../shared/schemas.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import fc from '../helpers/property.ts'
import { asHeaderValue, digits, fuzzAsync, listOf, nearly, sequence, token } from './fuzz.ts'

const AT_ONCE = 10
const ROUNDS = 30
/** It waits because the server said so, for as much as a day, or it is over. */
const isSettled = ({ state, strategy }: TaskDetail) =>
  (state !== 'queued' && state !== 'active' && state !== 'finishing') ||
  (state === 'queued' && strategy.some(({ code }) => code === 'waiting_retry_after'))

/** Deep enough that a way out of the folder ends where it is seen. */
const root = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-fuzz-replies-')))
const folder = join(root, 'a', 'b', 'c', 'downloads')
let server: FaultServer
let engine: TestEngine
beforeAll(async () => {
  server = await startFaultServer()
  engine = await startEngine({
    defaultDownloadFolder: folder,
    settings: { downloadsAtOnce: AT_ONCE, connectionsPerHost: 64, stallTimeoutMs: 300, headersTimeoutMs: 1_000 },
  })
})
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  await server.close()
  rmSync(root, { recursive: true, force: true })
})

const text = (grammar: fc.Arbitrary<string>) => nearly(grammar).map(asHeaderValue)
const fileName = fc.constantFrom(
  'a.bin',
  '../../../x',
  '..\\..\\y',
  '/etc/passwd',
  'CON',
  'a/b',
  '.',
  '%2e%2e%2fz',
  '文.txt',
)
const date = fc.date({ noInvalidDate: true }).map((when) => when.toUTCString())
/** Only to this server: nobody else is asked. */
const here = text(sequence('p/', listOf(fc.oneof(token, fileName), '/'))).map((path) => `/r/${path}`)
const headers = fc.record(
  {
    'content-disposition': text(
      sequence('attachment; filename', fc.constantFrom('="', '*=UTF-8'), fileName, fc.constantFrom('"', '')),
    ),
    'content-range': text(sequence('bytes ', digits, '-', digits, '/', fc.oneof(digits, fc.constant('*')))),
    'content-type': text(fc.constantFrom('text/html', 'multipart/byteranges; boundary=x', 'application/zip')),
    'content-encoding': text(fc.constantFrom('gzip', 'br', 'identity', 'deflate, gzip')),
    etag: text(fc.constantFrom('"a"', 'W/"a"', '""')),
    'last-modified': text(date),
    date: text(date),
    'retry-after': text(fc.oneof(digits, date)),
    'accept-ranges': text(fc.constantFrom('bytes', 'none')),
    'www-authenticate': text(fc.constantFrom('Digest realm="a", nonce="b", qop="auth"', 'Basic realm=x', 'Negotiate')),
    'set-cookie': text(sequence(token, '=', token, '; Domain=', token)),
    'repr-digest': text(sequence('sha-256=:', token, ':')),
    'x-goog-hash': text(sequence('md5=', token)),
    location: here,
    link: here.map((path) => `<${path}>; rel=duplicate; pri=1`),
    connection: text(fc.constantFrom('close', 'keep-alive', 'upgrade')),
    upgrade: text(fc.constantFrom('h2c', 'websocket')),
    trailer: text(token),
    'x-anything': text(fc.string({ unit: 'binary' })),
  },
  { requiredKeys: [] },
)
const reply = fc.record({
  status: fc.option(
    fc.oneof(
      fc.constantFrom(200, 206, 204, 301, 302, 303, 307, 401, 403, 404, 412, 416, 429, 503),
      fc.integer({ min: 200, max: 999 }),
    ),
    { freq: 2 },
  ),
  size: fc.oneof(fc.constantFrom(0, 1), fc.nat(5_000)),
  headers,
  lie: fc.option(fc.integer({ min: -50, max: 50 }), { freq: 2 }),
  framing: fc.constantFrom('length' as const, 'length' as const, 'chunked' as const, 'close' as const),
  /** a honest server from the second request on */
  once: fc.boolean(),
})

let number = 0
fuzzAsync(
  'each download comes to an end, and nothing is written outside its folder',
  [fc.array(reply, { minLength: AT_ONCE, maxLength: AT_ONCE })],
  async (replies) => {
    const tasks = replies.map((given) => {
      const path = `/${++number}`
      server.add(path, { size: given.size, seed: 1 })
      server.fault(path, (_request, index) => {
        if (given.once && index > 0) return null
        return (planned) => {
          faults.withHeaders(given.headers)(planned, { request: _request, resource: undefined, change: () => {} })
          if (given.status !== null) planned.status = given.status
          planned.framing = given.framing
          if (given.lie !== null && given.framing === 'length') {
            planned.announcedBytes = Math.max(0, planned.bodyBytes + given.lie)
            planned.closeAfter = true
          }
        }
      })
      return server.url(path)
    })
    // What one reply said about waiting is not to hold up all that follow.
    for (const { host } of await engine.call('hosts.list')) await engine.call('hosts.forget', { host })
    const options = { retries: 1, connections: 2 }
    const { items } = await engine.call('tasks.add', {
      items: tasks.map((url) => ({ url })),
      options,
      onDuplicate: 'add',
    })
    for (const [index, { id }] of items.entries()) {
      const task = await engine.untilTask(id, isSettled).catch((error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(replies[index])}`)
      })
      // Nothing a server says is the disk's fault.
      expect(task.error && ERROR_KINDS[task.error.code]).not.toBe('disk')
      if (task.error) expect(isErrorCode(task.error.code) && task.error.code !== 'internal', task.error.code).toBe(true)
      if (task.state !== 'done') continue
      expect(task.path!.startsWith(`${folder}/`) || process.platform === 'win32').toBe(true)
      expect(statSync(task.path!).size).toBe(task.sizeBytes)
    }
    const ids = items.map(({ id }) => id)
    await engine.call('tasks.remove', { selection: { ids }, deleteFiles: true, now: true })
    // What was done and what was half done is gone; anything else would lie somewhere it must not.
    const left = readdirSync(root, { recursive: true }) as string[]
    expect(left.filter((name) => !join(folder, 'x').startsWith(join(root, name)))).toEqual([])
  },
  ROUNDS,
)
