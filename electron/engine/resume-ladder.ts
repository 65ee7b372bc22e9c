/**
 * How to continue a partial file, given what is known of the remote one and a reply. Pure: decides, never acts.
 * A partial is never thrown away without being asked, and never trusted without a reason.
 *
 * The rungs only go down: etag or date (If-Range) -> overlap (plain Range, bytes compared) -> no Range at all, the
 * body compared from byte 0. A verdict never sends a request back up, so asking again always ends.
 */
import type { ErrorCode, ErrorParams } from '../../shared/errors.ts'
import { isHtml, isStrongDate, isStrongEtag, parseHttpDate, type ReplyFacts } from './reply.ts'

/** What earlier replies told of the remote file. */
export interface KnownFile {
  size: number | null
  etag: string | null
  lastModified: string | null
  lastModifiedStrong: boolean
  contentType: string | null
}

export const UNKNOWN_FILE: KnownFile = {
  size: null,
  etag: null,
  lastModified: null,
  lastModifiedStrong: false,
  contentType: null,
}

/** How many bytes that are already here are asked again and compared where no validator protects the request. */
export const OVERLAP_BYTES = 64 * 1024

/** How a request protects itself against another file. */
export type Rung = 'etag' | 'date' | 'overlap'

export interface RangeRequest {
  /** `none`: the first request of a fresh task, or one without Range */
  rung: Rung | 'none'
  /** first byte asked */
  start: number
  /** how many bytes from `start` on are already here and must be compared */
  overlap: number
  /** one past the last byte asked; null: to the end */
  end: number | null
  ifRange: string | null
}

export interface Held {
  /** bytes of the file that are here, anywhere in it */
  bytes: number
  /** every byte of known.size is here */
  complete: boolean
  /** the request was sent without any Range */
  wholeFileRequest: boolean
}

export type Verdict =
  /** a 206 that fits: the body is [start, end), its first `compare` bytes are to be compared with what is here; `total`:
   * the size of the file, null while nobody told it; `end` may be short of it */
  | { kind: 'append'; start: number; end: number; total: number | null; compare: number }
  /** a 200 while nothing is kept: the body is the file from byte 0, whatever start was asked; `decoded`: it comes
   * with a Content-Encoding, so its size is unknown and it cannot be resumed */
  | { kind: 'whole'; size: number | null; decoded: boolean }
  /** ranges are not honoured and bytes are here: read the body from byte 0 and compare, write nothing while equal */
  | { kind: 'compare'; size: number | null; decoded: boolean }
  /** close this reply and ask the same with plain Range and an overlap */
  | { kind: 'ask-again'; rung: 'overlap' }
  /** close this reply and ask without Range */
  | { kind: 'ask-plain' }
  /** nothing is missing */
  | { kind: 'complete'; size: number }
  /** it is another file now; the partial stays as it is */
  | { kind: 'changed'; reason: 'validator' | 'size' | 'html' | 'content' | 'shorter' }
  /** the reply cannot be trusted; the partial stays as it is */
  | { kind: 'refuse'; code: ErrorCode; params: ErrorParams }
  /** not about ranges: the retry policy decides */
  | { kind: 'status'; status: number }

/** The strongest protection the known validators allow (RFC 9110 §13.1.5: If-Range needs a strong one). */
export function firstRung(known: KnownFile): Rung {
  if (isStrongEtag(known.etag)) return 'etag'
  return known.lastModified !== null && known.lastModifiedStrong ? 'date' : 'overlap'
}

/**
 * The request for [from, end) (`end` null: to the end of the file). `have`: bytes directly before `from` that are
 * here, 0 for a fresh segment; the overlap rung asks some of them again. A rung whose validator is not known becomes
 * the strongest one below it.
 */
export function buildRequest(
  rung: Rung | 'none',
  known: KnownFile,
  from: number,
  end: number | null,
  have: number,
): RangeRequest {
  if (rung === 'none') return { rung, start: from, overlap: 0, end, ifRange: null }
  if (rung === 'etag' && isStrongEtag(known.etag)) return { rung, start: from, overlap: 0, end, ifRange: known.etag }
  if (rung !== 'overlap' && known.lastModified !== null && known.lastModifiedStrong) {
    return { rung: 'date', start: from, overlap: 0, end, ifRange: known.lastModified }
  }
  const overlap = Math.min(OVERLAP_BYTES, have, from)
  return { rung: 'overlap', start: from - overlap, overlap, end, ifRange: null }
}

