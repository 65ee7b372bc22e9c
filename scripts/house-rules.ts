/**
 * The rules of the house that neither types nor lint can see: which layer may import what, how long a file may be,
 * names that say nothing, machine paths, and error codes without documentation. `checkHouse` is pure, so that tests
 * plant violations; alone this checks what git tracks or would.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { homedir } from 'node:os'
import { posix } from 'node:path'
import { inRepository, ROOT, say } from './repository.ts'

/** path from the root, with forward slashes -> text */
export type FileMap = ReadonlyMap<string, string>

interface Layer {
  /** files of the layer: the first layer that matches counts */
  files: RegExp
  /** files of this repository it may import */
  own: readonly RegExp[]
  /** packages it may import; `node:` stands for all of Node */
  packages: readonly string[] | 'any'
}

const SHARED = /^shared\//

/** Who may import what. Composition roots come first. */
export const LAYERS: readonly Layer[] = [
  // shell-api.ts and the preload agree on a type; the preload sees nothing but names and types
  {
    files: /^electron\/preload\.ts$/,
    own: [SHARED, /^electron\/platform\/channels\.ts$/],
    packages: ['electron'],
  },
  { files: SHARED, own: [SHARED], packages: ['zod'] },
  {
    files: /^electron\/engine\//,
    own: [SHARED, /^electron\/engine\//],
    packages: [
      'node:',
      'undici',
      '@node-rs/crc32',
      'content-disposition',
      'tough-cookie',
      'shlex',
      'structured-headers',
      'saxes',
      'temporal-polyfill',
    ],
  },
  { files: /^electron\/store\//, own: [SHARED, /^electron\/store\//], packages: ['node:', 'better-sqlite3'] },
  {
    files: /^electron\/rpc\//,
    own: [SHARED, /^electron\/rpc\//, /^electron\/profile\.ts$/, /^electron\/engine\/(api|ports)\.ts$/],
    packages: ['node:', 'zod', 'ws'],
  },
  { files: /^electron\//, own: [SHARED, /^electron\//], packages: 'any' },
  { files: /^renderer\//, own: [SHARED, /^renderer\//], packages: 'any' },
  { files: /^test\//, own: [/./], packages: 'any' },
  { files: /^(scripts\/|vite\.config\.ts|vitest\.config\.ts)/, own: [/./], packages: 'any' },
]

/** What only the renderer must not import although packages are free there. */
const NOT_IN_RENDERER = /^(node:|electron$|better-sqlite3$|undici$|ws$|pino$)/

/** Only these put the parts together. */
const COMPOSERS = /^electron\/(main|engine-process|engine-service|daemon|cli)\.ts$|^electron\/cli\/|^test\//

const MAX_LINES = 400
const REASON_FOR_LENGTH = /long because:/i
const EMPTY_NAME = /(^|\/)(utils?|helpers?|misc|common|stuff)(\/|\.[jt]sx?$)/i
/** Absolute paths of somebody's home (placeholders aside), and addresses packages were fetched from. */
const MACHINE_PATHS = [
  /(?<![\w.~/-])\/(?:home|Users|root)\/(?!(?:user|me|you|name)\b)[\w.-]+/,
  /[A-Z]:\\Users\\/,
  /"resolved": "https?:/,
  /registry\.npmjs\.org|registry\.yarnpkg\.com|npmmirror|artifactory/i,
]
const SOURCE = /\.[cm]?[jt]sx?$/
const TEXT = /\.([cm]?[jt]sx?|json|md|ya?ml|css|html|svg|txt|sh)$|(^|\/)(\.npmrc|\.gitignore|run)$/

/**
 * One sentence for every violation, each beginning with the file; empty: the house is in order. `machinePaths`:
 * further texts no file may hold, such as the folder of this checkout.
 */
export function checkHouse(files: FileMap, machinePaths: readonly string[] = []): string[] {
  const problems: string[] = []
  for (const [path, text] of files) {
    if (SOURCE.test(path)) problems.push(...checkImports(path, text), ...checkLength(path, text))
    if (EMPTY_NAME.test(path) && !path.startsWith('test/')) {
      problems.push(`${path}: the name says nothing about what is in it`)
    }
    if (TEXT.test(path) && path !== 'scripts/house-rules.ts')
      problems.push(...checkMachinePaths(path, text, machinePaths))
  }
  return [...problems, ...checkErrorDocumentation(files), ...checkLockFile(files)]
}

function checkImports(path: string, text: string): string[] {
  const layer = LAYERS.find(({ files }) => files.test(path))
  if (layer === undefined) return [`${path}: belongs to no layer of scripts/house-rules.ts`]
  return importsOf(text).flatMap(({ name, isType }) => {
    if (name.startsWith('.')) {
      const target = posix.join(posix.dirname(path), name.replace(/\?.*$/, ''))
      if (target === 'electron/compose.ts' && !COMPOSERS.test(path)) {
        return [`${path}: only the entry points compose; it imports ${target}`]
      }
      return layer.own.some((pattern) => pattern.test(target)) ? [] : [`${path}: its layer may not import ${target}`]
    }
    const isNode = name.startsWith('node:') || builtinModules.includes(name)
    const packageName = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
    if (path.startsWith('renderer/') && (isNode || NOT_IN_RENDERER.test(packageName))) {
      return [`${path}: the window may not import ${name}`]
    }
    if (layer.packages === 'any' || layer.packages.includes(isNode ? 'node:' : packageName)) return []
    // types of Electron carry no code, and only the preload has a narrow list of packages at all
    return isType && packageName === 'electron' && path.startsWith('electron/rpc/')
      ? []
      : [`${path}: its layer may not import ${name}`]
  })
}

/** Static, dynamic and re-exporting imports. The style of the house (biome) keeps the forms few. */
export function importsOf(text: string): { name: string; isType: boolean }[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  const pattern =
    /(?:^|\n|;)\s*(?:import|export)\s+(type\s+)?(?:[\w*${][^'"`;]*?\sfrom\s+)?(['"])([^'"\n]+)\2|\bimport\(\s*(['"])([^'"\n]+)\4/g
  return [...code.matchAll(pattern)].map((match) => ({
    name: match[3] ?? match[5] ?? '',
    isType: match[1] !== undefined,
  }))
}

function checkLength(path: string, text: string): string[] {
  const lines = text.split('\n').length - 1
  if (lines <= MAX_LINES || REASON_FOR_LENGTH.test(text.slice(0, 2000))) return []
  return [`${path}: ${lines} lines, more than ${MAX_LINES} without a “long because:” in its head comment`]
}

function checkMachinePaths(path: string, text: string, machinePaths: readonly string[]): string[] {
  const found = [
    ...MACHINE_PATHS.flatMap((pattern) => pattern.exec(text)?.[0] ?? []),
    ...machinePaths.filter((machinePath) => text.includes(machinePath)),
  ]
  return found.map((place) => `${path}: holds a path or address of one machine: ${place}`)
}

/** Every code of shared/errors.ts has its `code` in docs/errors.md. */
function checkErrorDocumentation(files: FileMap): string[] {
  const source = files.get('shared/errors.ts')
  if (source === undefined) return []
  const documentation = files.get('docs/errors.md')
  if (documentation === undefined) return ['docs/errors.md: is missing; every error code is documented there']
  const list = /ERROR_KINDS = \{(.*?)\} as const/s.exec(source)?.[1] ?? ''
  const codes = [...list.matchAll(/^\s*(\w+): '/gm)].map((match) => match[1])
  if (codes.length === 0) return ['shared/errors.ts: the list of codes was not found; mend scripts/house-rules.ts']
  return codes
    .filter((code) => !documentation.includes(`\`${code}\``))
    .map((code) => `docs/errors.md: does not document \`${code}\``)
}

/**
 * better-sqlite3 brings its binaries and says `gypfile: false`, which npm does not write into the lock file: npm 10 would
 * then compile on every `npm ci`, which needs Python and a compiler. Written there by hand, npm obeys it.
 */
function checkLockFile(files: FileMap): string[] {
  const text = files.get('package-lock.json')
  if (text === undefined) return []
  const { packages = {} } = JSON.parse(text) as { packages?: Record<string, { gypfile?: boolean }> }
  const entry = packages['node_modules/better-sqlite3']
  if (entry === undefined || entry.gypfile === false) return []
  return [
    'package-lock.json: npm dropped `"gypfile": false` from node_modules/better-sqlite3; put it back below “version”',
  ]
}

/** What git tracks, and what it would track. */
function repositoryFiles(): FileMap {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const paths = list.split('\0').filter((path) => path !== '' && existsSync(inRepository(path)))
  return new Map(paths.map((path) => [path, readFileSync(inRepository(path), 'utf8')]))
}

if (import.meta.main) {
  const problems = checkHouse(repositoryFiles(), [ROOT, `${homedir()}/`])
  for (const problem of problems) say(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
