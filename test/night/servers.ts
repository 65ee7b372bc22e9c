/** The hosts of a night: what they allow, what they answer, and how they fail. No packets here: network.ts has those. */
import {
  contentOf,
  type FilePlan,
  type HostPlan,
  isWithin,
  type NightPlan,
  pathOf,
  type Trouble,
} from './night-plan.ts'

export interface ServerRequest {
  path: string
  query: string
  range: string | null
  ifRange: string | null
}

export interface ServerReply {
  status: number
  headers: Record<string, string>
  body: { content: number; from: number; bytes: number } | { text: string } | null
  /** the reply ends after so many bytes of its body; null: with it */
  cutAfter: number | null
}

export const LINKS = 'links.example'
/** A window of the requests that a host counts. */
const COUNTED_MS = 1_000

export class Server {
  readonly plan: HostPlan
  readonly #files: ReadonlyMap<string, FilePlan>
  readonly #hosts: ReadonlyMap<string, HostPlan>
  readonly #random: () => number
  /** when requests came, of the last moment */
  #lately: number[] = []
  /** when all bytes that were promised are out */
  freeAt = 0
  /** when it was asked, of the last moments */
  askedAt: number[] = []
  /** connections of the machine */
  open = 0
  /** it asked to be left alone until then, and was heard */
  waitUntil = 0

  constructor(plan: HostPlan, night: NightPlan, random: () => number) {
    this.plan = plan
    const files = [...night.files, ...night.repeats.map(({ file }) => file)]
    this.#files = new Map(files.map((file) => [pathOf(file), file]))
    this.#hosts = new Map(night.hosts.map((host) => [host.name, host]))
    this.#random = random
  }

  trouble(at: number): Trouble['kind'] | null {
    return this.plan.troubles.find(({ span }) => isWithin(at, [span]))?.kind ?? null
  }

  fileAt(path: string): FilePlan | undefined {
    return this.#files.get(path)
  }

  answer({ path, query, range, ifRange }: ServerRequest, at: number): ServerReply {
    const { mostConnections, requestsPerSecond, told, retryAfterS } = this.plan
    const trouble = this.trouble(at)
    // Told bounds are judged where requests leave; here a host is patient about how they arrive.
    this.#lately = [...this.#lately.filter((then) => at - then < COUNTED_MS), at]
    const tooMany =
      !told &&
      ((mostConnections !== null && this.open > mostConnections) ||
        (requestsPerSecond !== null && this.#lately.length > requestsPerSecond))
    if (trouble === 'storm' || tooMany) {
      const seconds = trouble === 'storm' ? Math.ceil(retryAfterS * (0.5 + this.#random())) : retryAfterS
      return text(429, 'Too many requests', { 'retry-after': String(seconds) })
    }
    if (trouble === 'errors') return text(503, 'Busy')
    const file = this.#files.get(path)
    if (!file || (file.host !== this.plan.name && this.plan.name !== LINKS)) return text(404, 'There is no such file')
    if (this.plan.name === LINKS) return this.#redirect(file, at)
    if (file.fate === 'gone') return text(404, 'There is no such file')
    if (file.fate === 'forbidden') return text(403, 'Not for you')
    const until = new URLSearchParams(query).get('until')
    if (file.linkLastsMs !== null && !(Number(until) > at)) return text(403, 'This link has expired')
    return this.#file(file, range, ifRange, at)
  }

  #redirect(file: FilePlan, at: number): ServerReply {
    const { secure } = this.#hosts.get(file.host)!
    const until = at + (file.linkLastsMs ?? 0)
    return {
      status: 302,
      headers: {
        location: `${secure ? 'https' : 'http'}://${file.host}${pathOf(file)}?until=${until}`,
        'content-length': '0',
      },
      body: null,
      cutAfter: null,
    }
  }

  #file(file: FilePlan, range: string | null, ifRange: string | null, at: number): ServerReply {
    const content = contentOf(file, at)
    const { sizeBytes } = file
    const etag = `"${content}"`
    const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? '')
    const common = {
      etag,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'last-modified': 'Thu, 01 Oct 2026 08:00:00 GMT',
      date: new Date(at).toUTCString(),
    }
    let [from, to] = [0, sizeBytes]
    const partial = asked !== null && (ifRange === null || ifRange === etag)
    if (partial) {
      from = Number(asked[1])
      to = asked[2] ? Math.min(sizeBytes, Number(asked[2]) + 1) : sizeBytes
      if (from >= sizeBytes) return text(416, 'Out of range', { 'content-range': `bytes */${sizeBytes}` })
    }
    const bytes = to - from
    return {
      status: partial ? 206 : 200,
      headers: {
        ...common,
        'content-length': String(bytes),
        ...(partial && { 'content-range': `bytes ${from}-${to - 1}/${sizeBytes}` }),
      },
      body: { content, from, bytes },
      cutAfter: this.#random() < this.plan.cutShare ? Math.floor(this.#random() * bytes) : null,
    }
  }
}

/** What answers in place of every server while somebody has to sign in first. */
export function portalAnswer(host: string): ServerReply {
  if (host !== PORTAL) return text(302, '', { location: `http://${PORTAL}/login` })
  return text(200, `<!doctype html><title>Sign in</title>${'<p>Welcome to the guest network.</p>'.repeat(40)}`, {
    'content-type': 'text/html',
  })
}

export const PORTAL = 'portal.example'

function text(status: number, body: string, headers: Record<string, string> = {}): ServerReply {
  return {
    status,
    headers: { 'content-type': 'text/plain', ...headers, 'content-length': String(body.length) },
    body: { text: body },
    cutAfter: null,
  }
}
