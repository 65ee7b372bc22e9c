/** The pure parts of the HTTP layer: error mapping, proxies from the environment, cookie files, headers of a hop. */
import { errors } from 'undici'
import { describe, expect, test } from 'vitest'
import { createTaskCookies, parseNetscapeCookies } from '../../electron/engine/http/cookies.ts'
import {
  basic,
  headersFor,
  loginFor,
  splitCredentials,
  withoutCredentials,
} from '../../electron/engine/http/credentials.ts'
import { statusError, toNetworkError, toProxiedError } from '../../electron/engine/http/errors.ts'
import { maskProxy, parsePacResult, parseProxy, proxyFor } from '../../electron/engine/http/proxies.ts'
import { NighthaulError } from '../../shared/errors.ts'

const coded = (code: string, message = code) => Object.assign(new Error(message), { code })
const URL_TEXT = 'https://files.example:8443/a?token=secret'

describe('network errors', () => {
  test.each([
    [coded('ENOTFOUND'), 'dns_not_found'],
    [coded('EAI_AGAIN'), 'dns_not_found'],
    [coded('ECONNREFUSED'), 'connect_refused'],
    [new errors.ConnectTimeoutError(), 'connect_timeout'],
    [coded('ETIMEDOUT'), 'connect_timeout'],
    [coded('ENETUNREACH'), 'network_unreachable'],
    [coded('EHOSTUNREACH'), 'network_unreachable'],
    [new errors.HeadersTimeoutError(), 'headers_timeout'],
    [new errors.BodyTimeoutError(), 'stalled'],
    [coded('ECONNRESET'), 'connection_reset'],
    [coded('EPIPE'), 'connection_reset'],
    [new errors.SocketError('other side closed'), 'connection_closed'],
    [new errors.SocketError('bad response'), 'protocol_error'],
    [new errors.ResponseContentLengthMismatchError(), 'connection_closed'],
    [coded('HPE_INVALID_EOF_STATE'), 'connection_closed'],
    [coded('HPE_INVALID_CONSTANT'), 'protocol_error'],
    [new errors.HeadersOverflowError(), 'protocol_error'],
    [coded('EMFILE'), 'too_many_open_files'],
    [new errors.ClientDestroyedError(), 'interrupted'],
    [coded('UND_ERR_SOCKS5_AUTH_REJECTED'), 'proxy_failed'],
    [new errors.RequestAbortedError('Proxy response (403) !== 200 when HTTP Tunneling'), 'proxy_failed'],
    [coded('SOMETHING_NEW'), 'protocol_error'],
    ['thrown text', 'protocol_error'],
    [new TypeError('a mistake of ours'), 'internal'],
    [new AggregateError([coded('ENETUNREACH'), coded('ECONNREFUSED')]), 'connect_refused'],
    [new AggregateError([coded('ENETUNREACH'), coded('EHOSTUNREACH')]), 'network_unreachable'],
  ])('%s is %s', (error, code) => {
    const mapped = toNetworkError(error, URL_TEXT)
    expect(mapped.code).toBe(code)
    expect(mapped.message).toMatch(/is kept/)
    expect(mapped.message).not.toMatch(/secret/)
    expect(mapped.cause).toBe(error)
  })

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', true],
    ['CERT_HAS_EXPIRED', true],
    ['ERR_TLS_CERT_ALTNAME_INVALID', true],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', true],
    ['ERR_SSL_WRONG_VERSION_NUMBER', false],
    ['EPROTO', false],
  ])('%s is tls_failed, about the certificate: %s', (code, certificate) =>
    expect(toNetworkError(coded(code), URL_TEXT)).toMatchObject({
      code: 'tls_failed',
      params: { host: 'files.example:8443', certificate },
    }),
  )

  test('names the host, and leaves our own errors alone', () => {
    expect(toNetworkError(coded('ECONNREFUSED'), URL_TEXT).message).toContain('files.example:8443')
    const ours = new NighthaulError('disk_full', 'The disk is full.')
    expect(toNetworkError(ours, URL_TEXT)).toBe(ours)
  })

  test('what keeps a proxy from being reached is the proxy’s trouble; what comes after is not', () => {
    expect(toProxiedError(coded('ECONNREFUSED'), URL_TEXT, 'proxy:3128')).toMatchObject({
      code: 'proxy_failed',
      params: { host: 'proxy:3128' },
    })
    expect(toProxiedError(new errors.BodyTimeoutError(), URL_TEXT, 'proxy:3128').code).toBe('stalled')
  })
})

