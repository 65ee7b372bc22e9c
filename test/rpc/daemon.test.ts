/** The headless host over real HTTP: who is let in, what the window is served with, and the contract on /rpc. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { type Daemon, type DaemonOptions, startDaemon } from '../../electron/daemon.ts'
import { isOwnHost, urlOf } from '../../electron/headless/access.ts'
import { resolveWindowPath } from '../../electron/headless/window-files.ts'
import { contract } from '../../shared/contract.ts'
import type { Client } from '../../shared/rpc.ts'
import { createClient } from '../../shared/rpc-client.ts'
import { webSocketDuplex } from '../../shared/websocket-duplex.ts'
import { readExposition } from '../helpers/exposition.ts'
import { createFakeEngine } from '../helpers/fake-engine.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

const SECRET = 'SECRET-BESIDE-THE-WINDOW'
const logger = { debug() {}, info() {}, warn() {}, error() {} }
const engine = createFakeEngine({ tasks: 12 })
let profile: string
let windowFolder: string
let daemon: Daemon

const options = (more: Partial<DaemonOptions> = {}): DaemonOptions => ({
  profile,
  host: '127.0.0.1',
  port: 0,
  windowFolder,
  engine,
  version: '1.2.3',
  logger,
  ...more,
})

beforeAll(async () => {
  profile = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-daemon-')))
  windowFolder = join(profile, 'window')
  mkdirSync(join(windowFolder, 'assets'), { recursive: true })
  writeFileSync(join(windowFolder, 'index.html'), '<!doctype html><title>Nighthaul</title>')
  writeFileSync(join(windowFolder, 'assets/main-Ab3_x-9z.js'), 'export {}')
  writeFileSync(join(profile, 'secret.html'), SECRET)
  symlinkSync(join(profile, 'secret.html'), join(windowFolder, 'link.html'))
  daemon = await startDaemon(options())
})
afterAll(async () => {
  await daemon.close()
  rmSync(profile, { recursive: true, force: true })
})

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${daemon.token}` })
const own = (): string => `127.0.0.1:${daemon.port}`

describe('the token', () => {
  test('is random, kept in the profile for its user alone, and the same after a restart', async () => {
    expect(daemon.token).toMatch(/^[\w-]{43}$/)
    const path = join(profile, 'token')
    expect(readFileSync(path, 'utf8').trim()).toBe(daemon.token)
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
    const next = await startDaemon(options())
    expect(next.token).toBe(daemon.token)
    expect(next.port).not.toBe(daemon.port)
    await next.close()
  })

  test.each(['/', '/index.html', '/assets/main-Ab3_x-9z.js', '/nothing', '/rpc', '/jsonrpc', '/metrics'])(
    'is needed for %s',
    async (path) => {
      const answers = await Promise.all([
        ask(path),
        ask(path, { authorization: 'Bearer wrong' }),
        ask(path, { authorization: daemon.token }),
        ask(path, { authorization: 'Bearer ' }),
        ask(path, { cookie: `nighthaul_${daemon.port}=${daemon.token}` }),
        ask(path, { cookie: `nighthaul_${daemon.port}=` }),
        ask(`${path}?token=`),
        ask(`${path}?token=${daemon.token}x`),
      ])
      for (const answer of answers) {
        expect(answer.status).toBe(401)
        expect(answer.body).toContain('nighthaul serve')
        expect(answer.body).not.toContain(daemon.token)
        expect(answer.headers['set-cookie']).toBe(undefined)
      }
    },
  )

  test('in the address becomes a cookie, which then opens the window', async () => {
    const first = await ask(`/?token=${encodeURIComponent(daemon.token)}&view=queue`)
    expect(first.status).toBe(303)
    expect(first.headers.location).toBe(`http://${own()}/?view=queue`)
    const [cookie = ''] = first.headers['set-cookie'] ?? []
    expect(cookie).toMatch(/; HttpOnly(;|$)/)
    expect(cookie).toMatch(/; SameSite=Strict(;|$)/)
    expect(cookie).not.toContain(daemon.token)
    const page = await ask('/', { cookie: `other=1; ${cookie.split(';')[0]}` })
    expect(page.status).toBe(200)
    expect(page.body).toContain('<title>Nighthaul</title>')
  })

  test('in the address never leads to another site', async () => {
    for (const path of ['//evil.example/', '/\\evil.example/', '///evil.example', 'http://evil.example/']) {
      const { headers } = await ask(`${path}?token=${daemon.token}`)
      expect(new URL(headers.location ?? '').host).toBe(own())
    }
  })

  test('may be chosen, but not one that no header carries', async () => {
    const chosen = await startDaemon(options({ token: 'my+token/=' }))
    const url = new URL(`http://x/?token=${encodeURIComponent(chosen.token)}`)
    expect((await ask(url.pathname + url.search, {}, { port: chosen.port })).status).toBe(303)
    await chosen.close()
    for (const token of ['', 'a b', 'é']) {
      await expect(startDaemon(options({ token }))).rejects.toMatchObject({ code: 'usage' })
    }
    expect(readFileSync(join(profile, 'token'), 'utf8').trim()).toBe(daemon.token)
  })

  test('is not needed to see that the host is well, which tells nothing else', async () => {
    const answer = await ask('/healthz')
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toEqual({ status: 'ok' })
  })
})

describe('a foreign name', () => {
  test.each([
    ['evil.example', 1],
    ['evil.example', 0],
    ['127.0.0.1.evil.example', 0],
    ['localhost', 1],
    ['127.0.0.1', null],
    ['user@127.0.0.1', 0],
    ['192.168.0.1', 0],
  ])('in Host is refused: “%s”, port off by %s', async (name, off) => {
    const host = off === null ? name : `${name}:${daemon.port + off}`
    for (const path of ['/', '/healthz']) expect((await ask(path, { ...bearer(), host })).status).toBe(403)
    expect(await upgrade('/rpc', { ...bearer(), host })).toBe(403)
  })

  test.each(['localhost', '127.0.0.1', '127.0.0.2', '[::1]', 'LOCALHOST'])('in Host is not %s', async (name) => {
    expect((await ask('/', { ...bearer(), host: `${name}:${daemon.port}` })).status).toBe(200)
  })

  test('is decided by where the host listens', () => {
    const port = 80
    expect(isOwnHost('192.168.0.7', { host: '0.0.0.0', port })).toBe(true)
    expect(isOwnHost('[fd00::7]:80', { host: '::', port })).toBe(true)
    expect(isOwnHost('evil.example', { host: '0.0.0.0', port })).toBe(false)
    expect(isOwnHost('nas.local', { host: 'nas.local', port })).toBe(true)
    expect(isOwnHost('192.168.0.7', { host: 'nas.local', port })).toBe(false)
    for (const none of [undefined, '']) expect(isOwnHost(none, { host: '127.0.0.1', port })).toBe(false)
    expect(urlOf({ host: '::', port })).toBe('http://[::1]:80')
  })

  test('in Origin is refused on a WebSocket and on anything that is no GET', async () => {
    for (const origin of ['http://evil.example', 'null', `https://${own()}`, `http://127.0.0.1:${daemon.port + 1}`]) {
      expect(await upgrade('/rpc', { ...bearer(), origin })).toBe(403)
      expect((await ask('/', { ...bearer(), origin }, { method: 'POST' })).status).toBe(403)
      expect((await ask('/', { ...bearer(), origin })).status).toBe(200)
    }
    expect((await ask('/', { ...bearer(), origin: `http://${own()}` }, { method: 'POST' })).status).toBe(405)
  })
})

describe('the window', () => {
  test('comes with a policy that allows its own files and its own socket only', async () => {
    const { headers } = await ask('/', bearer())
    const policy = String(headers['content-security-policy'])
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        `connect-src 'self' ws://${own()}`,
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
      ]),
    )
    expect(policy).not.toContain('unsafe')
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
    for (const refused of [await ask('/'), await ask('/nothing', bearer())]) {
      expect(refused.headers['content-security-policy']).toContain("default-src 'none'")
    }
  })

  test('is asked for again only when it changed; files named by their content never', async () => {
    const page = await ask('/', bearer())
    expect(page.headers['cache-control']).toBe('no-cache')
    const again = await ask('/', { ...bearer(), 'if-none-match': `"x", W/${page.headers.etag}` })
    expect(again).toMatchObject({ status: 304, body: '' })
    const script = await ask('/assets/main-Ab3_x-9z.js', bearer())
    expect(script.headers['cache-control']).toContain('immutable')
    expect(script.headers['content-type']).toContain('text/javascript')
    const head = await ask('/', bearer(), { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(head.headers['content-length']).toBe(page.headers['content-length'])
  })

  test.each([
    '/../secret.html',
    '/..%2fsecret.html',
    '/%2e%2e/secret.html',
    '/%2e%2e%2fsecret.html',
    '/..%5csecret.html',
    '/..\\secret.html',
    '/assets/../../secret.html',
    '/assets/..%2f..%2fsecret.html',
    '/%252e%252e%252fsecret.html',
    '/./index.html',
    '//../secret.html',
    '/link.html',
    '/index.html%00',
    '/%',
    '/assets',
    '/assets/',
    '/C:/secret.html',
    '/nothing.html',
  ])('has nothing at %s', async (path) => {
    const answer = await ask(path, bearer())
    expect(answer.status).toBe(404)
    expect(answer.body).not.toContain(SECRET)
  })

  test('resolves paths below its folder only', () => {
    expect(resolveWindowPath('/w', '/')).toBe(join('/w', 'index.html'))
    expect(resolveWindowPath('/w', '/a/b.js')).toBe(join('/w', 'a', 'b.js'))
    for (const path of ['', 'index.html', '/a.exe', '/..', '/a//b.js', '/a:b.js']) {
      expect(resolveWindowPath('/w', path)).toBe(null)
    }
  })

  test('that is not built says how to build it', async () => {
    const unbuilt = await startDaemon(options({ windowFolder: join(profile, 'none') }))
    const answer = await ask('/', bearer(), { port: unbuilt.port })
    expect(answer.status).toBe(503)
    expect(answer.body).toContain('npm run build')
    await unbuilt.close()
  })
})

describe('/metrics', () => {
  test('is Prometheus text for whoever has the token, in a header or in the address', async () => {
    for (const answer of [await ask('/metrics', bearer()), await ask(`/metrics?token=${daemon.token}`)]) {
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(answer.headers['cache-control']).toBe('no-store')
      expect(answer.headers['set-cookie']).toBe(undefined)
      const families = readExposition(answer.body)
      expect(families.get('nighthaul_tasks')!.samples.reduce((sum, { value }) => sum + value, 0)).toBe(12)
      expect(families.get('nighthaul_requests_total')!.samples[0]!.value).toBeGreaterThan(0)
      expect(answer.body).not.toContain(daemon.token)
    }
  })
})

describe('the contract on /rpc', () => {
  test('is served to many clients, by token in header, address or cookie', async () => {
    const cookie = (await ask(`/?token=${daemon.token}`)).headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    const clients = await Promise.all([
      connect('/rpc', bearer()),
      connect(`/rpc?token=${daemon.token}`),
      connect('//rpc', { cookie, origin: `http://${own()}` }),
    ])
    for (const client of clients) expect((await client.call('tasks.list', {})).total).toBe(12)
    await expect(clients[0].call('tasks.add', { items: [{ url: 'no link' }] })).rejects.toThrow(
      '“no link” is not a URL',
    )

    const heard = clients.map(() => [] as number[])
    for (const [index, client] of clients.entries()) {
      await client.subscribe('tasks.changed', ({ rev }) => void heard[index]!.push(rev))
    }
    const { rev } = await clients[1].call('tasks.list', {})
    engine.report({})
    await vi.waitFor(() => expect(heard).toEqual([[rev + 1], [rev + 1], [rev + 1]]), PATIENT_MS)
    clients[0].close()
    expect((await clients[2].call('tasks.list', {})).total).toBe(12)
    for (const client of clients) client.close()
  })

  test('is refused without the right token, and is nowhere else', async () => {
    expect(await upgrade('/rpc')).toBe(401)
    expect(await upgrade('/rpc?token=wrong')).toBe(401)
    expect(await upgrade('/rpc', { authorization: 'Bearer wrong' })).toBe(401)
    expect(await upgrade('/', bearer())).toBe(404)
    const handshake = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    const refused = await ask('/rpc', handshake)
    expect(refused.status).toBe(401)
    expect(refused.headers['content-security-policy']).toContain("default-src 'none'")
    expect((await ask('/rpc', bearer())).status).toBe(426)
    expect((await ask('/', { ...bearer(), connection: 'upgrade', upgrade: 'h2c' })).status).toBe(200)
  })
})

describe('starting and stopping', () => {
  test('a port that is taken, an address that is none: one sentence', async () => {
    await expect(startDaemon(options({ port: daemon.port }))).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/taken by another program; nothing was started.*--port/),
    })
    await expect(startDaemon(options({ host: '192.0.2.1' }))).rejects.toMatchObject({ code: 'usage' })
    await expect(startDaemon(options({ port: 70_000 }))).rejects.toMatchObject({ code: 'usage' })
  })

  test('close hangs up on everybody, also on a client that reads nothing, and can be called twice', async () => {
    const short = await startDaemon(options())
    const socket = new WebSocket(`ws://127.0.0.1:${short.port}/rpc`, { headers: bearer() })
    const client = createClient(contract, webSocketDuplex(socket))
    await client.call('app.info')
    const deaf = new WebSocket(`ws://127.0.0.1:${short.port}/rpc`, { headers: bearer() })
    await new Promise((resolve) => deaf.once('open', resolve))
    deaf.pause()
    const closed = new Promise<void>((resolve) => client.onClose(resolve))
    await Promise.all([short.close(), short.close(), closed])
    deaf.terminate()
    await expect(ask('/healthz', {}, { port: short.port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('listening for other machines is said aloud', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      const open = await startDaemon(options({ host: '0.0.0.0' }))
      expect(String(said.mock.calls[0]?.[0])).toContain('other machines can reach this')
      expect(open.url).toBe(`http://127.0.0.1:${open.port}`)
      await open.close()
    } finally {
      said.mockRestore()
    }
  })
})

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Sends the path as it is: fetch would tidy it up first. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  more: { method?: string; port?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', port = daemon.port } = more
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** The status a WebSocket is answered with: 101 when it is accepted. */
function upgrade(path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${daemon.port}${path}`, { headers })
    socket.on('unexpected-response', (_, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    })
    socket.on('open', () => {
      resolve(101)
      socket.terminate()
    })
    socket.on('error', reject)
  })
}

async function connect(path: string, headers: Record<string, string> = {}): Promise<Client<typeof contract>> {
  const socket = new WebSocket(`ws://127.0.0.1:${daemon.port}${path}`, { headers })
  return createClient(contract, webSocketDuplex(socket))
}
