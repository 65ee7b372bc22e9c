/**
 * Every error that can reach a person or another program: its stable code, its kind (which decides the exit code of
 * the command line) and the class that carries it. docs/errors.md documents each code; a test keeps the two equal.
 */

/** Exit codes of the command line by kind of error. */
export const EXIT_CODES = {
  other: 1,
  usage: 2,
  network: 3,
  http: 4,
  integrity: 5,
  disk: 6,
  changed: 7,
  interrupted: 130,
} as const

export type ErrorKind = keyof typeof EXIT_CODES

/** code -> kind. The only list of codes. */
export const ERROR_KINDS = {
  // usage: the request itself is wrong; nothing was started
  usage: 'usage',
  invalid_url: 'usage',
  unsupported_scheme: 'usage',
  invalid_input: 'usage',
  invalid_filename: 'usage',
  invalid_metalink: 'usage',
  // network: worth trying again
  dns_not_found: 'network',
  connect_refused: 'network',
  connect_timeout: 'network',
  network_unreachable: 'network',
  network_away: 'network',
  headers_timeout: 'network',
  stalled: 'network',
  connection_reset: 'network',
  connection_closed: 'network',
  no_free_connection: 'network',
  tls_failed: 'network',
  proxy_failed: 'network',
  protocol_error: 'network',
  too_many_redirects: 'network',
  redirect_invalid: 'network',
  // http: the server answered, and said no
  http_status: 'http',
  redirect_refused: 'http',
  unauthorized: 'http',
  forbidden: 'http',
  not_found: 'http',
  gone: 'http',
  too_many_requests: 'http',
  host_refuses: 'http',
  server_error: 'http',
  // integrity: the reply cannot be trusted; it was refused and the partial is as it was
  range_missing: 'integrity',
  range_mismatch: 'integrity',
  range_not_satisfiable: 'integrity',
  multipart_refused: 'integrity',
  total_mismatch: 'integrity',
  size_mismatch: 'integrity',
  validator_mismatch: 'integrity',
  too_many_bytes: 'integrity',
  length_mismatch: 'integrity',
  encoded_range: 'integrity',
  unsupported_encoding: 'integrity',
  html_instead_of_file: 'integrity',
  checksum_mismatch: 'integrity',
  blocks_damaged: 'integrity',
  not_resumable: 'integrity',
  // changed: the remote file is another one
  remote_changed: 'changed',
  // disk
  disk_full: 'disk',
  folder_not_writable: 'disk',
  folder_missing: 'disk',
  read_only: 'disk',
  name_too_long: 'disk',
  file_exists: 'disk',
  partial_missing: 'disk',
  file_missing: 'disk',
  file_too_large: 'disk',
  file_differs: 'disk',
  io_error: 'disk',
  too_many_open_files: 'disk',
  // the profile and its store
  profile_locked: 'other',
  store_newer: 'other',
  store_corrupt: 'other',
  store_busy: 'other',
  backup_unusable: 'other',
  list_file_invalid: 'usage',
  // tasks
  task_not_found: 'other',
  task_leased: 'other',
  task_state: 'other',
  // queues and hosts
  queue_not_found: 'other',
  repeat_not_found: 'other',
  nothing_missed: 'other',
  queue_exists: 'other',
  queue_is_default: 'other',
  // the channel
  unknown_method: 'other',
  access_denied: 'other',
  disconnected: 'other',
  frame_invalid: 'other',
  engine_stopped: 'other',
  worker_lost: 'other',
  internal: 'other',
  interrupted: 'interrupted',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS
export type ErrorParams = Readonly<Record<string, string | number | boolean | null>>

/** Reasons to pause that the engine watches: once the disk takes the download again, it goes on. */
export const MENDED_BY_THEMSELVES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'disk_full',
  'folder_missing',
  'partial_missing',
  'folder_not_writable',
  'read_only',
  'io_error',
])

/** An error as it crosses a channel or is stored with a task. */
export interface ErrorInfo {
  code: ErrorCode
  message: string
  params: ErrorParams
}

/** `message` is one English sentence for people: what happened, what was kept, what to do. */
export class NighthaulError extends Error {
  override readonly name = 'NighthaulError'
  readonly code: ErrorCode
  readonly params: ErrorParams

  constructor(code: ErrorCode, message: string, params: ErrorParams = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.params = params
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code]
  }

  toInfo(): ErrorInfo {
    return { code: this.code, message: this.message, params: this.params }
  }

  static from(info: ErrorInfo): NighthaulError {
    return new NighthaulError(info.code, info.message, info.params)
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, code)
}

export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[ERROR_KINDS[code]]
}

/** Any thrown thing as an ErrorInfo; what is not ours becomes `internal` with its message. */
export function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof NighthaulError) return error.toInfo()
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'internal', message, params: {} }
}

export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
