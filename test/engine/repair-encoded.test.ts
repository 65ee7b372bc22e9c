/** A file that came compressed is repaired too: what comes is compared with it, and written where it was bad. */
import { open, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { CONTENT, MIB, namesIn, serverWith } from '../helpers/checked-file.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import type { FaultServer } from '../helpers/fault-server.ts'
import type { Fault } from '../helpers/faults.ts'

const CODED = gzipSync(CONTENT)

const sendsCoded =
  (bytes: Buffer): Fault =>
  (reply) => {
    reply.status = 200
    reply.headers = { 'content-encoding': 'gzip', etag: '"coded"' }
    reply.framing = 'length'
    reply.bodyBytes = bytes.length
    reply.body = (offset, length) => bytes.subarray(offset, offset + length)
  }

/** A finished file with two bad blocks of its four, which is being repaired. */
async function damaged(engine: TestEngine, server: FaultServer, then: Buffer) {
  server.fault('/data.txt', () => sendsCoded(CODED))
  const id = await engine.add(server.url('/data.txt'))
  const { path } = await engine.until(id, 'done', 'failed')
  const file = await open(path!, 'r+')
  for (const at of [5, 2 * MIB]) await file.write(Buffer.from('damaged'), 0, 7, at)
  await file.close()
  const mine = await readFile(path!)
  server.fault('/data.txt', () => sendsCoded(then))
  expect(await engine.call('tasks.repair', { id })).toMatchObject({ repair: 'fetching', bytes: 2 * MIB })
  return { task: await engine.until(id, 'done', 'failed', 'changed'), path: path!, mine }
}

it.each([false, true])('is right again where the same comes (in a worker: %s)', async (workers) => {
  await using server = await serverWith('/data.txt')
  await using engine = await startEngine({ workers })
  const { task, path } = await damaged(engine, server, CODED)
  expect(task).toMatchObject({ state: 'done', verification: { verdict: 'right', checkedBlocks: 4 } })
  expect((await readFile(path)).equals(CONTENT)).toBe(true)
  expect(server.requests.at(-1)!.headers.range).toBe(undefined)
})

it.each([
  ['another file comes', gzipSync('quite another text'), { state: 'changed', error: { code: 'remote_changed' } }],
  [
    'it ends where ours goes on',
    gzipSync(CONTENT.subarray(0, 3 * MIB + 5)),
    { state: 'changed', error: { code: 'remote_changed' } },
  ],
  [
    'what comes breaks off',
    CODED.subarray(0, CODED.length >> 1),
    { state: 'failed', error: { code: 'unsupported_encoding' } },
  ],
])('keeps what is good of it where %s', async (_what, then, end) => {
  await using server = await serverWith('/data.txt')
  await using engine = await startEngine()
  const { task, mine } = await damaged(engine, server, then)
  expect(task).toMatchObject(end)
  expect(await namesIn(engine)).toEqual(['data.txt.part'])
  const kept = await readFile(task.partPath!)
  const good = (bytes: Buffer) => Buffer.concat([bytes.subarray(MIB, 2 * MIB), bytes.subarray(3 * MIB)])
  expect(good(kept).equals(good(mine))).toBe(true)
})
