/**
 * Which proxies to try for a request, in which order: asks the system where the settings say so, remembers its answers
 * for a moment, and leaves those that failed for last. How addresses and answers are read is in proxies.ts.
 */
import { NighthaulError } from '../../../shared/errors.ts'
import type { Settings } from '../../../shared/schemas.ts'
import type { Clock } from '../ports.ts'
import { type Environment, parsePacResult, parseProxy, proxyFor } from './proxies.ts'

/** Asks the system about a URL; the answer is that of a PAC script, such as `PROXY a:1; DIRECT`. */
export type ResolveProxy = (url: string) => Promise<string>

export interface ProxySettings {
  proxyMode: Settings['proxyMode']
  /** used for every host where a task names none of its own */
  proxy: string | null
}

export interface ProxyChoiceDeps {
  clock: Clock
  environment: Environment
  /** undefined: nobody can ask the system, and the environment speaks for it */
  resolveProxy?: ResolveProxy
}

/** An answer of the system is good for so long: an overnight run asks for thousands of files of one host. */
const ANSWER_MS = 30_000
const MAX_ANSWERS = 256
/** A proxy that failed is tried last for so long. */
const FAILED_MS = 5 * 60_000

export class ProxyChoice {
  readonly #deps: ProxyChoiceDeps
  readonly #answers = new Map<string, { proxies: (URL | null)[]; untilMs: number }>()
  readonly #failedUntilMs = new Map<string, number>()

  constructor(deps: ProxyChoiceDeps) {
    this.#deps = deps
  }

  /**
   * At least one; null: no proxy. `chosen` is the task's own word (empty: none at all). Throws `invalid_input` or
   * `proxy_failed`.
   */
  async choose(url: URL, chosen: string | undefined, settings: ProxySettings): Promise<(URL | null)[]> {
    const own = chosen ?? settings.proxy
    if (own !== null) return [own === '' ? null : parseProxy(own)]
    const { environment, resolveProxy } = this.#deps
    if (settings.proxyMode === 'none') return [null]
    if (settings.proxyMode === 'environment' || !resolveProxy) return [proxyFor(url, null, environment)]
    const proxies = await this.#ask(url, resolveProxy)
    const now = this.#deps.clock.monotonic()
    const works = (proxy: URL | null) => (this.#failedUntilMs.get(nameOf(proxy)) ?? 0) <= now
    return [...proxies.filter(works), ...proxies.filter((proxy) => !works(proxy))]
  }

  /** This one could not be used; another is tried in its place. */
  failed(proxy: URL | null): void {
    this.#failedUntilMs.set(nameOf(proxy), this.#deps.clock.monotonic() + FAILED_MS)
  }

  /** Another network may have other proxies. */
  forget(): void {
    this.#answers.clear()
    this.#failedUntilMs.clear()
  }

  async #ask(url: URL, resolveProxy: ResolveProxy): Promise<(URL | null)[]> {
    const now = this.#deps.clock.monotonic()
    // Of a secure link a PAC script is shown the origin alone.
    const question = url.protocol === 'https:' ? `${url.origin}/` : url.href
    const known = this.#answers.get(question)
    if (known && known.untilMs > now) return known.proxies
    const proxies = parsePacResult(await asked(question, resolveProxy))
    if (this.#answers.size >= MAX_ANSWERS) this.#answers.clear()
    this.#answers.set(question, { proxies, untilMs: now + ANSWER_MS })
    return proxies
  }
}

async function asked(url: string, resolveProxy: ResolveProxy): Promise<string> {
  try {
    return await resolveProxy(url)
  } catch (error) {
    throw new NighthaulError(
      'proxy_failed',
      'The system did not say which proxy to use. What is already here is kept; it is tried again, or name a proxy in the settings.',
      { host: null, detail: error instanceof Error ? error.message : String(error) },
      { cause: error },
    )
  }
}

function nameOf(proxy: URL | null): string {
  return proxy?.href ?? 'DIRECT'
}

/** The way to the server is no good, and nothing was sent: another proxy may do. */
export function isUnreachable(error: unknown, proxy: URL | null): boolean {
  if (!(error instanceof NighthaulError)) return false
  return proxy ? error.code === 'proxy_failed' : CONNECTING.has(error.code)
}

const CONNECTING: ReadonlySet<string> = new Set<NighthaulError['code']>([
  'dns_not_found',
  'connect_refused',
  'connect_timeout',
  'network_unreachable',
])
