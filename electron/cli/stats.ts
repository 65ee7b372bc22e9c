/** `stats`: how the requests of a profile went, from whoever owns its queue or straight from its store. */
import type { GlobalFlags } from './program.ts'
import { withQueue } from './queue-session.ts'
import { statsLines } from './stats-lines.ts'
import { print, printJson, say } from './terminal.ts'

export interface StatsFlags extends GlobalFlags {
  /** ms; null: everything there is */
  since: number | null
  host?: string
  json?: true
}

export async function stats(flags: StatsFlags): Promise<number> {
  const from = flags.since === null ? undefined : Math.max(0, Date.now() - flags.since)
  return withQueue(flags, async ({ client }) => {
    const summary = await client.call('stats.summary', { from, host: flags.host })
    if (flags.json) printJson(summary)
    else if (summary.overall.requests === 0) say('nighthaul: No requests were made in that time')
    else for (const line of statsLines(summary)) print(line)
  })
}
