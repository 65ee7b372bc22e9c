/** Asks what a URL is without downloading it: one GET whose body is not read (HEAD is refused too often). */
import type { ProbeResult, TaskOptions } from '../../shared/schemas.ts'
import { digestsFrom } from './digests.ts'
import { filenameFrom } from './filename.ts'
import { withoutCredentials } from './http/credentials.ts'
import { statusError } from './http/errors.ts'
import type { HttpReply, HttpRequest } from './http/http-client.ts'
import { isPlainGet } from './http/redirects.ts'
import { coversWhole, parseReply } from './reply.ts'

/** Asks and hands over the head: an HTTP client, or a lane. */
export type Ask = (request: HttpRequest) => Promise<Omit<HttpReply, 'consume' | 'pause' | 'resume'>>

/** What a file is told by from one time to the next. */
export interface Validators {
  etag: string | null
  lastModified: string | null
}

/** As `probeUrl`; null: the server says that it is still the file with these validators (RFC 9110 §13.1.2, §13.1.3). */
export async function probeUnless(
  url: string,
  options: TaskOptions,
  { etag, lastModified }: Validators,
  ask: Ask,
  signal: AbortSignal,
): Promise<ProbeResult | null> {
  const condition: Record<string, string> = {
    ...(etag !== null && { 'if-none-match': etag }),
    ...(lastModified !== null && { 'if-modified-since': lastModified }),
  }
  let unchanged = false
  const askOnce: Ask = async (request) => {
    const reply = await ask({ ...request, headers: { ...request.headers, ...condition } })
    unchanged = reply.status === 304 && Object.keys(condition).length > 0
    return reply
  }
  try {
    return await probeUrl(url, options, askOnce, signal)
  } catch (error) {
    if (unchanged) return null
    throw error
  }
}

/** Throws network errors and, for a refusal by the server, the status' error (`http_status`, `not_found`, …). */
export async function probeUrl(
  url: string,
  options: TaskOptions,
  ask: Ask,
  signal: AbortSignal = new AbortController().signal,
): Promise<ProbeResult> {
  const whole = !isPlainGet(options)
  let reply = await ask({ url, headers: whole ? {} : { range: 'bytes=0-' }, options, signal })
  reply.abort()
  // Empty files cannot satisfy any range, and some servers refuse ranges with an error of their own.
  if (reply.status === 416 && !whole) {
    reply = await ask({ url, headers: {}, options, signal })
    reply.abort()
  }
  const facts = parseReply(reply.status, reply.headers)
  if (reply.status !== 200 && reply.status !== 206)
    throw statusError(reply.status, reply.finalUrl, { redirected: reply.redirected })
  const proven = reply.status === 206 && facts.contentRange.kind === 'range' && facts.contentRange.start === 0
  const announced = facts.contentEncoding === null ? facts.contentLength : null
  const disposition = reply.headers['content-disposition']
  return {
    url: withoutCredentials(url),
    finalUrl: reply.finalUrl,
    status: reply.status,
    filename: filenameFrom({
      contentDisposition: Array.isArray(disposition) ? disposition[0] : disposition,
      finalUrl: reply.finalUrl,
      originalUrl: url,
      contentType: facts.contentType,
    }),
    size: facts.contentRange.kind === 'range' ? facts.contentRange.total : announced,
    ranges: proven,
    etag: facts.etag,
    lastModified: facts.lastModified,
    contentType: facts.contentType,
    digests: digestsFrom(reply.headers, { partial: reply.status === 206 && !coversWhole(facts.contentRange) }),
    httpVersion: reply.httpVersion,
  }
}