test.each([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [410, 'gone'],
  [429, 'too_many_requests'],
  [500, 'server_error'],
  [503, 'server_error'],
  [418, 'http_status'],
  [304, 'http_status'],
] as const)('status %i is %s', (status, code) =>
  expect(statusError(status, URL_TEXT, { redirected: true })).toMatchObject({
    code,
    params: { status, host: 'files.example:8443', redirected: true },
  }),
)

describe('which proxy', () => {
  const env = {
    http_proxy: 'http://env:1',
    HTTPS_PROXY: 'http://secure:2',
    NO_PROXY: 'a.test, .b.test,10.0.0.0/8 [::1]:80,c.test:81',
  }
  const host = (url: string, chosen?: string, from: Record<string, string> = env) =>
    proxyFor(new URL(url), chosen, from)?.host ?? null

  test.each([
    ['http://x.test/', 'env:1'],
    ['https://x.test/', 'secure:2'],
    ['http://127.0.0.1/', 'env:1'],
    ['http://a.test/', null],
    ['http://sub.a.test/', null],
    ['http://nota.test/', 'env:1'],
    ['http://b.test/', null],
    ['http://x.b.test/', null],
    ['http://10.1.2.3/', null],
    ['http://11.1.2.3/', 'env:1'],
    ['http://[::1]/', null],
    ['http://[::1]:81/', 'env:1'],
    ['http://c.test/', 'env:1'],
    ['http://c.test:81/', null],
  ])('%s goes through %s', (url, proxy) => expect(host(url)).toBe(proxy))

  test('the chosen one wins for every host, and an empty choice means none', () => {
    expect(host('http://a.test/', 'socks5://s:1080')).toBe('s:1080')
    expect(host('http://x.test/', '')).toBeNull()
    expect(host('http://x.test/', undefined, { ALL_PROXY: 'socks5://all:1' })).toBe('all:1')
    expect(host('http://x.test/', undefined, { http_proxy: 'http://env:1', no_proxy: '*' })).toBeNull()
    expect(host('http://x.test/', undefined, {})).toBeNull()
  })

  test('addresses are understood as curl writes them, others refused without naming secrets', () => {
    expect(parseProxy('proxy.test:3128').href).toBe('http://proxy.test:3128/')
    expect(parseProxy('socks5h://u:p@s:1').href).toMatch(/^socks5:\/\/u:p@s:1/)
    expect(parseProxy('socks://s:1').protocol).toBe('socks5:')
    for (const bad of ['ftp://u:secret@p:1', 'http://', 'socks4://u:secret@x', 'http://u%zz:secret@p'])
      expect(() => parseProxy(bad)).toThrow(
        expect.objectContaining({ code: 'invalid_input', message: expect.not.stringContaining('secret') }),
      )
  })
})

describe('what a PAC script answers', () => {
  test.each([
    ['DIRECT', [null]],
    ['', [null]],
    ['PROXY a.test:1', ['http://a.test:1/']],
    ['proxy a.test:1;  DIRECT ;', ['http://a.test:1/', null]],
    ['HTTPS a.test:1; SOCKS5 [::1]:2; SOCKS c.test:3', ['https://a.test:1/', 'socks5://[::1]:2', 'socks5://c.test:3']],
    ['QUIC a.test:1; PROXY b.test:2', ['http://b.test:2/']],
  ])('%s', (text, expected) => expect(parsePacResult(text).map((url) => url?.href ?? null)).toEqual(expected))

  test.each(['QUIC a.test:1', 'PROXY', 'nonsense'])('%s is of no use, and says so', (text) =>
    expect(() => parsePacResult(text)).toThrow(expect.objectContaining({ code: 'proxy_failed' })),
  )

  test('a proxy is shown without its user and password', () =>
    expect(maskProxy('socks5://me:p@ss@p.test:1')).toBe('socks5://…@p.test:1'))
})

