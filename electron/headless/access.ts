/**
 * Who may talk to the headless host: pure checks of `Host` (DNS rebinding), `Origin` (other pages in the user's
 * browser) and the token. Decides only; daemon.ts acts.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import { hostname } from 'node:os'

const COOKIE_SECONDS = 30 * 24 * 3600
const WILDCARDS = new Set(['0.0.0.0', '::'])

/** Where the server listens. */
export interface Bound {
  host: string
  port: number
}

/** Whether only this machine reaches an address or name. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

/**
 * Whether a `Host` header names this server: a page that rebinds its own DNS name to our address still sends its own
 * name. Bound to every address, any IP address is ours (it cannot be rebound), and the machine's name.
 */
export function isOwnHost(header: string | undefined, bound: Bound): boolean {
  const [, bracketed, plain, port = '80'] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(header ?? '') ?? []
  const host = (bracketed ?? plain)?.toLowerCase()
  if (!host || Number(port) !== bound.port) return false
  if (isLoopback(host) || host === bound.host.toLowerCase()) return true
  if (!WILDCARDS.has(bound.host)) return false
  const machine = hostname().toLowerCase()
  return isIP(host) !== 0 || host === machine || host === `${machine}.local`
}

/** Whether a request comes from our own page, or from no page at all (then there is no `Origin`). */
export function isOwnOrigin(origin: string | undefined, hostHeader: string | undefined): boolean {
  return origin === undefined || origin.toLowerCase() === `http://${hostHeader?.toLowerCase()}`
}

/** The address people and programs on this machine use for a server bound there. */
export function urlOf({ host, port }: Bound): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`
}

export interface Credentials {
  authorization: string | undefined
  cookie: string | undefined
  /** of `?token=` */
  query: string | null
}

export interface TokenGuard {
  /** The most explicit credential is the one that counts: header, then query, then cookie. */
  accepts(credentials: Credentials): boolean
  /** the `Set-Cookie` that lets the window in from now on */
  cookie: string
}

/**
 * The cookie holds a hash of the token, so that nobody reads the token out of a browser, and its name the port,
 * since cookies do not tell ports apart.
 */
export function tokenGuard(token: string, port: number): TokenGuard {
  const name = `nighthaul_${port}`
  const ticket = createHash('sha256').update(`nighthaul cookie ${token}`).digest('base64url')
  return {
    accepts({ authorization, cookie, query }) {
      if (authorization !== undefined) return same(/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '', token)
      if (query !== null) return same(query, token)
      return cookiesNamed(name, cookie).some((value) => same(value, ticket))
    },
    cookie: `${name}=${ticket}; Path=/; Max-Age=${COOKIE_SECONDS}; HttpOnly; SameSite=Strict`,
  }
}

function cookiesNamed(name: string, header = ''): string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}

/** Takes the same time whatever the difference; hashing makes the lengths equal. */
function same(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
