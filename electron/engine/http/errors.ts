/**
 * What goes wrong on the network or in a status line, as typed errors with a sentence for people. Pure: nothing is
 * decided here about retrying (retry-policy.ts) or about what a reply means for a partial (resume-ladder.ts).
 */
import { type ErrorCode, type ErrorParams, NighthaulError } from '../../../shared/errors.ts'

const KEPT = 'What is already here is kept'

/** Sentences by code; `host` is the name of the server, or of the proxy for `proxy_failed`. */
const SENTENCES = {
  dns_not_found: (host) => `The name “${host}” was not found. ${KEPT}; check the link and the network connection.`,
  connect_refused: (host) =>
    `“${host}” refused the connection. ${KEPT}; the server may be down, or the link names the wrong port.`,
  connect_timeout: (host) => `“${host}” could not be reached in time. ${KEPT}; it is worth trying again.`,
  network_unreachable: (host) => `There is no way to reach “${host}”. ${KEPT}; check the network connection.`,
  headers_timeout: (host) =>
    `“${host}” accepted the request but did not answer in time. ${KEPT}; it is worth trying again.`,
  stalled: (host) => `“${host}” stopped sending. ${KEPT}; the download can go on from there.`,
  connection_reset: (host) => `The connection to “${host}” was reset. ${KEPT}; the download can go on from there.`,
  connection_closed: (host) =>
    `“${host}” closed the connection before the end. ${KEPT}; the download can go on from there.`,
  protocol_error: (host) =>
    `“${host}” answered with something that is not valid HTTP. ${KEPT}; nothing of it was used.`,
  too_many_open_files: () =>
    `This computer allows no more open files or connections. ${KEPT}; try again with fewer downloads at once.`,
  interrupted: (host) => `The request to “${host}” was stopped. ${KEPT}.`,
  internal: (host) => `Something inside Nighthaul failed while talking to “${host}”. ${KEPT}; please report this.`,
} as const satisfies Partial<Record<ErrorCode, (host: string) => string>>

const CODES: Readonly<Record<string, keyof typeof SENTENCES>> = {
  ENOTFOUND: 'dns_not_found',
  EAI_AGAIN: 'dns_not_found',
  EAI_NODATA: 'dns_not_found',
  EAI_NONAME: 'dns_not_found',
  EAI_FAIL: 'dns_not_found',
  ECONNREFUSED: 'connect_refused',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  ENETUNREACH: 'network_unreachable',
  EHOSTUNREACH: 'network_unreachable',
  ENETDOWN: 'network_unreachable',
  EHOSTDOWN: 'network_unreachable',
  EADDRNOTAVAIL: 'network_unreachable',
  UND_ERR_HEADERS_TIMEOUT: 'headers_timeout',
  UND_ERR_BODY_TIMEOUT: 'stalled',
  ECONNRESET: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  ENETRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_SOCKET: 'connection_closed',
  UND_ERR_INFO: 'connection_closed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'connection_closed',
  HPE_INVALID_EOF_STATE: 'connection_closed',
  ERR_HTTP2_STREAM_ERROR: 'connection_reset',
  ERR_HTTP2_STREAM_CANCEL: 'connection_reset',
  ERR_HTTP2_SESSION_ERROR: 'connection_reset',
  ERR_HTTP2_GOAWAY_SESSION: 'connection_closed',
  ERR_HTTP2_INVALID_SESSION: 'connection_closed',
  UND_ERR_HEADERS_OVERFLOW: 'protocol_error',
  EMFILE: 'too_many_open_files',
  ENFILE: 'too_many_open_files',
  UND_ERR_DESTROYED: 'interrupted',
  UND_ERR_CLOSED: 'interrupted',
  ABORT_ERR: 'interrupted',
  UND_ERR_INVALID_ARG: 'internal',
}

const CERTIFICATE =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|ERR_TLS_CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH)/
const TLS = /^(EPROTO$|ERR_SSL_|ERR_TLS_|ERR_OSSL_)/
const PROXY = /^UND_ERR_(PRX|SOCKS5)/

/**
 * Anything undici, Node's sockets or TLS throw, as one of our errors about `url`. A NighthaulError is returned as it
 * is; what nobody knows becomes `protocol_error` with the original message in `params.detail`.
 */
