/** Reading a response head: RFC 9110's grammars, and what real servers send instead. */

import { describe, expect, it } from 'vitest'
import {
  isHtml,
  isStrongDate,
  isStrongEtag,
  parseContentRange,
  parseHttpDate,
  parseReply,
  parseRetryAfter,
} from '../../electron/engine/reply.ts'
import fc from '../helpers/property.ts'

const NOV_1994 = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('Content-Range', () => {
  it.each([
    ['bytes 0-99/100', { kind: 'range', start: 0, end: 100, total: 100 }],
    ['bytes 5-5/*', { kind: 'range', start: 5, end: 6, total: null }],
    ['Bytes  7-8/9', { kind: 'range', start: 7, end: 9, total: 9 }],
    ['bytes */0', { kind: 'unsatisfied', total: 0 }],
    ['bytes */*', { kind: 'unsatisfied', total: null }],
    [undefined, { kind: 'missing' }],
    [[], { kind: 'missing' }],
    [['bytes 0-1/2', 'bytes 0-1/2'], { kind: 'range', start: 0, end: 2, total: 2 }],
    [['bytes 0-1/2', 'bytes 1-1/2'], { kind: 'malformed' }],
  ] as const)('reads %j', (value, expected) => {
    expect(parseContentRange(value as string | string[] | undefined)).toEqual(expected)
  })

  it.each([
    '',
    'bytes',
    'bytes 0-99',
    'bytes=0-99/100',
    'bytes 9-3/100',
    'bytes 0-100/100',
    'bytes -5/10',
    'items 0-9/10',
    'bytes 0x1-0x2/10',
    'bytes 0-9/9007199254740993',
    'bytes 9007199254740990-9007199254740991/*',
    'bytes 0-1/2, bytes 3-4/5',
  ])('refuses %j', (value) => {
    expect(parseContentRange(value)).toEqual({ kind: value === '' ? 'missing' : 'malformed' })
  })

  it('gives back every range it was written from', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(1e9), fc.option(fc.nat(1e9)), (start, length, after) => {
        const last = start + length
        const total = after === null ? null : last + 1 + after
        fc.pre((total ?? last + 1) <= Number.MAX_SAFE_INTEGER)
        expect(parseContentRange(`bytes ${start}-${last}/${total ?? '*'}`)).toEqual({
          kind: 'range',
          start,
          end: last + 1,
          total,
        })
      }),
    )
  })
})

describe('dates', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'reads %s',
    (text) => {
      expect(parseHttpDate(text)).toBe(NOV_1994)
    },
  )

  it.each([
    '',
    '0',
    'yesterday',
    '1994-11-06T08:49:37Z',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
  ])('refuses %j', (text) => {
    expect(parseHttpDate(text)).toBeNull()
  })

  it('takes a two-digit year for the past when it would be more than 50 years ahead', () => {
    const now = Date.UTC(2026, 0)
    expect(parseHttpDate('Sunday, 06-Nov-76 08:49:37 GMT', now)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37))
    expect(parseHttpDate('Sunday, 06-Nov-77 08:49:37 GMT', now)).toBe(Date.UTC(1977, 10, 6, 8, 49, 37))
  })

  it('gives back every second that toUTCString writes', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 0)), noInvalidDate: true }), (date) => {
        expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
  })
})

describe('Retry-After', () => {
  it('is seconds or a date, from now', () => {
    expect(parseRetryAfter('120', 0)).toBe(120_000)
    expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', NOV_1994 - 5000)).toBe(5000)
    expect(parseRetryAfter('Sun Nov  6 08:49:37 1994', NOV_1994 - 5000)).toBe(5000)
  })

  it('is never negative, never more than a day', () => {
    expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', NOV_1994 + 5000)).toBe(0)
    expect(parseRetryAfter('9999999999999999999999', 0)).toBe(24 * 3600 * 1000)
  })

  it.each([undefined, '', 'soon', '-1', '1.5'])('is none when it says %j', (value) => {
    expect(parseRetryAfter(value, 0)).toBeNull()
  })
})

