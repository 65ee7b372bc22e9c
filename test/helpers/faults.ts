/** Ways in which servers misbehave, each an edit of the correct reply that fault-server.ts is about to send. */
import { gzipSync } from 'node:zlib'
import { contentBytes } from './bytes.ts'
import type { ConnectionFault, ConnectionScript, FaultScript } from './fault-server.ts'
import { etagOf, type PlannedReply, type RecordedRequest, type Resource } from './planned-reply.ts'

export interface FaultContext {
  request: RecordedRequest
  resource: Resource | undefined
  /** replaces the resource for all later requests */
  change(resource: Resource): void
}

export type Fault = (reply: PlannedReply, context: FaultContext) => void

/** The whole file with 200, whatever was asked. */
export const ignoreRange = (): Fault => (reply, context) => whole(reply, context.resource!)

/** 200 to any request with If-Range, even where the validator is right. */
export const ifRange200 = (): Fault => (reply, context) => {
  if (context.request.headers['if-range']) whole(reply, context.resource!)
}

/** 412 to any request with If-Range, as if it were If-Match. */
export const ifRange412 = (): Fault => (reply, context) => {
  if (context.request.headers['if-range']) status(412)(reply, context)
}

/** Another status with a short text. */
export const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (reply) => {
    const date = reply.headers.date!
    reply.headers = { date, 'content-type': 'text/plain', ...headers }
    text(reply, code, `status ${code}\n`)
  }

/** 429 or 503 with Retry-After: a number of seconds, or a date. */
export const retryAfter = (after: number | Date, code = 429): Fault =>
  status(code, { 'retry-after': after instanceof Date ? after.toUTCString() : String(after) })

/** 416, truthfully saying how long the file is unless told otherwise. */
export const rangeNotSatisfiable =
  (total?: number | null): Fault =>
  (reply, context) => {
    const length = total === undefined ? context.resource!.size : total
    status(416, length === null ? {} : { 'content-range': `bytes */${length}` })(reply, context)
  }

/** A 206 whose Content-Range is not what was asked. */
export const wrongContentRange =
  (how: { shift?: number; total?: number | '*'; end?: number } | 'missing' | 'malformed'): Fault =>
  (reply) => {
    const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers['content-range'] ?? '')
    if (!match) return
    if (how === 'missing') delete reply.headers['content-range']
    else if (how === 'malformed') reply.headers['content-range'] = 'bytes some-of/it'
    else {
      const { shift = 0, total = match[3], end = 0 } = how
      reply.headers['content-range'] = `bytes ${Number(match[1]) + shift}-${Number(match[2]) + shift + end}/${total}`
    }
  }

/** A ranged reply as multipart/byteranges (RFC 9110 §14.6), though one range was asked. */
export const multipart = (): Fault => (reply) => {
  if (reply.status !== 206) return
  const { body, bodyBytes } = reply
  const boundary = 'nighthaul-part'
  const before = Buffer.from(
    `--${boundary}\r\nContent-Type: ${reply.headers['content-type']}\r\nContent-Range: ${reply.headers['content-range']}\r\n\r\n`,
  )
  const after = Buffer.from(`\r\n--${boundary}--\r\n`)
  delete reply.headers['content-range']
  reply.headers['content-type'] = `multipart/byteranges; boundary=${boundary}`
  bytesOf(reply, Buffer.concat([before, body(0, bodyBytes), after]))
}

/** Another file from this request on; validators follow unless given. The range asked is served from the new one. */
export const changeContent =
  (next: Partial<Resource>): Fault =>
  (reply, context) => {
    const fresh = { etag: undefined, lastModified: 'Thu, 02 Jan 2025 00:00:00 GMT' }
    const changed: Resource = { ...context.resource!, ...fresh, ...next }
    context.change(changed)
    const etag = etagOf(changed)
    if (etag) reply.headers.etag = etag
    else delete reply.headers.etag
    if (changed.lastModified) reply.headers['last-modified'] = changed.lastModified
    // The old validator no longer holds (RFC 9110 §13.1.5).
    if (context.request.headers['if-range']) return whole(reply, changed)
    const match = /^bytes (\d+)-(\d+)\//.exec(reply.headers['content-range'] ?? '')
    if (!match) return whole(reply, changed)
    const start = Number(match[1])
    const end = Math.min(changed.size, Number(match[2]) + 1)
    reply.bodyBytes = Math.max(0, end - start)
    reply.body = (offset, length) => contentBytes(changed.seed, start + offset, length)
    reply.headers['content-range'] = `bytes ${start}-${end - 1}/${changed.size}`
  }

