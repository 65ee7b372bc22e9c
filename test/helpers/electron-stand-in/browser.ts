/**
 * The real Chromium behind the stand-in. It has no custom schemes, so app:// pages are shown under an https origin that
 * exists nowhere, and every request to it is answered by the app's own protocol handler.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright'
import { findChromium } from '../../../scripts/chromium.ts'

const SHOWN_ORIGIN = 'https://nighthaul.app.invalid'
const APP_ORIGIN = 'app://nighthaul'

export const toShown = (url: string) => url.replace(APP_ORIGIN, SHOWN_ORIGIN)
export const toApp = (url: string) => url.replace(SHOWN_ORIGIN, APP_ORIGIN)

export type ProtocolHandler = (request: Request) => Promise<Response>

/** Starts Chromium in `folder`; `mayNavigate` decides about the top frame's navigations. */
export async function startBrowser(
  folder: string,
  handlerOf: (scheme: string) => ProtocolHandler | undefined,
  mayNavigate: (url: string) => boolean,
): Promise<{ context: BrowserContext; endpoint: string }> {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error('no Chromium: run npm test, which finds or installs one')
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    // Electron's ports say when the other side is gone; stock Chromium has that behind a switch.
    args: ['--remote-debugging-port=0', '--enable-blink-features=MessagePortCloseEvent'],
    viewport: { width: 1080, height: 720 },
  })
  await context.route('**/*', async (route) => {
    const request = route.request()
    const url = toApp(request.url())
    const scheme = url.split(':', 1)[0] ?? ''
    const handler = handlerOf(scheme)
    if (handler !== undefined) {
      const response = await handler(new Request(url, { method: request.method() }))
      const body = Buffer.from(await response.arrayBuffer())
      return route.fulfill({ status: response.status, headers: Object.fromEntries(response.headers), body })
    }
    // “No content” leaves the page as it is; an aborted request would show an error page in its place.
    if (request.isNavigationRequest() && !mayNavigate(url)) return route.fulfill({ status: 204 })
    return route.continue()
  })
  const portFile = join(folder, 'DevToolsActivePort')
  if (!existsSync(portFile)) throw new Error('Chromium did not say where its debugging port is')
  const [port] = readFileSync(portFile, 'utf8').split('\n')
  return { context, endpoint: `http://127.0.0.1:${port}` }
}
