/** Connections through a whole engine: none holds up a download, none is opened that does not help. Nothing is timed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { TaskDetail } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { hastyClock, realClock, startEngine, type TestEngineOptions } from '../helpers/engine.ts'
import { type FaultScript, type FaultServer, faults, type Resource, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
const SEED = 9
/** A connection that falls silent is never given up by itself: only the planner can help. */
const FOR_EVER = 3_600_000

async function download(
  setup: { resource: Partial<Resource>; script: FaultScript | null; engine?: TestEngineOptions; connections?: number },
  check: (task: TaskDetail, server: FaultServer) => void | Promise<void>,
): Promise<void> {
  await using server = await startFaultServer()
  await using engine = await startEngine({
    clock: realClock,
    ...setup.engine,
    settings: {
      stallTimeoutMs: FOR_EVER,
      connectionsPerHost: 8,
      connectionsPerDownload: setup.connections ?? 8,
      ...setup.engine?.settings,
    },
  })
  const size = setup.resource.size ?? 12 * MIB + 321
  server.add('/file.bin', { size, seed: SEED, ...setup.resource })
  server.fault('/file.bin', setup.script)
  const id = await engine.add(server.url('/file.bin'), { retries: 0 })
  const task = await engine.until(id, 'done', 'failed', 'changed', 'waiting')
  expect(task).toMatchObject({ state: 'done', error: null, attempts: 0 })
  expect(createHash('sha256').update(readFileSync(task.path!)).digest('hex')).toBe(contentSha256(SEED, size))
  await check(task, server)
}

/** [start, end) of the range that was asked. */
function rangeOf({ headers }: { headers: Readonly<Record<string, string>> }): { start: number; end: number } {
  const [, start, end] = /bytes=(\d+)-(\d*)/.exec(headers.range!)!
  return { start: Number(start), end: end ? Number(end) + 1 : Number.POSITIVE_INFINITY }
}

describe.concurrent.each([
  ['in the engine’s thread', false],
  ['in workers', true],
])('%s', (_where, workers) => {
  it('a connection of a twentieth of the speed is relieved, and the bytes are right', async () => {
    // Rates that a busy machine has as well: what is measured has to be the server's.
    const script: FaultScript = ({ connection }) => faults.slow(connection === 2 ? 30_000 : 600_000)
    await download({ resource: { size: 6 * MIB }, script, engine: { workers }, connections: 4 }, (_task, server) => {
      const slow = server.requests.find(({ connection }) => connection === 2)!
      const { start, end } = rangeOf(slow)
      expect(slow.bytesSent).toBeLessThan(end - start)
      expect(server.connections.total).toBeLessThan(12)
    })
  })

  it('one that falls silent does not hold the download: others bring what it was to bring', async () => {
    const silentFrom = 2_600_000
    const script: FaultScript = ({ connection }) => [
      faults.slow(4_000_000),
      ...(connection === 0 ? [faults.stallAt(silentFrom)] : []),
    ]
    await download({ resource: {}, script, engine: { workers }, connections: 4 }, (_task, server) => {
      // What it had brought was kept: somebody went on from there, or from where the disk was.
      const relief = server.requests.map((request) => rangeOf(request).start).filter((at) => at > 0 && at <= silentFrom)
      expect(relief.length).toBeGreaterThan(0)
      expect(relief.length).toBeLessThan(5)
      expect(server.requests.length).toBeLessThan(20)
    })
  })
})

describe.concurrent('connections', () => {
  it('one that falls silent alone, in a file too small to be shared, is raced by a second one', async () => {
    const script: FaultScript = (_request, index) => (index === 0 ? faults.stallAt(20_000) : null)
    const resource = { size: 60_000 }
    await download({ resource, script, engine: { clock: hastyClock } }, (task, server) => {
      expect(server.requests.map((request) => rangeOf(request).start)).toEqual([0, 20_000])
      expect(task.connectionsUsed).toBe(2)
    })
  })

  it('are not doubled where a speed limit makes one slow', async () => {
    const settings = { limitBytesPerSecond: 2_000_000 }
    await download({ resource: { size: 2 * MIB }, script: null, engine: { settings } }, (_task, server) => {
      expect(server.requests).toHaveLength(1)
    })
  })

  it('stay at one where the host gives one place', async () => {
    const settings = { connectionsPerHost: 1 }
    const resource = { size: 3 * MIB, rateBytesPerSecond: 4_000_000 }
    await download({ resource, script: null, engine: { settings } }, (_task, server) => {
      expect(server.requests).toHaveLength(1)
    })
  })

  it('stay at one where the server sends the file only whole', async () => {
    const resource = { size: 3 * MIB, rateBytesPerSecond: 4_000_000 }
    await download({ resource, script: () => faults.ignoreRange() }, (_task, server) => {
      expect(server.requests).toHaveLength(1)
    })
  })

  it('become eight where the server caps each', async () => {
    const resource = { size: 16 * MIB, rateBytesPerSecond: 1_000_000 }
    await download({ resource, script: null }, (_task, server) => {
      expect(server.connections.mostOpen).toBe(8)
    })
  })

  it('that the server refuses cost nothing but the attempt', async () => {
    const script: FaultScript = ({ active }) => [faults.slow(3_000_000), ...(active > 2 ? [faults.status(403)] : [])]
    await download({ resource: {}, script }, (_task, server) => {
      expect(server.requests.filter(({ status }) => status === 403).length).toBeLessThan(6)
    })
  })
})

// Alone, because it is the rate that decides here.
it('connections do not become eight where one fills the line', async () => {
  const resource = { size: 6 * MIB, lineBytesPerSecond: 2_000_000 }
  await download({ resource, script: null }, (task, server) => {
    expect(server.connections.mostOpen).toBeLessThan(8)
    expect(task.connectionsUsed).toBeGreaterThan(1)
  })
})
