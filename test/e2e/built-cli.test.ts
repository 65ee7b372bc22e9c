/** The command line as it is built: CommonJS, with compiled code beside it. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { inRepository } from '../../scripts/repository.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

vi.setConfig({ testTimeout: 60_000 })

const BUILT = inRepository('dist', 'electron')
const MIB = 1024 * 1024

/** Says which chunks of the build in argv[1] have code for this V8, and which of it V8 would not take. */
const JUDGE = `
  const { codeCacheFolder, scriptOf, unsealed } = await import(${JSON.stringify(inRepository('electron', 'engine', 'code-cache.ts'))})
  const { readdirSync, readFileSync } = await import('node:fs')
  const { dirname, join } = await import('node:path')
  const root = dirname(codeCacheFolder(process.argv[1]))
  const judged = {}
  for (const thread of readdirSync(root)) {
    const names = readdirSync(join(root, thread))
    const scripts = names.map((name) => {
      const path = join(process.argv[1], 'chunks', name)
      return scriptOf(readFileSync(path, 'utf8'), path, unsealed(readFileSync(join(root, thread, name))))
    })
    judged[thread] = { taken: names.length, refused: names.filter((_, at) => scripts[at].cachedDataRejected !== false) }
  }
  console.log(JSON.stringify(judged))`

