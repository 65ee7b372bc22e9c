/** Whom TLS connections trust, and as whom they present themselves. */
import { createHash, X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import { NighthaulError } from '../../../shared/errors.ts'
import type { ClientCertificate } from '../../../shared/schemas.ts'

const MOST_CONTEXTS = 16

export interface Trust {
  caPem: string | null
  clientCertificate: ClientCertificate | null
}

/** Who we trust and who we are, as a key that holds no secret; null: what is usual. */
export function identityOf({ caPem, clientCertificate }: Trust): string | null {
  if (caPem === null && clientCertificate === null) return null
  return createHash('sha256')
    .update(JSON.stringify([caPem, clientCertificate]))
    .digest('base64')
}

/** Nobody known vouches for the certificate. */
const UNTRUSTED: ReadonlySet<unknown> = new Set([
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/**
 * Contexts by whom they trust. The authorities that the system trusts beside Node's (a company's, as a rule) are many,
 * and take a tenth of a second to read: that is done when a server turns up for which nobody else vouches.
 */
export class TrustContexts {
  /** `wide`: with the system's */
  readonly #contexts = new Map<string, { context: SecureContext; wide: boolean }>()

  /** undefined: as Node has it. Throws as `contextFor`. */
  of(trust: Trust): SecureContext | undefined {
    const identity = identityOf(trust)
    const known = this.#contexts.get(identity ?? '')
    if (known || identity === null) return known?.context
    const context = contextFor(trust)
    this.#keep(identity, { context, wide: false })
    return context
  }

  /** One that trusts more than the one with which a connection failed by this error; null: there is none. */
  widened(trust: Trust, used: SecureContext | undefined, error: unknown): SecureContext | null {
    if (!UNTRUSTED.has((error as { code?: unknown } | null)?.code)) return null
    const present = this.of(trust)
    if (present !== used && present !== undefined) return present
    return this.#contexts.get(identityOf(trust) ?? '')?.wide ? null : this.wide(trust)
  }

  /** With the system's at once: for connections that cannot be tried twice. */
  wide(trust: Trust): SecureContext {
    const identity = identityOf(trust) ?? ''
    const known = this.#contexts.get(identity)
    if (known?.wide) return known.context
    const { getCACertificates } = process.getBuiltinModule('node:tls')
    const context = contextFor(trust, getCACertificates('system'))
    this.#keep(identity, { context, wide: true })
    return context
  }

  /** The oldest goes where there are very many. */
  #keep(identity: string, entry: { context: SecureContext; wide: boolean }): void {
    this.#contexts.delete(identity)
    this.#contexts.set(identity, entry)
    if (this.#contexts.size > MOST_CONTEXTS) this.#contexts.delete(this.#contexts.keys().next().value!)
  }
}

/**
 * An extra authority and `others` add to those trusted anyway: Node's, and those of NODE_EXTRA_CA_CERTS. Throws
 * `invalid_input` where a certificate or key cannot be read.
 */
export function contextFor({ caPem, clientCertificate }: Trust, others: readonly string[] = []): SecureContext {
  // Loaded when it is needed: it is a tenth of a worker's start.
  const { createSecureContext, getCACertificates } = process.getBuiltinModule('node:tls')
  if (caPem !== null)
    readable(
      'The extra certificate authority cannot be read. Nothing was sent; give a file with certificates in PEM format.',
      () =>
        // createSecureContext takes any text without a word.
        void new X509Certificate(caPem),
    )
  return readable(
    'The client certificate cannot be used: it, its key and its passphrase do not belong together or cannot be read. Nothing was sent.',
    () => {
      const secureContext = createSecureContext(keysOf(clientCertificate))
      const added = caPem === null ? others : [...others, caPem]
      if (added.length === 0) return secureContext
      // What `ca` would replace this adds to: as text, all of them are written out and read again (50 ms of CPU).
      const native = secureContext.context as { addCACert?: (pem: string) => void }
      if (native.addCACert === undefined)
        return createSecureContext({ ca: [...getCACertificates('default'), ...added], ...keysOf(clientCertificate) })
      native.addCACert(added.join('\n'))
      return secureContext
    },
  )
}

function keysOf(certificate: ClientCertificate | null): object {
  if (certificate === null) return {}
  const { passphrase } = certificate
  if ('pfxBase64' in certificate) return { pfx: Buffer.from(certificate.pfxBase64, 'base64'), passphrase }
  return { cert: certificate.certPem, key: certificate.keyPem, passphrase }
}

function readable<T>(sentence: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new NighthaulError('invalid_input', sentence, {}, { cause: error })
  }
}
