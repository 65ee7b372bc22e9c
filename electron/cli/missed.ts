/** `schedule missed`: what its commands ask and print. */
import type { JsonFlags } from './host-commands.ts'
import { queueNamed, sayWhenItStarts, withQueue } from './queue-session.ts'
import { formatInstant } from './start-time.ts'
import { print, printable, printJson, say } from './terminal.ts'

export async function listMissed(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const missed = (await client.call('queues.list')).filter(({ missedWindow }) => missedWindow !== null)
    if (flags.json) {
      for (const { id, name, missedWindow } of missed) printJson({ id, name, ...missedWindow })
      return
    }
    if (missed.length === 0) return say('nighthaul: No window was missed that could be made up for')
    for (const { name, missedWindow, timeZone } of missed) {
      const { from, to, until } = missedWindow!
      const zone = timeZone ?? undefined
      const what = until === null ? 'waits for the next window' : `made up for until ${formatInstant(until, zone)}`
      print(`${printable(name)}: missed ${formatInstant(from, zone)} to ${formatInstant(to, zone)}; ${what}`)
    }
  })
}

export async function makeUp(name: string, decision: 'run' | 'next', flags: JsonFlags): Promise<number> {
  return withQueue(flags, async (queue) => {
    const { id } = await queueNamed(queue.client, name)
    const view = await queue.client.call('queues.makeUp', { id, decision })
    if (flags.json) return printJson(view)
    const until = view.missedWindow?.until
    print(`${printable(view.name)}: ${until ? `works until ${formatInstant(until)}` : 'waits for its next window'}`)
    if (until) sayWhenItStarts(queue)
  })
}
