/**
 * `npm run bench -- [NAME…]`: this program beside curl, aria2 and wget, as whole processes against servers on loopback.
 * Tables on standard output, figures of every run as JSON with `--json FILE`. It asserts no timing, and leaves nothing
 * behind. docs/performance.md explains how to read it.
 */
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { say } from '../../scripts/repository.ts'
import { formatBytes } from '../../shared/format.ts'
import { machineFacts } from './machine.ts'
import { DEFAULTS, type Plan, QUICK, readPlan } from './plan.ts'
import { findPrograms } from './programs.ts'
import { startServer } from './server.ts'
import type { Result } from './suite.ts'
import { SUITES } from './suites.ts'

const NAMES = Object.keys(SUITES)
const column = (name: string, text: string) => `  ${name.padEnd(16)}${text}`
const USAGE = [
  'usage: npm run bench -- [NAME...] [options]',
  ...Object.entries(SUITES).map(([name, { what }]) => column(name, what)),
  column('all', 'all of them, which is the default'),
  column(`--size ${DEFAULTS.size}`, 'size of the large file'),
  column(`--large-size ${DEFAULTS.largeSize}`, 'size of the very large file'),
  column(`--rounds ${DEFAULTS.rounds}`, 'measured rounds'),
  column('--quick', `a look whether all runs: ${QUICK.rounds} round, --size ${QUICK.size}, fewer small files`),
  column('--dir DIR', 'where to download to (a temporary folder is made in it and removed)'),
  column('--json FILE', 'write the figures of every run, and facts about the machine'),
].join('\n')

/** Left free, so that nobody else on the machine runs into a full disk. */
const SPARE_BYTES = 2 ** 28

/** Says how much room this takes; throws where the folder has not that much. */
async function checkRoom(plan: Plan): Promise<void> {
  const { bavail, bsize } = await statfs(plan.dir)
  // What one benchmark serves stays until the end.
  const needed = plan.suites.reduce((bytes, name) => bytes + SUITES[name]!.roomBytes(plan), SPARE_BYTES)
  const free = bavail * bsize
  say(`${plan.dir} has ${formatBytes(free)} free; this takes up to ${formatBytes(needed)}`)
  if (free < needed) throw new Error('that is too little: choose another folder with --dir, or smaller sizes')
}

async function main(): Promise<number> {
  let plan: Plan | null
  try {
    plan = readPlan(process.argv.slice(2), NAMES)
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n${USAGE}`)
    return 2
  }
  if (plan === null) {
    say(USAGE)
    return 0
  }
  const { programs, missing, unusable } = await findPrograms()
  for (const line of missing) say(line)
  if (unusable) return 1

  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort(new Error('interrupted: nothing was kept'))
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt)

  let folder: string | null = null
  try {
    await checkRoom(plan)
    folder = await mkdtemp(join(plan.dir, 'nighthaul-bench-'))
    const root = join(folder, 'served')
    await using server = await startServer(programs.nginx!.path, join(folder, 'nginx'), root)
    const options = { rounds: plan.rounds, folder, time: programs.time!.path, signal: interrupted.signal }
    const machine = await machineFacts(folder, programs)
    say(`${machine.cores} cores (${machine.cpu}), ${machine.fileSystem}, Node ${machine.node}`)
    const results: (Result & { suite: string })[] = []
    for (const suite of plan.suites) {
      for (const result of await SUITES[suite]!.run({ plan, programs, server, root, options }))
        results.push({ suite, ...result })
      // After each: what was measured is not lost when a later one fails.
      if (plan.json !== null) {
        const { dir: _dir, json: _json, ...asked } = plan
        await writeFile(plan.json, `${JSON.stringify({ machine, missing, asked, results }, null, 2)}\n`)
      }
    }
    return 0
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return interrupted.signal.aborted ? 130 : 1
  } finally {
    if (folder !== null) await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

process.exitCode = await main()
