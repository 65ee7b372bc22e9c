/** Every way in which a connection breaks, at every place of a download: the right bytes, or a typed error. */
import { AT, type MatrixFault, runMatrix } from '../helpers/fault-matrix.ts'
import { faults } from '../helpers/fault-server.ts'
import type { Fault } from '../helpers/faults.ts'

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

const TABLE: MatrixFault[] = [
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
    always: 'connection_closed',
    once: 'done',
  },
  {
    name: 'reset right after the head',
    script: () => () => faults.resetAt(0),
    always: 'connection_reset',
    once: 'done',
  },
  {
    name: 'stalled right after the head',
    script: () => () => faults.stallAt(0),
    always: 'stalled',
    once: 'done',
    options: IMPATIENT,
  },
  {
    name: 'a bad first chunk',
    script: () => () => faults.badChunk(0),
    always: 'protocol_error',
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

runMatrix('a connection that breaks', TABLE)
