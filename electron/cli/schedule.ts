/** `schedule`: what its commands ask and print. */
import { parseWindows } from '../../shared/windows.ts'
import { localInstant, localInstantAfter, openSpans, systemTimeZone, timeZone } from '../engine/window-times.ts'
import type { PreviewFlags } from './schedule-commands.ts'
import { print, printJson, say } from './terminal.ts'

/** Needs no profile: what a text of windows means. */
export async function preview(flags: PreviewFlags): Promise<number> {
  const windows = parseWindows(flags.window)
  const zone = timeZone(flags.tz ?? systemTimeZone())
  // With its offset: by the clock on the wall the second of two like hours would be the first. The minute counts whole.
  const start = flags.from ?? `${new Date().toISOString().slice(0, 16)}Z`
  const from = localInstant(start, zone)
  const to = localInstantAfter(start, flags.days, zone)
  const spans = openSpans(windows, zone, from, to)
  const begun = spans.filter((span) => span.from !== null && span.from >= from)
  if (flags.json) {
    for (const span of begun) {
      printJson({ at: new Date(span.from!).toISOString(), action: 'start' })
      if (span.to !== null) printJson({ at: new Date(span.to).toISOString(), action: 'stop' })
    }
    return 0
  }
  if (begun.length === 0)
    say(
      spans.some((span) => span.from === null && span.to === null)
        ? 'nighthaul: It is open all the time: nothing ever starts or stops'
        : 'nighthaul: No window begins in that time',
    )
  const local = new Intl.DateTimeFormat('en-GB', {
    ...{ weekday: 'short', day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' },
    ...{ timeZone: zone, timeZoneName: 'short' },
  })
  for (const span of begun)
    print(`${local.format(span.from!)}  to  ${span.to === null ? 'no end' : local.format(span.to)}`)
  return 0
}
