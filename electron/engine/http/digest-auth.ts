/**
 * Digest authentication (RFC 7616): proves a password without sending it. Pure; the random client nonce comes in. `qop`
 * auth and, for servers of old (RFC 2069), none; the body is not part of the proof.
 */
import { createHash } from 'node:crypto'
import type { Challenge } from './challenges.ts'

/** A challenge that can be answered. */
export interface DigestChallenge {
  realm: string
  nonce: string
  opaque: string | null
  /** as the server wrote it; null: it named none, which means MD5 */
  algorithm: string | null
  /** false: a server of RFC 2069 */
  qop: boolean
  /** the nonce was too old, the password was right */
  stale: boolean
  /** the server wants the user’s name hashed */
  userhash: boolean
}

const HASHES: Readonly<Record<string, string>> = { md5: 'md5', 'sha-256': 'sha256', 'sha-512-256': 'sha512-256' }

/** The first Digest challenge that we can answer: servers list them by preference (§3.7). */
export function digestChallenge(challenges: readonly Challenge[]): DigestChallenge | null {
  for (const { scheme, parameters } of challenges) {
    const { realm, nonce, opaque, algorithm, qop } = parameters
    if (scheme !== 'digest' || realm === undefined || !nonce || !hashOf(algorithm ?? null)) continue
    const qops = qop?.toLowerCase().split(/[\s,]+/)
    if (qops && !qops.includes('auth')) continue
    return {
      realm,
      nonce,
      opaque: opaque ?? null,
      algorithm: algorithm ?? null,
      qop: qops !== undefined,
      stale: parameters.stale?.toLowerCase() === 'true',
      userhash: parameters.userhash?.toLowerCase() === 'true',
    }
  }
  return null
}

export interface DigestInput {
  challenge: DigestChallenge
  user: string
  password: string
  method: string
  /** path and query, as in the request line */
  uri: string
  cnonce: string
  /** how many requests were answered with this nonce, with this one */
  count: number
}

/** The value of Authorization (§3.4). */
export function digestAuthorization(input: DigestInput): string {
  const { challenge, user, password, method, uri, cnonce } = input
  const { realm, nonce, opaque, algorithm, qop, userhash } = challenge
  const name = hashOf(algorithm)!
  const hash = (text: string) => createHash(name).update(text, 'utf8').digest('hex')
  const nc = input.count.toString(16).padStart(8, '0')
  const login = hash(`${user}:${realm}:${password}`)
  const session = /-sess$/i.test(algorithm ?? '')
  const ha1 = session ? hash(`${login}:${nonce}:${cnonce}`) : login
  const ha2 = hash(`${method}:${uri}`)
  const response = hash(qop ? `${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}` : `${ha1}:${nonce}:${ha2}`)
  const fields: (string | null)[] = [
    ...nameFields(user, userhash ? hash(`${user}:${realm}`) : null),
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(uri)}`,
    `response="${response}"`,
    algorithm && `algorithm=${algorithm}`,
    opaque !== null ? `opaque=${quote(opaque)}` : null,
    qop || session ? `cnonce=${quote(cnonce)}` : null,
    qop ? `qop=auth, nc=${nc}` : null,
    userhash ? 'userhash=true' : null,
  ]
  return `Digest ${fields.filter(Boolean).join(', ')}`
}

/** A name beyond ASCII goes in the extended notation of RFC 5987 (§3.4). */
function nameFields(user: string, hashed: string | null): string[] {
  if (hashed !== null) return [`username="${hashed}"`]
  if (/^[\x20-\x7e]*$/.test(user)) return [`username=${quote(user)}`]
  const encoded = encodeURIComponent(user).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return [`username*=UTF-8''${encoded}`]
}

function hashOf(algorithm: string | null): string | null {
  return HASHES[(algorithm ?? 'md5').toLowerCase().replace(/-sess$/, '')] ?? null
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
