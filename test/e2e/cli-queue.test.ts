import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { type CliHome, type CliProcess, cliHome, jsonLines } from '../helpers/cli.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

// Processes are started by the dozen, and other tests want the same cores.
vi.setConfig({ testTimeout: 60_000 })

const NOT_RUNNING = 'nighthaul: The app is not running: work starts when it or “nighthaul serve” does\n'

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

async function states(): Promise<unknown[]> {
  const { stdout } = await home.run('list', '--json')
  return jsonLines(stdout).map(({ state }) => state)
}

async function untilState(wanted: string): Promise<void> {
  while (!(await states()).every((state) => state === wanted)) {
    // the command that asks takes its time: no need to wait as well
  }
}

interface Serving {
  url: string
  port: number
  token: string
  process: CliProcess
}

async function serve(...args: string[]): Promise<Serving> {
  const started = home.start('serve', ...args)
  return { ...JSON.parse(await started.firstLine), process: started }
}

describe('queues, limits and hosts', () => {
  test('queues are added, changed and removed, and downloads put in them and limited', async () => {
    expect(await home.run('queue', 'add', 'Night', '--limit-rate', '2M')).toMatchObject({ code: 0 })
    expect((await home.run('queue', 'add', 'night')).stderr).toContain('already')
    await home.run('queue', 'set', 'night', '--limit-rate', 'none', '--name', 'Slow')
    const { stdout } = await home.run('queue', 'list', '--json')
    expect(jsonLines(stdout)).toMatchObject([
      { id: 1, name: 'Default', limitBytesPerSecond: null },
      { id: 2, name: 'Slow', limitBytesPerSecond: null },
    ])
    await home.run('add', '--paused', '--queue', 'slow', server.url('/a.bin'))
    await home.run('set', '1', '--limit-rate', '500K', '-x', '3')
    const shown = async () => jsonLines((await home.run('show', '1', '--json')).stdout)[0]
    expect(await shown()).toMatchObject({ queueId: 2, options: { limitBytesPerSecond: 512_000, connections: 3 } })
    await home.run('set', '1', '--limit-rate', 'none', '-x', 'default')
    expect(await shown()).toMatchObject({ queueId: 2, options: {} })
    expect((await home.run('queue', 'remove', 'Slow')).stdout).toBe(
      'Slow: removed, 1 download moved to the default queue\n',
    )
    expect(await shown()).toMatchObject({ queueId: 1 })
    expect(await home.run('queue', 'remove', 'default')).toMatchObject({ code: 1, stdout: '' })
    expect((await home.run('add', '--queue', 'Slow', server.url('/b.bin'))).stderr).toContain('no queue “Slow”')
    expect((await home.run('set', '1')).code).toBe(2)
  })

  test('rules for hosts are kept without giving their secrets away, and hosts tell what they learned', async () => {
    const host = new URL(server.origin).host
    const flags = ['--user', 'me:geheim', '--header', 'X-Key: geheim', '--host-spacing', '0.5']
    const set = await home.run('host-rule', 'set', host, '-x', '2', ...flags)
    expect(set).toEqual({
      code: 0,
      stdout: `${host}: 2 connections, 0.5 s apart, headers X-Key, user me, password\n`,
      stderr: '',
    })
    const listed = await home.run('host-rule', 'list', '--json')
    expect(listed.stdout).not.toContain('geheim')
    expect((await home.run('host-rule', 'set', 'http://x/', '-x', '2')).code).toBe(2)

    server.add('/a.bin', { size: 1000, seed: 1 })
    server.fault('/a.bin', () => faults.retryAfter(3600))
    const failed = await home.run('get', '--retries', '0', server.url('/a.bin'))
    expect(failed.code).not.toBe(0)
    expect(server.requests[0]!.headers).toMatchObject({ 'x-key': 'geheim' })
    const hosts = jsonLines((await home.run('hosts', '--json')).stdout)
    expect(hosts).toMatchObject([{ host, allowed: 1, most: 2, complaint: { status: 429, count: 1 }, patterns: [host] }])
    expect((await home.run('hosts')).stdout).toContain('429 reply')
    expect((await home.run('hosts', '--forget', host)).stdout).toContain('forgotten')
    expect((await home.run('hosts')).stderr).toContain('No host is in use')
    await home.run('host-rule', 'remove', host)
    expect((await home.run('host-rule')).stderr).toContain('no rules')
  })
})

