/**
 * Part of the build: downloads from a server on loopback and keeps the functions that V8 compiled for it, for
 * electron/engine/code-cache.ts to read. In the processes that are trained this file runs before all else.
 */
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { Script } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
import { codeCacheFolder, modules, runScript, scriptOf, sealed, unsealed } from '../electron/engine/code-cache.ts'
import { run } from './repository.ts'

/** names the folder of the build in a process that is trained */
const TRAINED = 'NIGHTHAUL_TRAINED_BUILD'
/** in that folder, where nothing reads it yet */
const DRAFT = 'training'

const LARGE_BYTES = 48 * 2 ** 20
const SMALL_BYTES = 2 ** 16
const SMALL_FILES = 64

/**
 * Of the build in `built`, without the chunks `importing` packages while they run: what `vm` compiled cannot do that.
 * Throws where a download fails.
 */
export async function trainCodeCache(built: string, importing: readonly string[]): Promise<void> {
  const home = join(built, DRAFT, 'home')
  mkdirSync(home, { recursive: true })
  const server = createServer((request, response) => {
    const size = request.url === '/large' ? LARGE_BYTES : SMALL_BYTES
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const [start, end] = [Number(from), to === '' ? size : Number(to) + 1]
    response.writeHead(request.headers.range ? 206 : 200, {
      'content-length': end - start,
      'accept-ranges': 'bytes',
      etag: '"trained"',
      ...(request.headers.range && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    })
    response.end(Buffer.alloc(end - start))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const list = join(home, 'list')
  const urls = Array.from({ length: SMALL_FILES }, (_, index) => `${at}/small-${index}`)
  writeFileSync(list, urls.join('\n'))
  const train = async (...args: string[]) => {
    const { NIGHTHAUL_LOG: _log, NODE_V8_COVERAGE: _coverage, ...inherited } = process.env
    const direct = { NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' }
    const env = { ...inherited, ...direct, NIGHTHAUL_HOME: join(home, 'profile'), [TRAINED]: built }
    const node = ['--import', import.meta.url, join(built, 'cli.cjs')]
    const code = await run(process.execPath, [...node, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    if (code !== 0) throw new Error(`nighthaul ${args.join(' ')} ended with ${code}`)
  }
  try {
    await train('get', '-o', join(home, 'large'), `${at}/large`)
    await train('get', '-j', '16', '--max-host-connections', '16', '-d', join(home, 'files'), '-i', list)
    const kept = join(built, DRAFT, 'code-cache')
    // A worker may have been ended before the new one took its name.
    for (const name of [...importing.map((chunk) => basename(chunk)), '*.new'])
      for (const file of globSync(`*/*/${name}`, { cwd: kept })) rmSync(join(kept, file))
    renameSync(kept, join(built, 'code-cache'))
  } finally {
    rmSync(join(built, DRAFT), { recursive: true, force: true })
    server.close()
    server.closeAllConnections()
  }
}

/** Keeps what this thread compiles of the build, with what is kept of it already. */
function keepCompiled(built: string): void {
  const folder = codeCacheFolder(join(built, DRAFT))
  mkdirSync(folder, { recursive: true })
  const scripts = new Map<string, Script>()
  const compile = modules._compile
  modules._compile = function (source, filename, ...more) {
    if (dirname(filename) !== join(built, 'chunks')) return compile.call(this, source, filename, ...more)
    const path = join(folder, basename(filename))
    const script = scriptOf(source, filename, existsSync(path) ? unsealed(readFileSync(path)) : undefined)
    scripts.set(path, script)
    return runScript(script, this, filename)
  }
  const keep = () => {
    for (const [path, script] of scripts) {
      writeFileSync(`${path}.new`, sealed(script.createCachedData()))
      renameSync(`${path}.new`, path)
    }
  }
  process.on('exit', keep)
  // A worker is ended from outside.
  if (!isMainThread) setInterval(keep, 50).unref()
}

const trained = process.env[TRAINED]
if (trained !== undefined) keepCompiled(trained)
