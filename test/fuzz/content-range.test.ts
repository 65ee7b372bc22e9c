/** Content-Range and the rest of a reply's head: what it says is believed only where it can be true. */

import { expect } from 'vitest'
import { parseContentRange, parseReply } from '../../electron/engine/reply.ts'
import { buildRequest, judgeReply, type KnownFile, learn, rangeHeaders } from '../../electron/engine/resume-ladder.ts'
import { isErrorCode } from '../../shared/errors.ts'
import fc from '../helpers/property.ts'
import { digits, fuzz, headerOf, listOf, sequence, staysLinear, token } from './fuzz.ts'

const span = fc.oneof(
  fc.tuple(fc.nat(5000), fc.nat(5000)).map(([start, length]) => `${start}-${start + length}`),
  sequence(digits, '-', digits),
  fc.constant('*'),
)
const total = fc.oneof(fc.nat(20_000).map(String), digits, fc.constant('*'))
const contentRange = sequence(
  fc.constantFrom('bytes', 'Bytes', 'byte', 'items', ''),
  fc.constantFrom(' ', '  ', '\t', '='),
  span,
  fc.constantFrom('/', ' / '),
  total,
)
const readable = fc
  .tuple(fc.nat(5000), fc.nat(5000), fc.option(fc.nat(10_000)))
  .map(([start, length, more]) => `bytes ${start}-${start + length}/${more === null ? '*' : start + length + 1 + more}`)
const opaque = fc.string({ unit: fc.constantFrom('a', '1', '-', '"', 'é', ' ', '\\'), maxLength: 6 })
const etag = sequence(fc.constantFrom('', 'W/', 'w/'), '"', opaque, '"')
const date = fc
  .date({ min: new Date(-1e13), max: new Date(1e13), noInvalidDate: true })
  .map((when) => when.toUTCString())
const mediaType = sequence(
  fc.oneof(fc.constantFrom('text/html', 'multipart/byteranges', 'application/zip'), token),
  fc.constantFrom('', ';boundary=x', '; charset=utf-8'),
)
const head = fc.record({
  'content-range': headerOf(contentRange),
  'content-length': headerOf(digits),
  'content-type': headerOf(mediaType),
  'content-encoding': headerOf(listOf(fc.constantFrom('gzip', 'br', 'identity', 'x', ''), ', ')),
  'accept-ranges': headerOf(listOf(fc.constantFrom('bytes', 'none', 'x'), ',')),
  etag: headerOf(etag),
  'last-modified': headerOf(date),
  date: headerOf(date),
})
const status = fc.oneof(fc.constantFrom(200, 206, 412, 416), fc.integer({ min: 100, max: 999 }))

const expectCount = (value: number | null) => {
  if (value === null) return
  expect(Number.isSafeInteger(value)).toBe(true)
  expect(value).toBeGreaterThanOrEqual(0)
}

fuzz('a Content-Range that is read is a range that can be', [headerOf(fc.oneof(contentRange, readable))], (value) => {
  const range = parseContentRange(value)
  if (range.kind === 'unsatisfied') expectCount(range.total)
  if (range.kind !== 'range') return false
  const { start, end, total } = range
  for (const count of [start, end, total]) expectCount(count)
  expect(start).toBeLessThan(end)
  if (total !== null) expect(end).toBeLessThanOrEqual(total)
  return true
})

const size = fc.option(fc.oneof(fc.nat(20_000), fc.integer({ min: 10_000, max: 20_000 })))
const known: fc.Arbitrary<KnownFile> = fc.record({
  size,
  etag: fc.option(etag),
  lastModified: fc.option(date),
  lastModifiedStrong: fc.boolean(),
  contentType: fc.option(mediaType),
})
const asked = fc.record({
  rung: fc.constantFrom('none' as const, 'etag' as const, 'date' as const, 'overlap' as const),
  from: fc.nat(5000),
  length: fc.option(fc.integer({ min: 1, max: 5000 })),
  before: fc.nat(5000),
  heldBytes: fc.oneof(fc.nat(5000), fc.nat(20_000)),
  complete: fc.boolean(),
  plain: fc.constantFrom(false, false, false, true),
})

/** A reply that answers the request, or misses it by a little. */
const fit = fc.option(
  fc.record({
    shift: fc.constantFrom(0, 0, 0, 0, -1, 1),
    bytes: fc.option(fc.integer({ min: 1, max: 6000 }), { freq: 2 }),
    total: fc.constantFrom('known', 'known', '*', '7000'),
    sameTag: fc.boolean(),
    contentLength: fc.constantFrom(0, 0, 1, null),
  }),
  { freq: 2 },
)

fuzz(
  'what is appended is what was asked, and never more than the file holds',
  [status, head, known, asked, fit],
  (code, headers, file, ask, fits) => {
    const from = ask.plain ? 0 : ask.from
    const end = ask.plain || ask.length === null ? null : from + ask.length
    const request = buildRequest(ask.rung, file, from, end, Math.min(ask.before, from))
    for (const value of Object.values(rangeHeaders(request))) expect(value).not.toMatch(/[\r\n\0]/)
    const bytes = fits?.bytes ?? (request.end ?? file.size ?? 10_000) - request.start
    const first = request.start + (fits?.shift ?? 0)
    const answer = fits && {
      'content-range': `bytes ${first}-${first + bytes - 1}/${fits.total === 'known' ? (file.size ?? '*') : fits.total}`,
      ...(fits.sameTag && file.etag !== null && { etag: file.etag }),
      ...(fits.contentLength !== null && { 'content-length': `${bytes + fits.contentLength}` }),
    }
    const facts = answer ? parseReply(206, answer) : parseReply(code, headers)
    const held = { bytes: ask.heldBytes, complete: ask.complete, wholeFileRequest: ask.plain }
    const verdict = judgeReply(file, request, facts, held)
    if (verdict.kind === 'append') {
      expect(verdict.start).toBe(request.start)
      expect(verdict.end).toBeGreaterThan(verdict.start)
      if (end !== null) expect(verdict.end).toBeLessThanOrEqual(end)
      if (verdict.total !== null) expect(verdict.end).toBeLessThanOrEqual(verdict.total)
      expect(verdict.compare).toBeLessThanOrEqual(verdict.end - verdict.start)
    } else if (verdict.kind === 'refuse') expect(isErrorCode(verdict.code)).toBe(true)
    else if (verdict.kind === 'whole' || verdict.kind === 'compare') expectCount(verdict.size)
    const learnt = learn(file, facts, facts.contentLength)
    expectCount(learnt.size)
    // It is sent back as If-Range.
    expect(learnt.etag ?? '').not.toMatch(/[\r\n\0]|[^\x00-\xff]/)
    return verdict.kind === 'append'
  },
)

for (const name of ['content-range', 'content-length', 'etag', 'content-encoding', 'accept-ranges', 'content-type'])
  staysLinear(
    name,
    fc.oneof(contentRange, etag, mediaType, digits, fc.constantFrom(' ', '\t', ',', '"', '-')),
    (text) => parseReply(206, { [name]: text }),
  )
