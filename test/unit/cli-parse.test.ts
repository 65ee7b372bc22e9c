import { describe, expect, test } from 'vitest'
import {
  parseChecksum,
  parseHeader,
  parseHostRate,
  parsePeriod,
  parseProxy,
  parseRate,
  parseSeconds,
  parseTaskId,
  parseUrl,
  parseUrlList,
  parseUser,
  parseWhole,
} from '../../electron/cli/parse.ts'
import { NighthaulError } from '../../shared/errors.ts'

const codeOf = (act: () => unknown): string => {
  try {
    return `no error but ${JSON.stringify(act())}`
  } catch (error) {
    return error instanceof NighthaulError ? error.code : String(error)
  }
}

describe('periods', () => {
  test.each([
    ['90m', 5_400_000],
    ['24h', 86_400_000],
    [' 7D ', 604_800_000],
    ['4w', 4 * 604_800_000],
    ['all', null],
  ])('%s', (text, ms) => expect(parsePeriod(text)).toBe(ms))

  test.each(['', '24', 'h', '0h', '-1d', '1.5h', '10y', '999999999w'])('“%s” is none', (text) =>
    expect(() => parsePeriod(text)).toThrow('all'),
  )
})

describe('a rate', () => {
  test.each([
    ['800000', 800_000],
    ['500K', 512_000],
    ['2M', 2_097_152],
    ['1.5m', 1_572_864],
    ['1G', 1_073_741_824],
    ['2MiB/s', 2_097_152],
    ['2MB', 2_097_152],
  ])('%s is %i bytes a second', (text, bytes) => expect(parseRate(text)).toBe(bytes))

  test.each(['', '0', '-1', 'fast', '2X', '1e9', 'M', '0.0001'])('“%s” is refused', (text) =>
    expect(codeOf(() => parseRate(text))).toBe('usage'),
  )
})

describe('numbers', () => {
  test('whole ones within their bounds', () => {
    expect(parseWhole('16', 1, 64)).toBe(16)
    for (const text of ['0', '65', '1.5', 'x', '', '-3']) expect(codeOf(() => parseWhole(text, 1, 64))).toBe('usage')
  })

  test('seconds become milliseconds', () => {
    expect([parseSeconds('30'), parseSeconds('0.5'), parseSeconds('2s')]).toEqual([30_000, 500, 2000])
    for (const text of ['0', '0.01', '3601', '1m', '']) expect(codeOf(() => parseSeconds(text))).toBe('usage')
  })

  test('requests a second', () => {
    expect([parseHostRate('5'), parseHostRate('0.5'), parseHostRate('2/s')]).toEqual([5, 0.5, 2])
    for (const text of ['0', '10001', 'x']) expect(codeOf(() => parseHostRate(text))).toBe('usage')
  })

  test('ids of downloads', () => {
    expect(parseTaskId('7')).toBe(7)
    for (const text of ['0', '-1', 'all', '1.5', '0x1']) expect(codeOf(() => parseTaskId(text))).toBe('usage')
  })
})

describe('a checksum', () => {
  const hex = 'AB'.repeat(32)
  test('is understood in the usual spellings', () => {
    const wanted = { algorithm: 'sha-256', value: hex.toLowerCase() }
    for (const name of ['sha-256=', 'SHA-256=', 'sha256:', 'sha-256:'])
      expect(parseChecksum(name + hex)).toEqual(wanted)
    expect(parseChecksum(`md5=${'0'.repeat(32)}`).algorithm).toBe('md5')
  })

  test('of a wrong length, of another kind or without a name is refused', () => {
    for (const text of [hex, `sha-256=${hex}00`, `crc32=${hex}`, 'sha-256=xyz', `=${hex}`, 'sha-256'])
      expect(codeOf(() => parseChecksum(text))).toBe('usage')
  })
})

describe('what goes to the server', () => {
  test('a header keeps colons in its value', () => {
    expect(parseHeader('Referer:  http://a.example/ ')).toEqual(['Referer', 'http://a.example/'])
    expect(parseHeader('X-Empty:')).toEqual(['X-Empty', ''])
  })

  test('a header without a name, or with a line break, is refused', () => {
    for (const text of ['nothing', ': x', 'a b: c', 'X: a\r\nY: b'])
      expect(codeOf(() => parseHeader(text))).toBe('usage')
  })

  test('a password keeps its colons, and may be missing', () => {
    expect(parseUser('me:a:b')).toEqual({ user: 'me', password: 'a:b' })
    expect(parseUser('me')).toEqual({ user: 'me', password: '' })
  })

  test('a proxy without a scheme is an http one', () => {
    expect(parseProxy('localhost:3128')).toBe('http://localhost:3128')
    expect(parseProxy('socks5://localhost:1080')).toBe('socks5://localhost:1080')
    for (const text of ['', 'ftp://a', 'http://']) expect(codeOf(() => parseProxy(text))).toBe('usage')
  })
})

describe('links', () => {
  test('are trimmed, and told from what is none', () => {
    expect(parseUrl(' https://a.example/b ')).toBe('https://a.example/b')
    expect(codeOf(() => parseUrl('a.example/b'))).toBe('invalid_url')
    expect(codeOf(() => parseUrl('http://'))).toBe('invalid_url')
    expect(codeOf(() => parseUrl('ftp://a.example/b'))).toBe('unsupported_scheme')
  })

  test('in a list: blank lines, comments, Windows line ends and a byte order mark are passed over', () => {
    const text = '\uFEFFhttps://a.example/1\r\n\r\n# a comment\r\n   https://a.example/2  \n'
    expect(parseUrlList(text, 'links.txt')).toEqual([['https://a.example/1'], ['https://a.example/2']])
  })

  test('a bad one in a list is named with its line', () => {
    expect(parseUrlList('https://a.example/1\thttps://b.example/1\t\n', 'x')).toEqual([
      ['https://a.example/1', 'https://b.example/1'],
    ])
    expect(() => parseUrlList('https://a.example/1\n\nnope\n', 'links.txt')).toThrow(/^links\.txt, line 3: “nope”/)
  })
})
