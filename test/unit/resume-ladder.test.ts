/** The ladder, rule by rule. Whole downloads by these rules: resume-ladder-model.test.ts. */
import { describe, expect, it } from 'vitest'
import { parseReply } from '../../electron/engine/reply.ts'
import {
  buildRequest,
  firstRung,
  type Held,
  judgeReply,
  type KnownFile,
  learn,
  OVERLAP_BYTES,
  type RangeRequest,
  rangeHeaders,
  UNKNOWN_FILE,
  type Verdict,
} from '../../electron/engine/resume-ladder.ts'

const SIZE = 1_000_000
const HERE = 400_000
const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT'
const LATER = 'Mon, 07 Nov 1994 08:49:37 GMT'

const known = (more: Partial<KnownFile> = {}): KnownFile => ({
  size: SIZE,
  etag: '"v1"',
  lastModified: MODIFIED,
  lastModifiedStrong: true,
  contentType: 'application/zip',
  ...more,
})
const nameless = known({ etag: null, lastModified: null, lastModifiedStrong: false })
const heldBytes = (bytes: number, more: Partial<Held> = {}): Held => ({
  bytes,
  complete: false,
  wholeFileRequest: false,
  ...more,
})
const first = buildRequest('none', UNKNOWN_FILE, 0, null, 0)
const byEtag = buildRequest('etag', known(), HERE, null, HERE)
const byDate = buildRequest('date', known(), HERE, null, HERE)
const byOverlap = buildRequest('overlap', known(), HERE, null, HERE)

type Fields = Record<string, string>
const resume = (request: RangeRequest, status: number, fields: Fields, file = known(), held = heldBytes(HERE)) =>
  judgeReply(file, request, parseReply(status, fields), held)
const fresh = (status: number, fields: Fields, held = heldBytes(0)) =>
  judgeReply(UNKNOWN_FILE, first, parseReply(status, fields), held)
const range = (start: number, end: number, total: number | '*' = SIZE) => ({
  'content-range': `bytes ${start}-${end - 1}/${total}`,
})
const refusal = (verdict: Verdict) => (verdict.kind === 'refuse' ? verdict.code : verdict.kind)

describe('the request', () => {
  it('protects itself with the strongest validator there is', () => {
    expect(firstRung(known())).toBe('etag')
    expect(firstRung(known({ etag: 'W/"v1"' }))).toBe('date')
    expect(firstRung(known({ etag: null }))).toBe('date')
    expect(firstRung(known({ etag: 'W/"v1"', lastModifiedStrong: false }))).toBe('overlap')
    expect(firstRung(nameless)).toBe('overlap')
    expect(firstRung(UNKNOWN_FILE)).toBe('overlap')
  })

  it('asks for what is missing, with If-Range where a validator is strong', () => {
    expect(rangeHeaders(byEtag)).toEqual({ range: 'bytes=400000-', 'if-range': '"v1"' })
    expect(rangeHeaders(byDate)).toEqual({ range: 'bytes=400000-', 'if-range': MODIFIED })
    expect(rangeHeaders(buildRequest('etag', known(), 10, 20, 10))).toMatchObject({ range: 'bytes=10-19' })
    expect(rangeHeaders(first)).toEqual({ range: 'bytes=0-' })
  })

  it('asks for up to 64 KiB again where none is', () => {
    expect(rangeHeaders(byOverlap)).toEqual({ range: `bytes=${HERE - OVERLAP_BYTES}-` })
    expect(byOverlap).toMatchObject({ start: HERE - OVERLAP_BYTES, overlap: OVERLAP_BYTES, ifRange: null })
    expect(buildRequest('overlap', known(), 100, null, 30)).toMatchObject({ start: 70, overlap: 30 })
    expect(buildRequest('overlap', known(), 100, null, 0)).toMatchObject({ start: 100, overlap: 0 })
  })

  it('goes one rung down when the validator of its rung is not known', () => {
    expect(buildRequest('etag', known({ etag: 'W/"v1"' }), 10, null, 10)).toMatchObject({ rung: 'date' })
    expect(buildRequest('etag', nameless, 10, null, 10)).toMatchObject({ rung: 'overlap', start: 0 })
    expect(buildRequest('date', nameless, 10, null, 10)).toMatchObject({ rung: 'overlap', start: 0 })
  })
})

