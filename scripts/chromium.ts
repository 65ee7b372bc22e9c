/**
 * Finds a Chromium for the tests, or installs one: Playwright's own download, else Debian's package. `npm test` calls
 * it; alone it prints the path.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright'
import { inRepository, ROOT, say } from './repository.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge']
const USUAL_PLACES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA].flatMap((folder) =>
    folder === undefined
      ? []
      : [
          join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'),
          join(folder, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
        ],
  ),
}
const INSTALL_WITHIN_MS = 10 * 60_000

/** The executable of a Chromium on this machine, or null. CHROMIUM_PATH or CHROME_PATH name one. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | null {
  const onPath = (env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
  const candidates = [
    env.CHROMIUM_PATH,
    env.CHROME_PATH,
    chromium.executablePath(),
    ...(process.platform === 'win32' ? [] : onPath),
    ...(USUAL_PLACES[process.platform] ?? []),
  ]
  return candidates.find((path) => path !== undefined && path !== '' && existsSync(path)) ?? null
}

/** As `findChromium`, installing one where there is none; null after saying what to install by hand. */
export function ensureChromium(): string | null {
  const found = findChromium()
  if (found !== null) return found
  say('No Chromium found; installing Playwright’s …')
  attempt(process.execPath, [inRepository('node_modules', 'playwright', 'cli.js'), 'install', 'chromium'])
  if (findChromium() === null && process.platform === 'linux' && process.getuid?.() === 0) {
    say('That did not work; installing Debian’s …')
    attempt('apt-get', ['update'])
    attempt('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'])
  }
  const installed = findChromium()
  if (installed === null) {
    say(
      'No Chromium could be installed. Install Chromium or Google Chrome (Debian: apt-get install chromium), ' +
        'or name one in CHROMIUM_PATH, and run this again.',
    )
  }
  return installed
}

function attempt(command: string, args: readonly string[]): void {
  const { error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], timeout: INSTALL_WITHIN_MS })
  if (error) say(`${command}: ${error.message}`)
}

if (import.meta.main) {
  const path = ensureChromium()
  if (path === null) process.exit(1)
  process.stdout.write(`${path}\n`)
}
