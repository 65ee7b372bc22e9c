/** Questions in passing keep to what hosts allow, wherever a redirect leads. */
import { expect, test } from 'vitest'
import { inPassing } from '../../electron/engine/asking.ts'
import { HostController } from '../../electron/engine/host-controller.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

const LINK = 'http://links.test/a'
const FILE = 'http://files.test/a'
const LIMITS = { connections: 1, requestsPerSecond: null, spacingMs: null, limitBytesPerSecond: null }

function start() {
  const clock = createManualClock()
  const hosts = new HostController(clock, () => LIMITS)
  const asked: string[] = []
  const lane = {
    request: async ({ url, staysAtHost }: { url: string; staysAtHost?: boolean }) => {
      asked.push(url)
      const head = { headers: {}, finalUrl: url, redirected: false, httpVersion: '1.1', abort: () => undefined }
      if (url === LINK) return { ...head, status: 302, ...(staysAtHost && { leadsTo: FILE }) }
      return { ...head, status: url.endsWith('busy') ? 429 : 200 }
    },
  }
  const place = async (host: string) => {
    const slot = hosts.tryAcquire(host, { shed: () => false })
    if (!slot) throw new Error(`no place at ${host}`)
    return slot
  }
  const ask = inPassing({ lane: lane as never, hosts, clock }, place)
  const request = (url: string) => ask({ url, headers: {}, options: {}, signal: new AbortController().signal })
  return { hosts, asked, request }
}

test('a host that a redirect leads to is asked only where it has a place, which is held until the reply is left', async () => {
  const { hosts, asked, request } = start()
  const other = hosts.tryAcquire('files.test', { shed: () => false })!
  await expect(request(LINK)).rejects.toThrow('no place at files.test')
  expect(asked).toEqual([LINK])
  expect(hosts.connections('links.test')).toBe(0)
  other.release()
  const reply = await request(LINK)
  expect(reply).toMatchObject({ status: 200, finalUrl: FILE, redirected: true })
  expect([hosts.connections('links.test'), hosts.connections('files.test')]).toEqual([0, 1])
  reply.abort()
  expect(hosts.connections('files.test')).toBe(0)
})

test('a host that asks for less gets it', async () => {
  const { hosts, request } = start()
  ;(await request('http://files.test/busy')).abort()
  expect(hosts.states()).toMatchObject([{ host: 'files.test', complaints: { status: 429, count: 1 } }])
})
