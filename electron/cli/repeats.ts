/** `schedule repeat`: what its commands ask and print. */
import { NighthaulError } from '../../shared/errors.ts'
import type { RepeatId, RepeatPatch, RepeatView } from '../../shared/repeats.ts'
import { given, readAccessOptions } from './access-options.ts'
import type { JsonFlags } from './host-commands.ts'
import { queueNamed, sayWhenItStarts, withQueue } from './queue-session.ts'
import type { RepeatFlags } from './schedule-commands.ts'
import { formatInstant } from './start-time.ts'
import { printTable } from './table.ts'
import { callerPath, print, printable, printableLink, printJson, say } from './terminal.ts'

/** What a run's result means, in a few words. */
const RESULTS: Record<NonNullable<RepeatView['last']>['result'], string> = {
  started: 'under way',
  downloaded: 'downloaded',
  unchanged: 'not changed on the server, so not downloaded',
  same: 'downloaded, and the same as before, so the double was removed',
  failed: 'failed',
  skipped: 'skipped',
}

function line({ id, url, nextAt, timeZone, last }: RepeatView): string {
  const next = nextAt === null ? 'paused' : `next ${formatInstant(nextAt, timeZone ?? undefined)}`
  return `${id}\t${printableLink(url)}\t${next}${last ? `; last: ${lastOf(last)}` : ''}`
}

function lastOf({ result, error, kept }: NonNullable<RepeatView['last']>): string {
  return [
    RESULTS[result],
    error?.message,
    kept.length > 0 && `kept, because somebody changed them: ${kept.map(printable).join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ')
}

function tell(view: RepeatView, flags: JsonFlags): void {
  if (flags.json) printJson(view)
  else print(line(view))
}

export async function listRepeats(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const repeats = await client.call('repeats.list')
    if (flags.json) return repeats.forEach(printJson)
    if (repeats.length === 0) return say('nighthaul: There are no repeating downloads')
    printTable([
      ['ID', 'WHEN', 'NEXT', 'LAST', 'URL'],
      ...repeats.map(({ id, when, nextAt, timeZone, last, url }) => [
        String(id),
        when,
        nextAt === null ? 'paused' : formatInstant(nextAt, timeZone ?? undefined),
        last === null ? '' : last.result,
        printableLink(url),
      ]),
    ])
  })
}

export async function addRepeat(url: string, flags: RepeatFlags): Promise<number> {
  const { when } = flags
  if (when === undefined) throw new NighthaulError('usage', '--when is missing: --when “daily 02:00”')
  return withQueue(flags, async (queue) => {
    const view = await queue.client.call('repeats.add', { url, when, ...(await patchOf(flags, queue)) })
    tell(view, flags)
    sayWhenItStarts(queue)
  })
}

export async function setRepeat(id: RepeatId, flags: RepeatFlags): Promise<number> {
  return withQueue(flags, async (queue) => {
    const patch = await patchOf(flags, queue)
    if (Object.keys(patch).length === 0)
      throw new NighthaulError(
        'usage',
        'Say what to change; “nighthaul schedule repeat set --help” lists what there is',
      )
    tell(await queue.client.call('repeats.update', { id, patch }), flags)
  })
}

async function patchOf(
  flags: RepeatFlags,
  queue: Parameters<Parameters<typeof withQueue>[1]>[0],
): Promise<RepeatPatch> {
  const options = {
    ...readAccessOptions(flags),
    ...given({ connections: flags.connections, limitBytesPerSecond: flags.limitRate }),
  }
  return given<RepeatPatch>({
    when: flags.when,
    timeZone: flags.tz === 'default' ? null : flags.tz,
    folder: flags.directory === undefined ? undefined : callerPath(flags.directory),
    queueId: flags.queue === undefined ? undefined : (await queueNamed(queue.client, flags.queue)).id,
    nameTemplate: flags.name,
    keepLast: flags.keep === 'all' ? null : flags.keep,
    missed: flags.missed,
    options: Object.keys(options).length > 0 ? options : undefined,
  })
}

export async function removeRepeat(id: RepeatId, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    await client.call('repeats.remove', { id })
    if (flags.json) printJson({ id, removed: true })
    else print(`${id}: removed; what it downloaded stays`)
  })
}

export async function runRepeat(id: RepeatId, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async (queue) => {
    tell(await queue.client.call('repeats.run', { id }), flags)
    sayWhenItStarts(queue)
  })
}

export async function skipRepeat(id: RepeatId, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => tell(await client.call('repeats.skip', { id }), flags))
}

export async function pauseRepeat(id: RepeatId, paused: boolean, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) =>
    tell(await client.call('repeats.update', { id, patch: { paused } }), flags),
  )
}
