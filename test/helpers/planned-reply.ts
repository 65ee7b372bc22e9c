/** The correct reply to a request for deterministic content; faults.ts edits it, fault-server.ts sends it. */
import { contentBytes } from './bytes.ts'

const DEFAULT_LAST_MODIFIED = 'Wed, 01 Jan 2025 00:00:00 GMT'

export interface Resource {
  size: number
  /** decides the bytes: see contentBytes() */
  seed: number
  /** with its quotes; made from seed and size when left out; null: none */
  etag?: string | null
  /** an HTTP date; null: none */
  lastModified?: string | null
  contentType?: string
  /** sent as Content-Disposition */
  filename?: string
  /** of each reply */
  rateBytesPerSecond?: number
  /** of all replies together */
  lineBytesPerSecond?: number
  headers?: Record<string, string>
}

export interface RecordedRequest {
  /** counts the requests of this path, from 0 */
  readonly index: number
  readonly method: string
  /** with its query */
  readonly path: string
  /** lower-case; repeated ones joined by ', ' */
  readonly headers: Readonly<Record<string, string>>
  /** as UTF-8; empty where it has none */
  readonly body: string
  /** counts the server's connections, from 0 */
  readonly connection: number
  /** requests before it on the same connection */
  readonly nth: number
  readonly httpVersion: '1.1' | '2'
  /** requests of this path under way when this one came, with it */
  readonly active: number
  /** what was answered; null: nothing (yet) */
  status: number | null
  /** bytes of the body handed to the socket */
  bytesSent: number
  /** the reply is over, or its connection is */
  finished: boolean
  /** the reply is not the one that was due; where it was to break off, it did */
  spoilt: boolean
}

/** A reply as it is about to be sent; faults edit it. */
export interface PlannedReply {
  /** null: no reply at all; the connection ends, or stays silent, as `cut` says */
  status: number | null
  /** names in lower case; content-length is set by the framing */
  headers: Record<string, string>
  bodyBytes: number
  body: (offset: number, length: number) => Buffer
  /** `close`: the end of the connection is the end of the body */
  framing: 'length' | 'chunked' | 'close'
  /** announced in place of bodyBytes */
  announcedBytes: number | null
  /** what happens after so many bytes of the body */
  cut: { at: number; how: 'close' | 'reset' | 'stall' | 'garbage' | 'goaway' } | null
  bytesPerSecond: number | null
  /** nothing is sent until the server's release() */
  late: boolean
  /** close the connection after the reply without saying so beforehand */
  closeAfter: boolean
  /** HTTP/2: GOAWAY goes before it, so that nothing more is asked on the connection */
  goAway: boolean
}

/** The correct reply (RFC 9110 §13, §14). */
export function planReply(request: RecordedRequest, resource: Resource | undefined): PlannedReply {
  const reply: PlannedReply = {
    status: 200,
    headers: { date: new Date().toUTCString() },
    bodyBytes: 0,
    body: () => Buffer.alloc(0),
    framing: 'length',
    announcedBytes: null,
    cut: null,
    bytesPerSecond: resource?.rateBytesPerSecond ?? null,
    late: false,
    closeAfter: false,
    goAway: false,
  }
  if (!resource) {
    reply.status = 404
    return reply
  }
  const { size, seed } = resource
  const etag = etagOf(resource)
  const lastModified = resource.lastModified === undefined ? DEFAULT_LAST_MODIFIED : resource.lastModified
  reply.headers['content-type'] = resource.contentType ?? 'application/octet-stream'
  reply.headers['accept-ranges'] = 'bytes'
  if (etag) reply.headers.etag = etag
  if (lastModified) reply.headers['last-modified'] = lastModified
  if (resource.filename) reply.headers['content-disposition'] = `attachment; filename="${resource.filename}"`
  Object.assign(reply.headers, resource.headers)

  if (isStillTheSame(request.headers, etag, lastModified)) {
    reply.status = 304
    return reply
  }
  const condition = request.headers['if-range']
  const holds =
    condition === undefined ||
    (condition.startsWith('"') ? condition === etag : !condition.startsWith('W/') && condition === lastModified)
  const range = holds ? rangeOf(request.headers.range, size) : null
  if (range === 'unsatisfiable') {
    reply.status = 416
    reply.headers['content-range'] = `bytes */${size}`
    return reply
  }
  const start = range?.start ?? 0
  reply.bodyBytes = range ? range.end - range.start : size
  reply.body = (offset, length) => contentBytes(seed, start + offset, length)
  if (range) {
    reply.status = 206
    reply.headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${size}`
  }
  return reply
}

/** If-None-Match, and where there is none If-Modified-Since (RFC 9110 §13.2.2). */
function isStillTheSame(
  headers: RecordedRequest['headers'],
  etag: string | null,
  lastModified: string | null,
): boolean {
  const known = headers['if-none-match']
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  if (known !== undefined) return etag !== null && known.split(',').some((tag) => opaque(tag) === opaque(etag))
  const since = headers['if-modified-since']
  return since !== undefined && lastModified !== null && Date.parse(lastModified) <= Date.parse(since)
}

/** The ETag that a resource is served with, quotes and all; null: none. */
export function etagOf(resource: Resource): string | null {
  return resource.etag === undefined ? `"${resource.seed}-${resource.size}"` : resource.etag
}

/** One range of bytes, `end` one past the last; null: to be ignored (none, several, or not understood). */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  const suffix = match[1] === ''
  const start = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const end = suffix || match[2] === '' ? size : Math.min(size, Number(match[2]) + 1)
  if (start >= size || (suffix && match[2] === '0')) return 'unsatisfiable'
  return end > start ? { start, end } : null
}
