/**
 * What a request says about the user: headers given by hand, user and password, cookies; and which of it may travel to
 * which origin. Credentials never leave the origin they were given for. Pure.
 */
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { HopOptions } from '../host-rules.ts'
import { type NetrcLogin, netrcLogin } from './netrc.ts'

export type RequestHeaders = Record<string, string | string[]>

export interface Login {
  user: string
  password: string
}

/** The only headers given by hand that follow a redirect to another origin; any other may carry a secret. */
const HARMLESS = new Set(['accept', 'accept-language', 'referer', 'user-agent'])

export function isHarmless(header: string): boolean {
  return HARMLESS.has(header.toLowerCase())
}

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

/** What a body was sent as: means nothing where a redirect made a GET of the request. */
const OF_THE_BODY = new Set(['content-type', 'content-encoding', 'content-language', 'content-location'])

/** The URL without `user:password@`, and these as a login; `#fragment` goes as well. */
export function splitCredentials(url: URL): { url: URL; login: Login | null } {
  const clean = new URL(url)
  clean.username = ''
  clean.password = ''
  clean.hash = ''
  return { url: clean, login: loginOf(url) }
}

/** `user:password@` of a URL, decoded; null: it has none. */
export function loginOf(url: URL): Login | null {
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

/** Whose login a request may carry. */
export interface LoginInput {
  url: URL
  /** where the user pointed us: their credentials belong to its origin */
  start: URL
  options: Pick<TaskOptions, 'user' | 'password'>
  /** from `user:password@` in this hop's own URL, or in the start's while still at its origin */
  embedded: Login | null
  /** of the user's rules for this hop's host */
  rule: Login | null
  netrc: readonly NetrcLogin[]
}

/** The login for one hop: what was given for the task, what stands in the URL, a rule's, then the netrc file's. */
export function loginFor({ url, start, options, embedded, rule, netrc }: LoginInput): Login | null {
  const home = url.origin === start.origin
  const { user, password } = options
  if (home && (user !== undefined || password !== undefined)) return { user: user ?? '', password: password ?? '' }
  if (embedded ?? rule) return embedded ?? rule
  // Downgraded to http: these were not meant to go in the open.
  return start.protocol === 'https:' && url.protocol === 'http:' ? null : netrcLogin(netrc, url.hostname, home)
}

export interface HopInput {
  url: URL
  /** where the user pointed us: their headers belong to its origin */
  start: URL
  options: TaskOptions
  /** value of Authorization; null: none */
  authorization: string | null
  cookie: string | null
  /** of the user's rules for this hop's host */
  rules: HopOptions
  /** a body goes along */
  hasBody: boolean
  /** range and if-range, lower-case */
  range: Readonly<Record<string, string>>
}

/** All headers of one request, names in lower case. */
export function headersFor(hop: HopInput): RequestHeaders {
  const home = hop.url.origin === hop.start.origin
  const { userAgent, headers: ofRules } = hop.rules
  const headers: RequestHeaders = { accept: '*/*', 'user-agent': userAgent, ...headersGiven(ofRules, hop.hasBody) }
  if (hop.authorization) headers.authorization = hop.authorization
  const given = (hop.options.headers ?? []).filter(([name]) => home || isHarmless(name))
  Object.assign(headers, headersGiven(given, hop.hasBody), hop.range)
  // As plain bytes: a compressed reply has no positions to resume at.
  headers['accept-encoding'] = 'identity'
  if (asksForChecksums(hop.url, headers)) headers['x-amz-checksum-mode'] ??= 'ENABLED'
  if (hop.cookie) headers.cookie = [headers.cookie ?? [], latin1(hop.cookie)].flat().join('; ')
  return headers
}

/** S3’s hosts. */
const S3 = /^(?:[^/]+\.)?s3(?:[.-][a-z0-9.-]+)?\.amazonaws\.com(?:\.cn)?$/

/**
 * Whether to ask S3 for an object’s checksum. A signature has to cover every header that begins with `x-amz-`: so only
 * where the link’s covers this one, which then must be sent, or where nothing is signed at all.
 */
function asksForChecksums(url: URL, headers: RequestHeaders): boolean {
  const signed = [...url.searchParams].find(([name]) => name.toLowerCase() === 'x-amz-signedheaders')?.[1]
  if (signed !== undefined) return signed.toLowerCase().split(';').includes('x-amz-checksum-mode')
  return url.search === '' && headers.authorization === undefined && S3.test(url.hostname)
}

/** Headers written by hand, as they are sent: names in lower case, without those that are ours to set. */
function headersGiven(list: HopOptions['headers'], hasBody: boolean): RequestHeaders {
  const given: RequestHeaders = {}
  for (const [rawName, rawValue] of list) {
    const name = rawName.toLowerCase()
    if (OWNED.has(name) || (!hasBody && OF_THE_BODY.has(name))) continue
    const value = latin1(rawValue.trim())
    const before = given[name]
    given[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return given
}

/** Whether the user wrote an Authorization of their own, which is sent as it is to where they pointed us. */
export function hasOwnAuthorization({ headers }: Pick<TaskOptions, 'headers'>): boolean {
  return headers?.some(([name]) => name.toLowerCase() === 'authorization') ?? false
}

/** RFC 7617, in UTF-8. */
export function basic(user: string, password: string): string {
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
