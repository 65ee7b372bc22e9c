/** What a probe finds out with one request, and what it leaves alone. */
import { readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { startEngine } from '../helpers/engine.ts'
import { type FaultScript, faults, type Resource, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 5_000_000

async function probe(resource: Partial<Resource>, script: FaultScript | null = null, path = '/dir/file.bin') {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add(path, { size: SIZE, seed: 1, ...resource })
  server.fault(path, script)
  const result = await engine.call('url.probe', { url: server.url(path), options: { proxy: '' } })
  expect((await engine.call('tasks.list', {})).total).toBe(0)
  expect(await readdir(engine.folder).catch(() => [])).toEqual([])
  return { result, requests: [...server.requests], origin: server.origin }
}

describe('a probe', () => {
  it('tells all there is to know with one GET, and reads none of the file', async () => {
    const { result, requests, origin } = await probe({ contentType: 'application/zip' })
    expect(result).toEqual({
      url: `${origin}/dir/file.bin`,
      finalUrl: `${origin}/dir/file.bin`,
      status: 206,
      filename: 'file.bin',
      size: SIZE,
      ranges: true,
      etag: `"1-${SIZE}"`,
      lastModified: 'Wed, 01 Jan 2025 00:00:00 GMT',
      contentType: 'application/zip',
      digests: [],
      httpVersion: '1.1',
    })
    expect(requests.map((request) => [request.method, request.headers.range])).toEqual([['GET', 'bytes=0-']])
    expect(requests[0]!.headers['accept-encoding']).toBe('identity')
  })

  it.each<[string, Partial<Resource>, FaultScript | null, object]>([
    ['no ranges', {}, () => faults.ignoreRange(), { status: 200, ranges: false, size: SIZE }],
    ['no length', {}, () => [faults.ignoreRange(), faults.noLength()], { ranges: false, size: null }],
    ['no validators', { etag: null, lastModified: null }, null, { etag: null, lastModified: null, ranges: true }],
    ['a weak validator', { etag: 'W/"x"' }, null, { etag: 'W/"x"' }],
    ['an empty file', { size: 0 }, null, { status: 200, size: 0, ranges: false }],
    ['a range from another byte', {}, () => faults.wrongContentRange({ shift: 5 }), { ranges: false }],
    ['a size that is kept secret', {}, () => faults.wrongContentRange({ total: '*' }), { size: null }],
    [
      'a compressed reply: its length is not the file’s',
      {},
      () => faults.contentEncoding(),
      { size: null, ranges: false },
    ],
    ['a name given by the server', { filename: 'real name.iso' }, null, { filename: 'real name.iso' }],
    [
      'a name that leads out of the folder',
      { filename: '../../x.iso' },
      null,
      { filename: expect.not.stringMatching(/\//) },
    ],
  ])('tells of %s', async (_name, resource, script, expected) => {
    expect((await probe(resource, script)).result).toMatchObject(expected)
  })

  it('takes the name from the link where nobody says otherwise', async () => {
    expect((await probe({}, null, '/a%20b/caf%C3%A9.tar.gz')).result.filename).toBe('café.tar.gz')
  })

  it('collects the digests that servers send', async () => {
    const sha256 = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    const { result } = await probe({
      headers: { 'repr-digest': `sha-256=:${sha256}:`, 'x-goog-hash': 'md5=1B2M2Y8AsgTpgAmY7PhCfg==' },
    })
    expect(result.digests).toEqual(
      expect.arrayContaining([
        {
          algorithm: 'sha-256',
          value: Buffer.from(sha256, 'base64').toString('hex'),
          source: expect.stringMatching(/repr-digest/i),
        },
        {
          algorithm: 'md5',
          value: 'd41d8cd98f00b204e9800998ecf8427e',
          source: expect.stringMatching(/x-goog-hash/i),
        },
      ]),
    )
  })

  it('follows redirects and says where they led', async () => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.add('/real.iso', { size: 10, seed: 1 })
    server.fault('/latest', () => faults.redirect('/real.iso'))
    expect(await engine.call('url.probe', { url: server.url('/latest') })).toMatchObject({
      url: server.url('/latest'),
      finalUrl: server.url('/real.iso'),
      filename: 'real.iso',
      size: 10,
    })
  })

  it.each([
    [404, 'not_found'],
    [410, 'gone'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [429, 'too_many_requests'],
    [500, 'server_error'],
    [418, 'http_status'],
  ])('%i is %s, and not tried again', async (status, code) => {
    await using server = await startFaultServer()
    await using engine = await startEngine()
    server.fault('/x', () => faults.status(status))
    await expect(engine.call('url.probe', { url: server.url('/x') })).rejects.toMatchObject({ code })
    expect(server.requests).toHaveLength(1)
  })
})