/** Another file in its place once so many bytes of this reply were sent; the reply itself goes on with the old one. */
export const changeContentAt =
  (at: number, next: Partial<Resource>): Fault =>
  (reply, context) => {
    const { body } = reply
    const old = context.resource!
    let isOld = true
    reply.body = (offset, length) => {
      if (isOld && offset + length > at) {
        isOld = false
        context.change({ ...old, etag: undefined, lastModified: 'Thu, 02 Jan 2025 00:00:00 GMT', ...next })
      }
      return body(offset, length)
    }
  }

/** The same validators, other bytes: what only a comparison finds. */
export const lieAboutContent =
  (seed: number): Fault =>
  (reply) => {
    const start = Number(/^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '')?.[1] ?? 0)
    reply.body = (offset, length) => contentBytes(seed, start + offset, length)
  }

/** Closes the connection after so many bytes of the body. */
export const truncateAt = (at: number): Fault => cut(at, 'close')
/** Resets the connection after so many bytes of the body. */
export const resetAt = (at: number): Fault => cut(at, 'reset')
/** Falls silent after so many bytes of the body, until the server's release(). */
export const stallAt = (at: number): Fault => cut(at, 'stall')
/** No byte of the file from there on comes, whichever part is asked for: however many connections, it is not finished. */
export const stallBeyond =
  (at: number): Fault =>
  (reply, context) => {
    const start = Number(/^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '')?.[1] ?? 0)
    cut(Math.max(0, at - start), 'stall')(reply, context)
  }

export const slow =
  (bytesPerSecond: number): Fault =>
  (reply) => {
    reply.bytesPerSecond = bytesPerSecond
  }

/** More bytes than were asked, honestly announced. */
export const extraBytes =
  (count: number): Fault =>
  (reply) => {
    const { body, bodyBytes } = reply
    reply.bodyBytes = bodyBytes + count
    reply.body = (offset, length) => {
      const real = Math.max(0, Math.min(length, bodyBytes - offset))
      return Buffer.concat([body(offset, real), Buffer.alloc(length - real, 'x')])
    }
  }

/** Fewer bytes than were asked, though its Content-Range names them all. */
export const fewerBytes =
  (count: number): Fault =>
  (reply) => {
    reply.bodyBytes = Math.max(0, reply.bodyBytes - count)
  }

/** Announces another length than it sends: fewer bytes than announced, then the connection ends; or more. */
export const lieAboutLength =
  (announced: (real: number) => number): Fault =>
  (reply) => {
    reply.announcedBytes = announced(reply.bodyBytes)
    reply.closeAfter = true
  }

/** No Content-Length: chunked, or until the connection ends. */
export const noLength =
  (framing: 'chunked' | 'close' = 'chunked'): Fault =>
  (reply) => {
    reply.framing = framing
  }

/** A chunked body that breaks off in something that is no chunk. */
export const badChunk =
  (at = 0): Fault =>
  (reply) => {
    reply.framing = 'chunked'
    reply.cut = { at, how: 'garbage' }
  }

/** Compressed although nobody asked for it: the whole body, whatever the range was. */
export const contentEncoding = (): Fault => (reply, context) => {
  whole(reply, context.resource!)
  gzip(reply)
}

/** Compresses ranged replies alone. */
export const contentEncodingOnRange = (): Fault => (reply) => {
  if (reply.status === 206) gzip(reply)
}

/** A login page with 200 where the file was. */
export const html =
  (page = '<!doctype html><title>Sign in</title><form><input type="password"></form>'): Fault =>
  (reply) => {
    reply.headers = { date: reply.headers.date!, 'content-type': 'text/html; charset=utf-8' }
    text(reply, 200, page)
  }

export const redirect = (to: string, code = 302): Fault => status(code, { location: to })

/** Redirects to itself, for ever. */
export const redirectLoop = (): Fault => (reply, context) => redirect(context.request.path)(reply, context)

/** Redirects to ever new addresses below the same path, for ever. */
export const redirectForever = (): Fault => (reply, context) =>
  redirect(`${context.request.path.split('?')[0]}?${context.request.index}`)(reply, context)

export const weakEtag = (): Fault => (reply, context) => {
  if (reply.headers.etag && !reply.headers.etag.startsWith('W/')) reply.headers.etag = `W/${reply.headers.etag}`
  // A weak validator never satisfies If-Range.
  if (context.request.headers['if-range']?.startsWith('"')) whole(reply, context.resource!)
}

/** A strong tag that is another one with every reply, though the file is the same. */
export const changingEtag = (): Fault => (reply, context) => {
  reply.headers.etag = `"${context.request.index}-${context.request.connection}"`
  if (context.request.headers['if-range']?.startsWith('"')) whole(reply, context.resource!)
}

export const lastModifiedOnly = (): Fault => (reply) => {
  delete reply.headers.etag
}

