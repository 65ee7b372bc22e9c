/**
 * The ladder as a whole: downloads from modelled servers that keep the rules, break them, or change their file. A file
 * is a version number and a size, so that bytes of two versions can never be mistaken for each other.
 */

import { describe, expect, it } from 'vitest'
import { parseReply } from '../../electron/engine/reply.ts'
import {
  buildRequest,
  firstRung,
  judgeReply,
  learn,
  OVERLAP_BYTES,
  type RangeRequest,
  UNKNOWN_FILE,
} from '../../electron/engine/resume-ladder.ts'
import fc from '../helpers/property.ts'

type Fields = Record<string, string>

/** How it treats ranges and conditions, and what it tells. */
interface Server {
  ranges: 'yes' | 'ignored' | 'refused'
  ifRange: 'kept' | 'ignored' | 'always200' | 'always412'
  etag: 'strong' | 'weak' | 'none'
  date: 'strong' | 'weak' | 'none'
  length: boolean
  /** the longest range it sends */
  chunk: number
  encodesRanges: boolean
}
interface RemoteFile {
  version: number
  size: number
}
/** What one reply has wrong; `null`: nothing. */
type Lie =
  | 'no-range'
  | 'late-start'
  | 'early-start'
  | 'too-long'
  | 'multipart'
  | 'other-total'
  | 'length'
  | 'status'
  | null

function answer(server: Server, file: RemoteFile, request: RangeRequest, plain: boolean, lie: Lie) {
  const modified = new Date(Date.UTC(2020, 0, 1) + file.version * 10_000).toUTCString()
  const validators: Fields = {}
  if (server.etag !== 'none') validators.etag = `${server.etag === 'weak' ? 'W/' : ''}"v${file.version}"`
  if (server.date !== 'none') {
    validators['last-modified'] = modified
    validators.date = server.date === 'strong' ? new Date(Date.UTC(2026, 0)).toUTCString() : modified
  }
  const full = () => ({
    status: 200,
    fields: { ...validators, ...(server.length ? { 'content-length': String(file.size) } : {}) } as Fields,
    start: 0,
    end: file.size,
  })
  const error = (status: number, fields: Fields = {}) => ({ status, fields, start: 0, end: 0 })
  if (lie === 'status') return error(503)
  if (plain || server.ranges === 'ignored') return full()
  if (request.ifRange !== null) {
    const matches = request.ifRange === validators.etag || request.ifRange === modified
    if (server.ifRange === 'always412') return error(412)
    if (server.ifRange === 'always200' || (server.ifRange === 'kept' && !matches)) return full()
  }
  if (server.ranges === 'refused') return error(416)
  if (request.start >= file.size) return error(416, { 'content-range': `bytes */${file.size}` })
  const end = Math.min(request.end ?? file.size, file.size, request.start + server.chunk)
  const start = Math.max(0, request.start + (lie === 'late-start' ? 1 : lie === 'early-start' ? -1 : 0))
  const total = lie === 'other-total' ? file.size + 1 : file.size
  const saidEnd = lie === 'too-long' ? end + 1 : end
  const fields: Fields = {
    ...validators,
    'content-range': `bytes ${start}-${saidEnd - 1}/${total}`,
    'content-length': String(saidEnd - start + (lie === 'length' ? 1 : 0)),
  }
  if (lie === 'no-range') delete fields['content-range']
  if (lie === 'multipart') fields['content-type'] = 'multipart/byteranges; boundary=x'
  if (server.encodesRanges) fields['content-encoding'] = 'gzip'
  return { status: 206, fields, start, end }
}

