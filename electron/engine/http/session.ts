/**
 * What the requests of one task learn and share: cookies, and the challenges of servers that want to see a proof of the
 * password (RFC 7616).
 */
import { randomBytes } from 'node:crypto'
import type { TaskOptions } from '../../../shared/schemas.ts'
import { parseChallenges } from './challenges.ts'
import { createTaskCookies, type TaskCookies } from './cookies.ts'
import { basic, type Login } from './credentials.ts'
import { type DigestChallenge, digestAuthorization, digestChallenge } from './digest-auth.ts'

export interface Session {
  readonly cookies: TaskCookies
  /** The Authorization for a request with this login, and the nonce it answers; null: none goes along. */
  authorize(url: URL, method: string, login: Login, auth: TaskOptions['auth']): Authorization | null
  /** After a 401: whether the same request, authorized anew, has a chance. */
  learn(url: URL, wwwAuthenticate: string | string[] | undefined, answered: Authorization | null): boolean
}

export interface Authorization {
  value: string
  /** null: not by a challenge */
  nonce: string | null
}

const byOptions = new WeakMap<object, Session>()

/** The session that belongs to a task's options object. Throws `invalid_input` where its cookies are no cookie file. */
export function sessionOf(options: TaskOptions): Session {
  let session = byOptions.get(options)
  if (!session) {
    session = createSession(createTaskCookies(options.cookies))
    byOptions.set(options, session)
  }
  return session
}

function createSession(cookies: TaskCookies): Session {
  /** by origin */
  const challenges = new Map<string, { challenge: DigestChallenge; count: number }>()
  return {
    cookies,
    authorize(url, method, { user, password }, auth) {
      const known = challenges.get(url.origin)
      if (!known) return auth === 'digest' ? null : { value: basic(user, password), nonce: null }
      const { challenge } = known
      const uri = url.pathname + url.search
      const cnonce = randomBytes(16).toString('base64url')
      const count = ++known.count
      const value = digestAuthorization({ challenge, user, password, method, uri, cnonce, count })
      return { value, nonce: challenge.nonce }
    },
    learn(url, wwwAuthenticate, answered) {
      const challenge = digestChallenge(parseChallenges(wwwAuthenticate))
      if (!challenge || challenge.nonce === answered?.nonce) return false
      // An answer that was refused: only where the nonce was too old, the password may be right.
      if (answered?.nonce && !challenge.stale) return false
      challenges.set(url.origin, { challenge, count: 0 })
      return true
    },
  }
}
