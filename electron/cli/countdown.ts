/** `countdown`: what is about to happen to the machine, and calling it off. */
import { formatDuration } from '../../shared/format.ts'
import type { MachineAction } from '../../shared/unattended.ts'
import type { GlobalFlags } from './program.ts'
import { withQueue } from './queue-session.ts'
import { print, printJson, say } from './terminal.ts'

type Flags = GlobalFlags & { json?: true }

const ACTIONS: Readonly<Record<MachineAction, string>> = {
  quit: 'Nighthaul quits',
  sleep: 'the machine goes to sleep',
  hibernate: 'the machine hibernates',
  shutdown: 'the machine is turned off',
}

export async function showCountdown(flags: Flags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const countdown = await client.call('countdown.get')
    if (flags.json) return printJson({ countdown })
    if (countdown === null) return say('nighthaul: Nothing is about to happen')
    const { action, queue, endsAt } = countdown
    const why = queue === null ? 'all downloads are done' : `“${queue}” is done`
    print(`In ${formatDuration(Math.max(0, endsAt - Date.now()))} ${ACTIONS[action]}, because ${why}.`)
  })
}

export async function cancelCountdown(flags: Flags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const { cancelled } = await client.call('countdown.cancel')
    if (flags.json) return printJson({ cancelled })
    say(cancelled ? 'nighthaul: Called off' : 'nighthaul: There was nothing to call off')
  })
}
