/** Requests that a worker makes are told to the engine's thread, whatever becomes of them. */
import { expect, test } from 'vitest'
import { WorkerLane } from '../../electron/engine/lane/worker-lane.ts'
import type { RequestSample } from '../../shared/request-statistics.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { TEST_HTTP_SETTINGS } from '../helpers/http-client.ts'

const ENTRY = new URL('../../electron/engine/lane/lane-worker.ts', import.meta.url)

test('a worker tells its requests with what it says next, and those given up by themselves', async () => {
  await using server = await startFaultServer()
  server.add('/f', { size: 100_000, seed: 1 })
  server.fault('/silent', () => faults.silent())
  const samples: RequestSample[] = []
  const lane = new WorkerLane(ENTRY, TEST_HTTP_SETTINGS, { onRequest: (sample) => samples.push(sample), onLost() {} })
  try {
    const ask = (path: string, signal = new AbortController().signal) =>
      lane.request({ url: server.url(path), headers: {}, options: { proxy: '' }, buckets: [], queuedMs: 7, signal })
    // Refused: its sample comes with the answer.
    await expect(
      lane.request({
        url: 'http://127.0.0.1:1/',
        headers: {},
        options: { proxy: '' },
        buckets: [],
        signal: new AbortController().signal,
      }),
    ).rejects.toThrow()
    expect(samples).toMatchObject([{ host: '127.0.0.1:1', errorCode: 'connect_refused' }])

    // Given up after the head and before it: nothing else would be said.
    const reply = await ask('/f')
    reply.abort()
    const abort = new AbortController()
    const silent = ask('/silent', abort.signal).catch((error) => error)
    await server.until(() => server.held === 1)
    abort.abort()
    await silent
    await expect.poll(() => samples.length).toBe(3)
    expect(samples[1]).toMatchObject({ status: 200, errorCode: null })
    expect(samples[1]!.queueMs).toBeGreaterThanOrEqual(7)
    expect(samples[2]).toMatchObject({ status: null, errorCode: null })
  } finally {
    await lane.close()
  }
})
