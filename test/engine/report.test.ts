/** The report of a night as a whole engine makes it, over a clock that jumps. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Clock } from '../../electron/engine/ports.ts'
import { saveReport } from '../../electron/report-files.ts'
import { NightReport, type ReportReady } from '../../shared/report.ts'
import { hastyClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 300_000
const HOUR = 3_600_000
/** Time is hasty: a server that is silent on purpose must not be given up. */
const PATIENT = { timeoutMs: HOUR, connections: 1 }

/** The hasty clock at a time of day (UTC), and jumping. */
function clockAt(iso: string): Clock & { jump(ms: number): void } {
  let offset = Date.parse(iso) - hastyClock.now()
  return {
    ...hastyClock,
    now: () => hastyClock.now() + offset,
    jump: (ms) => {
      offset += ms
    },
  }
}

const until = async (condition: () => unknown) => {
  await expect.poll(condition, { timeout: 20_000, interval: 5 }).toBeTruthy()
}

it('a night with a window, a failure, a retry and a quiet time is reported as it was', async () => {
  await using server = await startFaultServer()
  const clock = clockAt('2026-11-25T22:50:00Z')
  await using engine = await startEngine({ clock, timeZone: 'UTC', settings: { retries: 3 } })
  const ready: ReportReady[] = []
  engine.engine.events.subscribe('report.ready', (told) => ready.push(told), { visible: true })
  const queue = await engine.call('queues.add', { name: 'Night', timeZone: 'UTC', windows: '23:00-07:00' })
  server.add('/good.bin', { size: SIZE, seed: 1 })
  server.add('/flaky.bin', { size: SIZE, seed: 2 })
  server.fault('/flaky.bin', (_request, index) => (index === 0 ? faults.status(503) : null))
  server.fault('/gone.bin', () => faults.status(404))
  const add = async (path: string) =>
    (
      await engine.call('tasks.add', {
        items: [{ url: `${server.url(path)}?key=secret` }],
        ...{ options: PATIENT, queueId: queue.id },
      })
    ).items[0]!.id
  const ids = [await add('/good.bin'), await add('/flaky.bin'), await add('/gone.bin')]
  expect((await engine.get(ids[0]!)).state).toBe('queued')

  // Quiet it is from the moment on in which something waits for the window. The machine sleeps until that opens.
  await until(async () => (await engine.call('report.get', { night: '2026-11-25' })).totals.quietMs > 0)
  clock.jump(15 * 60_000)
  await engine.until(ids[0]!, 'done')
  await engine.until(ids[1]!, 'done')
  await engine.until(ids[2]!, 'failed')
  await until(() => ready.length > 0)
  expect(ready[0]).toMatchObject({ night: '2026-11-25', because: 'done', finished: 2, failed: 1, files: null })

  const report = await engine.call('report.get', { night: 'last' })
  expect(NightReport.parse(report)).toEqual(report)
  expect(report).toMatchObject({ night: '2026-11-25', timeZone: 'UTC', complete: false })
  expect(report.totals).toMatchObject({ added: 3, finished: 2, unverified: 2, failed: 1, undone: 1 })
  expect(report.totals.receivedBytes).toBeGreaterThanOrEqual(2 * SIZE)
  expect(report.finished.map(({ name, url }) => [name, url])).toContainEqual([
    'good.bin',
    `http://127.0.0.1:${server.port}/good.bin?…`,
  ])
  expect(report.failed).toMatchObject([{ name: 'gone.bin', reason: { code: 'not_found', title: expect.any(String) } }])
  expect(report.retried).toMatchObject([{ name: 'flaky.bin', outcome: 'finished' }])
  expect(report.hosts).toMatchObject([{ host: `127.0.0.1:${server.port}`, status: 503 }])
  expect(report.quiet.map(({ reasons }) => reasons[0]!.code)).toContain('asleep')
  // A busy machine stands still for moments as well, in hasty time.
  const slept = report.incidents.filter(({ code, params }) => code === 'slept' && Number(params.ms) >= 15 * 60_000)
  expect(slept).toHaveLength(1)
  expect(report.next).toMatchObject([{ code: 'failed', count: 1 }])
  expect(JSON.stringify(report)).not.toContain('secret')
  const mine = report.queues.find(({ queueId }) => queueId === queue.id)!
  expect(mine).toMatchObject({ name: 'Night', totals: { finished: 2, failed: 1 } })
  expect(mine.totals.receivedBytes).toBe(report.totals.receivedBytes)
  expect(mine.windows).toHaveLength(1)
  expect((await engine.call('report.nights')).nights).toMatchObject([
    { night: '2026-11-25', finished: 2, failed: 1, complete: false },
  ])
})

async function work(engine: TestEngine, url: string): Promise<void> {
  const id = await engine.add(url, PATIENT)
  expect((await engine.until(id, 'done', 'failed')).state).toBe('done')
}

it('reports become files when the work is over and when the night ends, and old ones go', async () => {
  await using server = await startFaultServer()
  server.add('/a.bin', { size: SIZE, seed: 1 })
  const clock = clockAt('2026-11-25T23:00:00Z')
  const ready: ReportReady[] = []
  await using engine = await startEngine({
    ...{ clock, timeZone: 'UTC', settings: { reportsKept: 2, onConflict: 'rename' } },
    saveReport: (night, contents, keep) => saveReport(engine.profile, night, contents, keep),
  })
  engine.engine.events.subscribe('report.ready', (told) => ready.push(told), { visible: true })
  for (const day of [25, 26, 27]) {
    await work(engine, server.url('/a.bin'))
    await until(() => ready.some(({ night, because }) => night === `2026-11-${day}` && because === 'done'))
    clock.jump(24 * HOUR)
    await until(() => ready.some(({ night, because }) => night === `2026-11-${day}` && because === 'night_ended'))
  }
  expect((await readdir(join(engine.profile, 'reports'))).sort()).toEqual([
    ...['2026-11-26.html', '2026-11-26.json', '2026-11-27.html', '2026-11-27.json'],
  ])
  const { files, tell } = ready.at(-1)!
  // What the work had been told for is not told again.
  expect(tell).toBe(false)
  const report = NightReport.parse(JSON.parse(await readFile(files!.json, 'utf8')))
  expect(report).toMatchObject({ night: '2026-11-27', complete: true, totals: { finished: 1, undone: 0 } })
  expect(await readFile(files!.html, 'utf8')).toContain('<h1>The night of 27 November 2026</h1>')
})

it('a night that ended while Nighthaul was off is told of when somebody listens', async () => {
  await using server = await startFaultServer()
  server.add('/a.bin', { size: SIZE, seed: 1 })
  const clock = clockAt('2026-11-25T23:00:00Z')
  const options = { clock, timeZone: 'UTC', settings: { reports: 'night' as const } }
  await using first = await startEngine(options)
  await work(first, server.url('/a.bin'))
  await first.stop()
  clock.jump(24 * HOUR)
  await using second = await startEngine({ ...options, from: first })
  // A window, or what shows notifications, takes a moment to connect.
  await second.ticks(2)
  const ready: ReportReady[] = []
  second.engine.events.subscribe('report.ready', (told) => ready.push(told), { visible: true })
  await until(() => ready.length > 0)
  expect(ready).toMatchObject([{ night: '2026-11-25', because: 'night_ended', tell: true, finished: 1 }])
})
