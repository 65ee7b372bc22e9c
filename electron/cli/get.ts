/** `get`: downloads in the foreground, on tasks that this process holds a lease on, beside whoever owns the queue. */
import { contract } from '../../shared/contract.ts'
import { readDownloads } from './downloads.ts'
import { openSession } from './engine-session.ts'
import { GetRun } from './get-run.ts'
import { type GetFlags, readSessionSettings } from './options.ts'
import type { GlobalFlags } from './program.ts'
import { createReport } from './report.ts'
import { onInterruption } from './terminal.ts'

/** Runs `get` and answers its exit code: 130 when interrupted, otherwise that of the first failure. */
export async function get(args: string[], flags: GetFlags & GlobalFlags): Promise<number> {
  const downloads = await readDownloads(args, flags)
  const { urls, folder, options } = downloads
  if (flags.output === '-') return (await import('./get-stream.ts')).getStream(downloads, flags)
  const inputFor = (some: readonly string[]) =>
    contract['tasks.add'].input.parse({ items: some.map((url) => downloads.itemOf(url)), folder, options })
  const atTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true
  const interruption = onInterruption()
  const report = await createReport({ json: flags.json === true, output: 'paths' })
  const run = new GetRun(urls, report, {
    asksPerson: atTerminal && !flags.json && flags.onChange === undefined,
    onChange: flags.onChange,
    waitsForDisk: flags.waitForSpace === true,
    signal: interruption.signal,
  })
  try {
    const session = await openSession(flags.profile, readSessionSettings(flags), {
      watchesDisk: flags.waitForSpace,
      inOwnThread: urls.length === 1,
    })
    try {
      interruption.signal.throwIfAborted()
      await session.engine.start()
      await run.work(session.engine, inputFor)
    } finally {
      await session.close()
    }
  } catch (error) {
    run.failRest(error)
  } finally {
    report.close()
    interruption.dispose()
  }
  return run.exitCode
}
