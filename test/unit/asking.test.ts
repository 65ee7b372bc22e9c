/** Questions in passing keep to what hosts allow, wherever a redirect leads. */
import { expect, test } from 'vitest'
import { inPassing, NoRoom, patiently } from '../../electron/engine/asking.ts'
import { HostController } from '../../electron/engine/host-controller.ts'
import type { Ask } from '../../electron/engine/probe.ts'
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
  const deps = { lane: lane as never, hosts, clock }
  const asks = (ask: Ask) => (url: string) =>
    ask({ url, headers: {}, options: {}, signal: new AbortController().signal })
  return { clock, hosts, asked, request: asks(inPassing(deps)), requestPatiently: asks(patiently(deps)) }
}

test('a host that a redirect leads to is asked only where it has a place, which is held until the reply is left', async () => {
  const { hosts, asked, request } = start()
  const other = hosts.tryAcquire('files.test', { shed: () => false })!
  await expect(request(LINK)).rejects.toThrow(NoRoom)
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

test('who is patient waits for a place where a redirect leads, and keeps away from there for as long as was asked', async () => {
  const { clock, hosts, asked, requestPatiently } = start()
  const other = hosts.tryAcquire('files.test', { shed: () => false })!
  const replied = requestPatiently(LINK)
  await expect.poll(() => hosts.states().find(({ host }) => host === 'files.test')?.waiting).toBe(1)
  expect(asked).toEqual([LINK])
  hosts.slowDown('files.test', 60_000, 429)
  other.release()
  // Nobody holds a place while there is nothing to be had.
  await expect.poll(() => clock.pending).toBe(1)
  expect([asked, hosts.connections('files.test')]).toEqual([[LINK], 0])
  clock.advance(60_000)
  const reply = await replied
  expect(reply).toMatchObject({ status: 200, finalUrl: FILE })
  reply.abort()
  expect(hosts.connections('files.test')).toBe(0)
})