export function toNetworkError(error: unknown, url: string): NighthaulError {
  if (error instanceof NighthaulError) return error
  const root = rootOf(error)
  const host = hostOf(url)
  const code = codeOf(root)
  // What Node advises its own users is no advice to ours.
  const detail = (root instanceof Error ? root.message : String(root)).replace(/; if the root CA is installed.*$/s, '')
  const make = (ours: ErrorCode, message: string, params: ErrorParams = {}) =>
    new NighthaulError(ours, message, { host, ...params }, { cause: error })
  if (PROXY.test(code) || isProxyReply(root)) return proxyError(error, 'the proxy', detail)
  if (CERTIFICATE.test(code))
    return make(
      'tls_failed',
      `The certificate of “${host}” cannot be trusted (${detail}). ${KEPT}; check the link, or name the authority that signed it.`,
      { certificate: true, detail },
    )
  if (TLS.test(code))
    return make('tls_failed', `No secure connection to “${host}” could be made (${detail}). ${KEPT}.`, {
      certificate: false,
      detail,
    })
  const badReply = code === 'UND_ERR_SOCKET' && /^bad /.test(detail)
  const known = badReply
    ? 'protocol_error'
    : (CODES[code] ?? (isProgrammingError(root) ? 'internal' : 'protocol_error'))
  return make(known, SENTENCES[known](host), known === 'protocol_error' || known === 'internal' ? { detail } : {})
}

/** The same for a request through a proxy: trouble in reaching anything at all is the proxy's. */
export function toProxiedError(error: unknown, url: string, proxyHost: string): NighthaulError {
  const mapped = toNetworkError(error, url)
  switch (mapped.code) {
    case 'dns_not_found':
    case 'connect_refused':
    case 'connect_timeout':
    case 'network_unreachable':
    case 'proxy_failed':
      return proxyError(error, `The proxy “${proxyHost}”`, messageOf(error), proxyHost)
    default:
      return mapped
  }
}

function proxyError(cause: unknown, who: string, detail: string, host: string | null = null): NighthaulError {
  const subject = who.charAt(0).toUpperCase() + who.slice(1)
  return new NighthaulError(
    'proxy_failed',
    `${subject} could not make the connection (${detail}). ${KEPT}; check the proxy’s address, user and password.`,
    { host, detail },
    { cause },
  )
}

/**
 * A status that is no file, as a typed error. `redirected`: the link led here through a redirect, so that asking the
 * original link again may help even where the status says no for good.
 */
export function statusError(status: number, url: string, from: { redirected: boolean }): NighthaulError {
  const host = hostOf(url)
  const [code, sentence] = describeStatus(status, host)
  return new NighthaulError(code, `${sentence} ${KEPT}.`, { status, host, redirected: from.redirected })
}

function describeStatus(status: number, host: string): [ErrorCode, string] {
  switch (status) {
    case 401:
      return ['unauthorized', `“${host}” asks for a user name and a password (status 401).`]
    case 403:
      return ['forbidden', `“${host}” refuses to hand out this file (status 403); the link may have expired.`]
    case 404:
      return ['not_found', `“${host}” has no such file (status 404); check the link.`]
    case 410:
      return ['gone', `“${host}” says that this file is gone for good (status 410).`]
    case 429:
      return ['too_many_requests', `“${host}” asks for fewer requests (status 429); wait before trying again.`]
    default:
      return status >= 500
        ? ['server_error', `“${host}” has trouble (status ${status}); it is worth trying again later.`]
        : ['http_status', `“${host}” answered with status ${status} instead of the file.`]
  }
}

/** Happy eyeballs fails with one error per address: the most telling one is that of an address that was reachable. */
function rootOf(error: unknown): unknown {
  if (!(error instanceof AggregateError)) {
    const unwrap = error instanceof Error && codeOf(error) === 'UND_ERR_PRX_CONN' ? error.cause : null
    return unwrap instanceof AggregateError ? rootOf(unwrap) : error
  }
  const telling = error.errors.find((each) => !['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL'].includes(codeOf(each)))
  return telling ?? error.errors[0] ?? error
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, name } = error as { code?: unknown; name?: unknown }
  if (typeof code === 'string') return code
  return name === 'AbortError' ? 'ABORT_ERR' : ''
}

/** undici has no codes of their own for a proxy that says no. */
function isProxyReply(error: unknown): boolean {
  return error instanceof Error && /^Proxy (response|Authentication Required) \(/.test(error.message)
}

function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || codeOf(error) === 'ERR_ASSERTION'
}

function messageOf(error: unknown): string {
  const root = rootOf(error)
  return root instanceof Error ? root.message : String(root)
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url
}
