/** Names of files: from Content-Disposition, from links, from users, and whatever else is one by name alone. */
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import {
  type FilenameSources,
  filenameFrom,
  isKnownBinaryName,
  numberedName,
  sanitizeFilename,
} from '../../electron/engine/filename.ts'
import fc from '../helpers/property.ts'
import { fuzz, headerOf, listOf, nearly, sequence, staysLinear, token } from './fuzz.ts'

const FOLDER = resolve('/downloads')
/** Bidirectional controls, zero-width and other invisible characters, controls, lines. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)\s*(\.|$)/i

function expectSafe(name: string): void {
  expect(name).not.toMatch(/[/\\:<>"|?*]/)
  expect(name).not.toMatch(INVISIBLE)
  expect(name).not.toMatch(/^[.\s]|[.\s]$|^$/)
  expect(name).not.toMatch(RESERVED)
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
  expect(name.normalize('NFC')).toBe(name)
  expect(resolve(FOLDER, name)).toBe(join(FOLDER, name))
  // with what the engine appends to it
  expect(Buffer.byteLength(`${name}.part`)).toBeLessThanOrEqual(255)
  for (const n of [1, 999]) {
    const numbered = numberedName(name, n)
    expect(Buffer.byteLength(`${numbered}.part`)).toBeLessThanOrEqual(255)
    expect(numbered).not.toMatch(/[/\\]|^\./)
  }
  expect(isKnownBinaryName(name)).toBeTypeOf('boolean')
}

const piece = fc.oneof(
  token,
  fc.constantFrom(
    'report',
    '.',
    '..',
    ' ',
    '…',
    'CON',
    'nul',
    'com1',
    'LPT³',
    'aux.tar.gz',
    '.tar.gz',
    '.exe',
    '.001',
    '~',
    '\u0301',
    '\u200d',
    '\u202e',
    '\u2066',
    '\ufeff',
    '\u3164',
    '\ue000',
    '👩‍👩‍👧',
    'ﷺ',
    '文',
    '%2e%2e%2f',
    '%5c',
    '%00',
    '%c0%af',
    ':stream',
    '/',
    '\\',
    'C:\\',
    '\\\\host\\share\\',
    '../../etc/passwd',
  ),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
)
const fileName = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
const long = fc.tuple(fileName, fc.nat(400), fileName).map(([a, times, b]) => a.repeat(times).slice(0, 4000) + b)

const quoted = (value: fc.Arbitrary<string>) => value.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`)
const percent = (value: fc.Arbitrary<string>) => value.map((text) => encodeURIComponent(text.toWellFormed()))
const encodedWord = fc
  .tuple(fc.constantFrom('utf-8', 'iso-8859-1', 'x-unknown', 'UTF-7'), fileName)
  .map(([charset, text]) => `=?${charset}?B?${Buffer.from(text).toString('base64')}?=`)
const parameter = fc.oneof(
  sequence('filename=', quoted(fileName)),
  sequence('filename=', token),
  sequence('filename=', quoted(encodedWord)),
  sequence('filename*=', fc.constantFrom("UTF-8''", "utf-8'en'", "iso-8859-1''", "''", ''), percent(fileName)),
  sequence('filename*', fc.constantFrom('0', '0*', '1'), '=', token),
  sequence('FileName = ', fileName),
  sequence(token, '=', token),
)
const disposition = sequence(
  fc.constantFrom('attachment', 'inline', 'form-data', 'Attachment ', ''),
  fc.constantFrom(';', '; ', ' ;'),
  listOf(parameter, '; '),
)
const link = sequence(
  fc.constantFrom('https://example.com/', 'http://[::1]:8080/', 'https://user:pw@host/', 'ftp://x/', ''),
  listOf(fc.oneof(percent(fileName), fileName), '/'),
  fc.constantFrom('', '?name=x', '#y', '/'),
)
const type = sequence(
  fc.oneof(fc.constantFrom('application/zip', 'text/html', 'video/mp4'), token),
  fc.constantFrom('', '; q=1'),
)

const sources: fc.Arbitrary<FilenameSources> = fc.record({
  contentDisposition: headerOf(disposition),
  finalUrl: nearly(link),
  originalUrl: nearly(link),
  contentType: headerOf(type),
})

fuzz('whatever a reply says, its file has one safe name in the folder', [sources], (input) => {
  expectSafe(filenameFrom(input))
})

fuzz('whatever a user or a list calls a file, it has one safe name', [nearly(fc.oneof(fileName, long))], (name) => {
  const safe = sanitizeFilename(name)
  expectSafe(safe)
  expect(sanitizeFilename(safe)).toBe(safe)
})

fuzz('a number in the name keeps it another name, and safe', [fc.oneof(fileName, long), fc.nat(10_000)], (name, n) => {
  const safe = sanitizeFilename(name)
  const numbered = numberedName(safe, n)
  expect(numbered).toContain(`(${n})`)
  expect(numbered).not.toBe(safe)
  expect(Buffer.byteLength(`${numbered}.part`)).toBeLessThanOrEqual(255)
})

staysLinear('a name', piece, sanitizeFilename)
staysLinear('Content-Disposition', fc.oneof(piece, parameter, fc.constantFrom('; ', '"', '=?a?b?', '\\')), (text) =>
  filenameFrom({
    contentDisposition: `attachment; ${text}`,
    finalUrl: 'https://x/',
    originalUrl: 'https://x/',
    contentType: text,
  }),
)
staysLinear('a link with a name', piece, (text) =>
  filenameFrom({ finalUrl: `https://x/${text}`, originalUrl: '', contentDisposition: undefined }),
)

it('a name of some megabytes takes no more than its length', () => {
  const name = sanitizeFilename(`${'../'.repeat(500_000)}${'a'.repeat(2_000_000)}.tar.gz`)
  expectSafe(name)
  expect(name).toMatch(/^a+\.tar\.gz$/)
})
