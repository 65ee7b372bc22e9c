/** Logins, tokens and challenges on the wire: what is sent, when, and to whom never. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { TaskOptions } from '../../shared/schemas.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { type FaultScript, faults, startFaultServer } from '../helpers/fault-server.ts'
import { startClient } from '../helpers/http-client.ts'

const BODY = contentBytes(1, 0, 1000)
const me = { proxy: '', user: 'me', password: 'geheim' }
const basic = `Basic ${Buffer.from('me:geheim').toString('base64')}`

const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const fields = (header: string) =>
  Object.fromEntries([...header.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)].map((m) => [m[1], m[2] ?? m[3]]))

/** A server's side of Digest: `nonce` is the one that is good now. Answers what is wrong, null for nothing. */
function digestServer(nonce: () => string): FaultScript {
  return (request) => {
    const { authorization = '' } = request.headers
    const challenge = `Digest realm="r", qop="auth", algorithm=MD5, nonce="${nonce()}", opaque="o"`
    const refuse = (stale = false) => [
      faults.status(401),
      faults.withHeaders({ 'www-authenticate': `Basic realm="r", ${challenge}${stale ? ', stale=true' : ''}` }),
    ]
    if (!authorization.startsWith('Digest ')) return refuse()
    const f = fields(authorization)
    const proof = md5(
      [md5('me:r:geheim'), f.nonce, f.nc, f.cnonce, f.qop, md5(`${request.method}:${request.path}`)].join(':'),
    )
    if (f.response !== proof || f.uri !== request.path || f.opaque !== 'o') return refuse()
    return f.nonce === nonce() ? null : refuse(true)
  }
}

test('a Digest challenge is answered, later requests of the task bring the proof along and count on', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/f', { size: 1000, seed: 1 })
  server.fault(
    '/f',
    digestServer(() => 'n1'),
  )
  const options: TaskOptions = { ...me, auth: 'digest' }
  for (const query of ['', '?a=1'])
    expect((await client.read(server.url(`/f${query}`), { options })).body).toEqual(BODY)
  expect(server.requests.map(({ status }) => status)).toEqual([401, 200, 200])
  const [first, second, third] = server.requests.map(({ headers }) => headers.authorization ?? '')
  expect(first).toBe('')
  expect(second).not.toContain('geheim')
  expect([fields(second!).nc, fields(third!).nc]).toEqual(['00000001', '00000002'])
  expect(server.connections.total).toBe(1)
})

test('without being told, the password goes as Basic, and a challenge is answered after that', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.add('/f', { size: 1000, seed: 1 })
  server.fault(
    '/f',
    digestServer(() => 'n1'),
  )
  expect((await client.read(server.url('/f'), { options: me })).body).toEqual(BODY)
  expect(server.requests[0]!.headers.authorization).toBe(basic)
  expect(server.requests[1]!.headers.authorization).toMatch(/^Digest /)
})

test('a nonce that grew old is replaced once, a wrong password is not tried again', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  let nonce = 'old'
  server.add('/f', { size: 1000, seed: 1 })
  server.fault(
    '/f',
    digestServer(() => nonce),
  )
  const options: TaskOptions = { ...me, auth: 'digest' }
  await client.read(server.url('/f'), { options })
  nonce = 'new'
  expect((await client.read(server.url('/f'), { options })).body).toEqual(BODY)
  expect(server.requests.map(({ status }) => status)).toEqual([401, 200, 401, 200])

  const wrong = await client.read(server.url('/f'), { options: { ...options, password: 'wrong' } })
  expect(wrong.reply.status).toBe(401)
  expect(server.requests).toHaveLength(6)
})

test('a server that refuses every answer with a new nonce is not asked for ever', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  server.fault('/f', (_request, index) => [
    faults.status(401),
    faults.withHeaders({ 'www-authenticate': `Digest realm="r", nonce="${index}", stale=true` }),
  ])
  const { reply } = await client.read(server.url('/f'), { options: me })
  expect(reply.status).toBe(401)
  expect(server.requests).toHaveLength(3)
})

test('a challenge of another site is not answered with the login of this one', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  home.fault('/start', () => faults.redirect(other.url('/f')))
  other.fault(
    '/f',
    digestServer(() => 'n1'),
  )
  const options: TaskOptions = { ...me, bearer: 'geheim', auth: 'digest' }
  const { reply } = await client.read(home.url('/start'), { options })
  expect(reply.status).toBe(401)
  expect(other.requests).toHaveLength(1)
  expect(JSON.stringify(other.requests)).not.toContain('geheim')
  expect(other.requests[0]!.headers.authorization).toBeUndefined()
})

test('a token goes to where the user pointed us and nowhere else; an Authorization of their own is sent as it is', async () => {
  await using home = await startFaultServer()
  await using other = await startFaultServer()
  await using client = startClient()
  home.fault('/start', () => faults.redirect(other.url('/f')))
  home.add('/f', { size: 1000, seed: 1 })
  other.add('/f', { size: 1000, seed: 1 })
  const options: TaskOptions = { proxy: '', bearer: 'to.ken' }
  await client.read(home.url('/f'), { options })
  await client.read(home.url('/start'), { options })
  expect(home.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer to.ken', 'Bearer to.ken'])
  expect(other.requests[0]!.headers.authorization).toBeUndefined()

  home.fault(
    '/f',
    digestServer(() => 'n1'),
  )
  const own: TaskOptions = { ...me, headers: [['Authorization', 'Custom 1']] }
  expect((await client.read(home.url('/f'), { options: own })).reply.status).toBe(401)
  expect(home.requests.at(-1)!.headers.authorization).toBe('Custom 1')
  expect(home.requests).toHaveLength(3)
})

test('netrc logins go each to its own host, over redirects too; the default only to where the user pointed us', async () => {
  await using server = await startFaultServer()
  await using client = startClient()
  const elsewhere = `http://localhost:${server.port}`
  server.add('/f', { size: 1000, seed: 1 })
  server.fault('/start', () => faults.redirect(`${elsewhere}/f`))
  const ask = async (netrc: { host: string | null; user: string; password: string }[], options = { proxy: '' }) => {
    const before = server.requests.length
    await client.read(server.url('/start'), { options, netrc })
    return server.requests.slice(before).map(({ headers }) => headers.authorization)
  }
  const login = { user: 'me', password: 'geheim' }
  expect(await ask([{ host: '127.0.0.1', ...login }])).toEqual([basic, undefined])
  expect(await ask([{ host: 'localhost', ...login }])).toEqual([undefined, basic])
  expect(await ask([{ host: null, ...login }])).toEqual([basic, undefined])
  // what is given for the task wins
  const given = `Basic ${Buffer.from('you:other').toString('base64')}`
  expect(
    await ask([{ host: '127.0.0.1', ...login }], { proxy: '', user: 'you', password: 'other' } as TaskOptions & {
      proxy: string
    }),
  ).toEqual([given, undefined])
})

test('netrc logins meant for a secure link do not go in the open', async () => {
  await using secure = await startFaultServer({ tls: true })
  await using plain = await startFaultServer()
  await using client = startClient()
  secure.fault('/start', () => faults.redirect(`http://localhost:${plain.port}/f`))
  plain.add('/f', { size: 1000, seed: 1 })
  const netrc = [{ host: 'localhost', user: 'me', password: 'geheim' }]
  await client.read(secure.url('/start'), { options: { proxy: '', caPem: secure.caPem }, netrc })
  expect(secure.requests[0]!.headers.authorization).toBe(basic)
  expect(plain.requests[0]!.headers.authorization).toBeUndefined()
})
