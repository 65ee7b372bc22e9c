/** Challenges, the arithmetic of Digest (with the RFCs' own examples), netrc files. */

import { describe, expect, test } from 'vitest'
import { parseChallenges } from '../../electron/engine/http/challenges.ts'
import { digestAuthorization, digestChallenge } from '../../electron/engine/http/digest-auth.ts'
import { netrcLogin, parseNetrc } from '../../electron/engine/http/netrc.ts'
import fc from '../helpers/property.ts'

describe('WWW-Authenticate', () => {
  test.each([
    ['Basic realm="a"', [['basic', { realm: 'a' }]]],
    ['Basic', [['basic', {}]]],
    [
      'Negotiate, Basic realm="a, b=\\"c\\""',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a, b="c"' }],
      ],
    ],
    [
      'NTLM TlRMTVNTUAAC==, Digest realm=x , nonce = "n"',
      [
        ['ntlm', {}],
        ['digest', { realm: 'x', nonce: 'n' }],
      ],
    ],
    [
      'Digest realm="r", qop="auth,auth-int", stale=TRUE,,',
      [['digest', { realm: 'r', qop: 'auth,auth-int', stale: 'TRUE' }]],
    ],
    [
      ['Basic realm="one"', 'Bearer error="x"'],
      [
        ['basic', { realm: 'one' }],
        ['bearer', { error: 'x' }],
      ],
    ],
    ['Digest realm="open', [['digest', {}]]],
    ['"nonsense"', []],
    [undefined, []],
  ] as const)('%j', (value, expected) =>
    expect(parseChallenges(value).map(({ scheme, parameters }) => [scheme, parameters])).toEqual(expected),
  )

  test('whatever comes, reading it ends', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aB="\\, \t;/='.split('')) }), (text) => {
        parseChallenges(text)
      }),
    )
  })
})

describe('Digest', () => {
  const RFC_7616 = [
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=ALGORITHM',
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"',
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
  ].join(', ')
  const answer = (challenge: string, rest: Partial<Parameters<typeof digestAuthorization>[0]>) =>
    digestAuthorization({
      challenge: digestChallenge(parseChallenges(challenge))!,
      user: 'Mufasa',
      password: 'Circle of Life',
      method: 'GET',
      uri: '/dir/index.html',
      cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
      count: 1,
      ...rest,
    })
  const response = (header: string) => /response="([0-9a-f]+)"/.exec(header)?.[1]

  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('RFC 7616 §3.9.1 with %s', (algorithm, expected) => {
    const header = answer(RFC_7616.replace('ALGORITHM', algorithm), {})
    expect(response(header)).toBe(expected)
    expect(header).toBe(
      `Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html", response="${expected}", algorithm=${algorithm}, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, nc=00000001`,
    )
  })

  test('RFC 7616 §3.9.2 (corrected by its erratum 4897): SHA-512-256 and a hashed name', () => {
    const challenge =
      'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDssOS", charset=UTF-8, userhash=true'
    const header = answer(challenge, {
      user: 'Jäsøn Doe',
      password: 'Secret, or not?',
      uri: '/doe.json',
      cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
    })
    expect(header).toContain('username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"')
    expect(header).toContain('userhash=true')
    expect(response(header)).toBe('3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5')
  })

  const OLD = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5c"'
  const MUFASA = { password: 'Circle Of Life', cnonce: '0a4f113b' }

  test('RFC 2617 §3.5, and servers of RFC 2069, which know no qop', () => {
    expect(response(answer(`${OLD}, qop="auth"`, MUFASA))).toBe('6629fae49393a05397450978507c4ef1')
    const old = answer(OLD, MUFASA)
    expect(response(old)).toBe('670fd8c2df070c60b045671b8b24ff02')
    expect(old).not.toMatch(/cnonce|qop|nc=/)
  })

  test('of a session the nonces are part of the password', () => {
    const plain = response(answer(`${OLD}, qop="auth", algorithm=SHA-256`, MUFASA))
    const session = answer(`${OLD}, qop="auth", algorithm=SHA-256-sess`, MUFASA)
    expect(session).toContain('algorithm=SHA-256-sess')
    // computed with openssl from the formula of §3.4.2
    expect(response(session)).toBe('b8822e12417cb7750f4e2b8515f0dcf25b7dd26993e80bee1426201446a7f59b')
    expect(response(session)).not.toBe(plain)
  })

  test('counts, and names beyond ASCII, go as the RFC says', () => {
    const header = answer(`${OLD}, qop="auth"`, { user: 'Jäsøn "Doe"', count: 0x1a2b })
    expect(header).toContain("username*=UTF-8''J%C3%A4s%C3%B8n%20%22Doe%22")
    expect(header).toContain('nc=00001a2b')
  })

  test('what we cannot answer is passed over, the first that we can is taken', () => {
    const found = digestChallenge(
      parseChallenges([
        'Digest realm="a", nonce="1", algorithm=WHIRLPOOL, qop="auth"',
        'Digest realm="b", nonce="2", qop="auth-int"',
        'Digest realm="c", nonce="3", qop="auth", algorithm=SHA-256, Digest realm="d", nonce="4"',
      ]),
    )
    expect(found).toMatchObject({ realm: 'c', nonce: '3' })
    expect(digestChallenge(parseChallenges('Basic realm="x"'))).toBeNull()
  })
})

describe('netrc files', () => {
  const FILE = [
    '# mine',
    'machine Files.example login me password s3cret # old one',
    'macdef init',
    'machine trap login x password y',
    '',
    'machine quoted.example',
    '\tlogin "a b"',
    '\taccount unused',
    '\tpassword "q\\"u\\\\o\\n"',
    'machine short.example password only',
    'default login anonymous password me@example',
  ].join('\r\n')

  test('are read as curl reads them', () =>
    expect(parseNetrc(FILE)).toEqual([
      { host: 'files.example', user: 'me', password: 's3cret' },
      { host: 'quoted.example', user: 'a b', password: 'q"u\\o\n' },
      { host: 'short.example', user: '', password: 'only' },
      { host: null, user: 'anonymous', password: 'me@example' },
    ]))

  test('give each host its own login, and the default only where it may go', () => {
    const logins = parseNetrc(FILE)
    expect(netrcLogin(logins, 'FILES.example', false)).toEqual({ user: 'me', password: 's3cret' })
    expect(netrcLogin(logins, 'sub.files.example', false)).toBeNull()
    expect(netrcLogin(logins, 'trap', false)).toBeNull()
    expect(netrcLogin(logins, 'else.example', true)).toEqual({ user: 'anonymous', password: 'me@example' })
  })

  test.each([
    ['no value', 'machine a login', 1],
    ['what is no entry', 'machine a login b\nsecret', 2],
    ['a login without its machine', 'login secret', 1],
    ['an open quotation mark', '\nmachine a password "secret', 2],
  ])('with %s are refused, naming the line and no value', (_what, text, line) =>
    expect(() => parseNetrc(text)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        params: { line },
        message: expect.not.stringContaining('secret'),
      }),
    ),
  )
})
