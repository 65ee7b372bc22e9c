/** What the window says about a file that was compared with its checksums, and where it marks what differs. */
import { describe, expect, it } from 'vitest'
import { badMarks } from '../../renderer/features/detail/segment-map.tsx'
import { canRepair, canVerify, foundWords } from '../../renderer/features/detail/verification-words.ts'
import { RIGHT } from '../helpers/fake-verifications.ts'

const MIB = 1024 * 1024

describe('the words', () => {
  it('say that all is right, and what could not be compared', () => {
    expect(foundWords({ ...RIGHT, checkedBlocks: 1024 })).toEqual({
      ...{ tone: 'good', title: 'All 1,024 blocks are right', more: [] },
    })
    expect(foundWords({ ...RIGHT, uncheckedBlocks: 1 })).toMatchObject({
      more: ['1 block has no checksum to compare with.'],
    })
    const checksum = { algorithm: 'sha-256' as const, expected: 'a', actual: 'a', matches: true }
    expect(foundWords({ ...RIGHT, uncheckedBlocks: 1, checksum }).more).toEqual(['Its sha-256 matches.'])
    expect(foundWords({ ...RIGHT, checkedBlocks: 0, bytes: 0, bytesOnDisk: 0 }).title).toMatch(/empty/)
  })

  it('say what is wrong, the worst first, and never that it is right too', () => {
    const badRanges = [0, 2, 4, 6, 8].map((n) => ({ start: n * MIB, end: (n + 1) * MIB }))
    const found = { ...RIGHT, verdict: 'damaged' as const, badBlocks: 5, badRanges, sizeDiffers: true, bytesOnDisk: 9 }
    expect(foundWords(found)).toEqual({
      tone: 'bad',
      title: '5 blocks differ (0 B–1.05 MB, 2.10 MB–3.15 MB, 4.19 MB–5.24 MB and 2 more)',
      more: ['The file is 9 bytes long instead of 5,000,000.'],
    })
    const checksum = { algorithm: 'md5' as const, expected: 'a', actual: 'b', matches: false }
    expect(foundWords({ ...RIGHT, verdict: 'damaged', checksum })).toEqual({
      ...{ tone: 'bad', title: 'Its md5 is not the expected one.', more: [] },
    })
    expect(foundWords({ ...RIGHT, verdict: 'missing' }).tone).toBe('bad')
    expect(foundWords({ ...RIGHT, verdict: 'unknown' }).tone).toBe('quiet')
  })

  it('are offered where a file can be read, a repair only where nobody has to decide first', () => {
    const task = (state: Parameters<typeof canVerify>[0]['state'], writtenBytes = 5) => ({
      ...{ state, writtenBytes, verifying: null },
    })
    expect([canVerify(task('done', 0)), canVerify(task('paused')), canVerify(task('paused', 0))]).toEqual([
      true,
      true,
      false,
    ])
    expect([canVerify(task('active')), canRepair(task('changed')), canVerify(task('changed'))]).toEqual([
      false,
      false,
      true,
    ])
    expect(canVerify({ ...task('done'), verifying: { checkedBytes: 0, totalBytes: 1 } })).toBe(false)
  })
})

it('a bad block of a huge file is wide enough to be seen, and within the map', () => {
  const size = 1024 * 1024 * MIB
  expect(badMarks([{ start: 0, end: MIB }], size)).toEqual([{ start: 0, width: 4 }])
  const [last] = badMarks([{ start: size - MIB, end: size }], size)
  expect(last!.start + last!.width).toBeLessThanOrEqual(1000)
  expect(badMarks([{ start: 0, end: size / 2 }], size)).toEqual([{ start: 0, width: 500 }])
})
