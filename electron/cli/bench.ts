/** `bench --url URL`: compares ways to fetch from a server, and prints how many times as fast each is. */
import { exitCodeOf, toErrorInfo } from '../../shared/errors.ts'
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import { type ComparisonEvent, compareStrategies } from '../engine/compare-strategies.ts'
import { compared, type StepResult } from '../engine/comparison-plan.ts'
import { nodeClock } from '../platform/clock.ts'
import { type AccessFlags, readAccessOptions } from './access-options.ts'
import { comparisonLines, intentionLine, skipLine } from './bench-lines.ts'
import { openHttpClient } from './network.ts'
import { onInterruption, print, printable, printableLink, printJson, say } from './terminal.ts'
import { version } from './version.ts'

export interface BenchFlags extends Pick<AccessFlags, 'header' | 'user' | 'ca'> {
  url: string
  maxBytes: number
  /** ms */
  maxSeconds: number
  json?: true
}

export async function bench(flags: BenchFlags): Promise<number> {
  const { url, maxBytes, maxSeconds: maxMs } = flags
  const { header, user, ca } = flags
  const options = readAccessOptions({ header, user, ca })
  const interruption = onInterruption()
  const client = openHttpClient()
  const results: StepResult[] = []
  const tell = (event: ComparisonEvent) => {
    switch (event.kind) {
      case 'planned': {
        const { plan, facts, finalUrl } = event
        const { requests, bytes, connections } = plan
        if (flags.json) printJson({ type: 'planned', finalUrl, ...facts, requests, bytes, connections, maxMs })
        else say(`nighthaul: ${printable(intentionLine(new URL(finalUrl).host, plan, maxMs))}`)
        return
      }
      case 'skipped':
        if (flags.json) printJson({ type: 'skipped', ...event.skip })
        else say(`nighthaul: ${skipLine(event.skip)}`)
        return
      case 'measured':
        results.push(event.result)
        if (flags.json) printJson({ type: 'measured', ...compared(results).at(-1)! })
    }
  }
  try {
    say(`nighthaul: Asking ${printableLink(url)} for its first bytes; nothing is saved`)
    const input = { url, options, maxBytes, maxMs, signal: interruption.signal }
    const deps = {
      client,
      clock: nodeClock,
      userAgent: `Nighthaul/${version()}`,
      timeoutMs: DEFAULT_SETTINGS.headersTimeoutMs,
    }
    const totals = await compareStrategies(input, deps, tell)
    if (flags.json) printJson({ type: 'done', url, ...totals })
    return 0
  } catch (error) {
    if (!flags.json) throw error
    const { code, message, params } = toErrorInfo(error)
    printJson({ type: 'failed', code, message, url, retryAfterMs: params.retryAfterMs ?? null })
    return exitCodeOf(code)
  } finally {
    // Also after a failure: what was measured before it holds.
    if (!flags.json) for (const line of comparisonLines(compared(results))) print(line)
    await client.close()
    interruption.dispose()
  }
}