describe('cookie files', () => {
  const FILE = [
    '# Netscape HTTP Cookie File',
    '',
    '.example.com\tTRUE\t/\tFALSE\t0\tall\t1',
    'example.com\tFALSE\t/\tFALSE\t4102444800\thostonly\t2',
    '#HttpOnly_example.com\tFALSE\t/\tTRUE\t0\tsecure\t3',
    'example.com\tFALSE\t/deep\tFALSE\t0\tdeep\t4',
    'example.com\tFALSE\t/\tFALSE\t1000\texpired\t5',
    '.com\tTRUE\t/\tFALSE\t0\teverywhere\t6',
    'localhost\tFALSE\t/\tFALSE\t0\tlocal\t7',
  ].join('\r\n')
  const sent = async (url: string) =>
    ((await createTaskCookies(FILE).header(new URL(url))) ?? '').split('; ').sort().join(' ')

  test.each([
    ['https://example.com/', 'all=1 hostonly=2 secure=3'],
    ['http://example.com/', 'all=1 hostonly=2'],
    ['http://example.com/deep/file', 'all=1 deep=4 hostonly=2'],
    ['https://sub.example.com/', 'all=1'],
    ['https://notexample.com/', ''],
    ['https://example.com.evil.test/', ''],
    ['https://other.com/', ''],
    ['http://localhost:8080/', 'local=7'],
  ])('%s is sent: %s', async (url, cookies) => expect(await sent(url)).toBe(cookies))

  test('reads every field', () => {
    expect(parseNetscapeCookies('#HttpOnly_.a.test\ttrue\t/p\tFALSE\t12.5\tn\tv=w')).toEqual([
      {
        domain: 'a.test',
        includeSubdomains: true,
        path: '/p',
        secure: false,
        httpOnly: true,
        expires: 12,
        name: 'n',
        value: 'v=w',
      },
    ])
    expect(parseNetscapeCookies('a.test\tFALSE\t/\tFALSE\t0\tempty')[0]?.value).toBe('')
  })

  test.each([
    ['not tabs', 'a.test FALSE / FALSE 0 n secret'],
    ['a header instead', 'Cookie: n=secret'],
    ['too few fields', 'a.test\tFALSE\t/\tFALSE'],
    ['no boolean', 'a.test\tYES\t/\tFALSE\t0\tn\tsecret'],
    ['a relative path', 'a.test\tFALSE\tp\tFALSE\t0\tn\tsecret'],
    ['a line break smuggled in', 'a.test\tFALSE\t/\tFALSE\t0\tn\tsecret\x0bx'],
  ])('refuses %s, naming the line and not the value', (_what, line) =>
    expect(() => parseNetscapeCookies(`# comment\n${line}`)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        params: { line: 2 },
        message: expect.not.stringContaining('secret'),
      }),
    ),
  )

  test('a line for what can be no host is left alone, and a date beyond all dates is the last one', async () => {
    const lines = [
      'HttpOnly_127.0.0.1\tTRUE\t/\tFALSE\t0\tx\ty',
      `a.test\tFALSE\t/\tFALSE\t${'9'.repeat(400)}\tlasting\t1`,
    ]
    const cookies = createTaskCookies(lines.join('\n'))
    expect(await cookies.header(new URL('https://a.test/'))).toBe('lasting=1')
    expect(parseNetscapeCookies(lines[1]!)[0]!.expires).toBe(8.64e12)
  })

  test('of what a server sets without end the latest are kept, and none that is longer than cookies are', async () => {
    const at = new URL('https://a.test/')
    const cookies = createTaskCookies('a.test\tFALSE\t/\tFALSE\t0\tgiven\tby-the-user')
    for (let n = 0; n < 1000; n++) await cookies.learn(at, [`n${n}=1; Path=/`, `long=${'x'.repeat(5000)}`])
    const sent = (await cookies.header(at))!.split('; ')
    expect(sent.length).toBe(181)
    expect(sent).toContain('given=by-the-user')
    expect(sent).toContain('n999=1')
  })

  test('a server may set cookies for itself alone', async () => {
    const cookies = createTaskCookies(undefined)
    await cookies.learn(new URL('https://a.example.com/x'), [
      'own=1; Path=/',
      'up=2; Domain=example.com; Path=/',
      'no=3; Domain=other.com',
    ])
    expect(await cookies.header(new URL('https://a.example.com/'))).toBe('own=1; up=2')
    expect(await cookies.header(new URL('https://b.example.com/'))).toBe('up=2')
    expect(await cookies.header(new URL('https://other.com/'))).toBeNull()
  })
})

