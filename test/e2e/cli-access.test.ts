/** How the command line reaches a file: pasted cURL commands, bodies, logins; each as a process. */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { type CliHome, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'
import { startHttpProxy } from '../helpers/proxies.ts'

vi.setConfig({ testTimeout: 60_000 })

let server: FaultServer
let home: CliHome

beforeEach(async () => {
  server = await startFaultServer()
  home = await cliHome()
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const BODY = contentBytes(1, 0, 5000)

test('get --curl - makes the request that a browser made, and a flag goes before what the command says', async () => {
  server.add('/export', { size: 5000, seed: 1, filename: 'table.csv' })
  const command = [
    `curl '${server.url('/export')}' \\`,
    "  -H 'X-Page: 1' -H 'X-Token: old' \\",
    "  -b 'session=abc' --data-raw 'from=2026&to=2027' --compressed",
  ].join('\n')
  const { code, stdout } = await home.runWithInput(command, 'get', '--curl', '-', '--header', 'X-Token: new')
  expect([code, stdout]).toEqual([0, `${join(home.files, 'table.csv')}\n`])
  expect(await readFile(stdout.trim())).toEqual(BODY)
  expect(server.requests).toHaveLength(1)
  expect(server.requests[0]).toMatchObject({
    method: 'POST',
    body: 'from=2026&to=2027',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      cookie: 'session=abc',
      'x-page': '1',
      'x-token': 'new',
    },
  })
})

test('add --curl keeps the request with the download, and shows nothing secret of it', async () => {
  const command = `curl -X PUT ${server.url('/f')} -u me:geheim -d geheim=1 -o mine.bin`
  const { code, stdout } = await home.run('add', '--paused', '--curl', command)
  expect(code).toBe(0)
  const shown = await home.run('show', stdout.split('\t')[0]!, '--json')
  expect(JSON.parse(shown.stdout)).toMatchObject({ filename: 'mine.bin', options: { method: 'PUT', user: 'me' } })
  expect(shown.stdout).not.toContain('geheim')
})

test('get --netrc-file finds the login, in a worker too, and --data with -o - sends a body', async () => {
  server.add('/f', { size: 5000, seed: 1 })
  server.fault('/f', (request) => (request.headers.authorization ? null : faults.status(401)))
  writeFileSync(join(home.files, 'logins'), 'machine 127.0.0.1 login me password geheim\n')
  expect((await home.run('get', '--netrc-file', 'logins', server.url('/f'))).code).toBe(0)
  const streamed = await home.run('get', '--user', 'me:geheim', '--data', 'q=1', '-o', '-', server.url('/f'))
  expect(streamed.code).toBe(0)
  expect(server.requests.map(({ method, body }) => [method, body])).toEqual([
    ['GET', ''],
    ['POST', 'q=1'],
  ])
})

test('probe takes the flags that reach a file', async () => {
  server.add('/f', { size: 5000, seed: 1 })
  server.fault('/f', (request) => (request.headers.authorization === 'Bearer to.ken' ? null : faults.status(401)))
  const { code, stdout } = await home.run('probe', '--json', '--bearer', 'to.ken', server.url('/f'))
  expect(code).toBe(0)
  expect(jsonLines(stdout)[0]).toMatchObject({ size: 5000, ranges: true })
})

// Where the system keeps its authorities is told by a variable on Linux alone.
test.runIf(process.platform === 'linux')('what the system trusts is trusted, and nothing else', async () => {
  await using secure = await startFaultServer({ tls: true })
  secure.add('/f.bin', { size: 5000, seed: 1 })
  const authority = join(home.files, 'authority.pem')
  writeFileSync(authority, secure.caPem)
  await using company = await cliHome({ SSL_CERT_FILE: authority })
  const trusted = await company.run('get', '-o', 'f.bin', secure.url('/f.bin'))
  expect([trusted.code, trusted.stderr]).toEqual([0, ''])
  expect(await readFile(join(company.files, 'f.bin'))).toEqual(BODY)
  await using proxy = await startHttpProxy()
  const through = ['--proxy', `http://${proxy.host}`]
  expect((await company.run('get', ...through, '-o', 'g.bin', secure.url('/f.bin'))).code).toBe(0)
  expect((await home.run('get', ...through, '-o', 'g.bin', secure.url('/f.bin'))).code).not.toBe(0)
  const refused = await home.run('get', '-o', 'f.bin', secure.url('/f.bin'))
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('cannot be trusted')
  expect(refused.stderr).not.toContain('Node.js')
})
