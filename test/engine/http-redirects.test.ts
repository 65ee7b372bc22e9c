/** Redirects: where they lead, and what of the user's goes along. Two real servers are two origins. */
import { expect, test } from 'vitest'
import { contentBytes } from '../helpers/bytes.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { startClient } from '../helpers/http-client.ts'

const SECRETS = ['authorization', 'cookie', 'x-api-key', 'proxy-authorization']
const secretsIn = (headers: Readonly<Record<string, string>>) => SECRETS.filter((name) => name in headers)

test.each([301, 302, 303, 307, 308])(
  '%i is followed, relative or absolute, with the range asked again',
  async (status) => {
    await using home = await startFaultServer()
    await using other = await startFaultServer()
    await using client = startClient()
    home.fault('/a/start', () => faults.redirect('../b/next?x=1#part', status))
    home.fault('/b/next', () => faults.redirect(other.url('/file'), status))
    other.add('/file', { size: 1000, seed: 1 })
    const steps: string[] = []
    const { reply, body } = await client.read(home.url('/a/start'), {
      headers: { range: 'bytes=10-', 'if-range': '"1-1000"' },
      follow: (from, to) => steps.push(`${from.pathname} ${to.pathname}`),
    })
    expect(body).toEqual(contentBytes(1, 10, 990))
    expect(reply).toMatchObject({ status: 206, redirected: true, finalUrl: other.url('/file') })
    expect(steps).toEqual(['/a/start /b/next', '/b/next /file'])
    expect(home.requests[1]).toMatchObject({
      path: '/b/next?x=1',
      headers: { range: 'bytes=10-', 'if-range': '"1-1000"' },
    })
    // the short body of the first redirect was read, so its connection served the second
    expect(home.connections.total).toBe(1)
  },
)

test('credentials stay at the origin they were given for', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  home.fault('/start', () => faults.redirect('/next'))
  home.fault('/next', () => faults.redirect(other.url('/away')))
  other.fault('/away', () => faults.redirect(home.url('/back')))
  home.add('/back', { size: 10, seed: 1 })
  await client.read(home.url('/start'), {
    options: {
      proxy: '',
      user: 'me',
      password: 'secret',
      headers: [
        ['Cookie', 'session=secret'],
        ['X-Api-Key', 'secret'],
        ['Referer', 'https://page.test/'],
        ['User-Agent', 'mine'],
      ],
    },
  })
  expect(home.requests.map((request) => secretsIn(request.headers))).toEqual(
    Array(3).fill(['authorization', 'cookie', 'x-api-key']),
  )
  expect(secretsIn(other.requests[0]!.headers)).toEqual([])
  expect(JSON.stringify(other.requests[0]!.headers)).not.toContain('secret')
  expect(other.requests[0]!.headers).toMatchObject({ referer: 'https://page.test/', 'user-agent': 'mine' })
})

test('user and password in a link are sent as Basic, to its origin alone, and appear in no URL', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  home.fault('/start', () => faults.redirect('/next'))
  home.fault('/next', () => faults.redirect(other.url('/file')))
  other.add('/file', { size: 10, seed: 1 })
  const link = home.url('/start').replace('//', '//me:sec%20ret@')
  const { reply } = await client.read(link)
  const basic = `Basic ${Buffer.from('me:sec ret').toString('base64')}`
  expect(home.requests.map((request) => request.headers.authorization)).toEqual([basic, basic])
  expect(other.requests[0]!.headers.authorization).toBeUndefined()
  expect(reply.finalUrl).toBe(other.url('/file'))

  other.fault('/file', () => faults.closeImmediately())
  const failure = await client.request(link).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'connection_closed' })
  expect(`${failure} ${JSON.stringify(failure)}`).not.toContain('ret')
})

