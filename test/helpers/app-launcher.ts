/**
 * Starts the built app for tests: the real Electron where its binary is, else the stand-in. Both give a Playwright
 * page and `evaluate` in the main process, so that one suite drives both.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { _electron, chromium, type ElectronApplication, type Page } from 'playwright'
import { findElectron } from '../../scripts/electron-binary.ts'
import { inRepository, ROOT } from '../../scripts/repository.ts'
import type { FromStandIn, ToStandIn } from './electron-stand-in/electron.ts'

type Electron = typeof import('electron')

export interface RunningApp {
  readonly page: Page
  readonly pid: number
  /** runs a self-contained function in the main process */
  evaluate<T>(task: (electron: Electron) => T | Promise<T>): Promise<T>
  /** the next window that is opened */
  nextWindow(): Promise<Page>
  /** resolves with the exit code once the app has ended by itself */
  readonly exited: Promise<number | null>
  /** ends what is left of it */
  dispose(): Promise<void>
}

export interface AppOptions {
  profile: string
  env?: Record<string, string>
}

const electron = findElectron()
export const launcherName = 'path' in electron ? 'Electron' : 'stand-in'

export function launchApp(options: AppOptions): Promise<RunningApp> {
  return 'path' in electron ? launchElectron(electron.path, options) : launchStandIn(options)
}

function environment({ profile, env }: AppOptions): Record<string, string> {
  return { ...(process.env as Record<string, string>), NIGHTHAUL_HOME: profile, ...env }
}

async function launchElectron(executablePath: string, options: AppOptions): Promise<RunningApp> {
  // Chromium refuses to sandbox anything for root, as whom containers run.
  const args = process.getuid?.() === 0 ? [ROOT, '--no-sandbox'] : [ROOT]
  const app: ElectronApplication = await _electron.launch({ executablePath, args, env: environment(options) })
  const child = app.process()
  const page = await app.firstWindow()
  return {
    page,
    pid: child.pid ?? 0,
    evaluate: (task) => app.evaluate(task as never),
    nextWindow: () => app.waitForEvent('window'),
    exited: exitOf(child),
    dispose: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exitOf(child)
    },
  }
}

async function launchStandIn(options: AppOptions): Promise<RunningApp> {
  const register = fileURLToPath(new URL('electron-stand-in/register.ts', import.meta.url))
  const main = inRepository('dist', 'electron', 'main.cjs')
  const child = spawn(process.execPath, ['--import', register, main], {
    cwd: ROOT,
    env: environment(options),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = exitOf(child)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<string>()
  child.on('message', (message: FromStandIn) => {
    if (message.kind === 'ready') return ready.resolve(message.endpoint)
    const { id, value, error } = message
    if (error === undefined) waiting.get(id)?.resolve(value)
    else waiting.get(id)?.reject(new Error(error))
  })
  void exited.then((code) => ready.reject(new Error(`the app ended with ${code} before it had a window`)))
  const browser = await chromium.connectOverCDP(await ready.promise)
  const context = browser.contexts()[0]
  const page = context?.pages().find((candidate) => candidate.url() !== 'about:blank')
  if (context === undefined || page === undefined) throw new Error('the app has no page')
  let last = 0
  return {
    page,
    pid: child.pid ?? 0,
    nextWindow: () => context.waitForEvent('page'),
    evaluate<T>(task: (electron: Electron) => T | Promise<T>) {
      const result = Promise.withResolvers<unknown>()
      last += 1
      waiting.set(last, result)
      child.send({ id: last, source: task.toString() } satisfies ToStandIn)
      return result.promise as Promise<T>
    },
    exited,
    dispose: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        // asked first: killed outright it would leave its Chromium behind
        child.kill('SIGTERM')
        const deadline = setTimeout(() => child.kill('SIGKILL'), 20_000)
        await exited
        clearTimeout(deadline)
      }
      await browser.close()
    },
  }
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}
