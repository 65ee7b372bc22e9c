import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { type CliHome, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024

// Processes are started by the dozen, and other tests want the same cores.
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

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** Resolves once the store knows of bytes that the only task has saved. */
async function untilSaved(): Promise<void> {
  for (;;) {
    const { stdout } = await home.run('list', '--json')
    const [task] = jsonLines(stdout)
    if (Number(task?.writtenBytes) > 0) return
  }
}

describe('get', () => {
  test('saves the file in the present folder and prints its path alone', async () => {
    server.add('/data/file.bin', { size: 3 * MIB, seed: 1 })
    const result = await home.run('get', server.url('/data/file.bin'))
    expect(result).toEqual({ code: 0, stdout: `${join(home.files, 'file.bin')}\n`, stderr: '' })
    expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(1, 3 * MIB))
    expect(await readdir(home.files)).toEqual(['file.bin'])
  })

  test('--json ends with one `done` that holds what scripts need', async () => {
    server.add('/file.bin', { size: MIB + 1, seed: 2 })
    const value = contentSha256(2, MIB + 1)
    const url = server.url('/file.bin')
    const { code, stdout } = await home.run('get', url, '--json', '-x', '2', '--checksum', `sha-256=${value}`)
    expect(code).toBe(0)
    expect(jsonLines(stdout).at(-1)).toEqual({
      type: 'done',
      id: expect.any(Number),
      url,
      finalUrl: url,
      path: join(home.files, 'file.bin'),
      bytes: MIB + 1,
      seconds: expect.any(Number),
      connections: expect.any(Number),
      resumedFrom: 0,
      checksum: { algorithm: 'sha-256', value, verified: true, source: 'user' },
    })
  })

  test('-o names the file, -d the folder, and both make the folders that are missing', async () => {
    server.add('/file.bin', { size: 1000, seed: 3 })
    const { stdout } = await home.run('get', server.url('/file.bin'), '-d', 'deep/er', '-o', 'mine.dat')
    expect(stdout).toBe(`${join(home.files, 'deep', 'er', 'mine.dat')}\n`)
    expect(sha256(stdout.trim())).toBe(contentSha256(3, 1000))
  })

  test('takes links from a file and from standard input, comments and repetitions left out', async () => {
    const names = ['a', 'b', 'c']
    for (const [seed, name] of names.entries()) server.add(`/${name}`, { size: 5000, seed })
    const links = `# mine\n\n${server.url('/a')}\n${server.url('/b')}\n${server.url('/a')}\n`
    writeFileSync(join(home.files, 'links.txt'), links)
    const first = await home.run('get', '-i', 'links.txt', '-d', 'one', server.url('/c'))
    expect(first.stdout.trim().split('\n').sort()).toEqual(names.map((name) => join(home.files, 'one', name)))
    const second = await home.runWithInput(links, 'get', '-i', '-', '-d', 'two', '-j', '1')
    expect(second.stdout.trim().split('\n').sort()).toEqual(['a', 'b'].map((name) => join(home.files, 'two', name)))
  })

  test('one failure among several decides the exit code, the others are saved', async () => {
    server.add('/good', { size: 2000, seed: 1 })
    const { code, stdout, stderr } = await home.run('get', server.url('/missing'), server.url('/good'))
    expect(code).toBe(4)
    expect(stdout).toBe(`${join(home.files, 'good')}\n`)
    expect(stderr).toMatch(/^nighthaul: http:\S+\/missing: .*404.*\n$/)
  })

  test('skipping what is there is no failure, and asking differently afterwards is obeyed', async () => {
    server.add('/file.bin', { size: 3000, seed: 1 })
    writeFileSync(join(home.files, 'file.bin'), 'mine')
    const skipped = await home.run('get', server.url('/file.bin'), '--on-conflict', 'skip')
    expect(skipped).toMatchObject({ code: 0, stdout: '' })
    expect(skipped.stderr).toMatch(/skipped as you asked/)
    expect(await home.run('get', server.url('/file.bin'))).toMatchObject({
      code: 0,
      stdout: `${join(home.files, 'file (1).bin')}\n`,
    })
    expect(await readFile(join(home.files, 'file.bin'), 'utf8')).toBe('mine')
  })

  test('an empty file and one of unknown length are files', async () => {
    server.add('/empty', { size: 0, seed: 1 })
    server.add('/unknown', { size: 70_000, seed: 2 })
    server.fault('/unknown', () => faults.noLength())
    const { code } = await home.run('get', server.url('/empty'), server.url('/unknown'))
    expect(code).toBe(0)
    expect(await readFile(join(home.files, 'empty'))).toHaveLength(0)
    expect(sha256(join(home.files, 'unknown'))).toBe(contentSha256(2, 70_000))
  })

  test('never opens more connections to a host than it was told', async () => {
    server.add('/file.bin', { size: 16 * MIB, seed: 4 })
    const { code } = await home.run('get', server.url('/file.bin'), '-x', '8', '--max-host-connections', '2')
    expect(code).toBe(0)
    // One that the client has just closed may not have ended for the server yet.
    expect(server.connections.mostOpen).toBeLessThanOrEqual(3)
  })

  test('a second one of the same file leaves it to the first', async () => {
    server.add('/file.bin', { size: 8 * MIB, seed: 5 })
    server.fault('/file.bin', () => faults.stallBeyond(1000))
    const first = home.start('get', server.url('/file.bin'))
    await server.until(() => server.held > 0)
    const { code, stdout } = await home.run('get', server.url('/file.bin'), '--json')
    expect(code).toBe(1)
    expect(jsonLines(stdout).at(-1)).toMatchObject({
      type: 'failed',
      code: 'task_leased',
      url: server.url('/file.bin'),
    })
    server.fault('/file.bin', null)
    server.release()
    expect(await first.ended).toMatchObject({ code: 0, stderr: '' })
    expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(5, 8 * MIB))
  })
})

