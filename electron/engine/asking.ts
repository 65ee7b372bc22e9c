/**
 * Asks hosts in passing, as how large a file is or whether it changed, in the way that downloads do: with a place and a
 * turn at each host that a chain of redirects comes to, so that nobody is asked for more than he allows.
 */
import type { HostController, Slot } from './host-controller.ts'
import { HostQuiet } from './host-refusals.ts'
import { MAX_REDIRECTS, tooManyRedirects } from './http/redirects.ts'
import type { Lane } from './lane/lane.ts'
import type { Clock } from './ports.ts'
import type { Ask } from './probe.ts'
import { parseReply } from './reply.ts'
import { sleep } from './sleep.ts'

export interface AskingDeps {
  lane: Pick<Lane, 'request'>
  hosts: Pick<HostController, 'acquire' | 'tryAcquire' | 'turn' | 'quietMs' | 'slowDown'>
  clock: Clock
}

/** A host has no place now. */
export class NoRoom extends Error {}

/** A place at a host, in its turn. */
type Admit = (host: string, signal: AbortSignal) => Promise<Slot>

/**
 * Where a host has no place, or wants to be left alone for long, it rejects with NoRoom or HostQuiet. A place is held
 * until the reply is aborted, so do that. A body is sent to the link alone: requests that have one are not for this.
 */
export function inPassing(deps: AskingDeps): Ask {
  const { hosts } = deps
  return along(deps, async (host, signal) => {
    const slot = hosts.tryAcquire(host, { shed: () => false })
    if (!slot) throw new NoRoom()
    return withTurn(hosts, host, slot, signal)
  })
}

/** A host that refused so often answers no question. */
const MOST_REFUSALS = 3

/**
 * As `inPassing`, but it waits for all of that, and asks again where a host complains. It may take long: not for
 * questions that somebody waits for.
 */
export function patiently(deps: AskingDeps): Ask {
  const { hosts, clock } = deps
  const ask = along(deps, async (host, signal) => {
    for (;;) {
      // Without a place: others need not wait for that.
      await sleep(clock, hosts.quietMs(host), signal)
      const slot = await hosts.acquire(host, { shed: () => false }, signal)
      try {
        return await withTurn(hosts, host, slot, signal)
      } catch (error) {
        // It asked for that while this one waited for its place or turn.
        if (!(error instanceof HostQuiet)) throw error
      }
    }
  })
  return async (request) => {
    for (let refusals = 1; ; refusals++) {
      const reply = await ask(request)
      if (!isComplaint(reply) || refusals === MOST_REFUSALS) return reply
      reply.abort()
    }
  }
}

function isComplaint({ status }: { status: number }): boolean {
  return status === 429 || status === 503
}

async function withTurn(hosts: AskingDeps['hosts'], host: string, slot: Slot, signal: AbortSignal): Promise<Slot> {
  try {
    await hosts.turn(host, signal)
    return slot
  } catch (error) {
    slot.release()
    throw error
  }
}

function along({ lane, hosts, clock }: AskingDeps, admit: Admit): Ask {
  return async (request) => {
    const { signal } = request
    let url = request.url
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const { host } = new URL(url)
      const slot = await admit(host, signal)
      let kept = false
      try {
        const reply = await lane.request({ home: request.url, ...request, url, staysAtHost: true, buckets: [] })
        if (isComplaint(reply))
          hosts.slowDown(host, parseReply(reply.status, reply.headers).retryAfterMs(clock.now()), reply.status)
        const leave = () => {
          reply.abort()
          slot.release()
        }
        if (reply.leadsTo === undefined) {
          kept = true
          return { ...reply, redirected: reply.redirected || hops > 0, abort: leave }
        }
        reply.abort()
        url = reply.leadsTo
      } finally {
        if (!kept) slot.release()
      }
    }
    throw tooManyRedirects(new URL(request.url))
  }
}