describe('the first reply', () => {
  it('begins the file, whole or as a range', () => {
    expect(fresh(206, range(0, SIZE))).toEqual({ kind: 'append', start: 0, end: SIZE, total: SIZE, compare: 0 })
    expect(fresh(206, range(0, 500))).toMatchObject({ kind: 'append', end: 500, total: SIZE })
    expect(fresh(200, { 'content-length': '77' })).toEqual({ kind: 'whole', size: 77, decoded: false })
    expect(fresh(200, { 'content-length': '0' })).toEqual({ kind: 'whole', size: 0, decoded: false })
    expect(fresh(200, {})).toEqual({ kind: 'whole', size: null, decoded: false })
  })

  it('is not believed about its size when it is compressed', () => {
    const compressed = { 'content-length': '77', 'content-encoding': 'gzip' }
    expect(fresh(200, compressed)).toEqual({ kind: 'whole', size: null, decoded: true })
  })

  it.each<[string, number, Fields]>([
    ['a range without Content-Range', 206, {}],
    ['a range that begins elsewhere', 206, range(5, SIZE)],
    ['a range of unknown total', 206, range(0, 500, '*')],
    ['a range whose length contradicts it', 206, { ...range(0, SIZE), 'content-length': '5' }],
    ['a compressed range', 206, { ...range(0, SIZE), 'content-encoding': 'gzip' }],
    ['several ranges', 206, { 'content-type': 'multipart/byteranges; boundary=x' }],
    ['416 for an empty file', 416, { 'content-range': 'bytes */0' }],
    ['416 without a word', 416, {}],
  ])('is asked again without Range after %s, and only once', (_, status, fields) => {
    expect(fresh(status, fields)).toEqual({ kind: 'ask-plain' })
    expect(fresh(status, fields, heldBytes(0, { wholeFileRequest: true })).kind).toBe('refuse')
  })

  it('is not measured against what an earlier try of an empty task saw', () => {
    const reply = parseReply(206, { ...range(0, 5, 5), etag: '"v2"' })
    expect(judgeReply(known(), first, reply, heldBytes(0))).toMatchObject({ kind: 'append', total: 5 })
  })
})

