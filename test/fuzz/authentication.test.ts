/** WWW-Authenticate, what answers it, and netrc files: no password in the open, no line break into a request. */

import { expect } from 'vitest'
import { parseChallenges } from '../../electron/engine/http/challenges.ts'
import { digestAuthorization, digestChallenge } from '../../electron/engine/http/digest-auth.ts'
import { netrcLogin, parseNetrc } from '../../electron/engine/http/netrc.ts'
import fc from '../helpers/property.ts'
import { answerOrRefusal, fuzz, headerOf, listOf, nearly, sequence, staysLinear, token } from './fuzz.ts'

const quoted = fc
  .string({ unit: fc.constantFrom('a', ' ', '"', '\\', ',', '=', 'é'), maxLength: 8 })
  .map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`)
const parameter = fc.oneof(
  sequence('realm=', quoted),
  sequence('nonce=', fc.oneof(quoted, token)),
  sequence('opaque=', quoted),
  sequence('algorithm=', fc.constantFrom('MD5', 'SHA-256', 'SHA-256-sess', 'SHA-512-256', 'md5-sess', 'SHA-9')),
  sequence('qop=', fc.constantFrom('"auth"', '"auth,auth-int"', 'auth-int', '""')),
  fc.constantFrom('stale=true', 'userhash=true', 'charset=UTF-8'),
  sequence(token, ' = ', quoted),
)
const answerable = sequence(
  'Digest realm=',
  quoted,
  ', nonce=',
  quoted,
  fc.constantFrom('', ', qop="auth"', ', qop="auth-int, auth", algorithm=SHA-256', ', opaque="x", algorithm=MD5-sess'),
)
const challenge = fc.oneof(
  answerable,
  sequence('Digest ', listOf(parameter, ', ', 8)),
  sequence('Basic ', parameter),
  sequence(fc.constantFrom('Negotiate', 'NTLM', 'Bearer'), ' ', token, '=='),
)
const field = listOf(challenge, ', ', 4)
const text = fc.string({ unit: fc.oneof(fc.constantFrom('a', 'é', '"', '\\', ':', '文'), token), maxLength: 6 })

fuzz('whatever is demanded, the answer is one line without the password', [headerOf(field), text], (value, user) => {
  const challenges = parseChallenges(value)
  for (const { scheme } of challenges) expect(scheme).toBe(scheme.toLowerCase())
  const answered = digestChallenge(challenges)
  if (!answered) return false
  const password = 'kept-to-ourselves'
  const input = { challenge: answered, user, password, method: 'GET', uri: '/a?b', cnonce: 'c', count: 1 }
  const header = digestAuthorization(input)
  expect(header).toMatch(/^Digest \S/)
  expect(header).not.toMatch(/[\r\n\0]/)
  expect(header).not.toContain(password)
  // and it can be read again, as the server reads it
  const [read] = parseChallenges(header)
  expect(read?.parameters.response).toMatch(/^[0-9a-f]{32,64}$/)
  expect(read?.parameters.nonce).toBe(answered.nonce)
  return true
})

const word = fc.oneof(token, quoted)
const entry = fc.oneof(
  sequence('machine ', word, ' login ', word, ' password ', word),
  sequence('default login ', word, ' password ', word),
  fc.constantFrom('account x', '# comment', 'macdef init\nbye\n', 'machine'),
)
const netrc = listOf(entry, '\n', 6)

fuzz('a netrc file is read or refused, and the refusal tells no password', [nearly(netrc)], (content) => {
  const secret = 'kept-to-ourselves'
  const logins = answerOrRefusal(() => parseNetrc(content))
  for (const { host, user, password } of logins ?? []) {
    if (host !== null) expect(host).toBe(host.toLowerCase())
    expect([typeof user, typeof password]).toEqual(['string', 'string'])
  }
  if (logins) expect(netrcLogin(logins, 'no.such.host', false)).toBeNull()
  try {
    parseNetrc(`machine a login b password ${secret} ${content}`)
  } catch (error) {
    expect((error as Error).message).not.toContain(secret)
  }
  return logins !== undefined && logins.length > 0
})

staysLinear(
  'WWW-Authenticate',
  fc.oneof(challenge, parameter, fc.constantFrom(',', ' ', '\\', '"', '=')),
  parseChallenges,
)
staysLinear('a netrc file', fc.oneof(entry, fc.constantFrom(' ', '\n', '"', '\\', '#')), parseNetrc)
