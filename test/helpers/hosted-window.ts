/**
 * What files of tests in the built window share: one Chromium a file, and for each test a page of its own, with a host
 * of its own and a server to download from where that is asked for. The exports are of the test that runs.
 */
import type { Browser, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { keepScreenshot, launchChromium } from './chromium.ts'
import { type CliHome, type CliProcess, cliHome } from './cli.ts'
import { type FaultServer, startFaultServer } from './fault-server.ts'

export let page: Page
export let home: CliHome
export let server: FaultServer

/**
 * NIGHTHAUL_TEST_LAG_MS: what the window and its host say to each other takes so long each way, as from far away or on a
 * busy machine. It shows what a person can do too early, and tests that look too early.
 */
const LAG_MS = Number(process.env.NIGHTHAUL_TEST_LAG_MS) || 0

async function delayChannel(page: Page): Promise<void> {
  await page.routeWebSocket(/./, (socket) => {
    const host = socket.connectToServer()
    socket.onMessage((message) => void setTimeout(() => host.send(message), LAG_MS))
    host.onMessage((message) => void setTimeout(() => socket.send(message), LAG_MS))
  })
}

/** For the top of a file. `dispose`: what else a test leaves behind, before its page is closed. */
export function usePage(dispose?: () => Promise<void> | undefined): void {
  // Each starts a browser and processes, on cores that other tests want too.
  vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())
  beforeEach(async () => {
    page = await browser.newPage()
    if (LAG_MS > 0) await delayChannel(page)
  })
  afterEach(async (context) => {
    await keepScreenshot(context, page)
    await page.close()
    await dispose?.()
  })
}

/** For the top of a file: a page, the home of a host (`openWindow` starts it), and a server that lies as told. */
export function useHost(): void {
  usePage(async () => {
    await home[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    server = await startFaultServer()
    home = await cliHome()
  })
}

export interface Served extends CliProcess {
  url: string
  port: number
  token: string
}

/** Starts the host. */
export async function serve(...args: string[]): Promise<Served> {
  const started = home.start('serve', ...args)
  return { ...started, ...(JSON.parse(await started.firstLine) as Pick<Served, 'url' | 'port' | 'token'>) }
}

/** Opens the window of the host, which is started where no address is given, and waits for the list. */
export async function openWindow(url?: string): Promise<void> {
  await page.goto(url ?? (await serve('--port', '0')).url)
  await page.getByRole('grid', { name: 'Downloads' }).waitFor()
}
