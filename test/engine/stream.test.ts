/** A download into a stream: every byte in order, however slow the reader and however bad the line. */
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpClient, type HttpClient } from '../../electron/engine/http/http-client.ts'
import { httpSettings } from '../../electron/engine/settings.ts'
import { type StreamDownloadInput, streamDownload } from '../../electron/engine/stream-download.ts'
import { DEFAULT_SETTINGS, type TaskOptions } from '../../shared/schemas.ts'
import { contentBytes, contentSha256 } from '../helpers/bytes.ts'
import { hastyClock } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const MIB = 1024 * 1024
const SIZE = 2 * MIB + 777
const SEED = 5

/** Takes what comes, as fast as it is told to; remembers it and how much was waiting at most. */
class Reader extends Writable {
  readonly chunks: Buffer[] = []
  mostWaiting = 0
  readonly #delayTurns: number
  readonly #failAfter: number
  bytes = 0

  constructor(options: { delayTurns?: number; failAfter?: number } = {}) {
    super({ highWaterMark: 64 * 1024 })
    this.#delayTurns = options.delayTurns ?? 0
    this.#failAfter = options.failAfter ?? Number.POSITIVE_INFINITY
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.mostWaiting = Math.max(this.mostWaiting, this.writableLength)
    this.chunks.push(Buffer.from(chunk))
    this.bytes += chunk.length
    if (this.bytes > this.#failAfter) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return
    }
    let turns = this.#delayTurns
    const turn = () => {
      if (turns-- > 0) setImmediate(turn)
      else done()
    }
    turn()
  }

