/**
 * A stand-in for the module `electron`, as far as main.ts and its parts use it: the built main.cjs runs in Node, its
 * window is a page of a real Chromium, its utility process a real process. It shows that our code works together; it
 * cannot show Electron's own enforcement (sandbox, fuses, permissions), which CI runs with the real one.
 */
import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright'
import { type ProtocolHandler, startBrowser } from './browser.ts'
import { BrowserWindow, hostWindows, ipcHandlers, ipcListeners, preventable } from './browser-window.ts'
import { UtilityProcess } from './utility-process.ts'

export { BrowserWindow } from './browser-window.ts'
export { MessageChannelMain } from './ports.ts'
export const utilityProcess = UtilityProcess

const schemes = new Set<string>()
const handlers = new Map<string, ProtocolHandler>()

class App extends EventEmitter {
  readonly isPackaged = false
  readonly commandLine = {
    getSwitchValue: (name: string) =>
      process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '',
  }
  sandboxEnabled = false
  readonly #paths = new Map<string, string>()
  readonly #browser = Promise.withResolvers<{ context: BrowserContext; endpoint: string }>()
  #started = false
  #quitting = false

  getVersion(): string {
    return (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version
  }

  setPath(name: string, path: string): void {
    this.#paths.set(name, path)
  }

  getPath(name: string): string {
    return this.#paths.get(name) ?? ''
  }

  enableSandbox(): void {
    this.sandboxEnabled = true
  }

  /** one instance a userData folder, as Chromium has it; a second one wakes the first */
  requestSingleInstanceLock(): boolean {
    mkdirSync(this.getPath('userData'), { recursive: true })
    const path = join(this.getPath('userData'), 'instance.pid')
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      process.on('exit', () => rmSync(path, { force: true }))
      return true
    } catch {
      process.kill(Number(readFileSync(path, 'utf8')), 'SIGUSR2')
      return false
    }
  }

  async whenReady(): Promise<void> {
    this.#started = true
    const folder = join(this.getPath('userData'), 'chromium')
    const mayNavigate = (url: string) => {
      const event = preventable({ url })
      for (const window of BrowserWindow.getAllWindows()) window.webContents.emit('will-navigate', event)
      return !event.defaultPrevented
    }
    const handlerOf = (scheme: string) => (schemes.has(scheme) ? handlers.get(scheme) : undefined)
    this.#browser.resolve(await startBrowser(folder, handlerOf, mayNavigate))
    this.emit('ready')
  }

  browser() {
    return this.#browser.promise
  }

  getAppMetrics(): { type: string; serviceName: string; pid: number }[] {
    return [...UtilityProcess.running].map(({ serviceName, pid }) => ({ type: 'Utility', serviceName, pid: pid ?? 0 }))
  }

  quit(): void {
    if (this.#quitting) return
    const event = preventable({})
    this.emit('before-quit', event)
    if (event.defaultPrevented) return
    this.#quitting = true
    void this.#leave()
  }

  async #leave(): Promise<void> {
    if (this.#started) {
      const { context } = await this.#browser.promise
      // Closing its last page may have ended Chromium already.
      await context.close().catch((error: Error) => {
        if (!/has been closed/.test(error.message)) throw error
      })
    }
    this.emit('quit')
    process.exit(0)
  }
}

export const app = new App()

hostWindows({
  context: async () => (await app.browser()).context,
  emit: (event, ...input) => app.emit(event, ...input),
})

export const protocol = {
  registerSchemesAsPrivileged(list: { scheme: string }[]): void {
    for (const { scheme } of list) schemes.add(scheme)
  },
  handle(scheme: string, handler: ProtocolHandler): void {
    handlers.set(scheme, handler)
  },
}

type Handler = Parameters<typeof ipcHandlers.set>[1]
export const ipcMain = {
  handle: (channel: string, handler: Handler) => void ipcHandlers.set(channel, handler),
  on: (channel: string, listener: Handler) => void ipcListeners.set(channel, listener),
}

