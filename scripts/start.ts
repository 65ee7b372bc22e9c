/**
 * `npm start`: builds what is missing or stale and opens the app; where there is no Electron or no desktop, the
 * headless host with the window in a browser. Options are passed on (`npm start -- --profile DIR`).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { buildIfStale } from './build.ts'
import { ensureElectron } from './electron-binary.ts'
import { inRepository, ROOT, run, say } from './repository.ts'

const args = process.argv.slice(2)
const hasDesktop = process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)

// Ctrl-C reaches the child too; it ends in order, and then so do we.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})

await buildIfStale()
const reason = await openApp()
process.exit(reason === null ? 0 : await openHeadless(reason))

/** null: the app ran. Otherwise why it cannot. */
async function openApp(): Promise<string | null> {
  if (!hasDesktop) return 'no desktop here'
  const electron = await ensureElectron()
  if ('missing' in electron) return `no Electron: ${electron.missing}`
  const code = await run(electron.path, [ROOT, ...electronSwitches(args)])
  return code === 0 ? null : process.exit(code)
}

/** `--profile DIR` is two words for our command line and one for Chromium's. */
function electronSwitches(words: readonly string[]): string[] {
  return words.flatMap((word, index) => {
    if (words[index - 1] === '--profile') return []
    return word === '--profile' ? [`--profile=${words[index + 1]}`] : [word]
  })
}

async function openHeadless(why: string): Promise<number> {
  say(`Starting without the desktop app (${why}); the window runs in a browser.`)
  const entry = inRepository('electron', 'cli.ts')
  const open = hasDesktop ? ['--open'] : []
  const child = spawn(process.execPath, [entry, 'serve', ...open, ...args], { stdio: ['inherit', 'pipe', 'inherit'] })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const exit = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    const url = addressIn(line)
    process.stdout.write(url === null ? `${line}\n` : `Nighthaul’s window: ${url}\nCtrl-C stops it.\n`)
  }
  const [code, signal] = (await exit) as [number | null, NodeJS.Signals | null]
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}

/** The address in the line of JSON that `serve` begins with. */
function addressIn(line: string): string | null {
  try {
    const { url } = JSON.parse(line) as { url?: unknown }
    return typeof url === 'string' ? url : null
  } catch {
    return null
  }
}
