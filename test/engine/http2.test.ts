/** Many small files of one host share an HTTP/2 connection, where the host offers it. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import type { TaskDetail } from '../../shared/schemas.ts'
import { startEngine } from '../helpers/engine.ts'
import { type FaultServer, startFaultServer } from '../helpers/fault-server.ts'

const FILES = 12
const SIZE = 50_000

async function downloadAll(server: FaultServer, workers: boolean): Promise<TaskDetail[]> {
  server.add('/file', { size: SIZE, seed: 1 })
  await using engine = await startEngine({
    workers,
    settings: { downloadsAtOnce: 8, connectionsPerHost: 8, proxyMode: 'none' },
  })
  const options = { caPem: server.caPem }
  const { items } = await engine.call('tasks.add', {
    items: Array.from({ length: FILES }, (_, n) => ({ url: `${server.url('/file')}?${n}`, filename: `${n}.bin` })),
    options,
  })
  const tasks = await Promise.all(items.map(({ id }) => engine.until(id, 'done', 'failed')))
  const digests = await Promise.all(
    tasks.map(async ({ path }) =>
      createHash('sha256')
        .update(await readFile(path!))
        .digest('hex'),
    ),
  )
  expect(new Set(digests).size).toBe(1)
  expect((await readFile(tasks[0]!.path!)).length).toBe(SIZE)
  return tasks
}

for (const workers of [false, true])
  it(`over one connection once enough of them run at once${workers ? ', in a worker too' : ''}`, async () => {
    await using server = await startFaultServer({ http2: true })
    const tasks = await downloadAll(server, workers)
    const shared = tasks.filter(({ httpVersion }) => httpVersion === '2')
    // The first few do not know of a crowd yet.
    expect(shared.length).toBeGreaterThanOrEqual(FILES - 4)
    expect(server.requests.filter(({ httpVersion }) => httpVersion === '2')).toHaveLength(shared.length)
    expect(server.connections.total).toBeLessThanOrEqual(FILES - shared.length + 1)
  })

it('over HTTP/1.1 where the host offers nothing else', async () => {
  await using server = await startFaultServer({ tls: true })
  const tasks = await downloadAll(server, false)
  expect(tasks.every(({ state, httpVersion }) => state === 'done' && httpVersion === '1.1')).toBe(true)
})

it('goes on where the shared connection is lost', async () => {
  await using server = await startFaultServer({ http2: true })
  server.fault('/file', (_request, index) => {
    if (index === 8) server.disconnect()
    return null
  })
  const tasks = await downloadAll(server, false)
  expect(tasks.map(({ state }) => state)).toEqual(tasks.map(() => 'done'))
  expect(server.requests.length).toBeGreaterThan(FILES)
})
