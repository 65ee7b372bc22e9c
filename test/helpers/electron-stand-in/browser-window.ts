/** BrowserWindow and its web contents over a page of the real Chromium. */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import type { BrowserContext, Page } from 'playwright'
import { toApp, toShown } from './browser.ts'
import { FROM_MAIN, type FromPage, initScript, TO_MAIN, type ToPage } from './page-side.ts'
import { type MessagePortMain, PortRelay } from './ports.ts'

type Listener = (event: unknown, ...input: never[]) => unknown

/** What ipcMain registered. */
export const ipcHandlers = new Map<string, Listener>()
export const ipcListeners = new Map<string, Listener>()

/** Events of the app that windows cause, and the browser they live in. */
export interface WindowHost {
  context(): Promise<BrowserContext>
  emit(event: string, ...input: unknown[]): unknown
}
let host: WindowHost
export function hostWindows(given: WindowHost): void {
  host = given
}

/** An event that a listener may prevent. */
export function preventable<T extends object>(fields: T) {
  const event = {
    ...fields,
    defaultPrevented: false,
    preventDefault() {
      event.defaultPrevented = true
    },
  }
  return event
}

interface WindowOptions {
  width: number
  height: number
  x?: number
  y?: number
  webPreferences: Record<string, unknown> & { preload: string }
}

class WebContents extends EventEmitter {
  readonly #page: Promise<Page>
  readonly #options: WindowOptions
  readonly #relay: PortRelay
  #sent: Promise<unknown> = Promise.resolve()
  #openHandler: (details: { url: string }) => { action: 'allow' | 'deny' } = () => ({ action: 'allow' })

  constructor(page: Promise<Page>, options: WindowOptions) {
    super()
    this.#page = page
    this.#options = options
    this.#relay = new PortRelay((frame) => this.#toPage(frame))
  }

  /** joins page and main process, before the page loads anything */
  async attach(page: Page): Promise<void> {
    await page.exposeBinding(TO_MAIN, (_source, message: FromPage) => this.#fromPage(page, message))
    await page.addInitScript({ content: initScript(readFileSync(this.#options.webPreferences.preload, 'utf8')) })
    page.on('popup', (popup) => {
      if (this.#openHandler({ url: popup.url() }).action === 'deny') void popup.close()
    })
    // A new document has new ports: the old one's are gone with it.
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) this.#relay.closeAll()
    })
    page.on('close', () => this.#relay.closeAll())
  }

  getLastWebPreferences(): Record<string, unknown> {
    return { ...this.#options.webPreferences }
  }

  setWindowOpenHandler(handler: (details: { url: string }) => { action: 'allow' | 'deny' }): void {
    this.#openHandler = handler
  }

  postMessage(channel: string, data: unknown, transfer: MessagePortMain[] = []): void {
    this.#toPage({ kind: 'event', channel, data, ports: transfer.map((port) => this.#relay.give(port)) })
  }

  send(channel: string, data?: unknown): void {
    this.postMessage(channel, data)
  }

  #fromPage(page: Page, message: FromPage): unknown {
    if (message.kind === 'port-frame' || message.kind === 'port-close') return this.#relay.receive(message)
    const senderFrame = { url: toApp(page.url()), parent: null }
    const event = { sender: this, senderFrame }
    const { channel, input } = message
    if (message.kind === 'send') return void ipcListeners.get(channel)?.(event, ...(input as never[]))
    const handler = ipcHandlers.get(channel)
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`)
    return handler(event, ...(input as never[]))
  }

  /** in order; what is sent to a page that is gone or navigating is lost, as it would be */
  #toPage(message: ToPage): void {
    const deliver = async () => {
      const page = await this.#page
      await page.evaluate(
        ([name, sent]) => (window as unknown as Record<string, (m: unknown) => void>)[name as string]?.(sent),
        [FROM_MAIN, message] as const,
      )
    }
    this.#sent = this.#sent.then(deliver).catch((error: Error) => {
      if (!/closed|destroyed|navigation/i.test(error.message)) throw error
    })
  }
}

export class BrowserWindow extends EventEmitter {
  static readonly #open = new Set<BrowserWindow>()
  readonly webContents: WebContents
  readonly #page: Promise<Page>
  readonly #options: WindowOptions
  #visible = false
  #maximized = false

  static getAllWindows(): BrowserWindow[] {
    return [...BrowserWindow.#open]
  }

  constructor(options: WindowOptions) {
    super()
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<Page>()
    this.#page = promise
    this.webContents = new WebContents(promise, options)
    BrowserWindow.#open.add(this)
    host.emit('web-contents-created', {}, this.webContents)
    void this.#create().then(resolve)
  }

  async #create(): Promise<Page> {
    // The blank page that Chromium began with stays: it ends with its last one, and an app may outlive its windows.
    const page = await (await host.context()).newPage()
    await this.webContents.attach(page)
    page.on('close', () => {
      if (!BrowserWindow.#open.delete(this)) return
      this.emit('close', preventable({}))
      this.emit('closed')
      if (BrowserWindow.#open.size === 0) host.emit('window-all-closed')
    })
    return page
  }

  async loadURL(url: string): Promise<void> {
    const page = await this.#page
    await page.goto(toShown(url))
    this.emit('ready-to-show')
    host.emit('stand-in-window-ready')
  }

  async close(): Promise<void> {
    await (await this.#page).close()
  }

  show(): void {
    this.#visible = true
  }

  hide(): void {
    this.#visible = false
  }

  isVisible(): boolean {
    return this.#visible
  }

  focus(): void {
    this.#visible = true
    this.emit('focus')
  }

  isMinimized(): boolean {
    return false
  }

  maximize(): void {
    this.#maximized = true
  }

  isMaximized(): boolean {
    return this.#maximized
  }

  getNormalBounds() {
    const { x = 0, y = 0, width, height } = this.#options
    return { x, y, width, height }
  }
}