describe('an interrupted get', () => {
  const SIZE = 12 * MIB

  test('killed in the middle continues from what was saved, and the bytes are the same', async () => {
    server.add('/file.bin', { size: SIZE, seed: 6 })
    server.fault('/file.bin', () => faults.stallBeyond(MIB))
    const killed = home.start('get', server.url('/file.bin'))
    await server.until(() => server.held > 0)
    await untilSaved()
    killed.child.kill('SIGKILL')
    expect((await killed.ended).code).toBeNull()
    expect(await readdir(home.files)).toEqual(['file.bin.part'])

    server.fault('/file.bin', null)
    const { code, stdout } = await home.run('get', server.url('/file.bin'), '--json')
    expect(code).toBe(0)
    const done = jsonLines(stdout).at(-1)!
    expect(done.resumedFrom).toBeGreaterThan(0)
    expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(6, SIZE))
    expect(await readdir(home.files)).toEqual(['file.bin'])
  })

  // Windows has no signals that a process could end in order upon.
  test.skipIf(process.platform === 'win32').each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends in order with 130, says so, and the next one continues',
    async (signal) => {
      server.add('/file.bin', { size: SIZE, seed: 7 })
      server.fault('/file.bin', () => faults.stallBeyond(MIB))
      const interrupted = home.start('get', server.url('/file.bin'))
      await server.until(() => server.held > 0)
      await untilSaved()
      interrupted.child.kill(signal)
      const { code, stdout, stderr } = await interrupted.ended
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
      expect(stderr).toBe('nighthaul: Interrupted; the partial is kept: run the same command again to continue\n')

      server.fault('/file.bin', null)
      const again = await home.run('get', server.url('/file.bin'), '--json')
      expect(jsonLines(again.stdout).at(-1)!.resumedFrom).toBeGreaterThan(0)
      expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(7, SIZE))
    },
  )

  test.skipIf(process.platform === 'win32')('names in JSON the task that is kept', async () => {
    server.add('/file.bin', { size: SIZE, seed: 7 })
    server.fault('/file.bin', () => faults.stallBeyond(MIB))
    const interrupted = home.start('get', server.url('/file.bin'), '--json')
    await server.until(() => server.held > 0)
    await untilSaved()
    interrupted.child.kill('SIGINT')
    const failed = jsonLines((await interrupted.ended).stdout).at(-1)
    expect(failed).toMatchObject({ type: 'failed', code: 'interrupted', id: expect.any(Number) })
  })

  test('of a file that has changed since ends with 7 and keeps the partial, until told to start over', async () => {
    server.add('/file.bin', { size: SIZE, seed: 8 })
    server.fault('/file.bin', () => faults.stallBeyond(MIB))
    const first = home.start('get', server.url('/file.bin'))
    await server.until(() => server.held > 0)
    await untilSaved()
    first.child.kill('SIGKILL')
    await first.ended

    server.fault('/file.bin', null)
    server.add('/file.bin', { size: SIZE - 5, seed: 9 })
    const changed = await home.run('get', server.url('/file.bin'), '--json')
    expect(changed.code).toBe(7)
    expect(jsonLines(changed.stdout).at(-1)).toMatchObject({
      type: 'failed',
      code: 'remote_changed',
      message: expect.stringContaining('--on-change restart'),
    })
    expect(await readdir(home.files)).toEqual(['file.bin.part'])

    const restarted = await home.run('get', server.url('/file.bin'), '--on-change', 'restart')
    expect(restarted).toMatchObject({ code: 0, stderr: '' })
    expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(9, SIZE - 5))
  })
})

