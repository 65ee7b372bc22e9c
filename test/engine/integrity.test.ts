/** Files verified by what is known of them, wherever it comes from. */
import { crc32, crc32c } from '@node-rs/crc32'
import { describe, expect, it, test } from 'vitest'
import type { ExpectedDigest } from '../../shared/integrity.ts'
import {
  asked,
  CONTENT,
  CRC64,
  crc,
  digest,
  MIB,
  reprDigest,
  SEED,
  SHA256,
  SIZE,
  sends,
  serverWith,
  WRONG,
} from '../helpers/checked-file.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import type { Fault } from '../helpers/faults.ts'

describe('a download is verified by', () => {
  const s3 = { 'x-amz-request-id': 'B1' }
  test.each([
    ['Repr-Digest', reprDigest(SHA256), 'sha-256', 'repr-digest'],
    ['Content-Digest', { 'content-digest': `sha-512=:${digest('sha512', 'base64')}:` }, 'sha-512', 'content-digest'],
    ['Digest', { digest: `SHA=${digest('sha1', 'base64')}` }, 'sha-1', 'digest'],
    ['Content-MD5', { 'content-md5': digest('md5', 'base64') }, 'md5', 'content-md5'],
    ['x-goog-hash', { 'x-goog-hash': `crc32c=${crc(crc32c(CONTENT))}` }, 'crc32c', 'x-goog-hash'],
    ['x-amz-checksum-crc64nvme', { 'x-amz-checksum-crc64nvme': CRC64 }, 'crc64nvme', 'x-amz-checksum'],
    ['x-amz-checksum-crc32', { 'x-amz-checksum-crc32': crc(crc32(CONTENT)) }, 'crc32', 'x-amz-checksum'],
    ['X-Checksum', { 'x-checksum-sha1': digest('sha1', 'hex') }, 'sha-1', 'x-checksum'],
  ])('%s', async (_name, headers, algorithm, source) => {
    await using server = await serverWith('/data.bin', headers as Record<string, string>)
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'))
    const task = await engine.until(id, 'done', 'failed')
    expect(task.checksum).toMatchObject({ algorithm, source, verified: true, from: null })
    expect(task.expected[0]).toMatchObject({ algorithm, value: task.checksum!.value, source })
  })

  it('an ETag of an object store that is an MD5', async () => {
    const etag = `"${digest('md5', 'hex')}"`
    await using server = await startFaultServer()
    server.add('/data.bin', { size: SIZE, seed: SEED, etag, headers: s3 })
    await using engine = await startEngine()
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task.checksum).toMatchObject({ algorithm: 'md5', source: 'etag', verified: true })
  })

  it('the strongest, whether the file came in one body or in parts', async () => {
    const headers = {
      ...reprDigest(SHA256),
      'content-md5': digest('md5', 'base64'),
      'x-amz-checksum-crc32': crc(crc32(CONTENT)),
    }
    await using server = await serverWith('/data.bin', headers)
    server.fault('/data.bin', () => faults.slow(4 * MIB))
    await using engine = await startEngine()
    for (const connections of [1, 4]) {
      const id = await engine.add(server.url('/data.bin'), { connections })
      expect(await engine.until(id, 'done', 'failed')).toMatchObject({ state: 'done', checksum: { value: SHA256 } })
    }
  })

  it('CRC-32, which is put together from the blocks’ when the file came in parts', async () => {
    await using server = await serverWith('/data.bin', { 'x-checksum-crc32': crc(crc32(CONTENT)) })
    await using engine = await startEngine()
    server.fault('/data.bin', (_request, index) => (index === 0 ? faults.resetAt(MIB + 5) : null))
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(server.requests.length).toBeGreaterThan(1)
    expect(task.checksum).toMatchObject({ algorithm: 'crc32', value: crc32(CONTENT).toString(16).padStart(8, '0') })
  })

  it('what the user gave, whatever the server says; all of it', async () => {
    await using server = await serverWith('/data.bin', reprDigest(WRONG))
    await using engine = await startEngine()
    const checksum = { algorithm: 'md5' as const, value: digest('md5', 'hex') }
    const good = await engine.until(await engine.add(server.url('/data.bin'), { checksum }), 'done', 'failed')
    expect(good.checksum).toMatchObject({ ...checksum, source: 'user' })
    const expected: ExpectedDigest[] = [{ algorithm: 'crc32', value: '00000000', source: 'user' }]
    const bad = await engine.until(await engine.add(server.url('/data.bin'), { checksum, expected }), 'done', 'failed')
    expect(bad.error).toMatchObject({ code: 'checksum_mismatch', params: { algorithm: 'crc32', source: 'user' } })
  })

  it('nothing where nothing is known, or where the user does not want it', async () => {
    await using server = await serverWith('/data.bin')
    await using engine = await startEngine()
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: null, expected: [] })
    server.add('/lies.bin', { size: SIZE, seed: SEED, headers: reprDigest(WRONG) })
    const ignored = await engine.until(
      await engine.add(server.url('/lies.bin'), { verifyFound: false }),
      'done',
      'failed',
    )
    expect(ignored).toMatchObject({ state: 'done', checksum: null })
    const wants = server.requests.map(({ headers }) => headers['want-repr-digest'] !== undefined)
    expect(wants.at(0)).toBe(true)
    expect(wants.at(-1)).toBe(false)
  })

  it('what was said at its beginning, also after a restart of the program', async () => {
    await using server = await serverWith('/data.bin', reprDigest(SHA256))
    server.fault('/data.bin', (_request, index) =>
      index === 0 ? faults.stallAt(MIB) : faults.withHeaders({ 'repr-digest': 'sha-256=:broken:' }),
    )
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'))
    await engine.untilTask(id, (task) => task.writtenBytes >= MIB)
    await engine.stop()
    await using next = await startEngine({ from: engine })
    expect(await next.until(id, 'done', 'failed')).toMatchObject({
      state: 'done',
      resumedFromBytes: expect.any(Number),
      checksum: { value: SHA256, source: 'repr-digest' },
    })
  })
})

