/** `bench --url` as a process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 60_000 })

const MIB = 1_048_576

test('compares, says beforehand what it sends, and leaves no file behind', async () => {
  await using home = await cliHome()
  await using server = await startFaultServer({ http2: true })
  server.add('/file', { size: 4 * MIB, seed: 1 })
  await writeFile(join(home.files, 'ca.pem'), server.caPem)
  const { code, stdout, stderr } = await home.run(
    'bench',
    '--url',
    server.url('/file'),
    '--ca',
    'ca.pem',
    '--max-bytes',
    '16M',
  )
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^nighthaul: Asking .*nothing is saved\nnighthaul: Up to \d+ requests to localhost/),
  })
  expect(stdout).toMatch(/^SMALL REQUESTS .* FACTOR\na new connection for each .* 1\.00×\n/)
  expect(stdout).toMatch(/\n\nONE LARGE RANGE .* FACTOR\none connection .* 1\.00×\n/)
  expect(stdout.match(/^HTTP\/2, one connection .*×$/gm)).toHaveLength(2)
})

test('--json prints an object a line, and ends with what the server said', async () => {
  await using home = await cliHome()
  await using server = await startFaultServer()
  server.add('/file', { size: 4 * MIB, seed: 1 })
  const url = server.url('/file')
  const well = await home.run('bench', '--url', url, '--json', '--max-bytes', '8M')
  const lines = jsonLines(well.stdout)
  expect(well.code).toBe(0)
  expect(lines[0]).toMatchObject({ type: 'planned', sizeBytes: 4 * MIB, ranges: true, secure: false })
  expect(lines).toContainEqual(expect.objectContaining({ type: 'measured', strategy: 'keep_alive', connections: 1 }))
  expect(lines).toContainEqual({ type: 'skipped', group: 'small', strategy: 'http2', reason: 'not_https' })
  expect(lines.at(-1)).toMatchObject({ type: 'done', url, requests: lines[0]!.requests })

  server.fault('/file', () => faults.retryAfter(90))
  const refused = await home.run('bench', '--url', url, '--json')
  expect(refused.code).toBe(4)
  expect(jsonLines(refused.stdout)).toMatchObject([
    { type: 'failed', code: 'too_many_requests', url, retryAfterMs: 90_000 },
  ])
  const said = await home.run('bench', '--url', url)
  expect(said).toMatchObject({ code: 4, stdout: '' })
  expect(said.stderr).toContain('left alone for 1m 30s')
})