/** Logs each script that V8 took from compiled code, by thread. */
const PROBE = `
  const vm = require('node:vm')
  const { appendFileSync } = require('node:fs')
  const { basename } = require('node:path')
  const { isMainThread } = require('node:worker_threads')
  vm.Script = class extends vm.Script {
    constructor(source, options) {
      super(source, options)
      if (this.cachedDataRejected === false)
        appendFileSync(process.env.TAKEN_LOG, (isMainThread ? 'main ' : 'worker ') + basename(options.filename) + '\\n')
    }
  }`

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** A copy of the build, for tests that spoil it; beside node_modules, where its packages are found. */
function copyOfBuild(): string {
  const folder = mkdtempSync(inRepository('dist', 'spoilt-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(BUILT, folder, { recursive: true })
  return folder
}

/** Saves a large file with one command and small ones with another, and compares all of it. */
async function downloadsWith(built: string, environment: Record<string, string> = {}): Promise<void> {
  await using server = await startFaultServer()
  await using home = await cliHome(environment, join(built, 'cli.cjs'))
  server.add('/large.bin', { size: 9 * MIB, seed: 1 })
  const large = await home.run('get', server.url('/large.bin'))
  expect(large).toEqual({ code: 0, stdout: `${join(home.files, 'large.bin')}\n`, stderr: '' })
  for (let seed = 2; seed < 8; seed++) server.add(`/small-${seed}`, { size: 1000 + seed, seed })
  const urls = Array.from({ length: 6 }, (_, index) => server.url(`/small-${index + 2}`))
  expect(await home.run('get', ...urls)).toMatchObject({ code: 0, stderr: '' })
  expect(sha256(join(home.files, 'large.bin'))).toBe(contentSha256(1, 9 * MIB))
  for (let seed = 2; seed < 8; seed++)
    expect(sha256(join(home.files, `small-${seed}`))).toBe(contentSha256(seed, 1000 + seed))
}

describe('the built command line', () => {
  test('has compiled code for both of its threads, which this Node takes', () => {
    const judge = spawnSync(process.execPath, ['--input-type=module', '-e', JUDGE, BUILT], { encoding: 'utf8' })
    expect(judge.stderr).toBe('')
    const { main, worker } = JSON.parse(judge.stdout)
    expect(main.refused).toEqual([])
    expect(worker.refused).toEqual([])
    expect(main.taken).toBeGreaterThan(10)
    expect(worker.taken).toBeGreaterThan(3)
  })

  test('is of plain ASCII, which takes V8 half the memory, and says what is not', () => {
    const chunks = readdirSync(join(BUILT, 'chunks')).filter((name) => name.endsWith('.cjs'))
    const beyond = chunks.filter((name) => readFileSync(join(BUILT, 'chunks', name)).some((byte) => byte > 0x7f))
    expect(beyond).toEqual([])
    const said = spawnSync(process.execPath, [join(BUILT, 'cli.cjs'), 'get', 'ftp://a/'], { encoding: 'utf8' }).stderr
    expect(said).toContain('“ftp://a/” is not supported')
  })

  test('downloads with it', () => downloadsWith(BUILT))

  test.each([
    ['runs it in both', {}, true],
    ['does without where Node’s compile cache is off', { NODE_DISABLE_COMPILE_CACHE: '1' }, false],
    ['does without where traces are to name the sources', { NODE_OPTIONS: '--enable-source-maps' }, false],
  ])('%s', async (_what, environment: Record<string, string>, taken) => {
    const folder = mkdtempSync(join(tmpdir(), 'nighthaul-taken-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const [probe, log] = [join(folder, 'probe.cjs'), join(folder, 'log')]
    writeFileSync(log, '')
    writeFileSync(probe, PROBE)
    const NODE_OPTIONS = `${environment.NODE_OPTIONS ?? ''} --require "${probe}"`
    await downloadsWith(BUILT, { ...environment, NODE_OPTIONS, TAKEN_LOG: log })
    const lines = readFileSync(log, 'utf8')
    expect(/^main compose-/m.test(lines)).toBe(taken)
    expect(/^worker lane-service-/m.test(lines)).toBe(taken)
  })

  test('downloads where the compiled code is of another V8, and is not there', async () => {
    const built = copyOfBuild()
    rmSync(join(built, 'code-cache'), { recursive: true })
    await downloadsWith(built)
  })

  test.each([
    ['cut short', (file: Buffer) => file.subarray(0, 100)],
    ['empty', () => Buffer.alloc(0)],
    // V8 would run it, and crash or not.
    ['with one byte changed', (file: Buffer) => file.with(file.length >> 1, file[file.length >> 1]! ^ 1)],
  ])('downloads where it is damaged: %s', async (_how, damage) => {
    const built = copyOfBuild()
    for (const entry of readdirSync(join(built, 'code-cache'), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile()) writeFileSync(path, damage(readFileSync(path)))
    }
    await downloadsWith(built)
  })

  // util-linux makes a terminal for a command; other systems have none to be had so easily.
  test.runIf(existsSync('/usr/bin/script') && process.platform === 'linux')(
    'asks a person at a terminal, which takes what is loaded only then',
    async () => {
      await using server = await startFaultServer()
      await using home = await cliHome({}, join(BUILT, 'cli.cjs'))
      server.add('/file.bin', { size: 9 * MIB, seed: 1 })
      server.fault('/file.bin', () => faults.stallBeyond(MIB))
      const first = home.start('get', server.url('/file.bin'))
      await server.until(() => server.held > 0)
      const saved = async () => jsonLines((await home.run('list', '--json')).stdout)[0]?.writtenBytes
      await vi.waitUntil(async () => Number(await saved()) > 0, 20_000)
      first.child.kill('SIGINT')
      await first.ended
      server.fault('/file.bin', null)
      server.add('/file.bin', { size: 9 * MIB, seed: 2, etag: '"another"' })
      const command = [process.execPath, join(BUILT, 'cli.cjs'), 'get', server.url('/file.bin')]
      const terminal = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
        cwd: home.files,
        env: { ...process.env, NIGHTHAUL_HOME: home.profile },
      })
      let said = ''
      terminal.stdout.on('data', (chunk: Buffer) => {
        if (!said.includes('Start over') && `${said}${chunk}`.includes('Start over')) terminal.stdin.write('y\n')
        said += chunk
      })
      const code = await new Promise((resolve) => terminal.once('close', resolve))
      expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining('Start over with it?') })
      expect(sha256(join(home.files, 'file.bin'))).toBe(contentSha256(2, 9 * MIB))
    },
  )

  test('does not say that all is well where it ended with a download to come', () => {
    const never = 'process.stdin[Symbol.asyncIterator] = () => ({ next: () => new Promise(() => {}) })'
    const folder = mkdtempSync(join(tmpdir(), 'nighthaul-never-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'never.cjs'), never)
    const args = ['--require', join(folder, 'never.cjs'), join(BUILT, 'cli.cjs'), 'get', '-i', '-']
    const env = { ...process.env, NIGHTHAUL_HOME: join(folder, 'profile') }
    expect(spawnSync(process.execPath, args, { env, cwd: folder, input: '' }).status).toBe(1)
  })

  test('says what it needs on a Node that is too old', async () => {
    const pretend =
      "Object.defineProperty(process.versions, 'node', { value: '20.19.0' }); require('module').enableCompileCache = undefined"
    const old = spawnSync(
      process.execPath,
      ['-e', `${pretend}; require(process.argv[1])`, join(BUILT, 'cli.cjs'), 'get'],
      { encoding: 'utf8' },
    )
    expect(old.status).toBe(1)
    expect(old.stderr).toContain('Node 20.19.0 is too old')
  })
})