describe('validators', () => {
  it.each([
    ['"abc"', true],
    ['W/"abc"', false],
    ['""', false],
    ['abc', false],
    ['"a"b"', false],
    [null, false],
  ])('%s may stand in If-Range: %s', (etag, strong) => {
    expect(isStrongEtag(etag)).toBe(strong)
  })

  it('takes Last-Modified for strong from one second before Date on', () => {
    expect(isStrongDate('Sun, 06 Nov 1994 08:49:36 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT')).toBe(true)
    expect(isStrongDate('Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT')).toBe(false)
    expect(isStrongDate('Sun, 06 Nov 1994 08:49:36 GMT', null)).toBe(false)
    expect(isStrongDate('long ago', 'Sun, 06 Nov 1994 08:49:37 GMT')).toBe(false)
  })
})

describe('a reply', () => {
  it('becomes facts', () => {
    const reply = parseReply(206, {
      'content-range': 'bytes 10-19/100',
      'content-length': '10',
      etag: 'W/"v1"',
      'last-modified': 'Sun, 06 Nov 1994 08:49:36 GMT',
      date: 'Sun, 06 Nov 1994 08:49:37 GMT',
      'content-type': 'Application/Octet-Stream; x=y',
      'accept-ranges': 'bytes',
      'retry-after': '3',
    })
    expect(reply).toMatchObject({
      status: 206,
      contentRange: { kind: 'range', start: 10, end: 20, total: 100 },
      contentLength: 10,
      etag: 'W/"v1"',
      contentEncoding: null,
      contentType: 'Application/Octet-Stream; x=y',
      multipartRanges: false,
      acceptRanges: 'bytes',
    })
    expect(reply.retryAfterMs(0)).toBe(3000)
  })

  it('knows nothing from an empty head', () => {
    const reply = parseReply(200, {})
    expect(reply).toMatchObject({ contentLength: null, etag: null, contentEncoding: null, acceptRanges: null })
    expect(reply.contentRange).toEqual({ kind: 'missing' })
    expect(reply.retryAfterMs(0)).toBeNull()
  })

  it('does not believe malformed or contradicting fields', () => {
    expect(parseReply(200, { 'content-length': '-1' }).contentLength).toBeNull()
    expect(parseReply(200, { 'content-length': '1e3' }).contentLength).toBeNull()
    expect(parseReply(200, { 'content-length': ['5', '6'] }).contentLength).toBeNull()
    expect(parseReply(200, { 'content-length': ['5', '5'] }).contentLength).toBe(5)
    expect(parseReply(200, { etag: 'unquoted' }).etag).toBeNull()
    expect(parseReply(200, { etag: ['"a"', '"b"'] }).etag).toBeNull()
    expect(parseReply(200, { etag: '"\u2026"' }).etag).toBeNull()
  })

  it('tells an encoding from none', () => {
    expect(parseReply(200, { 'content-encoding': 'identity' }).contentEncoding).toBeNull()
    expect(parseReply(200, { 'content-encoding': '' }).contentEncoding).toBeNull()
    expect(parseReply(200, { 'content-encoding': 'GZIP' }).contentEncoding).toBe('gzip')
    expect(parseReply(200, { 'content-encoding': ['identity', 'br, gzip'] }).contentEncoding).toBe('br, gzip')
  })

  it('tells multipart ranges, refused ranges and pages', () => {
    expect(parseReply(206, { 'content-type': 'multipart/byteranges; boundary=x' }).multipartRanges).toBe(true)
    expect(parseReply(200, { 'accept-ranges': 'none' }).acceptRanges).toBe('none')
    expect(isHtml('Text/HTML; charset=utf-8')).toBe(true)
    expect(isHtml('application/xhtml+xml')).toBe(true)
    expect(isHtml('text/html-like')).toBe(false)
    expect(isHtml(null)).toBe(false)
  })
})
