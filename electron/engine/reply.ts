/**
 * The head of a response as facts: what the ladder and the retry policy decide on. Pure parsing, no decisions.
 * A field that breaks its grammar counts as absent (or `malformed`, where that makes a difference).
 */

/** Header names in lower case, as undici hands them over. */
export type HeaderMap = Readonly<Record<string, string | string[] | undefined>>

/** `end` is exclusive; `total` is null where the server says `*`. */
export type ContentRange =
  | { kind: 'range'; start: number; end: number; total: number | null }
  | { kind: 'unsatisfied'; total: number | null }
  | { kind: 'missing' }
  | { kind: 'malformed' }

export interface ReplyFacts {
  status: number
  contentRange: ContentRange
  /** bytes of the body as sent (before any decoding); null: not told or malformed */
  contentLength: number | null
  /** raw, with `W/` and quotes */
  etag: string | null
  lastModified: string | null
  date: string | null
  /** lower case, without `identity`; null: the body is the file itself */
  contentEncoding: string | null
  /** the whole value, with parameters */
  contentType: string | null
  multipartRanges: boolean
  acceptRanges: 'bytes' | 'none' | null
  /** ms to wait from `now` (epoch ms), or null without a usable Retry-After */
  retryAfterMs: (now: number) => number | null
}

const LONGEST_RETRY_AFTER_MS = 24 * 3600 * 1000

export function parseReply(status: number, headers: HeaderMap): ReplyFacts {
  const contentType = single(headers['content-type'])
  const retryAfter = first(headers['retry-after'])
  const etag = single(headers.etag)
  return {
    status,
    contentRange: parseContentRange(headers['content-range']),
    contentLength: parseDigits(single(headers['content-length'])),
    etag: etag !== null && ENTITY_TAG.test(etag) ? etag : null,
    lastModified: single(headers['last-modified']),
    date: single(headers.date),
    contentEncoding: parseEncoding(headers['content-encoding']),
    contentType,
    multipartRanges: contentType !== null && mediaType(contentType) === 'multipart/byteranges',
    acceptRanges: parseAcceptRanges(headers['accept-ranges']),
    retryAfterMs: (now) => parseRetryAfter(retryAfter, now),
  }
}

/** Content-Range (RFC 9110 §14.4). Positions beyond 2^53 - 1 are malformed: we could not count them. */
export function parseContentRange(value: string | undefined | string[]): ContentRange {
  if (value === undefined || value.length === 0) return { kind: 'missing' }
  const text = single(value)
  const match = text === null ? null : /^bytes[ \t]+(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(text)
  if (match === null) return { kind: 'malformed' }
  const total = match[3] === '*' ? null : parseDigits(match[3]!)
  if (total === null && match[3] !== '*') return { kind: 'malformed' }
  if (match[1] === undefined) return { kind: 'unsatisfied', total }
  const start = parseDigits(match[1])
  const last = parseDigits(match[2]!)
  if (start === null || last === null || last >= Number.MAX_SAFE_INTEGER) return { kind: 'malformed' }
  if (last < start || (total !== null && last >= total)) return { kind: 'malformed' }
  return { kind: 'range', start, end: last + 1, total }
}

/** A range that is all there is: what is said of it is said of the file. */
export function coversWhole(range: ContentRange): boolean {
  return range.kind === 'range' && range.start === 0 && range.end === range.total
}

/** Retry-After (RFC 9110 §10.2.3): seconds or an HTTP-date, as ms from `now`, between 0 and 24 h. */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null
  const text = value.trim()
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : (parseHttpDate(text, now) ?? Number.NaN) - now
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), LONGEST_RETRY_AFTER_MS)
}

/**
 * Whether an entity tag may stand in If-Range (RFC 9110 §8.8.3, §13.1.5). The empty tag `""` is grammatical, but
 * servers that send it send it for every file, so it proves nothing.
 */
export function isStrongEtag(etag: string | null): boolean {
  return etag !== null && etag !== '""' && !etag.startsWith('W/') && ENTITY_TAG.test(etag)
}

/** Last-Modified is a strong validator when the reply was made at least a second later (RFC 9110 §8.8.2.2). */
export function isStrongDate(lastModified: string | null, date: string | null): boolean {
  if (lastModified === null || date === null) return false
  const modifiedAt = parseHttpDate(lastModified)
  const madeAt = parseHttpDate(date)
  return modifiedAt !== null && madeAt !== null && madeAt - modifiedAt >= 1000
}

export function isHtml(contentType: string | null): boolean {
  const type = contentType === null ? null : mediaType(contentType)
  return type === 'text/html' || type === 'application/xhtml+xml'
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const IMF_DATE = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC)$/i
const RFC850_DATE = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC)$/i
const ASCTIME_DATE = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i

/**
 * An HTTP-date in any of its three forms (RFC 9110 §5.6.7) as epoch ms; null if it is none. `reference` (epoch ms)
 * places the two-digit years of the second form: never more than 50 years after it.
 */
export function parseHttpDate(text: string, reference = Date.UTC(2020, 0)): number | null {
  const imf = IMF_DATE.exec(text)
  if (imf) return toEpochMs(Number(imf[3]), imf[2]!, imf[1]!, imf.slice(4))
  const asctime = ASCTIME_DATE.exec(text)
  if (asctime) return toEpochMs(Number(asctime[6]), asctime[1]!, asctime[2]!, asctime.slice(3, 6))
  const rfc850 = RFC850_DATE.exec(text)
  if (!rfc850) return null
  const referenceYear = new Date(reference).getUTCFullYear()
  let year = Math.floor(referenceYear / 100) * 100 + 100 + Number(rfc850[3])
  while (year > referenceYear + 50) year -= 100
  return toEpochMs(year, rfc850[2]!, rfc850[1]!, rfc850.slice(4))
}

function toEpochMs(year: number, monthName: string, dayText: string, time: string[]): number | null {
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const day = Number(dayText)
  const [hours, minutes, seconds] = time.map(Number) as [number, number, number]
  if (month < 0 || hours > 23 || minutes > 59 || seconds > 60) return null
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month, day)
  if (midnight.getUTCMonth() !== month || midnight.getUTCDate() !== day) return null
  return midnight.getTime() + ((hours * 60 + minutes) * 60 + seconds) * 1000
}

/** RFC 9110 §8.8.3. Characters beyond Latin-1 could not be sent back, so such a tag is no use to us. */
const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/** The value of a field that may appear once; repeated with the same value is tolerated, contradictions are not. */
function single(value: string | string[] | undefined): string | null {
  if (value === undefined) return null
  const values = new Set((Array.isArray(value) ? value : [value]).map((text) => text.trim()))
  const [only] = values
  return values.size === 1 && only !== '' ? only! : null
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

function parseDigits(text: string | null): number | null {
  if (text === null || !/^\d+$/.test(text)) return null
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : null
}

function tokens(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '')
  return text
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}

function parseEncoding(value: string | string[] | undefined): string | null {
  const codings = tokens(value).filter((coding) => coding !== 'identity')
  return codings.length === 0 ? null : codings.join(', ')
}

function parseAcceptRanges(value: string | string[] | undefined): 'bytes' | 'none' | null {
  const units = tokens(value)
  if (units.includes('bytes')) return 'bytes'
  return units.includes('none') ? 'none' : null
}

function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase()
}
