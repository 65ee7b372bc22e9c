/** Retry-After and HTTP dates: whatever a server asks for, the wait is a number, and it ends. */

import { expect } from 'vitest'
import { parseHttpDate, parseReply, parseRetryAfter } from '../../electron/engine/reply.ts'
import { retryDecision } from '../../electron/engine/retry-policy.ts'
import { ERROR_KINDS, type ErrorCode } from '../../shared/errors.ts'
import fc from '../helpers/property.ts'
import { asHeaderValue, digits, fuzz, headerOf, nearly, sequence, staysLinear } from './fuzz.ts'

const DAY_MS = 24 * 3_600_000
const two = fc.nat(99).map((number) => String(number).padStart(2, '0'))
const month = fc.constantFrom('Jan', 'Feb', 'Sep', 'Dec', 'dec', 'Foo')
const time = sequence(two, ':', two, ':', two)
const date = fc.oneof(
  fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((when) => when.toUTCString()),
  fc.date({ noInvalidDate: true }).map((when) => when.toUTCString()),
  sequence('Sun, ', two, ' ', month, ' ', fc.nat(9999).map(String), ' ', time, ' GMT'),
  sequence('Sunday, ', two, '-', month, '-', two, ' ', time, ' GMT'),
  sequence('Sun ', month, ' ', two, ' ', time, ' ', fc.nat(9999).map(String)),
)
const retryAfter = fc.oneof(digits, date, sequence(digits, '.', digits), sequence('-', digits))
const now = fc.integer({ min: 0, max: 4e12 })

fuzz('a wait is between none and a day', [headerOf(retryAfter), now], (value, at) => {
  const wait = parseReply(503, { 'retry-after': value }).retryAfterMs(at)
  if (wait === null) return false
  expect(wait).toBeGreaterThanOrEqual(0)
  expect(wait).toBeLessThanOrEqual(DAY_MS)
  return true
})

fuzz('a date is a moment, or none', [nearly(date).map(asHeaderValue), now], (text, reference) => {
  const at = parseHttpDate(text, reference)
  if (at !== null) expect(Number.isSafeInteger(at)).toBe(true)
  return at !== null
})

const failure = fc.record({
  code: fc.constantFrom(...(Object.keys(ERROR_KINDS) as ErrorCode[])),
  status: fc.option(fc.integer({ min: -1, max: 1000 })),
  attempt: fc.integer({ min: 1, max: 10_000 }),
  maxRetries: fc.nat(10_000),
  retryAfter: nearly(retryAfter).map(asHeaderValue),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})
fuzz('the next try is never longer away than it was asked for, and tries end', [failure], (given) => {
  const { code, status, attempt, maxRetries, random } = given
  const retryAfterMs = parseRetryAfter(given.retryAfter, 0)
  const error = { code, message: '', params: { status } }
  const decision = retryDecision({ error, attempt, maxRetries, retryAfterMs, random })
  if (decision.action !== 'retry') return false
  expect(attempt).toBeLessThanOrEqual(maxRetries)
  expect(Number.isSafeInteger(decision.delayMs)).toBe(true)
  expect(decision.delayMs).toBeGreaterThanOrEqual(retryAfterMs ?? 0)
  expect(decision.delayMs).toBeLessThanOrEqual(Math.max(5 * 60_000, (retryAfterMs ?? 0) + 1000))
  return true
})

staysLinear('Retry-After', fc.oneof(retryAfter, fc.constantFrom(' ', '\t', '1', ',', ':')), (text) =>
  parseRetryAfter(text, 0),
)
