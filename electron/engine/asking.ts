/**
 * Asks hosts in passing, as how large a file is, in the way that downloads do: with a place and a turn at each host that a
 * chain of redirects comes to, so that nobody is asked for more than he allows.
 */
import type { HostController, Slot } from './host-controller.ts'
import { MAX_REDIRECTS, tooManyRedirects } from './http/redirects.ts'
import type { Lane } from './lane/lane.ts'
import type { Clock } from './ports.ts'
import type { Ask } from './probe.ts'
import { parseReply } from './reply.ts'

export interface AskingDeps {
  lane: Pick<Lane, 'request'>
  hosts: Pick<HostController, 'turn' | 'slowDown'>
  clock: Pick<Clock, 'now'>
}

/**
 * `place`: at a host; may wait, or throw where nobody waits. The place is held until the reply is aborted, so do that. A
 * body is sent to the link alone: requests that have one are not for this.
 */
export function inPassing(
  { lane, hosts, clock }: AskingDeps,
  place: (host: string, signal: AbortSignal) => Promise<Slot>,
): Ask {
  return async (request) => {
    const { signal } = request
    let url = request.url
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const { host } = new URL(url)
      const slot = await place(host, signal)
      let kept = false
      try {
        await hosts.turn(host, signal)
        const reply = await lane.request({ home: request.url, ...request, url, staysAtHost: true, buckets: [] })
        if (reply.status === 429 || reply.status === 503)
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
