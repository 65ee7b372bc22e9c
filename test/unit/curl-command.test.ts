/** cURL commands as browsers copy them, and as people type them. */
import { describe, expect, test } from 'vitest'
import { clientCertificateOf, splitCertificateFlag } from '../../electron/engine/client-certificate.ts'
import { parseCurl } from '../../electron/engine/curl-command.ts'

const only = (command: string, files: Record<string, string> = {}) => {
  const items = parseCurl(command, (path) => {
    const text = files[path]
    if (text === undefined) throw new Error(`no ${path}`)
    return Buffer.from(text)
  })
  expect(items).toHaveLength(1)
  return items[0]!
}

describe('as browsers copy them', () => {
  test('for a POSIX shell, over several lines, with ANSI-C quoting', () => {
    const item = only(String.raw`curl 'https://files.example/export?a=1&b=2' \
  -H 'accept: */*' \
  -H 'accept-language: de' \
  -H 'content-type: application/json' \
  -b 'session=abc; theme=dark' \
  -H 'user-agent: Mozilla/5.0 (X11)' \
  --data-raw $'{"q":"it\'s \u0041\\n","n":1}' \
  --compressed`)
    expect(item).toEqual({
      url: 'https://files.example/export?a=1&b=2',
      options: {
        method: 'POST',
        body: { text: '{"q":"it\'s A\\n","n":1}' },
        headers: [
          ['accept', '*/*'],
          ['accept-language', 'de'],
          ['content-type', 'application/json'],
          ['user-agent', 'Mozilla/5.0 (X11)'],
          ['Cookie', 'session=abc; theme=dark'],
        ],
      },
    })
  })

  test('for cmd.exe, with carets', () => {
    const item = only(
      [
        'curl ^"https://files.example/f?a=1^&b=^%^20x^" ^',
        '  -H ^"accept: text/html,*/*^" ^',
        '  --data-raw ^"^{^\\^"a^\\^":1^}^"',
      ].join('\r\n'),
    )
    expect(item.url).toBe('https://files.example/f?a=1&b=%20x')
    expect(item.options).toMatchObject({ method: 'POST', body: { text: '{"a":1}' } })
    expect(only('curl "https://files.example/f" ^\n  -H "a: b"').options?.headers).toEqual([['a', 'b']])
  })

  test('several together, with what stands between them taken off', () => {
    expect(only("curl 'https://a.example/f' ;").url).toBe('https://a.example/f')
    expect(only('$ curl https://a.example/f').url).toBe('https://a.example/f')
  })
})

describe('what the flags mean', () => {
  test.each([
    ['-X PUT -d a=1', { method: 'PUT', body: { text: 'a=1' } }],
    ['-XPOST', { method: 'POST' }],
    ['-sSL -d a=1 -d b=2', { method: 'POST', body: { text: 'a=1&b=2' } }],
    ['--data-raw @literal', { body: { text: '@literal' } }],
    ['-d @lines', { body: { text: 'one two' } }],
    ['--data-binary @lines', { body: { text: 'one \ntwo' } }],
    ['--data-urlencode "q=a b&c" --data-urlencode n@lines', { body: { text: 'q=a%20b%26c&n=one%20%0Atwo' } }],
    ['-u me:p:w', { user: 'me', password: 'p:w' }],
    ['-u me --digest', { user: 'me', password: '', auth: 'digest' }],
    ['--oauth2-bearer to.ken', { bearer: 'to.ken' }],
    ['-x http://p.example:8080 -U me:pw', { proxy: 'http://me:pw@p.example:8080/' }],
    ['-x socks5h://p.example:1080', { proxy: 'socks5h://p.example:1080' }],
    [
      '-A ours -e https://page.example/',
      {
        headers: [
          ['User-Agent', 'ours'],
          ['Referer', 'https://page.example/'],
        ],
      },
    ],
    ['-b jar', { cookies: 'a.example\tFALSE\t/\tFALSE\t0\tn\tv' }],
    ['--cacert ca.pem', { caPem: 'authority' }],
    ['--connect-timeout 2.5 --retry 3', { connectTimeoutMs: 2500, retries: 3 }],
    [
      "-H 'X-Empty;' -H 'Accept:' -H 'X-A:  b '",
      {
        headers: [
          ['X-Empty', ''],
          ['X-A', 'b'],
        ],
      },
    ],
  ])('%s', (flags, expected) => {
    const files = { lines: 'one \ntwo', jar: 'a.example\tFALSE\t/\tFALSE\t0\tn\tv', 'ca.pem': 'authority' }
    expect(only(`curl https://a.example/f ${flags}`, files).options).toMatchObject(expected)
  })

  test('--json sets what goes with it, unless it is given', () => {
    expect(only(`curl --json '{"a":1}' https://a.example/f`).options).toEqual({
      method: 'POST',
      body: { text: '{"a":1}' },
      headers: [
        ['Content-Type', 'application/json'],
        ['Accept', 'application/json'],
      ],
    })
    const given = only(`curl --json '{}' -H 'content-type: text/x' https://a.example/f`).options?.headers
    expect(given?.filter(([name]) => /content-type/i.test(name))).toEqual([['content-type', 'text/x']])
  })

  test('-d makes a form of it, -G puts it into the link', () => {
    expect(only('curl -d a=1 https://a.example/f').options?.headers).toEqual([
      ['Content-Type', 'application/x-www-form-urlencoded'],
    ])
    const got = only('curl -G -d a=1 -d b=2 "https://a.example/f?z=0#x"')
    expect(got.url).toBe('https://a.example/f?z=0&a=1&b=2#x')
    expect(got.options?.method).toBeUndefined()
    expect(got.options?.body).toBeUndefined()
  })

  test('bytes that are no text go as bytes', () => {
    const items = parseCurl('curl --data-binary @f https://a.example/f', () => Uint8Array.of(0xff, 0x00))
    expect(items[0]!.options?.body).toEqual({ base64: '/wA=' })
  })

  test('several links share the flags; -o names one file, without its folder', () => {
    const items = parseCurl('curl -u me:pw https://a.example/1 --url b.example/2')
    expect(items.map(({ url, options }) => [url, options?.user])).toEqual([
      ['https://a.example/1', 'me'],
      ['http://b.example/2', 'me'],
    ])
    expect(only('curl -o some/folder/name.zip https://a.example/1').filename).toBe('name.zip')
  })

  test('a client certificate comes from its files', () => {
    const cert = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----'
    const key = '-----BEGIN ENCRYPTED PRIVATE KEY-----\ny\n-----END ENCRYPTED PRIVATE KEY-----'
    const files = { 'c.pem': cert, 'k.pem': key, 'both.pem': `${cert}\n${key}`, 'c.p12': 'binary' }
    const options = (flags: string) => only(`curl ${flags} https://a.example/f`, files).options?.clientCertificate
    expect(options('--cert c.pem:pw --key k.pem')).toEqual({ certPem: cert, keyPem: key, passphrase: 'pw' })
    expect(options('-E both.pem')).toMatchObject({ keyPem: files['both.pem'] })
    expect(options('--cert c.p12 --pass pw')).toEqual({ pfxBase64: 'YmluYXJ5', passphrase: 'pw' })
    expect(splitCertificateFlag('C:\\keys\\c.pem:a:b')).toEqual({ path: 'C:\\keys\\c.pem', passphrase: 'a:b' })
    expect(() => clientCertificateOf(Buffer.from(cert), null, undefined)).toThrow(/private key/)
  })
})