/** Header fields of the request (RFC 9110 §14.2). */
export function rangeHeaders(request: RangeRequest): Record<string, string> {
  const range = `bytes=${request.start}-${request.end === null ? '' : request.end - 1}`
  return request.ifRange === null ? { range } : { range, 'if-range': request.ifRange }
}

/**
 * What to do with a reply. `known` must be what was known when the request was sent; it is ignored for the first
 * request of a fresh task (rung `none` with nothing held). `changed` is also said when nothing is held but other
 * connections may be writing the older file: starting over without asking is then the caller's to decide.
 */
export function judgeReply(known: KnownFile, request: RangeRequest, reply: ReplyFacts, held: Held): Verdict {
  const fresh = request.rung === 'none' && held.bytes === 0
  switch (reply.status) {
    case 206:
      return judgePartial(fresh ? UNKNOWN_FILE : known, request, reply, held, fresh)
    case 200:
      return fresh ? { kind: 'whole', ...bodyOf(reply) } : judgeFull(known, request, reply, held)
    case 412:
      // We send no If-Match: a server that answers 412 has misread our If-Range.
      return request.ifRange === null ? { kind: 'status', status: 412 } : { kind: 'ask-again', rung: 'overlap' }
    case 416:
      return judgeUnsatisfied(known, request, reply, held, fresh)
    default:
      return { kind: 'status', status: reply.status }
  }
}

/** 206 (RFC 9110 §15.3.7): nothing in it is believed that the request and the known file do not confirm. */
function judgePartial(known: KnownFile, request: RangeRequest, reply: ReplyFacts, held: Held, fresh: boolean): Verdict {
  const refuse = (code: ErrorCode, params: ErrorParams = {}): Verdict =>
    // A first request loses nothing by being asked again without Range; that second one is refused for good.
    fresh && !held.wholeFileRequest
      ? { kind: 'ask-plain' }
      : { kind: 'refuse', code, params: { askedStart: request.start, askedEnd: request.end, ...params } }
  const range = reply.contentRange
  if (held.wholeFileRequest) return refuse('range_mismatch', { reason: 'no range was asked' })
  if (reply.multipartRanges) return refuse('multipart_refused')
  // Before the validators: servers give the encoded form another entity tag.
  if (reply.contentEncoding !== null) return refuse('encoded_range', { encoding: reply.contentEncoding })
  if (range.kind === 'missing') return refuse('range_missing')
  if (range.kind !== 'range') return refuse('range_mismatch', { reason: 'the Content-Range cannot be read' })

  const validators = compareValidators(known, reply)
  if (validators === 'different') return { kind: 'changed', reason: 'validator' }
  if (range.total === null) {
    if (fresh) return refuse('total_mismatch', { total: null })
    if (known.size !== null && !(request.ifRange !== null && validators === 'same')) {
      return refuse('total_mismatch', { knownSize: known.size, total: null })
    }
  } else if (known.size !== null && range.total !== known.size) {
    // With the same validator the server contradicts itself; without one, this is how a changed file looks.
    if (validators === 'same') return refuse('total_mismatch', { knownSize: known.size, total: range.total })
    return { kind: 'changed', reason: range.total < held.bytes ? 'shorter' : 'size' }
  } else if (range.total < held.bytes) return { kind: 'changed', reason: 'shorter' }

  const total = range.total ?? known.size
  const got = { start: range.start, end: range.end }
  const latestEnd = Math.min(request.end ?? Number.MAX_SAFE_INTEGER, total ?? Number.MAX_SAFE_INTEGER)
  if (range.start !== request.start || range.end > latestEnd) return refuse('range_mismatch', got)
  const bytes = range.end - range.start
  if (reply.contentLength !== null && reply.contentLength !== bytes) {
    return refuse('length_mismatch', { ...got, contentLength: reply.contentLength })
  }
  // An If-Range that was understood is answered with the validator (§15.3.7.1); otherwise the bytes have to speak.
  if (request.ifRange !== null && validators !== 'same') return { kind: 'ask-again', rung: 'overlap' }
  // A server may send less than asked (§15.3.7), but nothing beyond the overlap would mean asking for ever.
  if (bytes <= request.overlap && range.end !== total) return refuse('range_mismatch', got)
  return { kind: 'append', ...got, total, compare: Math.min(request.overlap, bytes) }
}

