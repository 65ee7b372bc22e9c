/** What nobody is shown: passwords, cookies, header values, a proxy's credentials; wherever a task can be seen. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withoutSecrets } from '../../electron/engine/task-view.ts'
import type { TaskDelta } from '../../shared/schemas.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'

const SECRET = 'geheim-7f3a'
const cookies = `127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t${SECRET}\n`

describe('secrets', () => {
  it('are left out of options, while it stays visible that there are some', () => {
    const shown = withoutSecrets({
      user: 'me',
      password: SECRET,
      cookies,
      bearer: SECRET,
      method: 'POST',
      body: { text: SECRET },
      clientCertificate: { certPem: SECRET, keyPem: SECRET, passphrase: SECRET },
      headers: [
        ['Authorization', `Bearer ${SECRET}`],
        ['X-Api-Key', SECRET],
      ],
      proxy: `socks5://me:${SECRET}@proxy.test:1080`,
      connections: 3,
    })
    expect(JSON.stringify(shown)).not.toContain(SECRET)
    expect(shown).toEqual({
      user: 'me',
      method: 'POST',
      headers: [
        ['Authorization', '…'],
        ['X-Api-Key', '…'],
      ],
      proxy: 'socks5://…@proxy.test:1080',
      connections: 3,
    })
  })

  it.each([
    `http://me:${SECRET}@proxy.test`,
    `me:${SECRET}@proxy.test:8080`,
    `http://me:${SECRET}@with@two.test`,
    `http://me:${SECRET}/with@slash.test`,
    `HTTP://${SECRET}@proxy.test/`,
  ])('a proxy written as %s shows its host at most', (proxy) => {
    expect(JSON.stringify(withoutSecrets({ proxy }))).not.toContain(SECRET)
  })

  it('a proxy without credentials is shown as it is', () => {
    for (const proxy of ['http://proxy.test:8080', 'proxy.test:8080', 'socks5://[::1]:1080'])
      expect(withoutSecrets({ proxy })).toEqual({ proxy })
  })

  it('of a link are used for the download and shown nowhere: rows, details, events, errors, logs, notes on the file', async () => {
    await using server = await startFaultServer()
    const lines: unknown[] = []
    const line = (data: object, message: string) => void lines.push([data, message])
    const origins: string[] = []
    const { createNodeFileSystem } = await import('../../electron/engine/node-fs.ts')
    await using engine = await startEngine({
      logger: { debug: line, info: line, warn: line, error: line },
      fs: { ...createNodeFileSystem(), markOrigin: async (_path, url) => void origins.push(url) },
    })
    const frames: TaskDelta[] = []
    const events = engine.engine.events.subscribe('tasks.changed', (delta) => frames.push(delta), { visible: true })
    server.add('/a.bin', { size: 100_000, seed: 1 })
    // the first try fails, the second is sent elsewhere on the same host, with the secret in that address, too
    server.fault('/start', (request) =>
      request.index === 0
        ? faults.status(503)
        : faults.redirect(`http://me:${SECRET}@127.0.0.1:${server.port}/a.bin?once=1`),
    )
    const link = (path: string) => `http://me:${SECRET}@127.0.0.1:${server.port}${path}`
    const options = {
      cookies,
      headers: [['X-Api-Key', SECRET]] as [string, string][],
      proxy: '',
    }
    const good = await engine.add(link('/start'), options)
    const missing = await engine.add(link('/missing'), options)
    await engine.until(good, 'done', 'failed')
    await engine.until(missing, 'done', 'failed')
    await Promise.resolve()
    events.dispose()
    const seen = {
      details: await Promise.all([good, missing].map((id) => engine.get(id))),
      list: await engine.call('tasks.list', {}),
      searched: await engine.call('tasks.list', { text: SECRET }),
      probe: await engine.call('url.probe', { url: link('/a.bin'), options }),
      refused: await engine.call('url.probe', { url: link('/missing'), options }).catch((error: Error) => ({
        ...error,
        message: error.message,
      })),
      frames,
      lines,
      origins,
    }
    expect(seen.details.map((task) => task.state)).toEqual(['done', 'failed'])
    expect(seen.frames.length).toBeGreaterThan(2)
    expect(seen.searched.total).toBe(0)
    expect(JSON.stringify(seen)).not.toContain(SECRET)
    // and it was used: every request carried it
    const basic = `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`
    expect(server.requests.length).toBeGreaterThanOrEqual(5)
    for (const { headers } of server.requests)
      expect(headers).toMatchObject({ authorization: basic, cookie: `session=${SECRET}`, 'x-api-key': SECRET })
    expect(await readdir(engine.folder)).toEqual(['a.bin'])
    expect((await readFile(join(engine.folder, 'a.bin'))).length).toBe(100_000)
  })
})