describe('the queue without an owner', () => {
  test('takes links, shows them, and says that nothing is done yet', async () => {
    server.add('/a.bin', { size: 1000, seed: 1 })
    expect(await home.run('list')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'nighthaul: There are no downloads to show\n',
    })

    const url = server.url('/a.bin')
    const added = await home.run('add', url, '-d', 'mine', '--limit-rate', '1M')
    expect(added).toEqual({ code: 0, stdout: `1\t${url}\n`, stderr: NOT_RUNNING })
    const again = await home.run('add', url, '-d', 'mine', '--json')
    expect(jsonLines(again.stdout)).toEqual([{ id: 1, url, duplicate: true }])

    const list = await home.run('list')
    expect(list.stdout).toMatch(/^ID +STATE .*NAME\n1 +queued .*a\.bin\n$/)
    const shown = await home.run('show', '1', '--json')
    expect(jsonLines(shown.stdout)).toMatchObject([
      {
        id: 1,
        url,
        state: 'queued',
        folder: join(home.files, 'mine'),
        options: { limitBytesPerSecond: 1_048_576 },
        strategy: [{ code: 'waiting_for_owner', params: {} }],
      },
    ])
    const facts = (await home.run('show', '1')).stdout
    expect(facts).toContain(`URL            ${url}\n`)
    expect(facts).toContain('Strategy       It waits until the app or “nighthaul serve” runs.\n')
    expect(server.requests).toEqual([])
  })

  test('pauses, resumes, filters and removes', async () => {
    const urls = ['/a', '/b', '/c'].map((path) => server.url(path))
    await home.run('add', '-d', '.', ...urls)
    expect(await home.run('pause', '1', '3')).toMatchObject({ code: 0, stdout: '2 downloads paused\n' })
    expect(await states()).toEqual(['paused', 'queued', 'paused'])
    const paused = await home.run('list', '--state', 'paused', '--json')
    expect(jsonLines(paused.stdout).map(({ id }) => id)).toEqual([1, 3])
    expect(await home.run('resume', 'all', '--json')).toEqual({ code: 0, stdout: '{"count":2}\n', stderr: NOT_RUNNING })
    expect(await home.run('remove', '2')).toMatchObject({ code: 0, stdout: '1 download removed\n' })
    expect(await states()).toEqual(['queued', 'queued'])
  })

  test('an id that is not there leaves the others as they are', async () => {
    await home.run('add', '-d', '.', server.url('/a'))
    for (const command of [
      ['pause', '1', '9'],
      ['remove', '1', '9'],
      ['show', '9'],
    ]) {
      const { code, stdout, stderr } = await home.run(...command)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(/^nighthaul: .*\b9\b.*\n$/)
    }
    expect(await states()).toEqual(['queued'])
    expect((await home.run('remove', 'all')).code).toBe(2)
  })
})

