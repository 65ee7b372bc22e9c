/**
 * Builds what runs from dist/: the window (vite.config.ts) to dist/renderer, the processes to dist/electron. Each half
 * is skipped while its sources are those of its last build. `npm run build`; start.ts and test.ts call it too.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { build, type InlineConfig, type Rolldown } from 'vite'
import { trainCodeCache } from './code-cache.ts'
import { inRepository, ROOT, say } from './repository.ts'

interface Half {
  /** of its folder in dist/ */
  name: string
  /** folders and files it is made of */
  sources: readonly string[]
  /** builds into an empty folder */
  build(outDir: string): Promise<void>
}

const HALVES: readonly Half[] = [
  {
    name: 'renderer',
    sources: ['renderer', 'shared', 'vite.config.ts', 'package-lock.json'],
    async build(outDir) {
      await build({ configFile: inRepository('vite.config.ts'), logLevel: 'warn', build: { outDir } })
    },
  },
  {
    name: 'electron',
    sources: ['electron', 'shared', 'scripts/build.ts', 'scripts/code-cache.ts', 'package-lock.json'],
    async build(outDir) {
      const processes = ['main', 'engine-process', 'cli', 'engine/lane/lane-worker']
      const output = await build(nodeConfig(outDir, processes))
      checkImports(output, dependencies())
      // A sandboxed preload may require nothing but electron.
      checkImports(await build(nodeConfig(outDir, ['preload'])), [])
      await trainCodeCache(outDir, importingLater(output))
    },
  },
]

/** Builds what is missing or stale; `force` builds all. The names of the halves that were built. */
export async function buildIfStale({ force = false } = {}): Promise<string[]> {
  // vite.config.ts names its folders from the repository's root
  process.chdir(ROOT)
  const built: string[] = []
  for (const half of HALVES) {
    const stamp = inRepository('dist', `${half.name}.sha256`)
    const hash = hashOf(half.sources)
    const folder = inRepository('dist', half.name)
    const fresh = existsSync(folder) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
    if (fresh && !force) continue
    say(`Building dist/${half.name} …`)
    // Built aside and moved: whoever runs from dist/ meanwhile sees the old build or the new one, never half of one.
    const draft = `${folder}.${process.pid}`
    rmSync(draft, { recursive: true, force: true })
    try {
      await half.build(draft)
    } catch (error) {
      rmSync(draft, { recursive: true, force: true })
      throw error
    }
    rmSync(stamp, { force: true })
    rmSync(folder, { recursive: true, force: true })
    renameSync(draft, folder)
    writeFileSync(stamp, hash)
    built.push(half.name)
  }
  return built
}

/** Stay packages: native code, and what finds files of its own beside itself. */
const EXTERNAL = ['better-sqlite3', '@node-rs/crc32', 'electron', 'pino', 'ws', 'open']

/** CommonJS: it starts faster, and a code cache of it can hold what only ran later (electron/engine/code-cache.ts). */
function nodeConfig(outDir: string, entries: readonly string[]): InlineConfig {
  return {
    configFile: false,
    root: ROOT,
    logLevel: 'warn',
    plugins: [http2WhenNeeded(), inAscii()],
    // `ssr` is vite's word for “runs in Node”. Bundled packages start in half the time: one file instead of hundreds.
    ssr: { target: 'node', noExternal: true, external: [...EXTERNAL] },
    build: {
      ssr: true,
      outDir,
      emptyOutDir: false,
      target: 'node24',
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        input: Object.fromEntries(
          entries.map((entry) => [posix.basename(entry), inRepository('electron', `${entry}.ts`)]),
        ),
        output: {
          format: 'cjs',
          strict: true,
          entryFileNames: '[name].cjs',
          chunkFileNames: 'chunks/[name]-[hash].cjs',
        },
      },
    },
  }
}

/**
 * undici loads Node's HTTP/2 with its client, a tenth of a worker's start: here with the first connection that speaks it.
 * Modules of CommonJS run when they are first required.
 */
function http2WhenNeeded(): Rolldown.Plugin {
  return {
    name: 'http2-when-needed',
    transform(code, id) {
      if (!/undici[\\/]lib[\\/]dispatcher[\\/]client\.js$/.test(id)) return null
      const eager = "const connectH2 = require('./client-h2.js')"
      if (!code.includes(eager)) throw new Error(`${id} loads HTTP/2 in another way; mend scripts/build.ts`)
      return {
        code: code.replace(eager, "const connectH2 = (...input) => require('./client-h2.js')(...input)"),
        map: null,
      }
    },
  }
}

/** Source of plain ASCII takes half the memory of any other, and less time to read: what is beyond it is written as escapes. */
function inAscii(): Rolldown.Plugin {
  return {
    name: 'in-ascii',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        // There it would mean something else.
        if (/\\[^\x00-\x7f]|raw`[^`]*[^\x00-\x7f]/.test(chunk.code))
          throw new Error(
            `${chunk.fileName} escapes what is not ASCII, or has it in a raw template; mend scripts/build.ts`,
          )
        chunk.code = chunk.code.replace(/[^\x00-\x7f]/g, inEscape)
      }
    },
  }
}

function inEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

type Output = Awaited<ReturnType<typeof build>>

function chunksOf(output: Output): Rolldown.OutputChunk[] {
  const outputs = [output].flat().filter((item): item is Rolldown.RolldownOutput => 'output' in item)
  return outputs.flatMap((item) => item.output).filter((item) => item.type === 'chunk')
}

/** Chunks with an `import()` of what is none of them. */
function importingLater(output: Output): string[] {
  const chunks = chunksOf(output)
  const own = new Set(chunks.map((chunk) => chunk.fileName))
  return chunks.filter(({ dynamicImports }) => dynamicImports.some((name) => !own.has(name))).map((c) => c.fileName)
}

/** What the built processes import must be there in the packaged app: Node, Electron and our `dependencies` alone. */
function checkImports(output: Output, allowed: readonly string[]): void {
  const chunks = chunksOf(output)
  const own = new Set(chunks.map((chunk) => chunk.fileName))
  for (const chunk of chunks) {
    for (const name of [...chunk.imports, ...chunk.dynamicImports]) {
      const known = own.has(name) || name === 'electron' || name.startsWith('node:') || builtinModules.includes(name)
      const packageName = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
      if (known || allowed.includes(packageName)) continue
      throw new Error(`dist/electron/${chunk.fileName} imports ${name}, which is not among the dependencies of the app`)
    }
  }
}

function dependencies(): string[] {
  const text = readFileSync(inRepository('package.json'), 'utf8')
  return Object.keys((JSON.parse(text) as { dependencies: Record<string, string> }).dependencies)
}

function hashOf(sources: readonly string[]): string {
  const hash = createHash('sha256')
  const add = (path: string) => {
    if (statSync(inRepository(path)).isDirectory()) {
      for (const name of readdirSync(inRepository(path)).sort()) add(join(path, name))
    } else {
      hash
        .update(`${path}\0`)
        .update(readFileSync(inRepository(path)))
        .update('\0')
    }
  }
  for (const source of sources) add(source)
  return hash.digest('hex')
}

if (import.meta.main) {
  const built = await buildIfStale({ force: process.argv.includes('--force') })
  say(built.length > 0 ? `Built ${built.map((name) => `dist/${name}`).join(' and ')}.` : 'dist is up to date.')
}
