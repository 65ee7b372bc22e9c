/**
 * What a request says about the user: headers given by hand, user and password, cookies; and which of it may travel to
 * which origin. Credentials never leave the origin they were given for. Pure.
 */
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { HopOptions } from '../host-rules.ts'

export type RequestHeaders = Record<string, string | string[]>

/** The only headers given by hand that follow a redirect to another origin; any other may carry a secret. */
const HARMLESS = new Set(['accept', 'accept-language', 'referer', 'user-agent'])

/** Headers that the engine or the connection owns: left out where given by hand (pasted cURL commands hold them). */
const OWNED = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'if-range',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The URL without `user:password@`, and these as an Authorization value (RFC 7617); `#fragment` goes as well. */
export function splitCredentials(url: URL): { url: URL; authorization: string | null } {
  const clean = new URL(url)
  clean.username = ''
  clean.password = ''
  clean.hash = ''
  const login = loginOf(url)
  return { url: clean, authorization: login ? basic(login.user, login.password) : null }
}

/** `user:password@` of a URL, decoded; null: it has none. */
export function loginOf(url: URL): { user: string; password: string } | null {
  if (url.username === '' && url.password === '') return null
  return { user: decode(url.username), password: decode(url.password) }
}

/** A URL fit for showing and storing: no user, no password. */
export function withoutCredentials(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed || (parsed.username === '' && parsed.password === '')) return url
  parsed.username = ''
  parsed.password = ''
  return parsed.href
}

export interface HopInput {
  url: URL
  /** where the user pointed us: their credentials belong to its origin */
  start: URL
  options: TaskOptions
  /** from `user:password@` in this hop's own URL, or in the start's while still at its origin */
  authorization: string | null
  cookie: string | null
  /** of the user's rules for this hop's host */
  rules: HopOptions
  /** range and if-range, lower-case */
  range: Readonly<Record<string, string>>
}

/** All headers of one request, names in lower case. */
export function headersFor(hop: HopInput): RequestHeaders {
  const home = hop.url.origin === hop.start.origin
  const { userAgent, login } = hop.rules
  const ofRules = headersGiven(hop.rules.headers)
  const headers: RequestHeaders = { accept: '*/*', 'user-agent': userAgent, ...ofRules }
  const { user, password } = hop.options
  const own = home && (user !== undefined || password !== undefined) ? basic(user ?? '', password ?? '') : null
  const authorization = own ?? hop.authorization ?? (login && basic(login.user, login.password))
  if (authorization) headers.authorization = authorization
  const given = headersGiven((hop.options.headers ?? []).filter(([name]) => home || HARMLESS.has(name.toLowerCase())))
  Object.assign(headers, given, hop.range)
  // As plain bytes: a compressed reply has no positions to resume at.
  headers['accept-encoding'] = 'identity'
  if (hop.cookie) headers.cookie = [headers.cookie ?? [], latin1(hop.cookie)].flat().join('; ')
  return headers
}

/** Headers written by hand, as they are sent: names in lower case, without those that are ours to set. */
function headersGiven(list: HopOptions['headers']): RequestHeaders {
  const given: RequestHeaders = {}
  for (const [rawName, rawValue] of list) {
    const name = rawName.toLowerCase()
    if (OWNED.has(name)) continue
    const value = latin1(rawValue.trim())
    const before = given[name]
    given[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return given
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`
}

/** Header values are bytes: what does not fit latin1 goes out as UTF-8. */
function latin1(value: string): string {
  return /[^\x00-\xff]/.test(value) ? Buffer.from(value, 'utf8').toString('latin1') : value
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // a stray % that encodes nothing: it stands for itself
    return text
  }
}
