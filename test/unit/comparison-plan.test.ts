/** What `bench --url` asks for within its limits, and what it says of the figures. */

import { describe, expect, test } from 'vitest'
import { comparisonLines, intentionLine, skipLine } from '../../electron/cli/bench-lines.ts'
import {
  compared,
  type FileFacts,
  MOST_CONNECTIONS,
  planComparison,
  type Step,
  type StepResult,
} from '../../electron/engine/comparison-plan.ts'
import fc from '../helpers/property.ts'

const MIB = 1_048_576
const FACTS: FileFacts = { sizeBytes: 1000 * MIB, ranges: true, secure: true }

const names = (steps: readonly Step[]) =>
  steps.map(({ group, strategy, connections }) => `${group} ${strategy} ${connections}`)
const reasons = (facts: Partial<FileFacts>, maxBytes = 64 * MIB) =>
  planComparison({ ...FACTS, ...facts }, maxBytes).skipped.map(
    ({ group, strategy, reason }) => `${group} ${strategy ?? 'all'}: ${reason}`,
  )

describe('a comparison', () => {
  test('has every way where file and limit allow it', () => {
    const { steps, skipped, requests } = planComparison(FACTS, 64 * MIB)
    expect(names(steps)).toEqual([
      'small fresh 1',
      'small keep_alive 1',
      'small parallel 8',
      'small http2 1',
      'large segments 1',
      'large segments 2',
      'large segments 4',
      'large segments 8',
      'large http2 1',
    ])
    expect(skipped).toEqual([])
    expect(requests).toBe(1 + 4 * 16 + 1 + 2 + 4 + 8 + 1)
  })

  test('says what is left out, and why', () => {
    expect(reasons({ secure: false })).toEqual(['small http2: not_https', 'large http2: not_https'])
    expect(reasons({ ranges: false })).toEqual(['small all: no_ranges', 'large segments: no_ranges'])
    expect(reasons({ ranges: false, sizeBytes: 200_000 })).toEqual(['large all: file_too_small'])
    expect(reasons({ sizeBytes: 0, ranges: false })).toEqual(['small all: file_too_small', 'large all: file_too_small'])
    expect(reasons({}, MIB)).toEqual(['small all: byte_limit', 'large all: byte_limit'])
    expect(reasons({ sizeBytes: null, ranges: false })).toEqual(['small all: no_ranges', 'large segments: no_ranges'])
  })

  test('fetches a small file whole where the server knows no ranges', () => {
    const { steps } = planComparison({ sizeBytes: 200_000, ranges: false, secure: false }, 64 * MIB)
    expect(names(steps)).toEqual(['small fresh 1', 'small keep_alive 1', 'small parallel 8'])
    expect(steps[0]!.requests[0]).toEqual({ range: null, bytes: 200_000 })
  })

  test('never asks twice for the same bytes of a large file', () => {
    const { steps } = planComparison(FACTS, 64 * MIB)
    for (const group of ['small', 'large']) {
      const ranges = steps.filter((step) => step.group === group).flatMap(({ requests }) => requests)
      const starts = new Set(ranges.map(({ range }) => range!.start))
      expect(starts.size).toBe(ranges.length)
    }
  })

  test('stays within limit and file, and every step of a group reads as much as the others', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 0, max: 300 * MIB })),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: MIB, max: 1024 * MIB }),
        (sizeBytes, knowsRanges, secure, maxBytes) => {
          const facts = { sizeBytes, ranges: knowsRanges && sizeBytes !== null && sizeBytes > 0, secure }
          const { steps, bytes, requests, connections } = planComparison(facts, maxBytes)
          expect(bytes).toBeLessThanOrEqual(maxBytes)
          expect(requests).toBeLessThanOrEqual(81)
          expect(connections).toBeLessThanOrEqual(MOST_CONNECTIONS)
          const sums = { small: new Set<number>(), large: new Set<number>() }
          for (const { group, requests: asked, connections: open } of steps) {
            sums[group].add(asked.reduce((sum, request) => sum + request.bytes, 0))
            expect(open).toBeLessThanOrEqual(asked.length)
            for (const { range, bytes: wanted } of asked) {
              expect(wanted).toBeGreaterThan(0)
              if (range === null) continue
              expect(range.end - range.start).toBe(wanted)
              expect(range.start).toBeGreaterThanOrEqual(0)
              expect(range.end).toBeLessThanOrEqual(sizeBytes!)
            }
          }
          expect(sums.small.size).toBeLessThanOrEqual(1)
          expect(sums.large.size).toBeLessThanOrEqual(1)
        },
      ),
    )
  })
})

const result = (change: Partial<StepResult>): StepResult => ({
  group: 'small',
  strategy: 'fresh',
  connections: 1,
  requests: 16,
  bytes: MIB,
  ms: 1000,
  medianMs: 60,
  ...change,
})
const RESULTS = [
  result({}),
  result({ strategy: 'keep_alive', ms: 400, medianMs: 24.6 }),
  // cut off by the time: half of the requests in half of the time are as fast
  result({ strategy: 'http2', requests: 8, ms: 500 }),
  result({ group: 'large', strategy: 'segments', requests: 1, bytes: 10_000_000, ms: 5000 }),
  result({ group: 'large', strategy: 'segments', connections: 4, requests: 4, bytes: 10_000_000, ms: 2000 }),
]

describe('the figures', () => {
  test('are compared with the plainest way of their group', () => {
    expect(compared(RESULTS).map(({ factor }) => factor)).toEqual([1, 2.5, 1, 1, 2.5])
    expect(compared(RESULTS.slice(1, 2))[0]!.factor).toBeNull()
  })

  test('are printed in a table a group', () => {
    expect(comparisonLines(compared(RESULTS))).toMatchInlineSnapshot(`
      [
        "SMALL REQUESTS               BYTES    TIME   MEDIAN  PER SECOND  FACTOR",
        "a new connection for each  1.05 MB  1.00 s  60.0 ms        16.0   1.00×",
        "one kept connection        1.05 MB  0.40 s  24.6 ms        40.0   2.50×",
        "HTTP/2, one connection     1.05 MB  0.50 s  60.0 ms        16.0   1.00×",
        "",
        "ONE LARGE RANGE    BYTES    TIME     SPEED  FACTOR",
        "one connection   10.0 MB  5.00 s  2.0 MB/s   1.00×",
        "4 connections    10.0 MB  2.00 s  5.0 MB/s   2.50×",
      ]
    `)
    expect(comparisonLines([])).toEqual([])
    expect(comparisonLines(compared(RESULTS.slice(3)))[0]).toMatch(/^ONE LARGE RANGE/)
  })
})

test('what is going to be sent and what is left out are sentences', () => {
  expect(intentionLine('a.example', planComparison(FACTS, 64 * MIB), 60_000)).toBe(
    'Up to 81 requests to a.example over at most 8 connections at once, up to 67.1 MB, within 1m',
  )
  expect(skipLine({ group: 'small', strategy: 'http2', reason: 'http2_not_offered' })).toBe(
    'Left out: HTTP/2 for small requests, because the server does not offer it',
  )
  expect(skipLine({ group: 'large', strategy: 'segments', reason: 'no_ranges' })).toContain('several connections')
  expect(skipLine({ group: 'large', strategy: 'fresh', reason: 'time_limit' })).toContain('no time left')
})