/** A whole download by one connection that breaks off now and then, carried out exactly as the verdicts say. */
function download(
  server: Server,
  fileAt: (request: number) => RemoteFile,
  lieAt: (request: number) => Lie,
  progress: (request: number) => number,
): { outcome: string; local: { version: number; bytes: number } | null; requests: number } {
  let known = UNKNOWN_FILE
  let local: { version: number; bytes: number } | null = null
  let rung: RangeRequest['rung'] = 'none'
  let plain = false
  let askedAgain = 0
  let accepted = 0
  for (let index = 0; index < 300; index++) {
    const here: number = local?.bytes ?? 0
    const end = (outcome: string) => ({ outcome, local, requests: index + 1 })
    if (known.size !== null && here === known.size) return end('complete')
    const request = plain ? buildRequest('none', known, 0, null, 0) : buildRequest(rung, known, here, null, here)
    const file = fileAt(index)
    // The first total that is told has nothing to contradict it.
    const lie = known.size === null && lieAt(index) === 'other-total' ? null : lieAt(index)
    const reply = answer(server, file, request, plain, lie)
    const facts = parseReply(reply.status, reply.fields)
    const verdict = judgeReply(known, request, facts, { bytes: here, complete: false, wholeFileRequest: plain })
    if (verdict.kind === 'ask-again' || verdict.kind === 'ask-plain') {
      // Down only: at most overlap, then no Range at all, before something comes of it.
      expect(++askedAgain).toBeLessThanOrEqual(2)
      if (verdict.kind === 'ask-plain') plain = true
      else rung = verdict.rung
      continue
    }
    if (verdict.kind === 'refuse' || verdict.kind === 'status') {
      if (lie === null) return end(verdict.kind === 'refuse' ? verdict.code : verdict.kind)
    } else if (verdict.kind === 'changed') return end('changed')
    else if (verdict.kind === 'complete') return end('complete')
    else {
      const size = verdict.kind === 'append' ? verdict.total : verdict.size
      const compared = verdict.kind === 'append' ? verdict.compare : verdict.kind === 'compare' ? here : 0
      if (compared > 0 && local !== null && local.version !== file.version) return end('changed')
      const from = verdict.kind === 'append' ? verdict.start + verdict.compare : verdict.kind === 'compare' ? here : 0
      expect(from, 'new bytes follow those that are here').toBe(here)
      expect(reply.start + compared, 'the body is where the verdict says').toBe(from)
      known = learn(known, facts, size)
      if (local !== null && local.bytes > 0) {
        expect(local.version, 'no bytes of another file are added').toBe(file.version)
      }
      // Every third reply is read to its end, so that every run ends.
      const bytes = from + Math.ceil((reply.end - from) * (++accepted % 3 === 0 ? 1 : progress(index)))
      local = { version: file.version, bytes }
      if (size === null && bytes === reply.end) return end('complete')
    }
    rung = local === null || local.bytes === 0 ? 'none' : firstRung(known)
    if (rung === 'none') known = UNKNOWN_FILE
    plain = false
    askedAgain = 0
  }
  throw new Error('the download does not end')
}

const servers: fc.Arbitrary<Server> = fc.record({
  ranges: fc.constantFrom('yes', 'yes', 'yes', 'ignored', 'refused'),
  ifRange: fc.constantFrom('kept', 'kept', 'ignored', 'always200', 'always412'),
  etag: fc.constantFrom('strong', 'weak', 'none'),
  date: fc.constantFrom('strong', 'weak', 'none'),
  length: fc.boolean(),
  chunk: fc.constantFrom(Number.MAX_SAFE_INTEGER, 2 * OVERLAP_BYTES, 300_000),
  encodesRanges: fc.boolean(),
})
const sizes = fc.oneof(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 1, max: 2 * OVERLAP_BYTES }))
const progresses = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 })
const cycle =
  <T>(values: readonly T[]) =>
  (index: number): T =>
    values[index % values.length]!

describe('a whole download', () => {
  it('ends with every byte from any server that does not change its file or lie', () => {
    fc.assert(
      fc.property(servers, sizes, progresses, (server, size, progress) => {
        const result = download(
          server,
          () => ({ version: 1, size }),
          () => null,
          cycle(progress),
        )
        // Compressing every range of a partial is the one habit that leaves nothing to resume with.
        if (server.encodesRanges && result.outcome === 'encoded_range') return
        expect(result.outcome).toBe('complete')
        expect(result.local).toEqual({ version: 1, bytes: size })
      }),
      { numRuns: 1000 },
    )
  })

  it('never joins bytes of two files, and says so when the file has changed', () => {
    const change = fc.record({ after: fc.integer({ min: 1, max: 8 }), size: fc.option(sizes) })
    fc.assert(
      fc.property(servers, sizes, progresses, change, (server, size, progress, { after, size: newSize }) => {
        const files = [
          { version: 1, size },
          { version: 2, size: newSize ?? size },
        ]
        const { outcome, local } = download(
          server,
          (i) => files[i < after ? 0 : 1]!,
          () => null,
          cycle(progress),
        )
        expect(['complete', 'changed', 'encoded_range']).toContain(outcome)
        if (outcome === 'complete') expect(local!.bytes).toBe(files[local!.version - 1]!.size)
      }),
      { numRuns: 1000 },
    )
  })

  it('takes no harm from single wrong replies', () => {
    const lies = fc.array(
      fc.constantFrom<Lie[]>(
        null,
        null,
        'no-range',
        'late-start',
        'early-start',
        'too-long',
        'multipart',
        'other-total',
        'length',
        'status',
      ),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(servers, sizes, progresses, lies, (server, size, progress, wrong) => {
        const honest = { ...server, encodesRanges: false }
        const file = { version: 1, size }
        const { outcome, local } = download(
          honest,
          () => file,
          (i) => wrong[i] ?? null,
          cycle(progress),
        )
        // Without a validator, another total cannot be told from another file.
        expect(['complete', 'changed']).toContain(outcome)
        if (outcome === 'changed') expect(wrong).toContain('other-total')
        else expect(local).toEqual({ version: 1, bytes: size })
      }),
      { numRuns: 1000 },
    )
  })
})
