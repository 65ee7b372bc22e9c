import { describe, expect, test } from 'vitest'
import { afterMirrorFailure, type MirrorFailure, turnedTo } from '../../electron/engine/mirror-policy.ts'
import { samplesOf } from '../../electron/engine/source-proof.ts'
import { ERROR_KINDS, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { MirrorRecord } from '../../shared/records.ts'
import fc from '../helpers/property.ts'

const failed = (code: ErrorCode, params: ErrorInfo['params'] = {}): ErrorInfo => ({ code, message: code, params })

function mirror(url: string, change: Partial<MirrorRecord> = {}): MirrorRecord {
  const facts = { priority: 1, location: null, origin: 'user' as const, file: null, bytes: 0, busyMs: 0 }
  return { url, ...facts, error: null, failures: 0, ...change }
}

function decide(error: ErrorInfo, others: MirrorRecord[], change: Partial<MirrorFailure> = {}): string {
  const mirrors = [mirror('a', { error, failures: 1 }), ...others]
  const base = { deferred: false, progressed: false, current: 'a', reliability: () => null }
  const decision = afterMirrorFailure({ ...base, error, mirrors, ...change })
  return decision.kind === 'stay' ? 'stay' : `${decision.kind} ${decision.to.url}`
}

describe('after a failure', () => {
  test('another mirror is asked at once, by priority, then by what was measured, then in order', () => {
    const error = failed('not_found')
    expect(decide(error, [mirror('b', { priority: 2 }), mirror('c')])).toBe('now c')
    expect(decide(error, [mirror('b'), mirror('c', { bytes: 9, busyMs: 1 })])).toBe('now c')
    expect(decide(error, [mirror('b'), mirror('c')], { reliability: (url) => (url === 'b' ? 0.2 : 0.9) })).toBe('now c')
    expect(decide(error, [mirror('b'), mirror('c')])).toBe('now b')
  })

  test('a mirror that goes well but for this failure is kept, unless it failed for good', () => {
    expect(decide(failed('connection_reset'), [mirror('b')], { progressed: true })).toBe('stay')
    expect(decide(failed('not_found'), [mirror('b')], { progressed: true })).toBe('now b')
  })

  test('what another server cannot mend changes nothing', () => {
    for (const code of ['disk_full', 'interrupted', 'store_busy', 'invalid_input'] as const)
      expect(decide(failed(code), [mirror('b')])).toBe('stay')
  })

  test('where all were tried, the one with the fewest failures comes after a pause; those that failed for good never', () => {
    const gone = mirror('b', { error: failed('gone'), failures: 1 })
    const busy = mirror('c', { error: failed('server_error'), failures: 3 })
    expect(decide(failed('not_found'), [gone, busy])).toBe('later c')
    expect(decide(failed('not_found'), [gone])).toBe('stay')
    expect(decide(failed('server_error'), [gone, busy])).toBe('stay')
  })

  test('never leads back to the URL that failed, nor to one that failed for good', () => {
    const codes = Object.keys(ERROR_KINDS) as ErrorCode[]
    const error = fc.constantFrom(...codes).map((code) => failed(code))
    const other = fc.record({ error: fc.option(error), failures: fc.nat(5), priority: fc.integer({ min: 1, max: 3 }) })
    fc.assert(
      fc.property(
        error,
        fc.array(other, { maxLength: 6 }),
        fc.boolean(),
        fc.boolean(),
        (now, rest, progressed, deferred) => {
          const others = rest.map((change, index) => mirror(`m${index}`, change))
          const answer = decide(now, others, { progressed, deferred })
          const to = others.find(({ url }) => answer.endsWith(` ${url}`))
          expect(answer === 'stay' || to !== undefined).toBe(true)
          for (const code of ['not_found', 'gone', 'remote_changed', 'checksum_mismatch'])
            expect(to?.error?.code).not.toBe(code)
        },
      ),
    )
  })
})

test('a task that turns to a URL takes that one’s own validators, and compares first where none protects it', () => {
  const file = { etag: '"b"', lastModified: null, lastModifiedStrong: false, finalUrl: 'c', httpVersion: '1.1' }
  const task = { url: 'a' }
  expect(turnedTo(task, mirror('b', { file: { ...file, acceptsRanges: true } }))).toMatchObject({
    sourceUrl: 'b',
    etag: '"b"',
    acceptsRanges: true,
  })
  for (const learnt of [null, { ...file, etag: 'W/"b"', acceptsRanges: true }])
    expect(turnedTo(task, mirror('b', { file: learnt }))).toMatchObject({
      etag: null,
      finalUrl: null,
      acceptsRanges: null,
    })
  expect(turnedTo(task, mirror('a')).sourceUrl).toBeNull()
})

describe('the samples of a proof', () => {
  test('are bytes that are here, the beginning and the end of them among these, and few', () => {
    const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 500_000 }), fc.integer({ min: 0, max: 500_000 })), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(runs, (given) => {
        let start = 0
        const segments = given.map(([length, written]) => {
          const segment = { start, end: start + length, written: start + Math.min(length, written), durable: start }
          start += length
          return segment
        })
        const samples = samplesOf(segments)
        const held = (position: number) => segments.some((s) => s.start <= position && position < s.written)
        for (const { start: from, end } of samples) {
          expect(end - from).toBeGreaterThan(0)
          expect(end - from).toBeLessThanOrEqual(65_536)
          expect(held(from) && held(end - 1) && held(Math.floor((from + end) / 2))).toBe(true)
        }
        const written = segments.filter((s) => s.written > s.start)
        if (written.length === 0) {
          expect(samples).toEqual([])
          return
        }
        expect(samples.some((s) => s.start === written[0]!.start)).toBe(true)
        expect(samples.some((s) => s.end === written.at(-1)!.written)).toBe(true)
        expect(samples.length).toBeLessThanOrEqual(3)
      }),
    )
  })
})
