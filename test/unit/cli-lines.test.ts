import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import {
  detailLines,
  doneSentence,
  fit,
  listHead,
  listRow,
  progressBlock,
  progressLine,
} from '../../electron/cli/lines.ts'
import { printableLink } from '../../electron/cli/terminal.ts'
import type { TaskDetail, TaskRow } from '../../shared/schemas.ts'

const row = (changes: Partial<TaskRow> = {}): TaskRow => ({
  id: 1,
  url: 'https://a.example/large.iso',
  filename: 'large.iso',
  folder: '/tmp',
  state: 'active',
  sizeBytes: 1_000_000_000,
  writtenBytes: 250_000_000,
  copiedBytes: null,
  bytesPerSecond: 50_000_000,
  etaMs: 15_000,
  connections: 6,
  resumable: true,
  error: null,
  retryAt: null,
  startAt: null,
  createdAt: 0,
  finishedAt: null,
  verifying: null,
  verified: null,
  ...changes,
})

describe('text in columns', () => {
  test('is filled or cut to exactly so many columns, wide characters and all', () => {
    for (const text of [
      'short',
      'a-rather-long-name-of-a-file.tar.gz',
      '日本語の長いファイル名.zip',
      '👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦.png',
      '',
    ])
      for (const columns of [1, 2, 5, 12, 17, 40]) expect(stringWidth(fit(text, columns)), text).toBe(columns)
  })

  test('keeps the end of a name, where its kind is', () => {
    expect(fit('a-rather-long-name-of-a-file.tar.gz', 20)).toBe('a-rather-long…tar.gz')
  })

  test('never steers the terminal', () => {
    expect(fit('\u001b[31mred\u202Egpj.exe\n', 20).trimEnd()).toBe('[31mredgpj.exe')
  })
})

describe('a progress line', () => {
  test('tells percent, bytes, speed, time left and connections', () => {
    const line = progressLine(row(), 120, 0)
    for (const part of ['large.iso', '25.0%', '250 MB of 1.00 GB', '50.0 MB/s', '15s left', '6 conn', '█████░'])
      expect(line).toContain(part)
  })

  test('stays within the terminal, whatever its width', () => {
    const rows = [
      row(),
      row({ sizeBytes: null, etaMs: null }),
      row({ state: 'finishing' }),
      row({ sizeBytes: 0, writtenBytes: 0 }),
    ]
    for (const columns of [20, 40, 60, 80, 100, 200])
      for (const one of rows) expect(stringWidth(progressLine(one, columns, 0))).toBeLessThanOrEqual(columns)
  })

  test('of a waiting download tells when and why', () => {
    const error = { code: 'stalled' as const, message: 'No bytes came.', params: {} }
    const line = progressLine(row({ state: 'waiting', retryAt: 5000, error }), 120, 1000)
    expect(line).toContain('tries again in 4s: No bytes came.')
  })

  test('several end with their totals and never fill more than the terminal', () => {
    const rows = Array.from({ length: 50 }, (_, id) => row({ id }))
    const block = progressBlock([...rows, row({ state: 'done', bytesPerSecond: 0 })], { columns: 80, rows: 10 }, 0)
    const lines = block.split('\n')
    expect(lines.length).toBe(9)
    expect(lines.at(-1)).toBe('1 of 51 done  50 running  2.5 GB/s')
  })

  test('of nothing is nothing', () => expect(progressBlock([], { columns: 80, rows: 24 }, 0)).toBe(''))
})

test('a finished download says what it fetched, and how fast that was', () => {
  const sentence = doneSentence({
    filename: 'large.iso',
    bytes: 1_000_000_000,
    resumedFrom: 400_000_000,
    seconds: 12,
    checksum: { algorithm: 'sha-256', verified: true, source: 'user' },
  })
  expect(sentence).toBe('large.iso: 1.00 GB in 12s (50.0 MB/s), continued from 400 MB, sha-256 verified')
})

