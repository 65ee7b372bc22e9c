/** Serves the built window under `app://nighthaul/`, with the same files and rules as over HTTP. */
import { plainPage, resolveWindowPath, securityHeaders, windowFile } from './headless/window-files.ts'

export const APP_SCHEME = 'app'
export const APP_HOST = 'nighthaul'
export const APP_ORIGIN = `${APP_SCHEME}://${APP_HOST}`

const HEADERS = securityHeaders(null)

/**
 * The path part of a URL of the window as it was written, or null for another origin. Not `new URL(…).pathname`: that
 * resolves dot segments silently, and the resolver wants to see and refuse them.
 */
export function appPath(url: string): string | null {
  if (!url.toLowerCase().startsWith(`${APP_ORIGIN}/`)) return null
  return url.slice(APP_ORIGIN.length).split(/[?#]/, 1)[0] ?? null
}

/** The file a URL of the window means; null for another origin and for every path that leaves the folder. */
export function resolveAppUrl(folder: string, url: string): string | null {
  const path = appPath(url)
  return path === null ? null : resolveWindowPath(folder, path)
}

/** The handler for `protocol.handle('app', …)`. */
export function createAppHandler(folder: string): (request: Request) => Promise<Response> {
  return async ({ url, method, headers }) => {
    const path = method === 'GET' ? appPath(url) : null
    const ifNoneMatch = headers.get('if-none-match') ?? undefined
    const found = path === null ? null : await windowFile(folder, path, ifNoneMatch)
    const reply = found ?? plainPage(404, 'Not found', 'There is no such file in this app.')
    const body = typeof reply.body === 'string' ? reply.body : new Uint8Array(reply.body)
    return new Response(reply.status === 304 ? null : body, {
      status: reply.status,
      headers: { ...reply.headers, ...HEADERS },
    })
  }
}
