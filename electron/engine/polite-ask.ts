/**
 * Asks a host about a file as its downloads do: with a place of its own, in its turn, not while the host wants to be left
 * alone, and telling what it complains about, after which it asks again. It may take long: not for questions that
 * somebody waits for.
 */
import type { HostController } from './host-controller.ts'
import { HostQuiet } from './host-refusals.ts'
import type { Clock } from './ports.ts'
import type { Ask } from './probe.ts'
import { parseReply } from './reply.ts'
import { sleep } from './sleep.ts'

export interface PoliteDeps {
  ask: Ask
  hosts: Pick<HostController, 'acquire' | 'turn' | 'quietMs' | 'slowDown'>
  clock: Clock
}

/** A host that refused so often answers no question. */
const MOST_REFUSALS = 3

/** Rejects as `ask` does, and with the signal's reason. */
export function politely({ ask, hosts, clock }: PoliteDeps, signal: AbortSignal): Ask {
  return async (request) => {
    const { host } = new URL(request.url)
    for (let refusals = 0; ; ) {
      // Without a place: others need not wait for that.
      await sleep(clock, hosts.quietMs(host), signal)
      const slot = await hosts.acquire(host, { shed: () => false }, signal)
      try {
        await hosts.turn(host, signal)
        const reply = await ask(request)
        if (reply.status === 429 || reply.status === 503) {
          const { retryAfterMs } = parseReply(reply.status, reply.headers)
          hosts.slowDown(new URL(reply.finalUrl).host, retryAfterMs(clock.now()), reply.status)
          if (++refusals < MOST_REFUSALS) {
            reply.abort()
            continue
          }
        }
        return reply
      } catch (error) {
        // It asked for that while this one waited for its turn.
        if (!(error instanceof HostQuiet)) throw error
      } finally {
        slot.release()
      }
    }
  }
}