describe('headers of a hop', () => {
  const start = new URL('https://home.test/')
  const options = {
    user: 'ü',
    password: 'p:w',
    headers: [
      ['X-Api-Key', 'secret'],
      ['Cookie', 'c=1'],
      ['Referer', 'https://page.test/'],
      ['Accept-Encoding', 'gzip'],
      ['Range', 'bytes=0-0'],
      ['Connection', 'close'],
      ['X-Two', 'a'],
      ['x-two', 'b'],
      ['X-Wide', '文'],
    ] as [string, string][],
  }
  const hop = (text: string, cookie: string | null = null) => {
    const url = new URL(text)
    const netrc = [{ host: null, user: 'any', password: 'secret' }]
    const login = loginFor({ url, start, options, embedded: null, rule: null, netrc })
    return headersFor({
      url,
      start,
      options,
      authorization: login && basic(login.user, login.password),
      cookie,
      rules: { userAgent: 'ours', headers: [], login: null, proxy: undefined },
      hasBody: false,
      range: { range: 'bytes=5-' },
    })
  }

  test('at home everything goes along, but what the engine owns', () => {
    expect(hop('https://home.test/x', 'jar=2')).toEqual({
      accept: '*/*',
      'accept-encoding': 'identity',
      authorization: `Basic ${Buffer.from('ü:p:w').toString('base64')}`,
      cookie: 'c=1; jar=2',
      range: 'bytes=5-',
      referer: 'https://page.test/',
      'user-agent': 'ours',
      'x-api-key': 'secret',
      'x-two': ['a', 'b'],
      'x-wide': Buffer.from('文').toString('latin1'),
    })
  })

  test.each(['https://other.test/', 'http://home.test/', 'https://home.test:444/', 'https://sub.home.test/'])(
    'to %s goes nothing that may be secret',
    (url) =>
      expect(hop(url)).toEqual({
        accept: '*/*',
        'accept-encoding': 'identity',
        range: 'bytes=5-',
        referer: 'https://page.test/',
        'user-agent': 'ours',
      }),
  )

  test.each([
    ['https://b.s3.eu-west-1.amazonaws.com/f', true],
    ['https://s3.amazonaws.com/b/f', true],
    ['https://b.s3.amazonaws.com/f?X-Amz-SignedHeaders=host%3Bx-amz-checksum-mode&X-Amz-Signature=1', true],
    ['https://storage.test/f?x-amz-signedheaders=host;x-amz-checksum-mode', true],
    ['https://b.s3.amazonaws.com/f?X-Amz-SignedHeaders=host&X-Amz-Signature=1', false],
    ['https://b.s3.amazonaws.com/f?AWSAccessKeyId=A&Signature=1', false],
    ['https://s3.amazonaws.com.test/b/f', false],
    ['https://ec2.amazonaws.com/', false],
  ])('%s is asked for a checksum where no signature breaks: %s', (url, asked) => {
    const sent = hop(url)['x-amz-checksum-mode']
    expect(sent).toBe(asked ? 'ENABLED' : undefined)
  })

  test('nothing is added to a request to an object store that somebody signed by hand', () => {
    const url = new URL('https://b.s3.amazonaws.com/f')
    const rules = { userAgent: 'ours', headers: [], login: null, proxy: undefined }
    const request = { url, start: url, cookie: null, rules, hasBody: false, range: {} }
    const signed = { headers: [['Authorization', 'AWS4-HMAC-SHA256 Credential=A']] as [string, string][] }
    expect(headersFor({ ...request, options: signed, authorization: null })).not.toHaveProperty('x-amz-checksum-mode')
    expect(headersFor({ ...request, options: {}, authorization: 'Basic QQ==' })).not.toHaveProperty(
      'x-amz-checksum-mode',
    )
  })

  test('user and password leave the URL', () => {
    const { url, login } = splitCredentials(new URL('https://us%40er:p%25w@h.test/a?b#c'))
    expect(url.href).toBe('https://h.test/a?b')
    expect(login).toEqual({ user: 'us@er', password: 'p%w' })
    expect(withoutCredentials('https://u:p@h.test/a#c')).toBe('https://h.test/a#c')
  })
})