describe('files of checksums beside a download', () => {
  const line = (name: string, hex = SHA256) => `${hex}  ${name}\n`

  it('are asked for where the user allows it, the folder’s list once for all its files', async () => {
    await using server = await serverWith('/files/one.bin')
    server.add('/files/two%20%C3%A4.bin', { size: SIZE, seed: SEED })
    server.add('/files/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/files/SHA256SUMS', () => sends(`# release 7\r\n${line('./one.bin')}${line('two ä.bin')}`))
    await using engine = await startEngine({ settings: { findChecksums: true } })
    for (const name of ['one.bin', 'two%20%C3%A4.bin']) {
      const task = await engine.until(await engine.add(server.url(`/files/${name}?token=t`)), 'done', 'failed')
      const from = server.url('/files/SHA256SUMS')
      expect(task.checksum).toMatchObject({ value: SHA256, source: 'sums-file', from, verified: true })
    }
    expect(asked(server).filter((path) => !path.includes('.bin'))).toEqual(['/files/SHA256SUMS'])
  })

  it('are not asked for otherwise, nor where something as strong is known', async () => {
    await using server = await serverWith('/plain.bin')
    server.add('/strong.bin', { size: SIZE, seed: SEED, headers: reprDigest(SHA256) })
    await using engine = await startEngine()
    await engine.until(await engine.add(server.url('/plain.bin')), 'done')
    await engine.until(await engine.add(server.url('/strong.bin'), { findChecksums: true }), 'done')
    expect(asked(server).every((path) => path.endsWith('.bin'))).toBe(true)
  })

  it('are asked for anew before a file is called bad by what others were told', async () => {
    await using server = await serverWith('/nightly/a.bin')
    server.add('/nightly/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/nightly/SHA256SUMS', () => sends(line('a.bin') + line('b.bin', WRONG)))
    await using engine = await startEngine({ settings: { findChecksums: true } })
    await engine.until(await engine.add(server.url('/nightly/a.bin')), 'done')
    // The next night: other files, and another list.
    server.add('/nightly/b.bin', { size: SIZE, seed: SEED })
    server.fault('/nightly/SHA256SUMS', () => sends(line('b.bin')))
    const task = await engine.until(await engine.add(server.url('/nightly/b.bin')), 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: { value: SHA256, source: 'sums-file', verified: true } })
    expect(asked(server).filter((path) => path === '/nightly/b.bin')).toHaveLength(1)
  })

  it('that name the file alone are found, and a bad file is told by them', async () => {
    await using server = await serverWith('/data.bin')
    server.add('/data.bin.sha256', { size: 1, seed: 1 })
    server.fault('/data.bin.sha256', () => sends(`SHA256 (data.bin) = ${WRONG}`))
    await using engine = await startEngine()
    const id = await engine.add(server.url('/data.bin'), { findChecksums: true, retries: 0 })
    const { error } = await engine.until(id, 'done', 'failed')
    expect(error?.params).toMatchObject({ source: 'sums-file', from: server.url('/data.bin.sha256'), actual: SHA256 })
  })

  it('may all be missing: files without any are done, and their folder is soon left alone', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine({ settings: { findChecksums: true, downloadsAtOnce: 1 } })
    for (let n = 0; n < 5; n++) {
      server.add(`/d/${n}.bin`, { size: 10, seed: n })
      const task = await engine.until(await engine.add(server.url(`/d/${n}.bin`)), 'done', 'failed')
      expect(task).toMatchObject({ state: 'done', checksum: null })
    }
    expect(asked(server).filter((path) => path.includes('SUMS'))).toHaveLength(3)
    expect(asked(server).filter((path) => /\.bin\./.test(path))).toHaveLength(9)
  })

  it.each([
    ['a web page', sends(`<html>${line('data.bin', WRONG)}</html>`, { 'content-type': 'text/html' })],
    ['a compressed reply', sends(line('data.bin', WRONG), { 'content-encoding': 'gzip' })],
    ['a file that is too large', sends(line('data.bin', WRONG) + 'x'.repeat(MIB))],
    ['a file that breaks off', [sends(line('data.bin', WRONG)), faults.resetAt(10)]],
    ['another file’s checksum', sends(line('other.bin', WRONG))],
    ['a checksum of no file', sends(`${WRONG}\n`)],
  ])('%s is none', async (_what, reply) => {
    await using server = await serverWith('/data.bin')
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => reply as Fault | Fault[])
    await using engine = await startEngine({ settings: { findChecksums: true } })
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task).toMatchObject({ state: 'done', checksum: null })
    expect(asked(server)).toContain('/SHA256SUMS')
  })

  it('get the credentials of the link’s own origin, and no other does', async () => {
    await using server = await serverWith('/data.bin')
    await using elsewhere = await startFaultServer()
    elsewhere.add('/SHA256SUMS', { size: 1, seed: 1 })
    elsewhere.fault('/SHA256SUMS', () => sends(line('data.bin')))
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => faults.redirect(elsewhere.url('/SHA256SUMS')))
    await using engine = await startEngine({ settings: { findChecksums: true } })
    const options = { user: 'me', password: 'geheim' }
    const task = await engine.until(await engine.add(server.url('/data.bin'), options), 'done', 'failed')
    expect(task.checksum).toMatchObject({ source: 'sums-file', verified: true })
    expect(server.requests.find(({ path }) => path === '/SHA256SUMS')?.headers.authorization).toMatch(/^Basic /)
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('are read in a worker as well', async () => {
    await using server = await serverWith('/data.bin')
    server.add('/SHA256SUMS', { size: 1, seed: 1 })
    server.fault('/SHA256SUMS', () => sends(line('data.bin')))
    await using engine = await startEngine({ settings: { findChecksums: true }, workers: true })
    const task = await engine.until(await engine.add(server.url('/data.bin')), 'done', 'failed')
    expect(task.checksum).toMatchObject({ source: 'sums-file', value: SHA256 })
  })
})
