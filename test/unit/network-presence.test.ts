/** Whether the network is there, from what hosts did and did not answer; and which failures come back later. */
import { describe, expect, test } from 'vitest'
import { NetworkPresence } from '../../electron/engine/network-presence.ts'
import { onceMore } from '../../electron/engine/second-chances.ts'
import type { ErrorCode, ErrorInfo, ErrorParams } from '../../shared/errors.ts'

const failure = (code: ErrorCode, params: ErrorParams = {}): ErrorInfo => ({ code, message: code, params })

function presence() {
  let now = 1_000_000
  const network = new NetworkPresence(() => now)
  let id = 0
  const inUse = new Set<string>()
  return {
    network,
    wait: (ms: number) => {
      now += ms
    },
    fails: (host: string, code: ErrorCode, params?: ErrorParams) => {
      inUse.add(host)
      return network.failed(++id, host, failure(code, params), inUse)
    },
  }
}

describe('the network is away', () => {
  test('when three hosts in a row, whichever, cannot be reached', () => {
    const { network, fails } = presence()
    expect(fails('a', 'network_unreachable')).toBe(false)
    expect(fails('a', 'network_unreachable')).toBe(false)
    expect(fails('b', 'connect_timeout')).toBe(false)
    expect(fails('c', 'network_unreachable')).toBe(true)
    expect(network.away).toMatchObject({ reason: 'no_host_answers' })
    expect(network.takeVictims()).toEqual([1, 2, 3, 4])
  })

  test('when both of two hosts that answered before are silent, but not for names that never existed', () => {
    const { fails } = presence()
    for (const host of ['typo.one', 'typo.two', 'typo.three']) expect(fails(host, 'dns_not_found')).toBe(false)
    const other = presence()
    other.network.came('a')
    other.network.came('b')
    expect(other.fails('a', 'stalled')).toBe(false)
    expect(other.fails('b', 'dns_not_found')).toBe(true)
  })

  test('never by one host alone, nor where something came in between', () => {
    const { network, fails } = presence()
    network.came('a')
    for (let n = 0; n < 50; n++) expect(fails('a', 'connect_refused')).toBe(false)
    network.came('a')
    for (let n = 0; n < 10; n++) {
      expect(fails('b', 'connect_timeout')).toBe(false)
      expect(fails('c', 'connect_timeout')).toBe(false)
      network.came('a')
    }
  })

  test('when somebody else answers for several hosts, says so itself, or shows its certificate for all', () => {
    const page = { html: true, host: 'portal.example' }
    const one = presence()
    expect(one.fails('a', 'remote_changed', page)).toBe(false)
    expect(one.fails('b', 'html_instead_of_file', page)).toBe(true)
    expect(one.network.away?.reason).toBe('captive_portal')
    expect(one.network.explains(failure('remote_changed', page), 'c')).toBe(true)
    expect(one.network.explains(failure('not_found', { status: 404 }), 'c')).toBe(false)

    expect(presence().fails('a', 'server_error', { status: 511 })).toBe(true)

    const certificates = presence()
    for (const host of ['a', 'b', 'c']) certificates.network.came(host)
    expect(certificates.fails('a', 'tls_failed', { certificate: true })).toBe(false)
    expect(certificates.fails('b', 'tls_failed', { certificate: true })).toBe(true)

    // A file that changed is no portal, nor is one site's login page.
    const site = presence()
    site.network.came('a')
    expect(site.fails('a', 'remote_changed', { reason: 'size' })).toBe(false)
    expect(site.fails('a', 'remote_changed', { html: true, host: 'login.a' })).toBe(false)
    expect(site.fails('b', 'remote_changed', { html: true, host: 'login.b' })).toBe(false)
  })

  test('is asked for less and less often, and is over at once when the machine wakes or something comes', () => {
    const { network, wait } = presence()
    expect(network.changed('offline')).toBe(true)
    expect(network.away?.reason).toBe('no_interface')
    const waits: number[] = []
    for (let n = 0; n < 8; n++) {
      const before = network.away!.probeAt
      expect(network.mayProbe).toBe(false)
      wait(before - 1_000_000 - waits.reduce((sum, ms) => sum + ms, 0))
      expect(network.mayProbe).toBe(true)
      waits.push(before - 1_000_000 - waits.reduce((sum, ms) => sum + ms, 0))
      network.probing('a')
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
    // A clock that was set back does not put it off.
    wait(-3_600_000)
    expect(network.mayProbe).toBe(true)
    expect(network.changed('offline')).toBe(false)
    expect(network.changed('wake')).toBe(true)
    expect(network.away).toBeNull()
    network.changed('offline')
    expect(network.came('a')).toBe(true)
    expect(network.changed('interfaces')).toBe(false)
  })
})

const settings = { secondChances: 2, secondChanceMinutes: 10 }

test('what time may mend comes again, later each time, a set number of times', () => {
  const again = (code: ErrorCode, secondChances: number) =>
    onceMore(failure(code), { secondChances, hostWaits: 0 }, { asked: 'a', answered: false }, settings, 0)
  expect([again('not_found', 0), again('not_found', 1), again('not_found', 2)]).toEqual([
    { at: 600_000, patch: { secondChances: 1 } },
    { at: 1_200_000, patch: { secondChances: 2 } },
    null,
  ])
  expect(again('stalled', 0)?.at).toBe(600_000)
  for (const code of ['unauthorized', 'disk_full', 'invalid_url', 'checksum_mismatch', 'file_exists'] as const)
    expect(again(code, 0), code).toBeNull()
})

/** Hours until it is given up, and what it cost. */
function untilGivenUp(error: ErrorInfo, of = settings) {
  let now = 0
  let counts = { secondChances: 0, hostWaits: 0 }
  for (;;) {
    const next = onceMore(error, counts, { asked: 'files.example', answered: true }, of, now)
    if (next === null) return { hours: now / 3_600_000, ...counts }
    expect(next.at - now).toBeLessThanOrEqual(1_800_000)
    expect(next.at).toBeGreaterThan(now)
    now = next.at
    counts = { ...counts, ...next.patch }
  }
}

test('a host that was reached before is waited for through the night and not longer, which costs no second chance', () => {
  expect(untilGivenUp(failure('connect_refused'))).toMatchObject({ hours: 12, secondChances: 0 })
  expect(untilGivenUp(failure('not_found'))).toEqual({ hours: 0.5, secondChances: 2, hostWaits: 0 })
  expect(untilGivenUp(failure('connect_refused'), { ...settings, secondChances: 0 }).hours).toBe(0)
})

test('a page of another site in place of a file is waited out as a portal would be, one of the same site is not', () => {
  const page = (host: string) => failure('html_instead_of_file', { html: true, host })
  expect(untilGivenUp(page('login.portal.net'))).toMatchObject({ hours: 12, secondChances: 0 })
  expect(untilGivenUp(page('192.0.2.1:8080'))).toMatchObject({ hours: 12 })
  for (const host of ['files.example', 'www.files.example', 'login.files.example:8443'])
    expect(untilGivenUp(page(host)), host).toMatchObject({ hours: 0.5, secondChances: 2 })
})
