/**
 * Serves the built window under `app://nighthaul/`. The path resolver is pure and refuses everything that is not a
 * plain file below the window's folder; the handler reads the file and adds the security headers.
 */
import { readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'

export const APP_SCHEME = 'app'
export const APP_HOST = 'nighthaul'
export const APP_ORIGIN = `${APP_SCHEME}://${APP_HOST}`

/** Nothing but the window's own files; inline code, frames, forms and foreign hosts are refused. */
export const APP_CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

/** A path segment that names a file and nothing else, on every platform: no dot-dot, separators, drives or streams. */
const PLAIN_SEGMENT = /^(?!\.{1,2}$)[^\0-\x1f\\/:*?"<>|%]+$/

/**
 * The file a URL of the window means, or null where it means none: another origin, a path that leaves the folder in
 * any spelling (`..`, `%2e%2e`, twice encoded, backslashes, drive letters), or a type the window does not have.
 */
export function resolveAppPath(folder: string, url: string): string | null {
  const prefix = `${APP_ORIGIN}/`
  if (!url.toLowerCase().startsWith(prefix)) return null
  // The text itself and not `new URL(…).pathname`: that resolves dot segments silently, and we want to see them.
  const raw = url.slice(prefix.length).split(/[?#]/, 1)[0] ?? ''
  let path: string
  try {
    path = decodeURIComponent(raw)
  } catch {
    return null
  }
  const segments = (path === '' ? 'index.html' : path).split('/')
  if (!segments.every((segment) => PLAIN_SEGMENT.test(segment))) return null
  const file = join(folder, ...segments)
  if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null
  return extname(file) in MEDIA_TYPES ? file : null
}

/** The handler for `protocol.handle('app', …)`. */
export function createAppHandler(folder: string): (request: Request) => Promise<Response> {
  return async (request) => {
    const file = resolveAppPath(folder, request.url)
    if (file === null || request.method !== 'GET') return refuse()
    let body: Buffer
    try {
      body = await readFile(file)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return refuse()
      throw error
    }
    return new Response(new Uint8Array(body), {
      headers: { 'content-type': MEDIA_TYPES[extname(file)] ?? 'application/octet-stream', ...SECURITY_HEADERS },
    })
  }
}

const SECURITY_HEADERS = {
  'content-security-policy': APP_CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
}

function refuse(): Response {
  return new Response('Not found', { status: 404, headers: { 'content-type': 'text/plain', ...SECURITY_HEADERS } })
}