/** Accepted and not enforced: headless pages grant nothing that asks. */
class Session extends EventEmitter {
  setPermissionRequestHandler(): void {}
  setPermissionCheckHandler(): void {}
  setDevicePermissionHandler(): void {}
  #proxies = 'DIRECT'
  /** one proxy for everything, as rules like `host:port` say */
  async setProxy({ proxyRules }: { mode?: string; proxyRules?: string; proxyBypassRules?: string }): Promise<void> {
    this.#proxies = proxyRules ? `PROXY ${proxyRules}` : 'DIRECT'
  }
  async resolveProxy(): Promise<string> {
    return this.#proxies
  }
  async forceReloadProxyConfig(): Promise<void> {}
}
export const session = { defaultSession: new Session() }
/** tests let the machine wake, or pull its plug: `emit('resume')`, `emit('on-battery')` */
export const powerMonitor = Object.assign(new EventEmitter(), { isOnBatteryPower: () => false })

const blockers = new Map<number, string>()
/** `held`: for tests */
export const powerSaveBlocker = {
  held: () => [...blockers.values()],
  start(type: string): number {
    const id = blockers.size + 1
    blockers.set(id, type)
    return id
  },
  stop: (id: number) => blockers.delete(id),
}

/** `shown`: for tests */
export class Notification extends EventEmitter {
  static readonly shown: { title?: string; body?: string }[] = []
  /** the same, to be clicked */
  static readonly all: Notification[] = []
  readonly #options: { title?: string; body?: string }
  constructor(options: { title?: string; body?: string }) {
    super()
    this.#options = options
  }
  show(): void {
    Notification.shown.push(this.#options)
    Notification.all.push(this)
  }
}

/** Nobody is there to answer: a dialog a test did not expect fails it loudly. */
const unexpected = (what: string) => (input: unknown) => {
  throw new Error(`${what} was not expected: ${JSON.stringify(input)}`)
}
export const dialog = {
  showOpenDialog: unexpected('an open dialog'),
  showMessageBox: unexpected('a message box'),
}
export const shell = { showItemInFolder: unexpected('showItemInFolder'), openPath: unexpected('openPath') }

export const Menu = {
  buildFromTemplate: (template: unknown) => template,
  setApplicationMenu: (menu: unknown) => void menu,
}
/** What the tray shows: tests read its menu, and click what is in it. */
export class Tray extends EventEmitter {
  static readonly all: Tray[] = []
  menu: unknown = null
  toolTip = ''
  constructor(image: { dataUrl: string }) {
    super()
    if (!image.dataUrl.startsWith('data:image/png')) throw new Error('the tray needs an image')
    Tray.all.push(this)
  }
  setToolTip(text: string): void {
    this.toolTip = text
  }
  setContextMenu(menu: unknown): void {
    this.menu = menu
  }
}
export const nativeImage = { createFromDataURL: (dataUrl: string) => ({ dataUrl }) }
export const nativeTheme = { shouldUseDarkColors: false }
export const screen = { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] }

// Signals end Electron as its menu does.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => app.quit())
process.on('SIGUSR2', () => app.emit('second-instance', {}))
app.on('window-all-closed', () => {
  if (app.listenerCount('window-all-closed') === 1) app.quit()
})

/** The launcher of the tests: where the page is, and Playwright's `evaluate` in the main process. */
export type FromStandIn =
  | { kind: 'ready'; endpoint: string }
  | { kind: 'result'; id: number; value?: unknown; error?: string }
export type ToStandIn = { id: number; source: string }

const answer = (message: FromStandIn) => process.send?.(message)
app.once('stand-in-window-ready', async () => answer({ kind: 'ready', endpoint: (await app.browser()).endpoint }))
process.on('message', async ({ id, source }: ToStandIn) => {
  try {
    const evaluate = new Function(`return (${source})`)() as (electron: unknown) => unknown
    answer({ kind: 'result', id, value: await evaluate(await import('./electron.ts')) })
  } catch (error) {
    answer({ kind: 'result', id, error: String(error) })
  }
})