describe('206', () => {
  const good = range(HERE, SIZE)

  it('is appended when it is what was asked', () => {
    const expected = { kind: 'append', start: HERE, end: SIZE, total: SIZE, compare: 0 }
    expect(resume(byEtag, 206, { ...good, etag: '"v1"', 'content-length': String(SIZE - HERE) })).toEqual(expected)
    expect(resume(byDate, 206, { ...good, 'last-modified': MODIFIED })).toEqual(expected)
  })

  it('without the validator that was asked for is no answer to the question: the bytes have to speak', () => {
    expect(resume(byEtag, 206, good)).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byDate, 206, good)).toEqual({ kind: 'ask-again', rung: 'overlap' })
  })

  it('is compared over its overlap first on the rung without validator', () => {
    const start = HERE - OVERLAP_BYTES
    expect(resume(byOverlap, 206, range(start, SIZE), nameless)).toEqual({
      kind: 'append',
      start,
      end: SIZE,
      total: SIZE,
      compare: OVERLAP_BYTES,
    })
    // nothing new in it: taken, this would be asked for ever
    expect(refusal(resume(byOverlap, 206, range(start, HERE), nameless))).toBe('range_mismatch')
    // unless the file ends there
    const unsized = { ...nameless, size: null }
    expect(resume(byOverlap, 206, range(start, HERE, HERE), unsized)).toMatchObject({ end: HERE, total: HERE })
  })

  it('may be shorter than asked, never longer', () => {
    const middle = buildRequest('etag', known(), HERE, 600_000, HERE)
    expect(resume(middle, 206, { ...range(HERE, 500_000), etag: '"v1"' })).toMatchObject({
      kind: 'append',
      end: 500_000,
    })
    expect(resume(middle, 206, { ...range(HERE, 600_000), etag: '"v1"' })).toMatchObject({
      kind: 'append',
      end: 600_000,
    })
    expect(refusal(resume(middle, 206, { ...range(HERE, 600_001), etag: '"v1"' }))).toBe('range_mismatch')
    // nor beyond the file, were more asked than there is, by a server that keeps the total to itself
    const beyond = buildRequest('etag', known(), HERE, SIZE + 10, HERE)
    expect(refusal(resume(beyond, 206, { ...range(HERE, SIZE + 5, '*'), etag: '"v1"' }))).toBe('range_mismatch')
  })

  it.each<[string, Fields, string]>([
    ['no Content-Range', {}, 'range_missing'],
    ['an unreadable Content-Range', { 'content-range': 'bytes 400000-/x' }, 'range_mismatch'],
    ['a Content-Range without range', { 'content-range': `bytes */${SIZE}` }, 'range_mismatch'],
    ['a later start', range(HERE + 1, SIZE), 'range_mismatch'],
    ['an earlier start', range(HERE - 1, SIZE), 'range_mismatch'],
    ['the whole file', range(0, SIZE), 'range_mismatch'],
    ['several ranges', { ...good, 'content-type': 'multipart/byteranges; boundary=x' }, 'multipart_refused'],
    ['a compressed range', { ...good, 'content-encoding': 'gzip', etag: '"v1-gzip"' }, 'encoded_range'],
    ['another Content-Length', { ...good, 'content-length': '5' }, 'length_mismatch'],
    ['another total under the same tag', { ...range(HERE, SIZE, SIZE + 1), etag: '"v1"' }, 'total_mismatch'],
    ['an unknown total and no validator', range(HERE, SIZE, '*'), 'total_mismatch'],
  ])('is refused with %s', (_, fields, code) => {
    expect(refusal(resume(byEtag, 206, fields))).toBe(code)
  })

  it('may leave the total out only where a validator vouches for the file', () => {
    const open = { ...range(HERE, SIZE, '*'), etag: '"v1"' }
    expect(resume(byEtag, 206, open)).toMatchObject({ kind: 'append', total: SIZE })
    const overlapping = { ...range(byOverlap.start, SIZE, '*'), etag: '"v1"' }
    expect(refusal(resume(byOverlap, 206, overlapping))).toBe('total_mismatch')
    expect(refusal(resume(byEtag, 206, { ...range(HERE, SIZE + 1, '*'), etag: '"v1"' }))).toBe('range_mismatch')
    expect(resume(byOverlap, 206, range(byOverlap.start, SIZE, '*'), { ...nameless, size: null }).kind).toBe('append')
  })

  it('of another file is seen by its tag, its date or its total', () => {
    const changed = (reason: string) => ({ kind: 'changed', reason })
    expect(resume(byEtag, 206, { ...good, etag: '"v2"' })).toEqual(changed('validator'))
    expect(resume(byDate, 206, { ...good, 'last-modified': LATER }, known({ etag: null }))).toEqual(
      changed('validator'),
    )
    expect(resume(byEtag, 206, range(HERE, SIZE + 1, SIZE + 1))).toEqual(changed('size'))
    expect(resume(byOverlap, 206, range(byOverlap.start, 399_999, 399_999), nameless)).toEqual(changed('shorter'))
    const unsized = { ...nameless, size: null }
    expect(resume(byOverlap, 206, range(byOverlap.start, 399_999, 399_999), unsized)).toEqual(changed('shorter'))
  })

  it('is the same file when the tags agree, whatever the date, and weakly compared', () => {
    expect(resume(byEtag, 206, { ...good, etag: '"v1"', 'last-modified': LATER }).kind).toBe('append')
    expect(resume(byEtag, 206, { ...good, etag: 'W/"v1"' }).kind).toBe('append')
    expect(resume(byDate, 206, { ...good, etag: '"v2"' }, known({ etag: 'W/"v1"' })).kind).toBe('changed')
    const sameInstant = { ...good, 'last-modified': 'Sunday, 06-Nov-94 08:49:37 GMT' }
    expect(resume(byDate, 206, sameInstant, known({ etag: null })).kind).toBe('append')
  })

  it('to a request without Range is refused', () => {
    const held = heldBytes(HERE, { wholeFileRequest: true })
    expect(refusal(resume(first, 206, range(0, SIZE), known(), held))).toBe('range_mismatch')
  })
})