test('from https to http goes without credentials and without cookies', async () => {
  await using secure = await startFaultServer({ tls: true })
  await using plain = await startFaultServer()
  await using client = startClient()
  const target = `http://localhost:${plain.port}/file`
  secure.fault('/start', () => [
    faults.redirect(target),
    faults.withHeaders({ 'set-cookie': 'learned=secret; Path=/' }),
  ])
  plain.add('/file', { size: 10, seed: 1 })
  await client.read(secure.url('/start'), {
    options: {
      proxy: '',
      caPem: secure.caPem,
      user: 'me',
      password: 'secret',
      headers: [['X-Api-Key', 'secret']],
      cookies: 'localhost\tFALSE\t/\tFALSE\t0\tsession\tsecret',
    },
  })
  expect(secretsIn(secure.requests[0]!.headers)).toEqual(['authorization', 'cookie', 'x-api-key'])
  expect(secretsIn(plain.requests[0]!.headers)).toEqual([])
})

test('cookies set on the way are sent where they belong, and remembered for the task', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  const localhost = `http://localhost:${other.port}/file`
  home.fault('/start', (request) =>
    request.headers.cookie
      ? faults.redirect(localhost)
      : [faults.redirect('/start'), faults.withHeaders({ 'set-cookie': 'pass=1; Path=/; HttpOnly' })],
  )
  other.add('/file', { size: 10, seed: 1 })
  const options = { proxy: '', cookies: '127.0.0.1\tFALSE\t/\tFALSE\t0\tgiven\t2' }
  // without cookies given, the server's own makes the difference between a circle and a way through
  const { reply } = await client.read(home.url('/start'), { options: { proxy: '' } })
  expect(reply.finalUrl).toBe(localhost)
  expect(home.requests.map((request) => request.headers.cookie)).toEqual([undefined, 'pass=1'])
  expect(other.requests[0]!.headers.cookie).toBeUndefined()

  home.fault('/start', () => faults.withHeaders({ 'set-cookie': 'pass=2; Path=/' }))
  await client.read(home.url('/start'), { options })
  await client.read(home.url('/start'), { options })
  await client.read(home.url('/start'), { options: { proxy: '' } })
  expect(home.requests.slice(2).map((request) => request.headers.cookie)).toEqual([
    'given=2',
    'given=2; pass=2',
    undefined,
  ])
})

test.each([
  ['to itself', () => faults.redirectLoop(), 'too_many_redirects', 1],
  ['for ever', () => faults.redirectForever(), 'too_many_redirects', 21],
  ['nowhere', () => faults.status(302), 'redirect_invalid', 1],
  ['to no URL', () => faults.redirect('http://[bad'), 'redirect_invalid', 1],
  ['to a file of this computer', () => faults.redirect('file:///etc/passwd'), 'redirect_invalid', 1],
  ['to a script', () => faults.redirect('javascript:alert(1)'), 'redirect_invalid', 1],
] as const)('a redirect %s is refused', async (_where, fault, code, requests) => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.fault('/f', fault)
  await expect(client.request(server.url('/f'))).rejects.toMatchObject({ code })
  expect(server.requests).toHaveLength(requests)
})

test('a Location in raw UTF-8 leads where it says', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.fault('/f', () => faults.redirect(Buffer.from('/naïve').toString('latin1')))
  expect((await client.request(server.url('/f'))).finalUrl).toBe(server.url('/na%C3%AFve'))
})

test('a redirect with an endless body is not read', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/start', { size: 1024 ** 3, seed: 1 })
  server.add('/file', { size: 10, seed: 2 })
  server.fault('/start', () => [
    faults.noLength(),
    (reply) => {
      reply.status = 302
      reply.headers.location = '/file'
    },
  ])
  expect((await client.read(server.url('/start'))).body).toEqual(contentBytes(2, 0, 10))
  await server.until(() => server.requests[0]!.finished)
  expect(server.requests[0]!.bytesSent).toBeLessThan(64 * 1024 * 1024)
})

test('whoever watches may refuse a step', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.fault('/f', () => faults.redirect('/next'))
  const refused = new Error('not there')
  const follow = () => {
    throw refused
  }
  await expect(client.request(server.url('/f'), { follow })).rejects.toBe(refused)
  expect(server.requests).toHaveLength(1)
})
