/**
 * What holds for a host: the task's option, else the most specific rule that says something, else the settings. Pure.
 * Each field is decided by itself: a rule for `*.example.org` may name the proxy and one for `a.example.org` the pace.
 */
import { domainToASCII } from 'node:url'
import { NighthaulError } from '../../shared/errors.ts'
import type { HostRule, HostRulePatch, HostRuleView } from '../../shared/host-schemas.ts'
import type { Settings, TaskOptions } from '../../shared/schemas.ts'
import { maskProxy } from './http/proxies.ts'

export type HostRules = readonly HostRule[]

interface Place {
  hostname: string
  /** that the URL may mean, where only its host is known */
  ports: readonly string[]
}

interface Pattern extends Place {
  below: boolean
}

const PATTERN = /^(\*\.)?(\[.*\]|[^:]*)(?::(\d+))?$/

function parsePattern(text: string): Pattern {
  const [, wildcard, hostname = '', port] = PATTERN.exec(text) ?? []
  return { below: wildcard !== undefined, hostname, ports: port === undefined ? [] : [String(Number(port))] }
}

/** `host` as in a URL, with its port where that is not the usual one. */
function placeOf(host: string | URL): Place {
  if (host instanceof URL)
    return { hostname: host.hostname, ports: [host.port || (host.protocol === 'https:' ? '443' : '80')] }
  const { hostname, ports } = parsePattern(host)
  return { hostname, ports: ports.length > 0 ? ports : ['80', '443'] }
}

function matches(pattern: Pattern, place: Place): boolean {
  const port = pattern.ports[0]
  if (port !== undefined && !place.ports.includes(port)) return false
  return pattern.below ? place.hostname.endsWith(`.${pattern.hostname}`) : place.hostname === pattern.hostname
}

/** Below 0: `a` is more specific. A host by name before any pattern, a longer pattern before a shorter, a port before none. */
function bySpecificity(a: Pattern, b: Pattern): number {
  return Number(a.below) - Number(b.below) || b.hostname.length - a.hostname.length || b.ports.length - a.ports.length
}

/** The rules that hold for a host, the most specific first. `host`: of a URL, or the URL itself. */
export function matchingRules(host: string | URL, rules: HostRules): HostRule[] {
  if (rules.length === 0) return []
  const place = placeOf(host)
  return rules
    .map((rule) => ({ rule, pattern: parsePattern(rule.pattern) }))
    .filter(({ pattern }) => matches(pattern, place))
    .sort((a, b) => bySpecificity(a.pattern, b.pattern))
    .map(({ rule }) => rule)
}

/** What rules say about a host, field by field. */
function ruleFor(host: string | URL, rules: HostRules): Omit<HostRule, 'pattern'> {
  const { pattern: _, ...rule } = Object.assign({ pattern: '' }, ...matchingRules(host, rules).reverse()) as HostRule
  return rule
}

/** How much a host gets, of all tasks together; null: no bound. */
export interface HostLimits {
  connections: number
  requestsPerSecond: number | null
  spacingMs: number | null
  limitBytesPerSecond: number | null
}

type LimitSettings = Pick<Settings, 'connectionsPerHost' | 'requestsPerSecondPerHost' | 'requestSpacingMsPerHost'>

/** `host` as in a URL. `most`: connections that the profile that holds leaves every host, whatever is said of it. */
export function limitsFor(
  host: string,
  rules: HostRules,
  settings: LimitSettings,
  most = Number.POSITIVE_INFINITY,
): HostLimits {
  const rule = ruleFor(host, rules)
  return {
    connections: Math.min(rule.connections ?? settings.connectionsPerHost, most),
    requestsPerSecond: rule.requestsPerSecond ?? settings.requestsPerSecondPerHost,
    spacingMs: rule.spacingMs ?? settings.requestSpacingMsPerHost,
    limitBytesPerSecond: rule.limitBytesPerSecond ?? null,
  }
}

/** What one request carries because of where it goes. */
export interface HopOptions {
  userAgent: string
  /** empty: none at all; undefined: nobody chose, the environment does */
  proxy: string | undefined
  /** of the rules; what the task gives under the same name goes before */
  headers: NonNullable<HostRule['headers']>
  /** of the rules; the task's own and the link's go before */
  login: { user: string; password: string } | null
}

/**
 * What a request to `url` carries, decided anew for every redirect: headers and logins of a rule go to hosts that its
 * pattern matches and to no other. `start` is where the chain began: what was given for a secure link does not go out in
 * the open.
 */
export function optionsFor(
  url: URL,
  start: URL,
  task: Pick<TaskOptions, 'proxy'>,
  rules: HostRules,
  settings: { userAgent: string; proxy: string | null },
): HopOptions {
  const rule = ruleFor(url, rules)
  const downgraded = start.protocol === 'https:' && url.protocol === 'http:'
  const referer: [string, string][] = rule.referer === undefined ? [] : [['referer', rule.referer]]
  const hasLogin = !downgraded && (rule.user !== undefined || rule.password !== undefined)
  return {
    userAgent: rule.userAgent ?? settings.userAgent,
    proxy: task.proxy ?? rule.proxy ?? settings.proxy ?? undefined,
    headers: [...referer, ...(downgraded ? [] : (rule.headers ?? []))],
    login: hasLogin ? { user: rule.user ?? '', password: rule.password ?? '' } : null,
  }
}

/** The pattern as it is stored: names in ASCII, as they stand in URLs. Throws `invalid_input`. */
export function normalizePattern(text: string): string {
  const { below, hostname, ports } = parsePattern(text)
  const ascii = hostname.startsWith('[') ? (URL.parse(`http://${hostname}`)?.hostname ?? '') : domainToASCII(hostname)
  if (ascii === '')
    throw new NighthaulError('invalid_input', `“${text}” is not a host. Nothing was changed.`, { pattern: text })
  return `${below ? '*.' : ''}${ascii}${ports[0] === undefined ? '' : `:${ports[0]}`}`
}

/** The rule after a change; null: it says nothing any more. */
export function changedRule(rule: HostRule, patch: HostRulePatch): HostRule | null {
  const { pattern, ...before } = rule
  const merged = Object.entries({ ...before, ...patch }).filter(([, value]) => value !== null && value !== undefined)
  return merged.length === 0 ? null : { ...Object.fromEntries(merged), pattern }
}

/** Fit to be shown: headers that may hold a secret are named, their values are not given. */
export function rulesWithoutSecrets({ password, headers, proxy, ...rest }: HostRule): HostRuleView {
  return {
    ...rest,
    ...(headers && { headers: headers.map(([name]): [string, string] => [name, '…']) }),
    ...(proxy !== undefined && { proxy: maskProxy(proxy) }),
    hasPassword: password !== undefined,
  }
}
