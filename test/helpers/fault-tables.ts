/** What servers do wrong, and what is to come of it at each place of a download (fault-matrix.ts). */
import { AT, type MatrixFault, matrixClock, PLACES, SEED, SIZE } from './fault-matrix.ts'
import { type FaultScript, faults } from './fault-server.ts'
import type { Fault } from './faults.ts'

// ── replies ──

/** for replies that would be right, were they not to a range */
const toRanges =
  (script: FaultScript): (() => FaultScript) =>
  () =>
  (request, index) =>
    request.headers.range === undefined ? null : script(request, index)

const refused = (
  code: 'range_mismatch' | 'range_missing' | 'multipart_refused' | 'encoded_range' | 'length_mismatch',
) =>
  // The first request loses nothing by being asked again without a range; a further connection is one too many.
  ({ probe: 'done', later: 'done', else: code }) as const

const status = (code: 'unauthorized' | 'forbidden' | 'not_found' | 'gone') => ({ later: 'done', else: code }) as const

export const REPLY_FAULTS: readonly MatrixFault[] = [
  { name: 'ranges ignored', script: () => () => faults.ignoreRange(), always: 'done', once: 'done' },
  {
    name: 'If-Range answered with 200',
    script: () => () => faults.ifRange200(),
    always: { probe: null, else: 'done' },
    once: { probe: null, else: 'done' },
  },
  {
    name: 'If-Range answered with 412',
    script: () => () => faults.ifRange412(),
    always: { probe: null, else: 'done' },
    once: { probe: null, else: 'done' },
  },
  {
    name: 'Content-Range shifted',
    script: () => () => faults.wrongContentRange({ shift: 512 }),
    always: refused('range_mismatch'),
    once: 'done',
  },
  {
    name: 'Content-Range shifted back',
    script: () => () => faults.wrongContentRange({ shift: -512 }),
    always: refused('range_mismatch'),
    once: 'done',
  },
  {
    name: 'Content-Range shorter than the body',
    script: () => () => faults.wrongContentRange({ end: -5 }),
    always: refused('length_mismatch'),
    once: 'done',
  },
  {
    name: 'Content-Range missing',
    script: () => () => faults.wrongContentRange('missing'),
    always: refused('range_missing'),
    once: 'done',
  },
  {
    name: 'Content-Range malformed',
    script: () => () => faults.wrongContentRange('malformed'),
    always: refused('range_mismatch'),
    once: 'done',
  },
  {
    name: 'total kept secret',
    script: () => () => faults.wrongContentRange({ total: '*' }),
    always: 'done',
    once: 'done',
  },
  {
    name: 'another total',
    script: () => () => faults.wrongContentRange({ total: 4_000_000 }),
    always: { probe: 'changed', later: 'done', else: 'total_mismatch' },
    misleads: true,
    once: { probe: null, else: 'done' },
  },
  {
    name: 'multipart/byteranges',
    script: () => () => faults.multipart(),
    always: refused('multipart_refused'),
    once: 'done',
  },
  {
    name: 'Content-Encoding on a range',
    script: () => () => faults.contentEncodingOnRange(),
    always: refused('encoded_range'),
    once: 'done',
  },
  {
    name: 'more bytes than asked',
    script: toRanges(() => faults.extraBytes(100)),
    always: refused('length_mismatch'),
    once: 'done',
  },
  {
    name: 'more bytes than announced',
    script: toRanges(() => faults.lieAboutLength((real) => real - 100)),
    always: refused('length_mismatch'),
    once: 'done',
  },
  {
    name: 'fewer bytes than announced',
    script: toRanges(() => faults.lieAboutLength((real) => real + 100)),
    always: refused('length_mismatch'),
    once: 'done',
  },
  {
    name: 'more bytes than a shorter range says, chunked',
    script: toRanges(() => [faults.shortRange(AT), faults.extraBytes(100), faults.noLength('chunked')]),
    always: 'done',
    once: 'done',
  },
  {
    name: 'fewer bytes than asked, chunked',
    script: toRanges(() => [faults.fewerBytes(100), faults.noLength('chunked')]),
    always: 'connection_closed',
    once: 'done',
  },
  { name: 'ranges shorter than asked', script: () => () => faults.shortRange(AT), always: 'done', once: 'done' },
  { name: 'no length, chunked', script: () => () => faults.noLength('chunked'), always: 'done', once: 'done' },
  { name: 'no length, until closed', script: () => () => faults.noLength('close'), always: 'done', once: 'done' },
  { name: 'weak ETag', script: () => () => faults.weakEtag(), always: 'done', once: 'done' },
  {
    name: 'another ETag with every reply',
    script: () => () => faults.changingEtag(),
    always: { probe: 'done', else: 'changed' },
    once: { probe: 'done', else: 'changed' },
  },
  { name: 'Last-Modified only', script: () => () => faults.lastModifiedOnly(), always: 'done', once: 'done' },
  { name: 'no validators', script: () => () => faults.noValidators(), always: 'done', once: 'done' },
  {
    name: 'no validators and other bytes',
    script: () => () => [faults.noValidators(), faults.ignoreRange(), faults.lieAboutContent(99)],
    always: { probe: null, later: 'done', else: 'changed' },
  },
  {
    name: 'another file',
    script: () => () => faults.changeContent({ seed: 9, size: 1_900_000 }),
    always: { probe: 'done', else: 'changed' },
    becomes: { seed: 9, size: 1_900_000 },
  },
  {
    name: 'a range of another file, whatever If-Range says',
    script: () => () => [faults.withHeaders({ etag: '"other"' }), faults.lieAboutContent(99)],
    always: { probe: null, else: 'changed' },
    once: { probe: null, else: 'changed' },
  },
  {
    name: 'a range of other bytes where nothing protects it',
    resource: { etag: null, lastModified: null },
    script: () => () => faults.lieAboutContent(99),
    // Nothing is here to compare a new segment with.
    always: { probe: null, later: null, else: 'changed' },
    once: { probe: null, later: null, else: 'changed' },
  },
  {
    name: 'a range of other bytes under a weak ETag',
    resource: { etag: 'W/"same"', lastModified: null },
    script: () => () => faults.lieAboutContent(99),
    always: { probe: null, later: null, else: 'changed' },
    once: { probe: null, later: null, else: 'changed' },
  },
  {
    name: 'another file in mid-download',
    script: () => () => [faults.changeContentAt(100_000, { seed: 9 }), faults.truncateAt(200_000)],
    once: 'changed',
    becomes: { seed: 9 },
  },
  { name: '401', script: () => () => faults.status(401), always: status('unauthorized'), once: status('unauthorized') },
  { name: '403', script: () => () => faults.status(403), always: status('forbidden'), once: status('forbidden') },
  { name: '404', script: () => () => faults.status(404), always: status('not_found'), once: status('not_found') },
  { name: '410', script: () => () => faults.status(410), always: status('gone'), once: status('gone') },
  {
    name: '416 to all that is a range',
    script: toRanges(() => faults.rangeNotSatisfiable()),
    always: 'done',
    once: 'done',
  },
  {
    name: '416 to everything',
    script: () => () => faults.rangeNotSatisfiable(),
    always: { later: 'done', else: 'range_not_satisfiable' },
    once: 'done',
  },
  {
    name: '416 with another length',
    script: toRanges(() => faults.rangeNotSatisfiable(1000)),
    always: { probe: 'done', else: 'changed' },
    once: { probe: 'done', else: 'changed' },
  },
  {
    name: '500',
    script: () => () => faults.status(500),
    always: { later: 'done', else: 'server_error' },
    once: 'done',
  },
  ...[429, 503].flatMap((code): MatrixFault[] => {
    const outcomes = {
      always: { later: 'done', else: code === 429 ? 'too_many_requests' : 'server_error' },
      once: 'done',
    } as const
    const at = () => new Date(matrixClock.now() + 3000)
    return [
      { name: `${code}`, script: () => () => faults.status(code), ...outcomes },
      { name: `${code} for a second`, script: () => () => faults.retryAfter(1, code), ...outcomes },
      { name: `${code} for ten seconds`, script: () => () => faults.retryAfter(10, code), ...outcomes },
      { name: `${code} until a date`, script: () => () => faults.retryAfter(at(), code), ...outcomes },
    ]
  }),
  {
    name: 'a redirect to itself',
    script: () => () => faults.redirectLoop(),
    always: { later: 'done', else: 'too_many_redirects' },
    once: 'done',
  },
  {
    name: 'redirects without end',
    script: () => () => faults.redirectForever(),
    always: { later: 'done', else: 'too_many_redirects' },
    once: 'done',
    mostRequests: 70,
  },
  {
    name: 'a one-time link',
    script: () => faults.oneTime(),
    always: { probe: 'done', later: 'done', else: 'forbidden' },
    unseen: ['probe'],
  },
  {
    name: 'a captive portal',
    script: () => () => faults.html(),
    always: { probe: 'html_instead_of_file', else: 'changed' },
    once: { probe: 'html_instead_of_file', else: 'changed' },
  },
  {
    name: 'a captive portal behind a redirect',
    script: (server) => {
      server.fault('/portal', () => faults.html())
      return () => faults.redirect('/portal')
    },
    always: { probe: 'html_instead_of_file', else: 'changed' },
    once: { probe: 'html_instead_of_file', else: 'changed' },
  },
  {
    name: 'a redirect to ever new places, each good for one request that breaks off',
    script: (server) => {
      const isGood = faults.expiring(1)
      server.add('/place', { size: SIZE, seed: SEED })
      server.fault('/place', (request, index) => isGood(request, index) ?? faults.truncateAt(AT))
      return faults.redirectAnew('/place')
    },
    always: 'done',
    mostRequests: 30,
  },
  { name: 'HEAD refused', script: () => () => faults.refuseHead(), always: 'done', unseen: PLACES },
  {
    name: 'one request on each connection',
    script: () => faults.requestsPerConnection(1),
    always: 'done',
  },
  {
    name: 'one request at once',
    // Each takes its time, so that another is asked meanwhile.
    resource: { rateBytesPerSecond: 2_000_000 },
    script: () => faults.mostAtOnce(1),
    always: { probe: null, else: 'done' },
    options: { connections: 3 },
    mostRequests: 30,
  },
]

