/** `kill -9` at any moment, then again: nothing is lost, nothing is wrong, and little is fetched twice. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine } from '../helpers/engine.ts'
import { startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
let profile = ''
beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'nighthaul-crash-'))
})
afterEach(() => rm(profile, { recursive: true, force: true }))

/** Runs a child on the profile until `enough` bytes are on record in all, and kills it with SIGKILL. */
async function runAndKill(urls: string[], connections: number, enough: number): Promise<number> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../helpers/crash-child.ts'), profile, join(profile, 'd')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.stdin.write(`${JSON.stringify({ urls, connections })}\n`)
  let bytes = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const tasks = JSON.parse(line) as { writtenBytes: number; state: string }[]
    bytes = tasks.reduce((sum, task) => sum + task.writtenBytes, 0)
    if (bytes >= enough || tasks.every((task) => task.state === 'done')) break
  }
  child.kill('SIGKILL')
  await exited
  return bytes
}

for (const connections of [1, 4])
  it(`continues after kill -9 with ${connections} connection(s) a file, three kills in a row, two files at once`, async () => {
    await using server = await startFaultServer()
    const size = 24 * MIB + 777
    // slow enough that several checkpoints come before the end, however many connections there are
    const rateBytesPerSecond = (8 * MIB) / connections
    server.add('/a.bin', { size, seed: 1, rateBytesPerSecond })
    server.add('/b.bin', { size, seed: 2, rateBytesPerSecond })
    const urls = [server.url('/a.bin'), server.url('/b.bin')]
    for (const enough of [6 * MIB, 14 * MIB, 24 * MIB]) await runAndKill(urls, connections, enough)
    expect(new Database(join(profile, 'nighthaul.db')).pragma('integrity_check', { simple: true })).toBe('ok')

    for (const path of ['/a.bin', '/b.bin']) server.add(path, { size, seed: path === '/a.bin' ? 1 : 2 })
    await using engine = await startEngine({ from: { profile, folder: join(profile, 'd') } })
    const { rows } = await engine.call('tasks.list', {})
    expect(rows).toHaveLength(2)
    for (const row of rows) {
      const task = await engine.until(row.id, 'done', 'failed', 'changed')
      expect(task).toMatchObject({ state: 'done', error: null })
      const seed = row.url.endsWith('/a.bin') ? 1 : 2
      expect(
        createHash('sha256')
          .update(await readFile(task.path!))
          .digest('hex'),
      ).toBe(contentSha256(seed, size))
      expect(task.resumedFromBytes).toBeGreaterThan(0)
    }
  }, 60_000)
