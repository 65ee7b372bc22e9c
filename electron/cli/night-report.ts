/** `report`: asks for the report of a night and prints it, or writes it as a page. */
import { writeFileSync } from 'node:fs'
import { NighthaulError } from '../../shared/errors.ts'
import { Night, type ReportInput } from '../../shared/report.ts'
import { reportHtml } from '../../shared/report-html.ts'
import { localInstant, systemTimeZone } from '../engine/window-times.ts'
import type { JsonFlags } from './host-commands.ts'
import { nightLines, reportLines } from './night-report-lines.ts'
import { queueNamed, withQueue } from './queue-session.ts'
import type { ReportFlags } from './report-commands.ts'
import { callerPath, print, printJson, say } from './terminal.ts'

export async function report(flags: ReportFlags): Promise<number> {
  const time = timeOf(flags)
  return withQueue(flags, async ({ client }) => {
    const queueId = flags.queue === undefined ? undefined : (await queueNamed(client, flags.queue)).id
    const made = await client.call('report.get', { ...time, queueId })
    if (flags.json) return printJson(made)
    if (flags.html === undefined) return reportLines(made).forEach(print)
    if (flags.html === '-') return void process.stdout.write(reportHtml(made))
    print(writePage(flags.html, reportHtml(made)))
  })
}

export async function nights(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const known = (await client.call('report.nights', { limit: 400 })).nights
    if (flags.json) known.forEach(printJson)
    else if (known.length === 0) say('nighthaul: Nothing is known of any night yet')
    else nightLines(known).forEach(print)
  })
}

function timeOf({ night, from, to }: ReportFlags): ReportInput {
  if (from !== undefined || to !== undefined) {
    const zone = systemTimeZone()
    const time = {
      ...(from !== undefined && { from: localInstant(from, zone) }),
      ...(to !== undefined && { to: localInstant(to, zone) }),
    }
    if (time.from !== undefined && time.from >= (time.to ?? Date.now()))
      throw new NighthaulError('usage', 'The time would end before it begins; --from comes before --to and before now')
    return time
  }
  if (night === undefined) return { night: 'last' }
  if (!Night.safeParse(night).success)
    throw new NighthaulError('usage', `--night: “${night}” is no date; write one like 2026-11-25`)
  return { night }
}

/** Answers where it is. Throws `usage` where the file cannot be written. */
function writePage(file: string, page: string): string {
  const path = callerPath(file)
  try {
    // Names of files and hosts are nobody else's business.
    writeFileSync(path, page, { mode: 0o600 })
    return path
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new NighthaulError('usage', `--html: the file “${path}” cannot be written (${code})`, {}, { cause: error })
  }
}