describe('get -o -', () => {
  test('sends every byte in order to a slow reader', async () => {
    const size = 64 * MIB
    server.add('/big', { size, seed: 10 })
    const { child, ended } = home.start('get', server.url('/big'), '-o', '-')
    const hash = createHash('sha256')
    let chunks = 0
    child.stdout.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      if (++chunks % 16 !== 0) return
      child.stdout.pause()
      setTimeout(() => child.stdout.resume(), 1)
    })
    const { code, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(hash.digest('hex')).toBe(contentSha256(10, size))
    expect(await readdir(home.files)).toEqual([])
  })

  test('goes on by itself where the connection broke', async () => {
    server.add('/big', { size: 4 * MIB, seed: 11 })
    server.fault('/big', (_request, index) => (index === 0 ? faults.resetAt(MIB) : null))
    const { child, ended } = home.start('get', server.url('/big'), '-o', '-')
    const hash = createHash('sha256')
    child.stdout.on('data', (chunk: Buffer) => hash.update(chunk))
    expect((await ended).code).toBe(0)
    expect(hash.digest('hex')).toBe(contentSha256(11, 4 * MIB))
  })

  test('ends quietly when nobody reads any more', async () => {
    server.add('/big', { size: 64 * MIB, seed: 12 })
    const { child, ended } = home.start('get', server.url('/big'), '-o', '-')
    child.stdout.once('data', () => child.stdout.destroy())
    const { code, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  })

  test('a failure goes to standard error with its exit code', async () => {
    const result = await home.run('get', server.url('/missing'), '-o', '-')
    expect(result).toMatchObject({ code: 4, stdout: '' })
    expect(result.stderr).toContain('404')
  })
})

describe('exit codes of get', () => {
  test('3: the network', async () => {
    const port = server.port
    await server.close()
    const { code, stdout } = await home.run('get', `http://127.0.0.1:${port}/x`, '--retries', '0', '--json')
    expect(code).toBe(3)
    expect(jsonLines(stdout)).toEqual([
      {
        type: 'failed',
        code: 'connect_refused',
        message: expect.any(String),
        url: expect.any(String),
        id: expect.any(Number),
      },
    ])
  })

  test('4: the server says no', async () => {
    const { code, stdout } = await home.run('get', server.url('/missing'), '--json')
    expect(code).toBe(4)
    expect(jsonLines(stdout)).toMatchObject([{ type: 'failed', code: 'not_found' }])
  })

  test('5: the checksum is another one; nothing stands under the name', async () => {
    server.add('/file.bin', { size: 5000, seed: 1 })
    const { code, stdout } = await home.run(
      'get',
      server.url('/file.bin'),
      '--checksum',
      `md5=${'0'.repeat(32)}`,
      '--json',
    )
    expect(code).toBe(5)
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'failed', code: 'checksum_mismatch' })
    expect(await readdir(home.files)).toEqual(['file.bin.bad'])
  })

  test('6: the folder cannot be made', async () => {
    server.add('/file.bin', { size: 5000, seed: 1 })
    writeFileSync(join(home.files, 'file'), '')
    const { code, stderr } = await home.run('get', server.url('/file.bin'), '-d', 'file/folder')
    expect(code).toBe(6)
    expect(stderr).toContain(join(home.files, 'file/folder'))
  })
})

describe('checksums', () => {
  const value = contentSha256(1, MIB)
  const wrong = '0'.repeat(64)
  beforeEach(() => {
    server.add('/a/one.bin', { size: MIB, seed: 1 })
    server.add('/a/two.bin', { size: MIB, seed: 1 })
  })

  test('in a list of links go with the links of their names', async () => {
    const list = join(home.files, 'links.txt')
    writeFileSync(
      list,
      `${server.url('/a/one.bin')}\r\n${server.url('/a/two.bin')}\n${value} *two.bin\n${wrong}  three.bin\n`,
    )
    const { code, stdout } = await home.run('get', '-i', list, '--json')
    expect(code).toBe(0)
    const done = jsonLines(stdout).filter(({ type }) => type === 'done')
    const of = (name: string) => done.find(({ url }) => url === server.url(`/a/${name}`))?.checksum
    expect(of('one.bin')).toBeNull()
    expect(of('two.bin')).toEqual({ algorithm: 'sha-256', value, verified: true, source: 'user' })
  })

  test('in a file of checksums are meant for every link; one that it does not name is an error', async () => {
    const sums = join(home.files, 'SHA256SUMS')
    writeFileSync(sums, `${wrong}  one.bin\n`)
    const bad = await home.run('get', server.url('/a/one.bin'), '--checksum-file', sums)
    expect(bad.code).toBe(5)
    expect(bad.stderr).toContain(wrong)
    expect(await readdir(home.files)).toContain('one.bin.bad')
    const missing = await home.run('get', server.url('/a/two.bin'), '--checksum-file', sums)
    expect(missing).toMatchObject({ code: 2 })
    expect(missing.stderr).toContain('names no checksum for')
    const empty = await home.run('get', server.url('/a/two.bin'), '--checksum-file', '-')
    expect(empty).toMatchObject({ code: 2 })
  })

  test('several by hand have to match all; those of the server can be left aside', async () => {
    const md5 = `md5=${'0'.repeat(32)}`
    const both = ['--checksum', `sha-256=${value}`, '--checksum', md5]
    expect((await home.run('get', server.url('/a/one.bin'), '--retries', '0', ...both)).code).toBe(5)
    server.add('/a/lie.bin', { size: MIB, seed: 1, headers: { 'x-checksum-sha256': wrong } })
    const lie = server.url('/a/lie.bin')
    expect((await home.run('get', lie, '-o', '-')).code).toBe(5)
    const left = await home.run('get', lie, '--json', '--no-verify-found')
    expect(left.code).toBe(0)
    expect(jsonLines(left.stdout).at(-1)).toMatchObject({ type: 'done', checksum: null })
  })
})
