import { describe, expect, test } from 'vitest'
import { filenameFrom, isKnownBinaryName, numberedName, sanitizeFilename } from '../../electron/engine/filename.ts'
import fc from '../helpers/property.ts'

const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const named = (contentDisposition: string) =>
  filenameFrom({ contentDisposition, finalUrl: 'https://example.com/other.bin', originalUrl: 'https://example.com/' })

describe('a name from Content-Disposition', () => {
  test.each([
    ['attachment; filename="plans.pdf"', 'plans.pdf'],
    ['attachment; filename=plans.pdf', 'plans.pdf'],
    ['inline; filename=plans.pdf; size=12', 'plans.pdf'],
    ['ATTACHMENT; FILENAME="plans.pdf"', 'plans.pdf'],
    ['filename=plans.pdf', 'plans.pdf'],
    ['attachment; filename=my plans.pdf', 'my plans.pdf'],
    ['attachment; filename="my \\"big\\" plans.pdf"', 'my _big_ plans.pdf'],
    [`attachment; filename="EURO.txt"; filename*=UTF-8''%e2%82%ac.txt`, '€.txt'],
    [`attachment; filename*=UTF-8''%e2%82%ac.txt; filename="EURO.txt"`, '€.txt'],
    [`attachment; filename*=iso-8859-1'en'%A3%20rates.txt`, '£ rates.txt'],
    [`attachment; filename*="UTF-8''%e2%82%ac.txt"`, '€.txt'],
    [`attachment; filename="good.txt"; filename*=UTF-8''%ff%fe`, 'good.txt'],
    ['attachment; filename*=%e2%82%ac.txt', '€.txt'],
    [`attachment; filename=${latin1('naïve.txt')}`, 'naïve.txt'],
    [`attachment; filename="${latin1('文件.zip')}"`, '文件.zip'],
    ['attachment; filename="na\xefve.txt"', 'naïve.txt'],
    ['attachment; filename="=?UTF-8?B?5paH5Lu2LnppcA==?="', '文件.zip'],
    ['attachment; filename="=?iso-8859-1?Q?na=EFve_one.txt?="', 'naïve one.txt'],
    ['attachment; filename="%E6%96%87.zip"', '文.zip'],
    ['attachment; filename="100% sure.txt"', '100% sure.txt'],
    ['attachment; filename="a/b/c.txt"', 'c.txt'],
    ['attachment; filename="..\\\\..\\\\evil.exe"', 'evil.exe'],
    ['attachment; filename="../../../etc/passwd"', 'passwd'],
    ['attachment; filename="%2e%2e%2fpasswd"', 'passwd'],
    ['attachment', 'other.bin'],
    ['attachment; filename=""', 'other.bin'],
    ['', 'other.bin'],
    [';;;=', 'other.bin'],
  ])('%s', (header, name) => {
    expect(named(header)).toBe(name)
  })
})

describe('a name from the URL', () => {
  const from = (finalUrl: string, originalUrl = 'https://start.example/', contentType?: string) =>
    filenameFrom({ finalUrl, originalUrl, contentType })

  test.each([
    ['https://example.com/a/b.iso?token=1#x', 'b.iso'],
    ['https://example.com/a%20b%2Fc.iso', 'c.iso'],
    ['https://example.com/%E2%82%AC.txt', '€.txt'],
    ['https://example.com/100%25', '100%'],
    ['https://example.com/%zz.txt', '%zz.txt'],
    ['https://example.com/..%2F..%2Fetc%2Fpasswd', 'passwd'],
  ])('%s', (url, name) => expect(from(url)).toBe(name))

  test('is the original’s where the final one has none', () => {
    expect(from('https://cdn.example/', 'https://example.com/file.zip')).toBe('file.zip')
  })
  test('is made from the host where neither has one', () => {
    expect(from('https://cdn.example.com/', 'https://example.com')).toBe('cdn-example-com download')
    expect(from('http://127.0.0.1/', 'http://[::1]/')).toBe('download')
  })
  test('gets an extension from the type only where it has none', () => {
    expect(from('https://example.com/get', undefined, 'application/zip')).toBe('get.zip')
    expect(from('https://example.com/debian-12.5', undefined, 'application/x-iso9660-image')).toBe('debian-12.5.iso')
    expect(from('https://example.com/get.php', undefined, 'application/zip')).toBe('get.php')
    expect(from('https://example.com/get', undefined, 'application/octet-stream')).toBe('get')
    expect(from('https://example.com/', undefined, 'text/html; charset=utf-8')).toBe('example-com download.html')
  })
})

