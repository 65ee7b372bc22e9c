/** The files of the built window, over HTTP or app://: which file a path means, the reply with its caching, its policy. */
import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

/** A segment that names a file and nothing else, on every platform: no dot-dot, separators, drives or streams. */
const PLAIN_SEGMENT = /^(?!\.{1,2}$)[^\0-\x1f\\/:*?"<>|%]+$/
/** Vite puts a hash of the content in these names: they never change. */
const HASHED_NAME = /^\/assets\/.+-[\w-]{8}\.\w+(\.map)?$/

export interface Reply {
  status: number
  headers: Record<string, string>
  body: Buffer | string
}

/**
 * The file for a path, or null where there is none: not built, not there, a link out of the folder, a path that
 * leaves it in any spelling, or a type the window does not have. `path` is as it came, without query.
 */
export async function windowFile(folder: string, path: string, ifNoneMatch: string | undefined): Promise<Reply | null> {
  const file = resolveWindowPath(folder, path)
  if (file === null) return null
  let body: Buffer
  try {
    const [root, real] = await Promise.all([realpath(folder), realpath(file)])
    if (!real.startsWith(root + sep)) return null
    body = await readFile(real)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return null
    throw error
  }
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const headers = {
    'content-type': MEDIA_TYPES[extname(file)] ?? 'application/octet-stream',
    'cache-control': HASHED_NAME.test(path) ? 'private, max-age=31536000, immutable' : 'no-cache',
    etag,
  }
  const known = ifNoneMatch?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
  return known ? { status: 304, headers, body: '' } : { status: 200, headers, body }
}

/** Pure: the file a path means below `folder`, or null. */
export function resolveWindowPath(folder: string, path: string): string | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return null
  }
  if (!decoded.startsWith('/')) return null
  const segments = (decoded === '/' ? '/index.html' : decoded).slice(1).split('/')
  if (!segments.every((segment) => PLAIN_SEGMENT.test(segment))) return null
  const file = join(folder, ...segments)
  return extname(file) in MEDIA_TYPES ? file : null
}

/**
 * Nothing but the window's own files and its own socket; inline code, frames, forms and other hosts are refused.
 * `webSocketHost`: host and port of the socket; null where the engine is reached over a message port.
 */
export function securityHeaders(webSocketHost: string | null): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    // `self` covers WebSockets in new browsers only
    webSocketHost === null ? "connect-src 'self'" : `connect-src 'self' ws://${webSocketHost}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ]
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  }
}

/** A page of one heading and one paragraph, both plain text. */
export function plainPage(status: number, title: string, text: string): Reply {
  const escaped = (raw: string): string => raw.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
    body: `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Nighthaul</title>\n<h1>${escaped(title)}</h1>\n<p>${escaped(text)}</p>\n</html>\n`,
  }
}
