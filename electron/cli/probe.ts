/** `probe`: one request about a file, no download, no profile. */
import { exitCodeOf, toErrorInfo } from '../../shared/errors.ts'
import { formatBytes, formatCount } from '../../shared/format.ts'
import type { ProbeResult } from '../../shared/schemas.ts'
import { probeUrl } from '../engine/probe.ts'
import { type AccessFlags, readAccessOptions } from './access-options.ts'
import { openHttpClient } from './network.ts'
import { onInterruption, print, printable, printJson } from './terminal.ts'

export async function probe(url: string, flags: AccessFlags & { json?: true }): Promise<number> {
  const options = readAccessOptions(flags)
  const interruption = onInterruption()
  const client = openHttpClient()
  try {
    const result = await probeUrl(url, options, (request) => client.request(request), interruption.signal)
    if (flags.json) printJson(result)
    else for (const line of probeLines(result)) print(line)
    return 0
  } catch (error) {
    if (!flags.json) throw error
    const { code, message } = toErrorInfo(error)
    printJson({ type: 'failed', code, message, url })
    return exitCodeOf(code)
  } finally {
    await client.close()
    interruption.dispose()
  }
}

/** What a probe found, one fact a line, those that are not known left out. */
export function probeLines(result: ProbeResult): string[] {
  const size = result.size === null ? 'not told' : `${formatBytes(result.size)} (${formatCount(result.size)} bytes)`
  const facts: [string, string | null][] = [
    ['URL', result.url],
    ['Final URL', result.finalUrl === result.url ? null : result.finalUrl],
    ['Status', String(result.status)],
    ['Name', result.filename],
    ['Size', size],
    ['Ranges', result.ranges ? 'yes: several connections, resumes' : 'no: one connection, resumes by comparing'],
    ['Type', result.contentType],
    ['ETag', result.etag],
    ['Last modified', result.lastModified],
    ...result.digests.map((digest): [string, string] => [digest.algorithm, `${digest.value} (${digest.source})`]),
    ['HTTP', result.httpVersion],
  ]
  return facts
    .filter((fact): fact is [string, string] => fact[1] !== null)
    .map(([name, value]) => `${name.padEnd(15)}${printable(value)}`)
}
