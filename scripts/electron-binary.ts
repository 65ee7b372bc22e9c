/** Finds Electron's binary, or fetches it where that is possible, and says why there is none. Never waits long. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inRepository, runNode, say } from './repository.ts'

const REACHABLE_WITHIN_MS = 8_000
const INSTALL_WITHIN_MS = 15 * 60_000
/** How long “its host cannot be reached” is believed before it is tried again. */
const MISSING_FOR_MS = 24 * 3_600_000

const require = createRequire(import.meta.url)

export type ElectronBinary = { path: string } | { missing: string }

/** The binary as it is now; downloads nothing. ELECTRON_OVERRIDE_DIST_PATH names a folder that holds one. */
export function findElectron(env: NodeJS.ProcessEnv = process.env): ElectronBinary {
  const override = env.ELECTRON_OVERRIDE_DIST_PATH
  if (override) {
    const path = join(override, PLATFORM_PATHS[process.platform] ?? 'electron')
    return existsSync(path) ? { path } : { missing: `ELECTRON_OVERRIDE_DIST_PATH holds no Electron (${path})` }
  }
  const folder = packageFolder()
  if (folder === null) return { missing: 'the electron package is not installed' }
  const pathFile = join(folder, 'path.txt')
  const path = existsSync(pathFile) ? join(folder, 'dist', readFileSync(pathFile, 'utf8')) : null
  return path !== null && existsSync(path) ? { path } : { missing: 'its binary is not installed' }
}

/** As `findElectron`, and tries once a day to fetch a missing binary with the package's own installer. */
export async function ensureElectron(): Promise<ElectronBinary> {
  const found = findElectron()
  const folder = packageFolder()
  if ('path' in found || folder === null || process.env.ELECTRON_OVERRIDE_DIST_PATH) return found
  const marker = inRepository('dist', 'electron-not-reachable')
  const unreachable = { missing: 'its binary is not installed and the host it comes from cannot be reached' }
  if (existsSync(marker) && Date.now() - statSync(marker).mtimeMs < MISSING_FOR_MS) return unreachable
  if (!(await isHostReachable(folder))) {
    mkdirSync(inRepository('dist'), { recursive: true })
    writeFileSync(marker, '')
    return unreachable
  }
  rmSync(marker, { force: true })
  say('Fetching Electron’s binary (once) …')
  const code = await runNode([join(folder, 'install.js')], { timeout: INSTALL_WITHIN_MS })
  const installed = findElectron()
  return code === 0 || 'path' in installed ? installed : { missing: 'its binary could not be installed' }
}

const PLATFORM_PATHS: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'Electron.app/Contents/MacOS/Electron',
  win32: 'electron.exe',
}

function packageFolder(): string | null {
  try {
    return join(require.resolve('electron/package.json'), '..')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** Asks for the release's small list of checksums the way the installer would: same host, mirrors and proxies. */
async function isHostReachable(folder: string): Promise<boolean> {
  const installer = createRequire(join(folder, 'install.js')).resolve('@electron/get')
  const get: typeof import('@electron/get') = await import(pathToFileURL(installer).href)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), REACHABLE_WITHIN_MS).unref())
  const cacheMode = get.ElectronDownloadCacheMode.WriteOnly
  const asked = get.downloadArtifact({ version, artifactName: 'SHASUMS256.txt', isGeneric: true, cacheMode }).then(
    () => true,
    () => false,
  )
  return Promise.race([asked, late])
}
