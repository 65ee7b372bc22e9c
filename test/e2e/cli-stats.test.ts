/** `stats` and `/metrics` of real processes on one profile: what `get` did counts beside what the owner did. */
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { readExposition } from '../helpers/exposition.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 60_000 })

test('requests of get are found in stats, with and without an owner of the queue, and in /metrics', async () => {
  await using server = await startFaultServer()
  await using home = await cliHome()
  server.add('/a.bin', { size: 300_000, seed: 1 })
  server.fault('/gone.bin', () => faults.status(410))
  expect(await home.run('stats')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'nighthaul: No requests were made in that time\n',
  })

  expect((await home.run('get', server.url('/a.bin'))).code).toBe(0)
  expect((await home.run('get', server.url('/gone.bin'))).code).toBe(4)
  const host = `127.0.0.1:${server.port}`
  const [summary] = jsonLines((await home.run('stats', '--json', '--since', '2h')).stdout)
  expect(summary).toMatchObject({
    overall: { requests: 2, succeeded: 1, failed: 1, bytes: expect.any(Number), statuses: { 206: 1, 410: 1 } },
    hosts: [{ host, requests: 2 }],
  })

  const { url, port, token } = JSON.parse(await home.start('serve').firstLine) as Record<string, string>
  expect((await home.run('get', server.url('/a.bin'), '--on-conflict', 'rename')).code).toBe(0)
  const table = await home.run('stats', '--host', host)
  expect(table.stdout).toMatch(/^Requests +3, 66\.6% succeeded, 1 failed$/m)
  expect(table.stdout).toMatch(new RegExp(`${host}$`, 'm'))
  expect((await home.run('stats', '--host', 'elsewhere.test')).stdout).toBe('')

  expect((await fetch(new URL('/metrics', url), { headers: { cookie: 'x=y' } })).status).toBe(401)
  const scraped = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const families = readExposition(await scraped.text())
  expect(families.get('nighthaul_host_requests_total')!.samples).toContainEqual({
    name: 'nighthaul_host_requests_total',
    labels: { host, outcome: 'succeeded' },
    value: 2,
  })
})