describe('200', () => {
  const same = { 'content-length': String(SIZE), etag: '"v1"', 'last-modified': MODIFIED }

  it('to If-Range for the same file means asking again with an overlap', () => {
    expect(resume(byEtag, 200, same)).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byDate, 200, same)).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byEtag, 200, { 'content-length': String(SIZE) })).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byEtag, 200, { 'content-encoding': 'gzip', etag: '"v1-gzip"' }).kind).toBe('ask-again')
  })

  it('to a plain Range means reading from the start and comparing', () => {
    expect(resume(byOverlap, 200, same)).toEqual({ kind: 'compare', size: SIZE, decoded: false })
    expect(resume(byOverlap, 200, {}, nameless)).toEqual({ kind: 'compare', size: null, decoded: false })
    const whole = heldBytes(HERE, { wholeFileRequest: true })
    expect(resume(first, 200, same, known(), whole)).toEqual({ kind: 'compare', size: SIZE, decoded: false })
    const compressed = { ...same, 'content-encoding': 'gzip', etag: '"v1-gzip"' }
    expect(resume(byOverlap, 200, compressed)).toEqual({ kind: 'compare', size: null, decoded: true })
  })

  it('is simply the file while nothing is kept', () => {
    const restart = buildRequest('etag', known(), 0, null, 0)
    expect(resume(restart, 200, same, known(), heldBytes(0))).toEqual({ kind: 'whole', size: SIZE, decoded: false })
    const later = buildRequest('overlap', nameless, 500_000, null, 0)
    expect(resume(later, 200, same, nameless, heldBytes(0)).kind).toBe('whole')
    const protectedLater = buildRequest('etag', known(), 500_000, null, 0)
    expect(resume(protectedLater, 200, same, known(), heldBytes(0)).kind).toBe('ask-again')
  })

  it('of another file is seen at once', () => {
    const changed = (reason: string) => ({ kind: 'changed', reason })
    const page = { 'content-type': 'text/html; charset=utf-8', 'content-length': '512' }
    for (const request of [byEtag, byDate, byOverlap]) {
      expect(resume(request, 200, { ...same, etag: '"v2"' })).toEqual(changed('validator'))
      expect(resume(request, 200, { ...same, 'content-length': '999999' })).toEqual(changed('size'))
      expect(resume(request, 200, { ...same, 'content-length': '399999' })).toEqual(changed('shorter'))
      expect(resume(request, 200, page)).toEqual(changed('html'))
      expect(resume(request, 200, { ...page, 'content-encoding': 'gzip', etag: '"page"' })).toEqual(changed('html'))
    }
    const byDateAlone = known({ etag: null })
    expect(resume(byDate, 200, { ...same, 'last-modified': LATER }, byDateAlone)).toEqual(changed('validator'))
  })

  it('with a page where a page was, or of the same size, is no login page', () => {
    const page = { 'content-type': 'text/html', 'content-length': String(SIZE) }
    expect(resume(byOverlap, 200, page).kind).toBe('compare')
    expect(resume(byOverlap, 200, { 'content-type': 'text/html' }, known({ contentType: 'text/html' })).kind).toBe(
      'compare',
    )
    expect(resume(byOverlap, 200, { 'content-type': 'text/html' }, known({ contentType: null })).kind).toBe('compare')
  })
})

