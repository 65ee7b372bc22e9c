/** Mirrors and Metalinks that a server names in Link headers (RFC 6249, grammar of RFC 8288 §3). Pure. */
import { MOST_MIRRORS, type NewMirror } from '../../shared/records.ts'
import { HttpUrl } from '../../shared/schemas.ts'

const LAST_PRIORITY = 999_999
const MOST_CHARACTERS = 64 * 1024
const METALINK_TYPE = 'application/metalink4+xml'

export interface ServerLinks {
  mirrors: NewMirror[]
  /** a Metalink document about the file; null: none is named */
  describedBy: string | null
}

interface Link {
  url: string
  /** names in lower case; the first of a name counts */
  params: Map<string, string>
}

/**
 * What a reply from `base` names. Links without a usable address, with a login, or from https to http are left out: a
 * mirror must not be less safe than the server that names it.
 */
export function serverLinks(header: string | string[] | undefined, base: string): ServerLinks {
  const links = parseLinks([header ?? []].flat().join(',').slice(0, MOST_CHARACTERS))
  const found: ServerLinks = { mirrors: [], describedBy: null }
  for (const { url: target, params } of links) {
    const url = usable(target, base)
    const relations = (params.get('rel') ?? '').toLowerCase().split(/\s+/)
    if (url === null || params.has('anchor')) continue
    if (relations.includes('describedby') && params.get('type')?.toLowerCase() === METALINK_TYPE)
      found.describedBy ??= url
    if (!relations.includes('duplicate') || found.mirrors.length === MOST_MIRRORS) continue
    const priority = Number(params.get('pri') ?? LAST_PRIORITY)
    const location = params.get('geo')?.toLowerCase() ?? ''
    found.mirrors.push({
      url,
      priority: Number.isInteger(priority) && priority >= 1 && priority <= LAST_PRIORITY ? priority : LAST_PRIORITY,
      location: /^[a-z]{2}$/.test(location) ? location : null,
      origin: 'link',
    })
  }
  return found
}

/** `<target>; name=value; name="quoted \" value", <…>`; what breaks the grammar ends the reading. */
function parseLinks(text: string): Link[] {
  const links: Link[] = []
  const target = /[\s,]*<([^>]*)>/y
  const param = /\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)?(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y
  let at = 0
  for (;;) {
    target.lastIndex = at
    const [whole, url] = target.exec(text) ?? []
    if (whole === undefined || url === undefined) return links
    at = target.lastIndex
    const params = new Map<string, string>()
    for (param.lastIndex = at; ; ) {
      const match = param.exec(text)
      if (!match) break
      at = param.lastIndex
      const name = match[1]?.toLowerCase()
      if (name !== undefined && !params.has(name)) params.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '')
    }
    links.push({ url, params })
  }
}

function usable(target: string, base: string): string | null {
  const url = URL.parse(target, base)
  if (!url || !HttpUrl.safeParse(url.href).success || url.username !== '' || url.password !== '') return null
  if (base.startsWith('https:') && url.protocol !== 'https:') return null
  url.hash = ''
  return url.href
}