test('the list puts every row under its head', () => {
  expect([
    listHead(80),
    listRow(row(), 80),
    listRow(row({ id: 12, state: 'queued', sizeBytes: null, writtenBytes: 0 }), 80),
  ]).toMatchInlineSnapshot(`
    [
      "ID     STATE      DONE      SIZE      SPEED      LEFT     NAME",
      "1      active     25.0%     1.00 GB   50.0 MB/s  15s      large.iso",
      "12     queued     0 B       ?                             large.iso",
    ]
  `)
})

const detail: TaskDetail = {
  ...row({ state: 'queued', sizeBytes: null, writtenBytes: 0, resumable: null, etaMs: null }),
  mirrors: [],
  finalUrl: null,
  path: null,
  partPath: null,
  etag: null,
  lastModified: null,
  contentType: null,
  httpVersion: null,
  segments: [],
  attempts: 0,
  secondChances: 0,
  startedAt: null,
  connectionsUsed: 0,
  strategy: [],
  checksum: null,
  expected: [],
  badFiles: [],
  verification: null,
  resumedFromBytes: 0,
  durable: false,
  startAt: null,
  queueId: 1,
  options: {},
}

test('the details leave out what is not known', () => {
  expect(detailLines(detail).map((line) => line.split(/\s{2,}/)[0])).toEqual([
    'ID',
    'Name',
    'State',
    'URL',
    'Folder',
    'Done',
    'Added',
  ])
})

test('the details say each reason of the strategy on a line of its own', () => {
  const lines = detailLines({
    ...detail,
    strategy: [
      { code: 'host_slowed', params: { host: 'a.example', allowed: 2, usual: 6 } },
      { code: 'speed_limit_task', params: { bytesPerSecond: 2_000_000 } },
    ],
  })
  const first = lines.findIndex((line) => line.startsWith('Strategy '))
  expect(lines.slice(first, first + 2)).toEqual([
    'Strategy       “a.example” asked for fewer requests, so it gets 2 connections at most instead of 6.',
    '               No faster than 2.0 MB/s, as is set for this download.',
  ])
})

describe('a link', () => {
  test.each([
    ['https://me:secret@a.example/x?y=@z', 'https://a.example/x?y=@z'],
    ['HTTP://me:se@cret@a.example', 'HTTP://a.example'],
    ['https://a.example/me@home', 'https://a.example/me@home'],
  ])('is shown without user and password: %s', (given, shown) => {
    expect(printableLink(given)).toBe(shown)
  })
})

describe('the checksum among the details', () => {
  const value = 'ab'.repeat(32)
  const line = (task: Partial<TaskDetail>) =>
    detailLines({ ...detail, ...task })
      .find((text) => text.startsWith('Checksum'))
      ?.replace(/^Checksum\s+/, '')

  test('says by what a file was verified, or that there was nothing', () => {
    const checksum = { algorithm: 'sha-256', value, verified: true, source: 'repr-digest', from: null } as const
    expect(line({ state: 'done', checksum })).toBe(`sha-256 ${value} (verified by the server (Repr-Digest))`)
    const from = 'https://example.org/SHA256SUMS'
    expect(line({ state: 'done', checksum: { ...checksum, source: 'sums-file', from } })).toBe(
      `sha-256 ${value} (verified by a file of checksums beside it, ${from})`,
    )
    expect(line({ state: 'done', checksum: { ...checksum, source: 'user' } })).toBe(`sha-256 ${value} (verified)`)
    expect(line({ state: 'done' })).toBe('nothing to verify it by')
    expect(line({ state: 'active' })).toBeUndefined()
  })

  test('says by what it is going to be verified, and whether that failed', () => {
    const expected: TaskDetail['expected'] = [{ algorithm: 'sha-256', value, source: 'digest' }]
    expect(line({ state: 'active', expected })).toBe(`sha-256 ${value} expected by the server (Digest)`)
    const error = { code: 'checksum_mismatch', message: '', params: {} } as const
    expect(line({ state: 'failed', expected, error })).toMatch(/, does not match$/)
  })
})
