/** `verify` and `repair` as processes, with and without somebody who works on the queue. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { type CliHome, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 60_000 })

const MIB = 1024 * 1024
const SIZE = 5 * MIB + 17

let server: FaultServer
let home: CliHome
let path: string

beforeEach(async () => {
  server = await startFaultServer()
  home = await cliHome()
  path = join(home.files, 'a.bin')
  server.add('/a.bin', { size: SIZE, seed: 1 })
  expect((await home.run('get', '-x', '1', server.url('/a.bin'))).code).toBe(0)
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const sha256 = () => createHash('sha256').update(readFileSync(path)).digest('hex')

async function damage(at: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.from('damaged'), 0, 7, at)
  await file.close()
}

test('without an owner: compares here, says what differs, and leaves the fetching to whoever works on the queue', async () => {
  expect(await home.run('verify', '1')).toEqual({ code: 0, stdout: 'a.bin: All 6 blocks are right\n', stderr: '' })
  await damage(3 * MIB)
  expect(await home.run('verify', '1')).toEqual({
    code: 5,
    stdout: 'a.bin: 1 block of 6 differs (1.05 MB at 3.15 MB–4.19 MB)\n',
    stderr: 'nighthaul: “nighthaul repair 1” fetches what differs again\n',
  })
  const [verified] = jsonLines((await home.run('verify', '1', '--json')).stdout).slice(-1)
  expect(verified).toMatchObject({
    ...{ type: 'verified', id: 1, verdict: 'damaged', checkedBlocks: 6, badBlocks: 1, badBytes: MIB },
    badRanges: [{ start: 3 * MIB, end: 4 * MIB }],
  })
  expect((await home.run('show', '1')).stdout).toContain('1 block of 6 differs')

  const before = server.requests.length
  const repaired = await home.run('repair', '1')
  expect(repaired).toMatchObject({ code: 0, stdout: 'a.bin: 1.05 MB will be fetched again\n' })
  expect(repaired.stderr).toContain('The app is not running')
  expect(existsSync(path)).toBe(false)
  home.start('serve')
  await vi.waitFor(() => expect(existsSync(path)).toBe(true), { timeout: 30_000 })
  expect(sha256()).toBe(contentSha256(1, SIZE))
  expect(server.requests.slice(before).map(({ headers }) => headers.range)).toEqual([`bytes=${3 * MIB}-${4 * MIB - 1}`])
})

test('with an owner: repairs through it, fetches only what differs, and tells how it ended', async () => {
  await home.start('serve').firstLine
  await damage(MIB)
  const before = server.requests.length
  const repaired = await home.run('repair', '1', '--json')
  expect(repaired).toMatchObject({ code: 0, stderr: '' })
  expect(jsonLines(repaired.stdout).at(-1)).toMatchObject({
    ...{ type: 'repaired', id: 1, bytes: MIB, verification: { verdict: 'right', checkedBlocks: 6 } },
  })
  expect(sha256()).toBe(contentSha256(1, SIZE))
  expect(server.requests.slice(before).map(({ headers }) => headers.range)).toEqual([`bytes=${MIB}-${2 * MIB - 1}`])
  expect((await home.run('repair', '1')).stdout).toBe('a.bin: All 6 blocks are right\n')

  await damage(MIB)
  server.fault('/a.bin', () => faults.status(404))
  const failed = await home.run('repair', '1')
  expect(failed).toMatchObject({ code: 4, stdout: '' })
  expect(failed.stderr).toContain('nighthaul: a.bin: ')
})

test('tells a file that is gone, a mistyped id, and goes on with the others', async () => {
  server.add('/b.bin', { size: 1000, seed: 2 })
  await home.run('get', server.url('/b.bin'))
  await rm(path)
  const both = await home.run('verify', '1', '2')
  expect(both).toMatchObject({
    code: 6,
    stdout: `a.bin: Not there: ${path} was moved, renamed or deleted\nb.bin: Its one block is right\n`,
  })
  expect(await home.run('repair', '1')).toMatchObject({ code: 6, stdout: '' })
  expect(await home.run('verify', '2', '77')).toMatchObject({ code: 1, stdout: '' })
  expect((await home.run('verify')).code).toBe(2)
})

test('compares and repairs the partial of a process that was killed, with nobody who works on the queue', async () => {
  server.add('/b.bin', { size: SIZE, seed: 2 })
  server.fault('/b.bin', () => faults.stallAt(3 * MIB))
  const killed = home.start('get', '-x', '1', server.url('/b.bin'))
  const db = new Database(join(home.profile, 'nighthaul.db'), { readonly: true })
  const written = db.prepare('SELECT written_bytes FROM tasks WHERE id = 2').pluck()
  await vi.waitFor(() => expect(written.get()).toBe(3 * MIB), { timeout: 30_000 })
  db.close()
  killed.child.kill('SIGKILL')
  await killed.ended
  expect(await home.run('verify', '2')).toMatchObject({ code: 0, stdout: 'b.bin: All 3 blocks are right\n' })
  path = join(home.files, 'b.bin.part')
  await damage(MIB)
  expect(await home.run('repair', '2')).toMatchObject({
    ...{ code: 0, stdout: 'b.bin: 1.05 MB will be fetched again when it goes on\n' },
  })
  const before = server.requests.length
  server.fault('/b.bin', null)
  expect((await home.run('get', '-x', '1', server.url('/b.bin'))).code).toBe(0)
  path = join(home.files, 'b.bin')
  expect(sha256()).toBe(contentSha256(2, SIZE))
  expect(server.requests.slice(before).reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(SIZE - 2 * MIB)
})