describe('sanitizing', () => {
  test.each([
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['com1 .tar.gz', '_com1 .tar.gz'],
    ['LPT¹.txt', '_LPT¹.txt'],
    ['console.log', 'console.log'],
    ['C:\\Users\\x\\report.pdf', 'report.pdf'],
    ['what?*<now>|"so":.txt', 'what___now___so__.txt'],
    ['.bashrc', 'bashrc'],
    ['trailing. . .', 'trailing'],
    ['.', 'download'],
    ['..', 'download'],
    ['', 'download'],
    ['/', 'download'],
    ['///…', '…'],
    ['a/b/', 'b'],
    ['line\r\nbreak\0.txt', 'linebreak.txt'],
    ['invoice\u202egnp.exe', 'invoicegnp.exe'],
    ['zero\u200b\ufeffwidth.txt', 'zerowidth.txt'],
    ['e\u0301.txt', '\u00e9.txt'],
    ['e\u2066\u0301.txt', '\u00e9.txt'],
    ['many   spaces\there.txt', 'many spaceshere.txt'],
    ['half a pair \ud800.txt', 'half a pair \ufffd.txt'],
  ])('%j', (name, safe) => expect(sanitizeFilename(name)).toBe(safe))

  test('a long row of dots is looked at once', () => {
    // Once for each dot would take minutes.
    expect(sanitizeFilename(`a${'.'.repeat(500_000)}b`)).toMatch(/^a\.+b?$|^a$/)
  })

  test('long names keep their extension, and characters stay whole', () => {
    const name = sanitizeFilename(`${'文'.repeat(300)}.tar.gz`)
    expect(name).toMatch(/^文+\.tar\.gz$/)
    expect(Buffer.byteLength(name)).toBeGreaterThan(235)
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(244)
  })

  const weird = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.string({
      unit: fc.constantFrom('.', '/', '\\', ' ', '\0', ':', 'C', 'O', 'N', 'é', '\u202e', '😀'),
      maxLength: 400,
    }),
  )
  const isSafe = (name: string) => {
    expect(name).not.toMatch(/[/\\:<>"|?*\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]/)
    expect(name).not.toMatch(/^[. ]|[. ]$|^$/)
    expect(name.split('.')[0]).not.toMatch(/^(con|nul|aux|prn|com\d|lpt\d)\s*$/i)
    expect(name.isWellFormed()).toBe(true)
    expect(Buffer.byteLength(`${numberedName(name, 999)}.part`)).toBeLessThanOrEqual(255)
  }
  test('never escapes the folder, is never empty and never too long, whatever the server says', () => {
    fc.assert(
      fc.property(weird, weird, (name, path) => {
        isSafe(sanitizeFilename(name))
        isSafe(filenameFrom({ contentDisposition: name, finalUrl: `https://x/${path}`, originalUrl: path }))
        isSafe(filenameFrom({ contentDisposition: `attachment; filename="${name}"`, finalUrl: path, originalUrl: '' }))
      }),
      { numRuns: 500 },
    )
  })
  test('a safe name stays as it is', () => {
    fc.assert(
      fc.property(weird, (name) => {
        const safe = sanitizeFilename(name)
        expect(sanitizeFilename(safe)).toBe(safe)
      }),
    )
  })
})

test.each([
  ['file.iso', 1, 'file (1).iso'],
  ['backup.tar.gz', 2, 'backup (2).tar.gz'],
  ['dump.sql.xz', 3, 'dump (3).sql.xz'],
  ['README', 4, 'README (4)'],
  ['v1.2', 5, 'v1.2 (5)'],
  ['movie.part.001', 6, 'movie.part (6).001'],
])('the %s beside it, number %i: %s', (name, n, numbered) => expect(numberedName(name, n)).toBe(numbered))

test('knows which names are never web pages', () => {
  for (const name of ['a.zip', 'a.ISO', 'a.tar.gz', 'a.b.mp4', 'a.deb']) expect(isKnownBinaryName(name)).toBe(true)
  for (const name of ['a.html', 'a.php', 'zip', 'a.txt', 'a']) expect(isKnownBinaryName(name)).toBe(false)
})
