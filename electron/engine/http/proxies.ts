/** Which proxy a request goes through: the one chosen by the user, or the environment's (as curl reads it). Pure. */
import { BlockList, isIP } from 'node:net'
import { NighthaulError } from '../../../shared/errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy for `url`, or null for none. `chosen` wins over the environment and is used for every host; an empty
 * `chosen` means: none at all. Otherwise http_proxy, https_proxy and all_proxy, unless no_proxy names the host.
 * Throws `invalid_input` where the address of the proxy cannot be understood.
 */
export function proxyFor(url: URL, chosen: string | null | undefined, env: Environment): URL | null {
  if (typeof chosen === 'string') return chosen === '' ? null : parseProxy(chosen)
  const read = (name: string) => env[name] || env[name.toUpperCase()] || null
  const found = read(url.protocol === 'https:' ? 'https_proxy' : 'http_proxy') ?? read('all_proxy')
  if (!found || isExempt(url, read('no_proxy') ?? '')) return null
  return parseProxy(found)
}

/** The proxy as it may be shown or logged: without user and password. Text that is no URL loses what precedes an @. */
export function maskProxy(proxy: string): string {
  return proxy.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1…@')
}

/** http://, https:// or socks5:// (socks5h:// and socks:// mean the same: names are resolved by the proxy). */
export function parseProxy(text: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  const scheme = url?.protocol
  if (url && url.hostname !== '' && isDecodable(url.username) && isDecodable(url.password)) {
    if (scheme === 'http:' || scheme === 'https:') return url
    if (scheme === 'socks5:') return url
    // URL refuses to change between these schemes by assignment.
    if (scheme === 'socks5h:' || scheme === 'socks:') return new URL(url.href.replace(/^socks5?h?:/, 'socks5:'))
  }
  throw new NighthaulError(
    'invalid_input',
    'The proxy’s address cannot be used. Nothing was sent; it should look like http://host:port or socks5://host:port.',
  )
}

/** Whether no_proxy names the host: `*`, names with all below them, addresses, CIDR blocks, each with a port or not. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname)
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === '') return false
    const [, name, entryPort] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [null, entry, null]
    if (entryPort && entryPort !== port) return false
    if (name === '*') return true
    const [address, prefix] = bare(name!).split('/')
    if (prefix !== undefined) return inBlock(host, address!, Number(prefix))
    const suffix = bare(name!).replace(/^\*?\./, '')
    return host.endsWith(`.${suffix}`) || (host === suffix && !name!.startsWith('*.'))
  })
}

function inBlock(host: string, network: string, prefix: number): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  if (!isIP(network) || isIP(host) !== isIP(network)) return false
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > (family === 'ipv6' ? 128 : 32)) return false
  const block = new BlockList()
  block.addSubnet(network, prefix, family)
  return block.check(host, family)
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function bare(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
}
