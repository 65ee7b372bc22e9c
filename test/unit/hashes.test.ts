/** Digests: on the way, from blocks, and of files in the thread. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from '@node-rs/crc32'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestFile, digestPieces } from '../../electron/engine/checksum.ts'
import { crc32OfBlocks } from '../../electron/engine/crc32-combine.ts'
import { RunningDigests } from '../../electron/engine/hashes.ts'
import { CHECKSUM_ALGORITHMS, DIGEST_BYTES } from '../../shared/integrity.ts'
import { BLOCK_BYTES } from '../../shared/records.ts'
import fc from '../helpers/property.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nighthaul-hashes-'))
})
afterAll(() => rm(folder, { recursive: true }))

const never = new AbortController().signal

/** Check values of the catalogue of parametrised CRC algorithms, and of RFC 1321 and FIPS 180. */
const CHECK = {
  crc32: 'cbf43926',
  crc32c: 'e3069283',
  crc64nvme: 'ae8b14860a799888',
  md5: '25f9e794323b453885f5181f1b624d0b',
} as const

test('every algorithm gives the same on the way and in the thread, whatever the pieces it comes in', async () => {
  const path = join(folder, 'check')
  await writeFile(path, '123456789')
  const running = new RunningDigests(CHECKSUM_ALGORITHMS)
  for (const piece of ['1234', '', '56789']) running.update(Buffer.from(piece))
  const digests = running.digest()
  expect(digests).toMatchObject(CHECK)
  expect(await digestFile(path, CHECKSUM_ALGORITHMS, never)).toEqual(digests)
  for (const algorithm of CHECKSUM_ALGORITHMS) expect(digests[algorithm]).toHaveLength(2 * DIGEST_BYTES[algorithm])
})

/** NVM Command Set Specification 1.0, “64b CRC Test Cases”. */
test.each([
  ['zeros', (_at: number) => 0, '6482d367eb22b64e'],
  ['ones', (_at: number) => 0xff, 'c0ddba7302eca3ac'],
  ['bytes that count up', (at: number) => at & 0xff, '3e729f5f6750449c'],
  ['bytes that count down', (at: number) => 0xff - (at & 0xff), '9a2df64b8e9e517e'],
])('the CRC-64 of 4 KiB of %s, in one piece and in any', (_what, byteAt, hex) => {
  const bytes = Uint8Array.from({ length: 4096 }, (_, at) => byteAt(at))
  fc.assert(
    fc.property(fc.array(fc.nat(4096), { maxLength: 5 }), (cuts) => {
      const running = new RunningDigests(['crc64nvme'])
      const at = [0, ...cuts.sort((a, b) => a - b), 4096]
      for (let n = 1; n < at.length; n++) running.update(bytes.subarray(at[n - 1], at[n]))
      expect(running.digest().crc64nvme).toBe(hex)
    }),
    { numRuns: 50 },
  )
})

test('an empty file has digests too', async () => {
  const path = join(folder, 'empty')
  await writeFile(path, '')
  expect(await digestFile(path, ['crc32', 'md5'], never)).toEqual({
    crc32: '00000000',
    md5: createHash('md5').digest('hex'),
  })
  expect(await digestPieces(path, 'md5', 10, never)).toEqual([])
})

test('pieces are digested each for itself, the last may be shorter', async () => {
  const path = join(folder, 'pieces')
  const bytes = Buffer.alloc(3 * 1024 * 1024 + 5, 'abc')
  await writeFile(path, bytes)
  const pieceBytes = 1_500_000
  const wanted = [0, 1, 2].map((n) =>
    createHash('sha1')
      .update(bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes))
      .digest('hex'),
  )
  expect(await digestPieces(path, 'sha-1', pieceBytes, never)).toEqual(wanted)
  expect(await digestPieces(path, 'sha-1', bytes.length, never)).toEqual([
    createHash('sha1').update(bytes).digest('hex'),
  ])
})

test('a file that is not there, and a wish to stop, end in their own errors; the others go on', async () => {
  const path = join(folder, 'large')
  await writeFile(path, Buffer.alloc(64 * 1024 * 1024))
  const stop = new AbortController()
  const large = digestFile(path, ['sha-512'], stop.signal)
  const again = digestFile(path, ['crc32'], never)
  const missing = digestFile(join(folder, 'nothing'), ['md5'], never)
  await expect(missing).rejects.toMatchObject({ code: 'ENOENT' })
  stop.abort(new Error('enough'))
  await expect(large).rejects.toThrow('enough')
  expect((await again).crc32).toBe(
    crc32(Buffer.alloc(64 * 1024 * 1024))
      .toString(16)
      .padStart(8, '0'),
  )
})

test('the CRC-32 of a file follows from those of its blocks', () => {
  const whole = Buffer.alloc(2 * BLOCK_BYTES + 12_345)
  for (let at = 0; at + 4 <= whole.length; at += 4) whole.writeUInt32LE((at * 2_654_435_761) % 4_294_967_296, at)
  const blocks = [0, 1, 2].map((index) => {
    const bytes = whole.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES)
    return { index, crc32: crc32(bytes), bytes: bytes.length }
  })
  const hex = crc32(whole).toString(16).padStart(8, '0')
  expect(crc32OfBlocks(blocks.toReversed(), whole.length)).toBe(hex)
  expect(crc32OfBlocks(blocks.slice(1), whole.length)).toBeNull()
  expect(crc32OfBlocks(blocks.slice(0, 2), whole.length)).toBeNull()
  expect(crc32OfBlocks([], 0)).toBe('00000000')
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (tail) => {
      const first = blocks[0]!
      const bytes = Buffer.concat([whole.subarray(0, BLOCK_BYTES), tail])
      const last = { index: 1, crc32: crc32(tail), bytes: tail.length }
      expect(crc32OfBlocks([first, last], bytes.length)).toBe(crc32(bytes).toString(16).padStart(8, '0'))
    }),
    { numRuns: 20 },
  )
})
