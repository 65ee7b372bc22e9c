/** Redirects (RFC 9110 §15.4): where they lead, and what becomes of method and body. Pure. */
import { NighthaulError } from '../../../shared/errors.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import { type Login, splitCredentials } from './credentials.ts'

export const MAX_REDIRECTS = 20
const REDIRECTS = new Set([301, 302, 303, 307, 308])

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status)
}

interface RedirectReply {
  status: number
  headers: Record<string, string | string[]>
}

/** Where a redirect leads (§10.2.2). Throws `redirect_invalid`. */
export function redirectTarget(reply: RedirectReply, from: URL): { url: URL; login: Login | null } {
  const [location] = [reply.headers.location ?? []].flat()
  const refuse = (why: string) =>
    new NighthaulError(
      'redirect_invalid',
      `“${from.host}” redirects ${why}. What is already here is kept; check the link.`,
      { host: from.host, status: reply.status },
    )
  if (!location) throw refuse('without saying where')
  const target = URL.parse(utf8OrLatin1(location), from.href)
  if (!target) throw refuse('to an address that is no URL')
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    throw refuse(`to a link beginning with ${target.protocol}, which is not supported`)
  return splitCredentials(target)
}

/** What is asked, beside where. */
export interface Asked {
  method: NonNullable<TaskOptions['method']>
  body: TaskOptions['body'] | null
}

/**
 * Whether a file is asked for by a plain GET: then it may be asked for in parts, on several connections, and again. Any
 * other request is one, from the start, to the link itself: what answers it need not answer a part of it.
 */
export function isPlainGet({ method = 'GET', body }: Pick<TaskOptions, 'method' | 'body'>): boolean {
  return method === 'GET' && body === undefined
}

/**
 * What is asked at a redirect's target: 303 makes it a GET, 301 and 302 make a POST a GET (§15.4.2, as everybody does),
 * 307 and 308 keep it. A body never goes to another origin: throws `redirect_refused`.
 */
export function askedAfter(status: number, asked: Asked, from: URL, to: URL): Asked {
  const toGet = status === 303 || ((status === 301 || status === 302) && asked.method === 'POST')
  if (toGet || (asked.method === 'GET' && !asked.body)) return { method: 'GET', body: null }
  if (from.origin === to.origin) return asked
  throw new NighthaulError(
    'redirect_refused',
    `“${from.host}” wants this ${asked.method} sent on to “${to.host}”. Its body was not given to another site; what is already here is kept. Ask “${to.host}” itself if you trust it.`,
    { host: from.host, target: to.host, status },
  )
}

export function tooManyRedirects(start: URL): NighthaulError {
  return new NighthaulError(
    'too_many_redirects',
    `“${start.host}” redirected more than ${MAX_REDIRECTS} times. What is already here is kept; check the link.`,
    { host: start.host, loop: false },
  )
}

export function redirectCircle(start: URL): NighthaulError {
  return new NighthaulError(
    'too_many_redirects',
    `“${start.host}” redirects in a circle. What is already here is kept; check the link, it may need a login.`,
    { host: start.host, loop: true },
  )
}

/** Servers put raw UTF-8 into Location. */
function utf8OrLatin1(value: string): string {
  const utf8 = Buffer.from(value, 'latin1').toString('utf8')
  return utf8.includes('\ufffd') ? value : utf8
}

/** Throws `invalid_url` or `unsupported_scheme`. */
export function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (!url)
    throw new NighthaulError('invalid_url', 'This link is not a URL. Nothing was sent; check how it is written.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NighthaulError(
      'unsupported_scheme',
      `Links beginning with ${url.protocol} are not supported. Nothing was sent; links begin with https:// or http://.`,
      { scheme: url.protocol },
    )
  return url
}