  get content(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

const clients: HttpClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

function stream(url: string, out: Writable, rest: Partial<StreamDownloadInput> & { options?: TaskOptions } = {}) {
  const client = createHttpClient({
    clock: hastyClock,
    // the clock is hasty
    settings: httpSettings(
      { ...DEFAULT_SETTINGS, connectTimeoutMs: 100_000, headersTimeoutMs: 100_000, stallTimeoutMs: 100_000 },
      'test',
    ),
  })
  clients.push(client)
  const { options, ...input } = rest
  return streamDownload(
    { url, retries: 3, signal: new AbortController().signal, ...input, options: { proxy: '', ...options } },
    out,
    { client, clock: hastyClock, random: () => 0.5 },
  )
}

async function serverWith(resource: object = {}): Promise<FaultServer> {
  const server = await startFaultServer()
  server.add('/file', { size: SIZE, seed: SEED, ...resource })
  return server
}

const sha256 = { algorithm: 'sha-256' as const, value: contentSha256(SEED, SIZE) }

describe('a stream', () => {
  it('brings the bytes in order to a slow reader, and never holds much of them', async () => {
    await using server = await serverWith()
    const out = new Reader({ delayTurns: 3 })
    const result = await stream(server.url('/file'), out, { options: { checksum: sha256 } })
    expect(out.content.equals(contentBytes(SEED, 0, SIZE))).toBe(true)
    expect(result).toMatchObject({
      finalUrl: server.url('/file'),
      bytes: SIZE,
      checksum: { ...sha256, verified: true },
    })
    expect(out.mostWaiting).toBeLessThan(MIB)
    expect(out.writableEnded).toBe(false)
    expect(server.requests).toHaveLength(1)
  })

  it('says when the checksum is another one', async () => {
    await using server = await serverWith()
    const out = new Reader()
    const options = { checksum: { ...sha256, value: '0'.repeat(64) } }
    await expect(stream(server.url('/file'), out, { options })).rejects.toMatchObject({
      code: 'checksum_mismatch',
      params: { expected: '0'.repeat(64), actual: sha256.value },
    })
    expect(out.bytes).toBe(SIZE)
  })

  it.each([
    ['a strong validator', {}, `"${SEED}-${SIZE}"`, 0],
    ['no validator, by an overlap', { etag: null, lastModified: null }, undefined, 64 * 1024],
  ])('goes on after resets, with %s', async (_name, resource, ifRange, overlap) => {
    await using server = await serverWith(resource)
    server.fault('/file', ({ index }) => (index < 2 ? faults.resetAt(700_000) : null))
    const out = new Reader()
    const seen: number[] = []
    const result = await stream(server.url('/file'), out, {
      options: { checksum: sha256 },
      onProgress: ({ bytes }) => seen.push(bytes),
    })
    expect(result).toMatchObject({ bytes: SIZE, checksum: { verified: true } })
    expect(out.content.equals(contentBytes(SEED, 0, SIZE))).toBe(true)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    const [, second, third] = server.requests
    for (const request of [second, third]) {
      expect(request!.headers['if-range']).toBe(ifRange)
      expect(request!.status).toBe(206)
    }
    const from = (request: typeof second) => Number(/^bytes=(\d+)-/.exec(request!.headers.range!)![1])
    expect(from(second)).toBeGreaterThan(0)
    expect(from(third)).toBeGreaterThan(from(second))
    expect(from(third)).toBeLessThanOrEqual(1_400_000 - overlap)
  })

  it('goes on where ranges are ignored, passing over what went out already', async () => {
    await using server = await serverWith()
    server.fault('/file', ({ index }) => [faults.ignoreRange(), index === 0 ? faults.resetAt(MIB) : []].flat())
    const out = new Reader()
    await stream(server.url('/file'), out)
    expect(out.content.equals(contentBytes(SEED, 0, SIZE))).toBe(true)
    expect(server.requests.at(-1)!.status).toBe(200)
  })

  it('of a POST goes on with the same request from the start, passing over what went out already', async () => {
    await using server = await serverWith()
    server.fault('/file', (_request, index) => (index === 0 ? faults.truncateAt(MIB) : null))
    const out = new Reader()
    const options = { method: 'POST' as const, body: { text: 'q=1' }, checksum: sha256 }
    await stream(server.url('/file'), out, { options })
    expect(out.content.equals(contentBytes(SEED, 0, SIZE))).toBe(true)
    expect(server.requests.map(({ method, body, headers }) => [method, body, headers.range])).toEqual([
      ['POST', 'q=1', undefined],
      ['POST', 'q=1', undefined],
    ])
  })

  it('ends where the file became another one: what was sent on cannot be taken back', async () => {
    await using server = await serverWith()
    server.fault('/file', ({ index }) => (index === 0 ? faults.resetAt(MIB) : faults.changeContent({ seed: 99 })))
    const out = new Reader()
    await expect(stream(server.url('/file'), out)).rejects.toMatchObject({ code: 'remote_changed' })
    expect(out.content.equals(contentBytes(SEED, 0, out.bytes))).toBe(true)
  })

  it('does not mind that the file changed before the first byte went out', async () => {
    await using server = await serverWith()
    server.fault('/file', ({ index }) =>
      index === 0 ? faults.resetAt(0) : index === 1 ? faults.changeContent({ seed: 6, size: SIZE + 5 }) : null,
    )
    const out = new Reader()
    await stream(server.url('/file'), out)
    expect(out.content.equals(contentBytes(6, 0, SIZE + 5))).toBe(true)
  })

  it('takes a file of unknown length to its end, an empty one, and a compressed one as it was meant', async () => {
    await using server = await serverWith()
    for (const fault of [faults.noLength('chunked'), faults.noLength('close'), faults.contentEncoding()]) {
      server.fault('/file', () => [faults.ignoreRange(), fault])
      const out = new Reader()
      expect((await stream(server.url('/file'), out)).bytes).toBe(SIZE)
      expect(out.content.equals(contentBytes(SEED, 0, SIZE))).toBe(true)
    }
    server.add('/empty', { size: 0, seed: 1 })
    expect((await stream(server.url('/empty'), new Reader())).bytes).toBe(0)
  })

  it('ends with the reader’s error when it goes away, and leaves the connection', async () => {
    await using server = await serverWith()
    const out = new Reader({ failAfter: 200_000 })
    await expect(stream(server.url('/file'), out)).rejects.toMatchObject({ code: 'EPIPE' })
    await server.until(() => server.connections.open === 0)
    expect(server.requests).toHaveLength(1)
  })

  it('ends, too, when the reader went away while it waited for another try', async () => {
    await using server = await serverWith()
    const out = new Reader()
    server.fault('/file', ({ index }) => {
      if (index === 0) return faults.resetAt(100_000)
      // between two tries nothing is being written
      out.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return null
    })
    out.on('error', () => undefined)
    await expect(stream(server.url('/file'), out)).rejects.toMatchObject({ code: 'EPIPE' })
  })

  it('gives up after so many tries without progress, and at once where another try mends nothing', async () => {
    await using server = await serverWith()
    server.fault('/file', () => faults.status(503))
    await expect(stream(server.url('/file'), new Reader(), { retries: 2 })).rejects.toMatchObject({
      code: 'server_error',
    })
    expect(server.requests).toHaveLength(3)
    await expect(stream(server.url('/none'), new Reader())).rejects.toMatchObject({ code: 'not_found' })
    expect(server.requests).toHaveLength(4)
  })

  it('stops when it is told to, with the reason given', async () => {
    await using server = await serverWith()
    server.fault('/file', () => faults.stallAt(1000))
    const abort = new AbortController()
    const reason = new Error('Ctrl-C')
    const streaming = stream(server.url('/file'), new Reader(), { signal: abort.signal })
    await server.until(() => server.held === 1)
    abort.abort(reason)
    await expect(streaming).rejects.toMatchObject({ message: expect.stringMatching(/Ctrl-C|stopped/) })
    expect(server.requests).toHaveLength(1)
  })
})
