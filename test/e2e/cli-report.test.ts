/** `report` of real processes: a night is told after its owner has gone, as text, as JSON and as one page. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { NightReport } from '../../shared/report.ts'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 60_000 })

test('a night is reported while the queue works, and after its owner was killed', async () => {
  await using server = await startFaultServer()
  await using home = await cliHome()
  server.add('/a.bin', { size: 300_000, seed: 1 })
  // Failed for good: nothing would be mended by another try in an hour.
  server.fault('/locked.bin', () => faults.status(401))
  const owner = home.start('serve')
  await owner.firstLine
  await home.run(
    'add',
    '-d',
    home.files,
    '--retries',
    '0',
    `${server.url('/a.bin')}?token=secret`,
    server.url('/locked.bin'),
  )
  const reported = async (...args: string[]) =>
    NightReport.parse(jsonLines((await home.run('report', '--json', ...args)).stdout)[0])
  // Made by itself when nothing was left to do.
  const folder = join(home.profile, 'reports')
  await expect.poll(() => readdir(folder).catch(() => []), { timeout: 30_000 }).toHaveLength(2)

  owner.child.kill('SIGKILL')
  await owner.ended
  const report = await reported('--last')
  expect(report.finished).toMatchObject([{ name: 'a.bin', bytes: 300_000, against: null }])
  expect(report.finished[0]!.url).toBe(`${server.url('/a.bin')}?…`)
  expect(report.undone).toMatchObject([{ name: 'locked.bin', state: 'failed' }])
  expect((await reported('--from', '2026-01-01', '--to', '2026-01-02')).totals.finished).toBe(0)

  const text = await home.run('report', '--queue', 'default')
  expect(text).toMatchObject({ code: 0, stderr: '' })
  expect(text.stdout).toMatch(/^ {2}a\.bin: 300 kB, nothing to verify against$/m)
  expect((await home.run('report', 'nights')).stdout).toMatch(/^\d{4}-\d\d-\d\d +1 finished/)

  const written = await home.run('report', '--html', 'night.html')
  expect(written).toEqual({ code: 0, stdout: `${join(home.files, 'night.html')}\n`, stderr: '' })
  const page = await readFile(join(home.files, 'night.html'), 'utf8')
  expect(page).toContain('a.bin')
  expect(page).not.toContain('secret')
})