/** 200 while the task is under way: the server ignored the Range, or says through If-Range that the file is new. */
function judgeFull(known: KnownFile, request: RangeRequest, reply: ReplyFacts, held: Held): Verdict {
  const body = bodyOf(reply)
  const sameSize = body.size !== null && body.size === known.size
  if (isHtml(reply.contentType) && known.contentType !== null && !isHtml(known.contentType) && !sameSize) {
    return { kind: 'changed', reason: 'html' }
  }
  // The tag of an encoded form says nothing about the file itself.
  if (!body.decoded && compareValidators(known, reply) === 'different') return { kind: 'changed', reason: 'validator' }
  if (body.size !== null && body.size < held.bytes) return { kind: 'changed', reason: 'shorter' }
  if (body.size !== null && known.size !== null && !sameSize) return { kind: 'changed', reason: 'size' }
  if (held.bytes === 0 && (request.start === 0 || request.ifRange === null)) return { kind: 'whole', ...body }
  return request.ifRange === null ? { kind: 'compare', ...body } : { kind: 'ask-again', rung: 'overlap' }
}

/** 416 (RFC 9110 §15.5.17). Its ETag and Last-Modified, if any, may be those of the error page: not looked at. */
function judgeUnsatisfied(
  known: KnownFile,
  request: RangeRequest,
  reply: ReplyFacts,
  held: Held,
  fresh: boolean,
): Verdict {
  const total = reply.contentRange.kind === 'unsatisfied' ? reply.contentRange.total : null
  if (held.wholeFileRequest) return { kind: 'refuse', code: 'range_not_satisfiable', params: { total } }
  // Empty files answer 416 to `bytes=0-`.
  if (fresh) return { kind: 'ask-plain' }
  if (total !== null) {
    // Where the length was never told, a shorter new file could end just where we broke off: the overlap will tell.
    if (held.complete && total === known.size) return { kind: 'complete', size: total }
    if (total < held.bytes) return { kind: 'changed', reason: 'shorter' }
    if (known.size !== null && total !== known.size) return { kind: 'changed', reason: 'size' }
  }
  return request.ifRange === null ? { kind: 'ask-plain' } : { kind: 'ask-again', rung: 'overlap' }
}

/**
 * What is known after a good reply. Fields the reply leaves out stay. A weak tag is kept to notice a change, and
 * never sent in If-Range. The tag of an encoded form is not kept: it does not name the bytes we write.
 */
export function learn(known: KnownFile, reply: ReplyFacts, size: number | null): KnownFile {
  const sameDate = reply.lastModified === null || reply.lastModified === known.lastModified
  return {
    size: size ?? known.size,
    etag: (reply.contentEncoding === null ? reply.etag : null) ?? known.etag,
    lastModified: reply.lastModified ?? known.lastModified,
    lastModifiedStrong:
      (sameDate && known.lastModifiedStrong) ||
      (reply.contentEncoding === null && isStrongDate(reply.lastModified, reply.date)),
    contentType: known.contentType ?? reply.contentType,
  }
}

/** Entity tags decide where both sides have one (weak comparison, RFC 9110 §8.8.3.2), else Last-Modified. */
function compareValidators(known: KnownFile, reply: ReplyFacts): 'same' | 'different' | 'unknown' {
  if (known.etag !== null && reply.etag !== null) {
    return opaqueTag(known.etag) === opaqueTag(reply.etag) ? 'same' : 'different'
  }
  if (known.lastModified === null || reply.lastModified === null) return 'unknown'
  if (known.lastModified === reply.lastModified) return 'same'
  const knownAt = parseHttpDate(known.lastModified)
  return knownAt !== null && knownAt === parseHttpDate(reply.lastModified) ? 'same' : 'different'
}

function opaqueTag(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

function bodyOf(reply: ReplyFacts): { size: number | null; decoded: boolean } {
  const decoded = reply.contentEncoding !== null
  return { size: decoded ? null : reply.contentLength, decoded }
}
