/**
 * What an error means for a task, and how long to wait before the next try. Pure: randomness comes in as a number.
 */
import { ERROR_KINDS, type ErrorCode, type ErrorInfo, type ErrorKind } from '../../shared/errors.ts'

/** `resolve-again`: retry from the original URL, because the place it redirected to has expired. */
export type Handling = 'retry' | 'resolve-again' | 'give-up' | 'pause' | 'changed'

export type RetryDecision = { action: 'retry'; delayMs: number } | { action: 'give-up' | 'pause' | 'changed' }

export interface RetryInput {
  error: ErrorInfo
  /** 1 for the first failure since the last progress */
  attempt: number
  maxRetries: number
  retryAfterMs: number | null
  /** [0, 1) */
  random: number
}

const BASE_DELAY_MS = 1000
const LONGEST_DELAY_MS = 5 * 60 * 1000
/** Spreads clients that were all told the same Retry-After. */
const RETRY_AFTER_JITTER_MS = 1000
/** A server that answers wrongly does so again; a few tries are for the odd node behind a balancer. */
const DOUBTFUL_RETRIES = 3

const BY_KIND: Record<ErrorKind, Handling> = {
  usage: 'give-up',
  network: 'retry',
  http: 'give-up',
  integrity: 'retry',
  changed: 'changed',
  disk: 'pause',
  other: 'give-up',
  interrupted: 'pause',
}

/** Where a code differs from its kind. */
const BY_CODE: Partial<Record<ErrorCode, Handling>> = {
  too_many_requests: 'retry',
  host_refuses: 'retry',
  server_error: 'retry',
  // These need another decision of the user, not another try.
  checksum_mismatch: 'give-up',
  size_mismatch: 'give-up',
  blocks_damaged: 'give-up',
  html_instead_of_file: 'give-up',
  unsupported_encoding: 'give-up',
  name_too_long: 'give-up',
  file_too_large: 'give-up',
  file_exists: 'give-up',
  // These pass by themselves.
  too_many_open_files: 'retry',
  store_busy: 'retry',
  engine_stopped: 'retry',
  worker_lost: 'retry',
}

/** Codes outside the integrity kind that a second identical try hardly mends. */
const DOUBTFUL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['too_many_redirects', 'redirect_invalid'])

/**
 * By code, with four finer points: `tls_failed` with params.certificate gives up (no retry mends a certificate),
 * `blocks_damaged` with params.fetchedAgain fetches them,
 * `forbidden` with params.redirected resolves the original URL again, `http_status` goes by params.status: 408, 425,
 * 429 and 5xx are worth another try (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4), nothing else is.
 */
export function classify(error: ErrorInfo): Handling {
  const { code, params } = error
  if (code === 'tls_failed' && params.certificate === true) return 'give-up'
  if (code === 'blocks_damaged' && params.fetchedAgain === true) return 'retry'
  if (code === 'forbidden' && params.redirected === true) return 'resolve-again'
  if (code === 'http_status') return isWorthRetrying(params.status) ? 'retry' : 'give-up'
  return BY_CODE[code] ?? BY_KIND[ERROR_KINDS[code]]
}

/**
 * Exponential back-off with full jitter: between 0 and 1 s doubled with every attempt, at most 5 min. Retry-After is
 * a minimum. `maxRetries` retries in all since the last progress, fewer for errors that rarely mend.
 */
export function retryDecision(input: RetryInput): RetryDecision {
  const handling = classify(input.error)
  if (handling !== 'retry' && handling !== 'resolve-again') return { action: handling }
  const doubtful =
    handling === 'resolve-again' ||
    ERROR_KINDS[input.error.code] === 'integrity' ||
    DOUBTFUL_CODES.has(input.error.code)
  const budget = doubtful ? Math.min(input.maxRetries, DOUBTFUL_RETRIES) : input.maxRetries
  if (input.attempt > budget) return { action: 'give-up' }
  const ceilingMs = Math.min(LONGEST_DELAY_MS, BASE_DELAY_MS * 2 ** (input.attempt - 1))
  const backOffMs = input.random * ceilingMs
  const askedMs = input.retryAfterMs === null ? 0 : input.retryAfterMs + input.random * RETRY_AFTER_JITTER_MS
  return { action: 'retry', delayMs: Math.round(Math.max(backOffMs, askedMs)) }
}

function isWorthRetrying(status: unknown): boolean {
  if (typeof status !== 'number') return false
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status <= 599)
}