export const noValidators = (): Fault => (reply) => {
  delete reply.headers.etag
  delete reply.headers['last-modified']
}

/** Answers without Accept-Ranges; ranges still work. */
export const noAcceptRanges = (): Fault => (reply) => {
  delete reply.headers['accept-ranges']
}

export const withHeaders =
  (headers: Record<string, string>): Fault =>
  (reply) => {
    Object.assign(reply.headers, headers)
  }

/** Does not know the method. */
export const refuseHead = (): Fault => (reply, context) => {
  if (context.request.method === 'HEAD') status(405, { allow: 'GET' })(reply, context)
}

/** The head and nothing more. */
export const closeAfterHeaders = (): Fault => cut(0, 'close')

/** No reply: the connection closes, or is reset. */
export const closeImmediately =
  (how: 'close' | 'reset' = 'close'): Fault =>
  (reply) => {
    reply.status = null
    reply.cut = { at: 0, how }
  }

/** No reply and no end, until the server's release(), which closes. */
export const silent = (): Fault => (reply) => {
  reply.status = null
  reply.bodyBytes = 0
  reply.cut = { at: 0, how: 'stall' }
}

/** Answers only after the server's release(). */
export const late = (): Fault => (reply) => {
  reply.late = true
}

/** The whole reply, then the connection ends though it was to be kept. */
export const closeAfterReply = (): Fault => (reply) => {
  reply.closeAfter = true
}

/** A script: the first request is served, all later ones are refused. */
export const oneTime =
  (code = 403): FaultScript =>
  (_request, index) =>
    index === 0 ? null : status(code)

/** HTTP/2: this is the last request that is served on its connection. */
export const goAway = (): Fault => (reply) => {
  reply.goAway = true
}
/** HTTP/2: GOAWAY that does not cover this request: it was not looked at. Node cannot say that of a connection's first. */
export const goAwayUnanswered = (): Fault => (reply) => {
  reply.status = null
  reply.cut = { at: 0, how: 'goaway' }
}
/** HTTP/2: GOAWAY with an error after so many bytes of the body, and the connection ends. */
export const goAwayAt = (at: number): Fault => cut(at, 'goaway')

/** A script: links are good for so many requests, each with its own query; then they are refused. */
export const expiring = (requests: number, code = 403): FaultScript => {
  const used = new Map<string, number>()
  return ({ path }) => {
    const uses = (used.get(path) ?? 0) + 1
    used.set(path, uses)
    return uses > requests ? status(code) : null
  }
}

/** A script: redirects to a link that is another one each time, by its query. */
export const redirectAnew =
  (to: string): FaultScript =>
  (_request, index) =>
    redirect(`${to}?token=${index}`)

/** A script: refuses what exceeds so many requests of the path at once. */
export const mostAtOnce =
  (most: number, code = 503): FaultScript =>
  ({ active }) =>
    active > most ? status(code) : null

/** A script: a connection ends, unannounced, with its n-th reply. */
export const requestsPerConnection =
  (most: number): FaultScript =>
  ({ nth }) =>
    nth + 1 >= most ? closeAfterReply() : null

/** A connection script: what exceeds so many at once is turned away. */
export const mostConnections =
  (most: number, how: ConnectionFault = 'reset'): ConnectionScript =>
  ({ open }) =>
    open > most ? how : null

function cut(at: number, how: 'close' | 'reset' | 'stall' | 'goaway'): Fault {
  return (reply) => {
    reply.cut = { at, how }
  }
}

function whole(reply: PlannedReply, resource: Resource): void {
  reply.status = 200
  delete reply.headers['content-range']
  reply.bodyBytes = resource.size
  reply.body = (offset, length) => contentBytes(resource.seed, offset, length)
}

function gzip(reply: PlannedReply): void {
  reply.headers['content-encoding'] = 'gzip'
  bytesOf(reply, gzipSync(reply.body(0, reply.bodyBytes)))
}

function text(reply: PlannedReply, code: number, content: string): void {
  reply.status = code
  bytesOf(reply, Buffer.from(content))
}

function bytesOf(reply: PlannedReply, bytes: Buffer): void {
  reply.bodyBytes = bytes.length
  reply.body = (offset, length) => bytes.subarray(offset, offset + length)
}

/** A 206 of fewer bytes than asked, as RFC 9110 §15.3.7 allows. */
export const shortRange =
  (bytes: number): Fault =>
  (reply) => {
    const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers['content-range'] ?? '')
    if (!match || reply.bodyBytes <= bytes) return
    reply.bodyBytes = bytes
    reply.headers['content-range'] = `bytes ${match[1]}-${Number(match[1]) + bytes - 1}/${match[3]}`
  }