// ── connections ──

/** Time limits of the network are real ones. */
const IMPATIENT = { headersTimeoutMs: 1000, stallTimeoutMs: 1000 }
const HASTY = { connectTimeoutMs: 1000 }

/** Each try brings something, so that it goes on as long as it must. */
const brings = (name: string, fault: () => Fault | Fault[], more: Partial<MatrixFault> = {}): MatrixFault => ({
  name,
  script: () => fault,
  always: 'done',
  once: 'done',
  ...more,
})

export const CONNECTION_FAULTS: readonly MatrixFault[] = [
  brings('truncated', () => faults.truncateAt(AT)),
  // What comes just before a reset is lost: it is given time to be read.
  brings('reset', () => [faults.slow(4_000_000), faults.resetAt(AT)]),
  brings('stalled', () => faults.stallAt(AT), { options: IMPATIENT }),
  brings('a bad chunk', () => faults.badChunk(AT)),
  brings('closed before the length is known', () => faults.truncateAt(AT), {
    script: () => () => [faults.ignoreRange(), faults.noLength('chunked'), faults.truncateAt(AT)],
    always: null,
  }),
  {
    name: 'one byte a second',
    script: () => () => faults.slow(1),
    // Others are asked for what it does not bring.
    once: 'done',
    options: { connections: 3 },
  },
  {
    name: 'closed right after the head',
    script: () => () => faults.closeAfterHeaders(),
    always: { later: 'done', else: 'connection_closed' },
    once: 'done',
  },
  {
    name: 'reset right after the head',
    script: () => () => faults.resetAt(0),
    always: { later: 'done', else: 'connection_reset' },
    once: 'done',
  },
  {
    name: 'stalled right after the head',
    script: () => () => faults.stallAt(0),
    always: { later: 'done', else: 'stalled' },
    once: 'done',
    options: IMPATIENT,
  },
  {
    name: 'a bad first chunk',
    script: () => () => faults.badChunk(0),
    always: { later: 'done', else: 'protocol_error' },
    once: 'done',
  },
  {
    name: 'closed without a reply',
    script: () => () => faults.closeImmediately(),
    always: { later: 'done', else: 'connection_closed' },
    once: 'done',
  },
  {
    name: 'reset without a reply',
    script: () => () => faults.closeImmediately('reset'),
    always: { later: 'done', else: 'connection_reset' },
    once: 'done',
  },
  {
    name: 'no reply',
    script: () => () => faults.silent(),
    always: { later: 'done', else: 'headers_timeout' },
    once: 'done',
    options: IMPATIENT,
  },
  {
    name: 'reset when accepted',
    connection: 'reset',
    always: { later: 'done', else: 'connection_reset' },
    once: 'done',
  },
  {
    name: 'neither TLS nor HTTP',
    connection: 'garbage',
    always: { later: 'done', else: 'protocol_error' },
    once: 'done',
  },
  {
    name: 'a broken TLS handshake',
    tls: true,
    connection: 'garbage',
    always: { later: 'done', else: 'tls_failed' },
    once: 'done',
  },
  {
    name: 'a TLS handshake that is hung up',
    tls: true,
    connection: 'close',
    always: { later: 'done', else: 'connection_reset' },
    once: 'done',
  },
  {
    name: 'a TLS handshake that takes too long',
    tls: true,
    connection: 'late',
    always: { later: 'done', else: 'connect_timeout' },
    once: 'done',
    options: HASTY,
  },
  brings('reset within TLS', () => [faults.slow(4_000_000), faults.resetAt(AT)], { tls: true }),
]
