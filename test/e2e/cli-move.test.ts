/** `move` as a process, and disks that have too little room or take nothing, for files and for the profile. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { type CliHome, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, startFaultServer } from '../helpers/fault-server.ts'
import { sha256 } from '../helpers/window.ts'

vi.setConfig({ testTimeout: 60_000 })

const MIB = 1024 * 1024
const SIZE = 2 * MIB + 17

let server: FaultServer
let home: CliHome

beforeEach(async () => {
  server = await startFaultServer()
  server.add('/a.bin', { size: SIZE, seed: 1 })
  home = await cliHome()
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

test('moves a finished file to a folder that is not there yet, and believes no other file to be it', async () => {
  expect((await home.run('get', server.url('/a.bin'))).code).toBe(0)
  const moved = join(home.files, 'shelf', 'a.bin')
  expect(await home.run('move', '1', '--to', 'shelf/')).toEqual({ code: 0, stdout: `${moved}\n`, stderr: '' })
  expect(await sha256(moved)).toBe(contentSha256(1, SIZE))
  expect(existsSync(join(home.files, 'a.bin'))).toBe(false)

  await writeFile(join(home.files, 'other.bin'), Buffer.alloc(SIZE))
  const refused = await home.run('move', '1', '--to', 'other.bin', '--already-there', '--json')
  expect(refused.code).not.toBe(0)
  expect(jsonLines(refused.stdout)).toMatchObject([{ type: 'failed', id: 1, code: 'file_differs' }])
  const by = join(home.files, 'by hand.bin')
  await rename(moved, by)
  const located = await home.run('move', '1', '--to', 'by hand.bin', '--already-there', '--json')
  expect(located).toMatchObject({ code: 0, stderr: '' })
  expect(jsonLines(located.stdout)).toEqual([{ type: 'moved', id: 1, path: by }])
  expect(await home.run('verify', '1')).toMatchObject({ code: 0 })
  // Nothing is replaced.
  await mkdir(join(home.files, 'full'))
  await writeFile(join(home.files, 'full', 'by hand.bin'), 'mine')
  const taken = await home.run('move', '1', '--to', 'full')
  expect(taken.code).toBe(6)
  expect(taken.stderr).toContain('exists already')
  expect(await sha256(by)).toBe(contentSha256(1, SIZE))
})

/** Why there can be no small disk here; null: there can. */
function noSmallDisk(): string | null {
  if (process.platform !== 'linux') return 'only Linux mounts memory as a disk'
  if (process.getuid?.() !== 0) return 'only root may mount a small disk'
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'], { stdio: 'pipe' })
    return null
  } catch {
    return 'mounting is not allowed here'
  }
}

const reason = noSmallDisk()
test.skipIf(reason !== null)(
  `get gives up on a full disk, and with --wait-for-space goes on once there is room (${reason ?? 'a small disk'})`,
  async () => {
    const disk = await mkdtemp(join(tmpdir(), 'nighthaul-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk])
    try {
      const filler = join(disk, 'filler')
      await writeFile(filler, Buffer.alloc(3 * MIB))
      const url = server.url('/a.bin')
      expect(await home.run('get', '-d', disk, url)).toMatchObject({
        code: 6,
        stdout: '',
        // Nobody waits for the disk once this has ended.
        stderr: expect.stringContaining('make room, and it goes on. Run the same command again to continue.'),
      })
      const waiting = home.start('get', '-d', disk, '--wait-for-space', '--json', url)
      let ended = false
      waiting.ended.then(() => (ended = true))
      const before = server.requests.length
      // It has asked, has seen that there is no room, and waits.
      await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBeGreaterThan(before)
      await expect
        .poll(async () => (await home.run('list', '--json')).stdout, { timeout: 30_000 })
        .toContain('disk_full')
      expect(ended).toBe(false)
      await rm(filler)
      const { code, stdout } = await waiting.ended
      expect(code).toBe(0)
      expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'done', path: join(disk, 'a.bin') })
      expect(await sha256(join(disk, 'a.bin'))).toBe(contentSha256(1, SIZE))
    } finally {
      execFileSync('umount', ['--lazy', disk])
      await rm(disk, { recursive: true })
    }
  },
)

test.skipIf(reason !== null)(
  `a profile on a full disk, or on a read-only one, says so and is as it was (${reason ?? 'a small disk'})`,
  async () => {
    const disk = await mkdtemp(join(tmpdir(), 'nighthaul-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk])
    const profile = join(disk, 'profile')
    const run = (command: string, ...args: string[]) => home.run(command, '--profile', profile, ...args)
    try {
      expect(await run('add', server.url('/a.bin'))).toMatchObject({ code: 0 })
      const filler = join(disk, 'filler')
      await writeFile(filler, Buffer.alloc(4 * MIB)).catch(() => undefined)
      const url = server.url('/b.bin')
      for (const [command, ...args] of [['add', url], ['serve']] as [string, ...string[]][])
        expect(await run(command, ...args)).toMatchObject({
          code: 6,
          stderr: expect.stringMatching(/The disk .* is full/),
        })
      expect((await readdir(profile)).filter((name) => name.endsWith('.new'))).toEqual([])
      await rm(filler)
      execFileSync('mount', ['-o', 'remount,ro', disk])
      for (const [command, ...args] of [['add', url], ['serve']] as [string, ...string[]][])
        expect(await run(command, ...args)).toMatchObject({ code: 6, stderr: expect.stringContaining('read-only') })
      execFileSync('mount', ['-o', 'remount,rw', disk])
      expect(jsonLines((await run('list', '--json')).stdout).map((task) => task.url)).toEqual([server.url('/a.bin')])
    } finally {
      execFileSync('umount', ['--lazy', disk])
      await rm(disk, { recursive: true })
    }
  },
)
