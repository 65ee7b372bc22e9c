/**
 * The cookies of one task: those of a Netscape cookie file and those a server sets on the way (RFC 6265). They go only
 * where their domain, path and Secure flag say.
 */
import type { Cookie, CookieJar } from 'tough-cookie'
import { NighthaulError } from '../../../shared/errors.ts'

export interface NetscapeCookie {
  domain: string
  includeSubdomains: boolean
  path: string
  secure: boolean
  httpOnly: boolean
  /** epoch seconds; 0: until the end of the session */
  expires: number
  name: string
  value: string
}

/** Seconds of the last moment that a Date can hold. */
const LATEST = 8_640_000_000_000
const HTTP_ONLY = '#HttpOnly_'

/**
 * The text of a Netscape cookie file (as curl, wget and browser extensions write it). Throws `invalid_input` naming the
 * line that is none; values never appear in the message.
 */
export function parseNetscapeCookies(text: string): NetscapeCookie[] {
  const cookies: NetscapeCookie[] = []
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const httpOnly = raw.startsWith(HTTP_ONLY)
    const line = httpOnly ? raw.slice(HTTP_ONLY.length) : raw
    if (line.trim() === '' || (!httpOnly && line.startsWith('#'))) continue
    const cookie = parseLine(line)
    if (!cookie)
      throw new NighthaulError(
        'invalid_input',
        `Line ${index + 1} of the cookie file is not a cookie. Nothing was started; give a file in Netscape format (seven fields separated by tabs).`,
        { line: index + 1 },
      )
    cookies.push({ ...cookie, httpOnly })
  }
  return cookies
}

function parseLine(line: string): Omit<NetscapeCookie, 'httpOnly'> | null {
  // curl writes six fields where the value is empty.
  const [domain, subdomains, path, secure, expires, name, value = '', ...rest] = line.split('\t')
  if (rest.length > 0 || !domain || !path?.startsWith('/') || !name || expires === undefined) return null
  if (!isBoolean(subdomains) || !isBoolean(secure) || !/^-?\d+(\.\d+)?$/.test(expires)) return null
  if (/[\s/:;,]/.test(domain) || /[\x00-\x20\x7f;=,]/.test(name) || /[\x00-\x1f\x7f;]/.test(value)) return null
  return {
    domain: domain.replace(/^\./, '').toLowerCase(),
    includeSubdomains: subdomains.toUpperCase() === 'TRUE',
    path,
    secure: secure.toUpperCase() === 'TRUE',
    expires: Math.trunc(Math.min(Number(expires), LATEST)),
    name,
    value,
  }
}

function isBoolean(text: string | undefined): text is string {
  return text !== undefined && /^(TRUE|FALSE)$/i.test(text)
}

export interface TaskCookies {
  /** the Cookie header for a request to `url`; null: none belongs there */
  header(url: URL): Promise<string | null>
  /** remembers what a reply from `url` set, as far as it may */
  learn(url: URL, setCookie: string | string[] | undefined): Promise<void>
}

/** What servers set of one task, in all; then the oldest go. Browsers keep as many of one site. */
const MOST_LEARNT = 180
/** A longer one is left alone, as in browsers. */
const LONGEST = 4096

/** Throws `invalid_input` where `text` is no cookie file. */
export function createTaskCookies(text: string | undefined): TaskCookies {
  const given = text ? parseNetscapeCookies(text) : []
  // The list of public suffixes costs half a megabyte and milliseconds, and most downloads never see a cookie.
  let jar: Promise<CookieJar> | null = null
  const filled = () => (jar ??= jarOf(given))
  const learnt = new Map<string, Cookie>()

  /** So that a server that sets ever new ones fills neither the memory nor the requests. */
  const keep = async (cookie: Cookie, { store }: CookieJar) => {
    const name = JSON.stringify([cookie.domain, cookie.path, cookie.key])
    learnt.delete(name)
    learnt.set(name, cookie)
    if (learnt.size <= MOST_LEARNT) return
    const oldest = learnt.keys().next().value!
    const { domain, path, key } = learnt.get(oldest)!
    learnt.delete(oldest)
    await store.removeCookie(domain, path, key)
  }

  return {
    async header(url) {
      if (jar === null && given.length === 0) return null
      return (await filled()).getCookieStringSync(url.href) || null
    },
    async learn(url, setCookie) {
      for (const line of [setCookie ?? []].flat()) {
        if (line.length > LONGEST) continue
        const jar = await filled()
        const cookie = jar.setCookieSync(line, url.href, { ignoreError: true, loose: true })
        if (cookie) await keep(cookie, jar)
      }
    },
  }
}

async function jarOf(cookies: readonly NetscapeCookie[]): Promise<CookieJar> {
  const { Cookie, CookieJar } = await import('tough-cookie')
  const jar = new CookieJar()
  for (const { domain, path, includeSubdomains, expires, name: key, ...rest } of cookies) {
    const home = `https://${domain}${path}`
    // What is no host is never asked for anything.
    if (!URL.canParse(home)) continue
    jar.setCookieSync(
      new Cookie({
        key,
        path,
        ...rest,
        domain: includeSubdomains ? domain : null,
        expires: expires > 0 ? new Date(expires * 1000) : 'Infinity',
      }),
      home,
      // A cookie for a whole public suffix (`.com`) or one long expired: browsers' exports hold such; it goes nowhere.
      { ignoreError: true },
    )
  }
  return jar
}
