/** Mirrors and Metalinks on the command line, as processes. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { type CliHome, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 2 * 1024 * 1024 + 5

vi.setConfig({ testTimeout: 60_000 })

let server: FaultServer
let home: CliHome

beforeEach(async () => {
  server = await startFaultServer()
  home = await cliHome()
  server.add('/good/file.bin', { size: SIZE, seed: 1 })
  server.add('/wrong/file.bin', { size: SIZE, seed: 2 })
  server.fault('/gone/file.bin', () => faults.status(404))
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const sha256 = (name: string) =>
  createHash('sha256')
    .update(readFileSync(join(home.files, name)))
    .digest('hex')

function metalink(urls: string[], size = SIZE): string {
  const links = urls.map((path, index) => `<url priority="${index + 1}">${server.url(path)}</url>`)
  return `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="../named.bin">
    <size>${size}</size>
    <hash type="sha-256">${contentSha256(1, SIZE)}</hash>
    ${links.join('\n    ')}
  </file>
</metalink>`
}

test('get FILE.meta4 saves what it names, past a mirror that is gone and one with other bytes, and verifies it', async () => {
  writeFileSync(join(home.files, 'file.meta4'), metalink(['/gone/file.bin', '/wrong/file.bin', '/good/file.bin']))
  const { code, stdout } = await home.run('get', 'file.meta4', '--json')
  expect(jsonLines(stdout).at(-1)).toMatchObject({
    type: 'done',
    path: join(home.files, 'named.bin'),
    bytes: SIZE,
    checksum: { algorithm: 'sha-256', verified: true },
  })
  expect(code).toBe(0)
  expect(sha256('named.bin')).toBe(contentSha256(1, SIZE))
})

test('import FILE puts what a Metalink names in the queue, with its mirrors', async () => {
  writeFileSync(join(home.files, 'file.meta4'), metalink(['/gone/file.bin', '/good/file.bin']))
  expect(await home.run('import', 'file.meta4', '--json')).toMatchObject({
    code: 0,
    stdout: '{"added":1,"duplicates":0}\n',
  })
  const shown = await home.run('show', '1', '--json')
  expect(JSON.parse(shown.stdout)).toMatchObject({
    filename: 'named.bin',
    url: server.url('/gone/file.bin'),
    mirrors: [{ state: 'unused' }, { url: server.url('/good/file.bin'), state: 'unused', origin: 'metalink' }],
    expected: [{ algorithm: 'sha-256', source: 'metalink' }],
  })
})

test('a damaged Metalink is refused with its line, and nothing is saved', async () => {
  writeFileSync(join(home.files, 'bad.meta4'), metalink(['/good/file.bin']).replace('</hash>', ''))
  const { code, stderr } = await home.run('get', 'bad.meta4')
  expect(code).toBe(2)
  expect(stderr).toMatch(/bad\.meta4, line 7: it is no well-formed XML/)
  expect(await readdir(home.files)).toEqual(['bad.meta4'])
})

test('--mirror, a list with tabs, show and refresh-link', async () => {
  const good = server.url('/good/file.bin')
  const gone = server.url('/gone/file.bin')
  const first = await home.run('get', gone, '--mirror', good, '-o', 'one.bin')
  expect(first).toEqual({ code: 0, stdout: `${join(home.files, 'one.bin')}\n`, stderr: '' })
  expect(sha256('one.bin')).toBe(contentSha256(1, SIZE))

  writeFileSync(join(home.files, 'list.txt'), `${gone}?2\t${good}\n`)
  const second = await home.run('get', '-i', 'list.txt', '--json')
  expect(jsonLines(second.stdout).at(-1)).toMatchObject({ type: 'done', url: `${gone}?2`, finalUrl: good })

  const both = await home.run('get', gone, good, '--mirror', good)
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--mirror names the same file')])

  const failed = await home.run('get', gone, '--mirror', `${gone}?3`, '--json')
  expect(failed.code).toBe(4)
  const id = String(jsonLines(failed.stdout).at(-1)?.id ?? 3)
  const shown = await home.run('show', id)
  expect(shown.stdout).toContain(`failed, not_found: ${gone}\n`)
  expect(shown.stdout).toContain(`in use, not_found: ${gone}?3\n`)
  const refreshed = await home.run('refresh-link', id, good)
  expect(refreshed).toMatchObject({ code: 0, stdout: `${id}\t${good}\n` })
  expect((await home.run('get', good, '--json')).code).toBe(0)
})