describe('416 and 412', () => {
  const total = (bytes: number | '*') => ({ 'content-range': `bytes */${bytes}` })

  it('416 is the end when everything is here', () => {
    const all = heldBytes(SIZE, { complete: true })
    expect(resume(byEtag, 416, total(SIZE), known(), all)).toEqual({ kind: 'complete', size: SIZE })
  })

  it('416 at the end of what is here proves nothing where the length was never told', () => {
    const unsized = known({ size: null })
    expect(resume(byEtag, 416, total(HERE), unsized)).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byOverlap, 206, range(byOverlap.start, HERE, HERE), unsized)).toMatchObject({
      kind: 'append',
      end: HERE,
      compare: OVERLAP_BYTES,
    })
  })

  it('416 with another size is another file', () => {
    const all = heldBytes(SIZE, { complete: true })
    expect(resume(byEtag, 416, total(SIZE + 1), known(), all)).toEqual({ kind: 'changed', reason: 'size' })
    expect(resume(byEtag, 416, total(10))).toEqual({ kind: 'changed', reason: 'shorter' })
  })

  it('416 without reason goes down the ladder and ends', () => {
    for (const fields of [total(SIZE), total('*'), {}]) {
      expect(resume(byEtag, 416, fields)).toEqual({ kind: 'ask-again', rung: 'overlap' })
      expect(resume(byOverlap, 416, fields)).toEqual({ kind: 'ask-plain' })
      const whole = heldBytes(HERE, { wholeFileRequest: true })
      expect(refusal(resume(first, 416, fields, known(), whole))).toBe('range_not_satisfiable')
    }
  })

  it('412 is a server that misreads If-Range', () => {
    expect(resume(byEtag, 412, {})).toEqual({ kind: 'ask-again', rung: 'overlap' })
    expect(resume(byOverlap, 412, {})).toEqual({ kind: 'status', status: 412 })
    expect(fresh(412, {})).toEqual({ kind: 'status', status: 412 })
  })

  it.each([204, 302, 401, 403, 404, 429, 503])('%i is left to the retry policy', (status) => {
    expect(resume(byEtag, status, {})).toEqual({ kind: 'status', status })
    expect(fresh(status, {})).toEqual({ kind: 'status', status })
  })
})

describe('learning', () => {
  const head = { etag: '"v1"', 'last-modified': MODIFIED, date: LATER, 'content-type': 'application/zip' }

  it('keeps what the first good reply told', () => {
    expect(learn(UNKNOWN_FILE, parseReply(206, head), SIZE)).toEqual(known())
  })

  it('keeps what a later reply leaves out', () => {
    expect(learn(known(), parseReply(206, {}), null)).toEqual(known())
  })

  it('keeps a weak tag to notice a change, and a fresh date as weak', () => {
    const weak = learn(UNKNOWN_FILE, parseReply(200, { ...head, etag: 'W/"v1"', date: MODIFIED }), SIZE)
    expect(weak).toMatchObject({ etag: 'W/"v1"', lastModifiedStrong: false })
    expect(firstRung(weak)).toBe('overlap')
    expect(learn(weak, parseReply(206, { ...head, etag: 'W/"v1"' }), SIZE).lastModifiedStrong).toBe(true)
  })

  it('does not take a new date for strong because the old one was', () => {
    const later = learn(known({ etag: null }), parseReply(206, { 'last-modified': LATER, date: LATER }), null)
    expect(later).toMatchObject({ lastModified: LATER, lastModifiedStrong: false })
  })

  it('keeps no validator of a compressed form', () => {
    const compressed = learn(UNKNOWN_FILE, parseReply(200, { ...head, 'content-encoding': 'gzip' }), null)
    expect(compressed).toMatchObject({ etag: null, lastModifiedStrong: false, size: null })
  })
})
