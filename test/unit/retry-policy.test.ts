/** Which errors are worth another try, how often, and how long to wait. */

import { describe, expect, it } from 'vitest'
import { classify, type Handling, type RetryInput, retryDecision } from '../../electron/engine/retry-policy.ts'
import { ERROR_KINDS, type ErrorCode, type ErrorInfo, type ErrorParams } from '../../shared/errors.ts'
import fc from '../helpers/property.ts'

const error = (code: ErrorCode, params: ErrorParams = {}): ErrorInfo => ({ code, message: '', params })
const decide = (input: Partial<RetryInput> & { error: ErrorInfo }) =>
  retryDecision({ attempt: 1, maxRetries: 10, retryAfterMs: null, random: 0.5, ...input })
const ALL_CODES = Object.keys(ERROR_KINDS) as ErrorCode[]

describe('what an error means', () => {
  it.each<[ErrorCode, ErrorParams, Handling]>([
    ['unauthorized', {}, 'give-up'],
    ['not_found', {}, 'give-up'],
    ['gone', {}, 'give-up'],
    ['forbidden', {}, 'give-up'],
    ['forbidden', { redirected: true }, 'resolve-again'],
    ['too_many_requests', {}, 'retry'],
    ['server_error', {}, 'retry'],
    ['http_status', { status: 408 }, 'retry'],
    ['http_status', { status: 425 }, 'retry'],
    ['http_status', { status: 429 }, 'retry'],
    ['http_status', { status: 599 }, 'retry'],
    ['http_status', { status: 418 }, 'give-up'],
    ['http_status', { status: 304 }, 'give-up'],
    ['http_status', {}, 'give-up'],
    ['dns_not_found', {}, 'retry'],
    ['stalled', {}, 'retry'],
    ['connection_reset', {}, 'retry'],
    ['tls_failed', {}, 'retry'],
    ['tls_failed', { certificate: true }, 'give-up'],
    ['range_mismatch', {}, 'retry'],
    ['multipart_refused', {}, 'retry'],
    ['encoded_range', {}, 'retry'],
    ['checksum_mismatch', {}, 'give-up'],
    ['remote_changed', {}, 'changed'],
    ['disk_full', {}, 'pause'],
    ['folder_missing', {}, 'pause'],
    ['folder_not_writable', {}, 'pause'],
    ['read_only', {}, 'pause'],
    ['io_error', {}, 'pause'],
    ['invalid_url', {}, 'give-up'],
    ['internal', {}, 'give-up'],
  ])('%s %j: %s', (code, params, handling) => {
    expect(classify(error(code, params))).toBe(handling)
  })
})

describe('the decision', () => {
  it('doubles the longest wait with every attempt, up to five minutes', () => {
    const waits = [1, 2, 3, 9, 10, 1000].map((attempt) =>
      decide({ error: error('stalled'), attempt, maxRetries: 10_000, random: 0.5 }),
    )
    const expected = [500, 1000, 2000, 128_000, 150_000, 150_000]
    expect(waits).toEqual(expected.map((delayMs) => ({ action: 'retry', delayMs })))
  })

  it('uses the whole range of its jitter', () => {
    expect(decide({ error: error('stalled'), attempt: 5, random: 0 })).toEqual({ action: 'retry', delayMs: 0 })
    expect(decide({ error: error('stalled'), attempt: 5, random: 0.75 })).toEqual({ action: 'retry', delayMs: 12_000 })
  })

  it('gives up after the last retry, and at once where none is allowed', () => {
    expect(decide({ error: error('stalled'), attempt: 10 }).action).toBe('retry')
    expect(decide({ error: error('stalled'), attempt: 11 })).toEqual({ action: 'give-up' })
    expect(decide({ error: error('stalled'), maxRetries: 0 })).toEqual({ action: 'give-up' })
  })

  it.each([error('range_mismatch'), error('too_many_redirects'), error('forbidden', { redirected: true })])(
    'tries a wrong reply at most three times: $code',
    (wrong) => {
      expect(decide({ error: wrong, attempt: 3, maxRetries: 100 }).action).toBe('retry')
      expect(decide({ error: wrong, attempt: 4, maxRetries: 100 }).action).toBe('give-up')
      expect(decide({ error: wrong, attempt: 2, maxRetries: 1 }).action).toBe('give-up')
    },
  )

  it('never comes back before Retry-After, and not long after it', () => {
    const decision = decide({ error: error('too_many_requests'), retryAfterMs: 60_000, random: 0.999 })
    expect(decision).toEqual({ action: 'retry', delayMs: 60_999 })
  })

  it('does for every code what its class says, within its bounds', () => {
    const input = fc.record({
      error: fc.record({
        code: fc.constantFrom(...ALL_CODES),
        message: fc.constant(''),
        params: fc.record(
          { status: fc.integer({ min: 100, max: 599 }), redirected: fc.boolean(), certificate: fc.boolean() },
          { requiredKeys: [] },
        ) as fc.Arbitrary<ErrorParams>,
      }),
      attempt: fc.integer({ min: 1, max: 5000 }),
      maxRetries: fc.integer({ min: 0, max: 10_000 }),
      retryAfterMs: fc.option(fc.nat(24 * 3600 * 1000)),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    })
    fc.assert(
      fc.property(input, (given) => {
        const decision = retryDecision(given)
        const handling = classify(given.error)
        if (handling !== 'retry' && handling !== 'resolve-again') {
          expect(decision).toEqual({ action: handling })
        } else if (decision.action === 'retry') {
          expect(given.attempt).toBeLessThanOrEqual(given.maxRetries)
          expect(decision.delayMs).toBeGreaterThanOrEqual(given.retryAfterMs ?? 0)
          expect(decision.delayMs).toBeLessThanOrEqual(Math.max(300_000, (given.retryAfterMs ?? 0) + 1000))
        } else {
          expect(decision).toEqual({ action: 'give-up' })
          expect(given.attempt > given.maxRetries || given.attempt > 3).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