// Windows has no signals that a process could end in order upon.
describe.skipIf(process.platform === 'win32')('serve', () => {
  test('says in its first line where it listens, lets in who has the token, and owns the queue alone', async () => {
    const { url, port, token, process } = await serve('--token', 'open-sesame-open-sesame')
    expect(token).toBe('open-sesame-open-sesame')
    expect(url).toBe(`http://127.0.0.1:${port}/?token=${token}`)
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401)
    expect((await fetch(url, { redirect: 'manual' })).status).toBe(303)

    const second = await home.run('serve')
    expect(second).toMatchObject({ code: 1, stdout: '' })
    expect(second.stderr).toContain('in use by nighthaul serve')
    process.child.kill('SIGTERM')
    expect(await process.ended).toMatchObject({ code: 0, stderr: '' })

    const next = await serve()
    expect(next.token).not.toBe(token)
    next.process.child.kill('SIGINT')
    expect((await next.process.ended).code).toBe(130)
  })

  test('a port that is taken is a mistake of the caller, and the queue is free again', async () => {
    const { code, stdout, stderr } = await home.run('serve', '--port', String(server.port))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('--port')
    expect((await home.run('list')).code).toBe(0)
  })

  test('works on what was queued before it came and on what comes later', async () => {
    server.add('/early.bin', { size: 300_000, seed: 1 })
    server.add('/late.bin', { size: 300_000, seed: 2 })
    await home.run('add', '-d', '.', server.url('/early.bin'))
    const { process } = await serve()
    const late = await home.run('add', '-d', '.', server.url('/late.bin'))
    expect(late).toMatchObject({ code: 0, stderr: '' })
    await untilState('done')
    expect(sha256(join(home.files, 'early.bin'))).toBe(contentSha256(1, 300_000))
    expect(sha256(join(home.files, 'late.bin'))).toBe(contentSha256(2, 300_000))

    await home.run('remove', '1', '--delete-files')
    await home.run('remove', '2')
    expect(existsSync(join(home.files, 'early.bin'))).toBe(false)
    expect(existsSync(join(home.files, 'late.bin'))).toBe(true)
    process.child.kill('SIGTERM')
    expect((await process.ended).code).toBe(0)
  })

  test('pauses and resumes what runs; stopped in the middle it goes on at the next start', async () => {
    const size = 8 * 1024 * 1024
    server.add('/file.bin', { size, seed: 3 })
    server.fault('/file.bin', () => faults.stallBeyond(500_000))
    const { process } = await serve()
    await home.run('add', '-d', '.', server.url('/file.bin'))
    await server.until(() => server.held > 0)
    expect(await home.run('pause', 'all')).toMatchObject({ code: 0, stdout: '1 download paused\n', stderr: '' })
    expect(await states()).toEqual(['paused'])
    const before = server.requests.length
    expect((await home.run('resume', '1')).code).toBe(0)
    await server.until(() => server.requests.length > before && server.held > 0)
    process.child.kill('SIGTERM')
    expect((await process.ended).code).toBe(0)

    server.fault('/file.bin', null)
    const next = await serve()
    await untilState('done')
    expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(3, size))
    next.process.child.kill('SIGTERM')
    await next.process.ended
  })

  test('a get beside it keeps to its own download', async () => {
    server.add('/get.bin', { size: 300_000, seed: 4 })
    const { process } = await serve()
    const { code, stdout } = await home.run('get', server.url('/get.bin'))
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(home.files, 'get.bin')}\n` })
    expect(await states()).toEqual(['done'])
    process.child.kill('SIGTERM')
    expect((await process.ended).code).toBe(0)
  })
})

describe('probe', () => {
  test('--json tells everything there is to know, and downloads nothing', async () => {
    server.add('/file', { size: 5_000_000, seed: 5, filename: 'a file.iso', contentType: 'application/octet-stream' })
    const url = server.url('/file')
    const { code, stdout } = await home.run('probe', url, '--json')
    expect(code).toBe(0)
    expect(jsonLines(stdout)).toEqual([
      {
        url,
        finalUrl: url,
        status: 206,
        filename: 'a file.iso',
        size: 5_000_000,
        ranges: true,
        etag: expect.stringMatching(/^".+"$/),
        lastModified: expect.stringContaining('GMT'),
        contentType: 'application/octet-stream',
        digests: [],
        httpVersion: '1.1',
      },
    ])
    expect(server.requests[0]!.bytesSent).toBeLessThan(5_000_000)
    expect(existsSync(home.profile)).toBe(false)
  })

  test('reads well without it', async () => {
    server.add('/file.bin', { size: 5_000_000, seed: 5 })
    const { stdout } = await home.run('probe', server.url('/file.bin'))
    expect(stdout).toContain('Size           5.00 MB (5,000,000 bytes)\n')
  })

  test('a refusal is exit code 4, in JSON as in words', async () => {
    const url = server.url('/missing')
    const json = await home.run('probe', url, '--json')
    expect(json.code).toBe(4)
    expect(jsonLines(json.stdout)).toMatchObject([{ type: 'failed', code: 'not_found', url }])
    const words = await home.run('probe', url)
    expect(words).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('404') })
  })
})
