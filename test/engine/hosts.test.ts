/** What hosts ask for is obeyed by all tasks, and one quiet host never holds up the others. */
import { expect, it } from 'vitest'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 300_000

it('Retry-After keeps every task away from that host, outside the places for downloads, without costing tries', async () => {
  await using quiet = await startFaultServer()
  await using other = await startFaultServer()
  await using engine = await startEngine({ settings: { downloadsAtOnce: 2 } })
  for (const n of [1, 2, 3]) quiet.add(`/${n}.bin`, { size: SIZE, seed: n })
  quiet.fault('/1.bin', (_request, index) => (index === 0 ? faults.retryAfter(100) : null))
  const first = await engine.add(quiet.url('/1.bin'), { retries: 1 })
  await engine.until(first, 'waiting')
  const asked = quiet.requests.length
  const later = [
    await engine.add(quiet.url('/2.bin'), { retries: 0 }),
    await engine.add(quiet.url('/3.bin'), { retries: 0 }),
  ]
  for (const id of later) {
    const task = await engine.until(id, 'waiting', 'failed', 'done')
    expect(task).toMatchObject({ state: 'waiting', error: { code: 'too_many_requests' }, attempts: 0 })
  }
  // The places are free for another host, and nothing was asked of the quiet one.
  other.add('/x.bin', { size: SIZE, seed: 9 })
  expect((await engine.until(await engine.add(other.url('/x.bin')), 'done', 'failed')).state).toBe('done')
  expect(quiet.requests.length).toBe(asked)
  // (100 s pass in one, by the hasty clock.)
  for (const id of [first, ...later]) expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
})