describe('what cannot be done is named', () => {
  test.each([
    ['curl -k https://a.example/', /-k: certificates are always checked/],
    ['curl --insecure https://a.example/', /certificates are always checked/],
    ['curl -F file=@x --foo -Z https://a.example/', /-F, --foo, -Z, which/],
    ['curl -X DELETE https://a.example/', /-X DELETE/],
    ['curl -I https://a.example/', /-I/],
    ['curl https://a.example/ | jq .', /goes on with \|/],
    ['curl https://a.example/ > f', /goes on with >/],
    ["curl 'https://a.example/", /quotation mark/],
    ['curl -s', /no URL/],
    ['wget https://a.example/', /begin with curl/],
    ['curl ftp://a.example/f', /begin with https/],
    ['curl -o x https://a.example/1 https://a.example/2', /several URLs/],
    ['curl -o - https://a.example/1', /get -o -/],
    ['curl https://a.example/[1-3]', /--globoff/],
    ['curl -C 100 https://a.example/f', /-C with a position/],
    ['curl -d a --json b https://a.example/f', /--json and -d/],
    ['curl --key k https://a.example/f', /--key without/],
    ['curl -H', /-H without its value/],
    ['curl -H nonsense https://a.example/f', /is no header/],
    ['curl --data-binary @secret https://a.example/f', /reads the file “secret”/],
    ['curl -b jar https://a.example/f', /reads the file “jar”/],
  ])('%s', (command, sentence) => {
    expect(() => parseCurl(command)).toThrow(
      expect.objectContaining({ code: 'invalid_input', message: expect.stringMatching(sentence) }),
    )
  })

  test('patterns that stand for themselves, and IPv6 addresses, are none', () => {
    expect(only('curl -g "https://a.example/[1-3]"').url).toBe('https://a.example/[1-3]')
    expect(only('curl "http://[::1]:8080/f"').url).toBe('http://[::1]:8080/f')
  })
})

test.each([
  ['words', 'a '.repeat(500_000)],
  ['quoted parts', "$'a'".repeat(400_000)],
])('a command of very many %s is refused, rather than read for minutes', (_what, rest) => {
  expect(() => parseCurl(`curl http://a.test ${rest}`)).toThrow(/too many parts|more than 10000 words/)
})

test('a command that sends much to each of very many URLs is refused: no message could carry its downloads', () => {
  const body = 'x'.repeat(100_000)
  expect(() => parseCurl(`curl ${'http://a.test '.repeat(1_000)} -d ${body}`)).toThrow(/too much for 1000 URLs/)
  expect(parseCurl(`curl ${'http://a.test '.repeat(100)} -d ${body}`)).toHaveLength(100)
})
