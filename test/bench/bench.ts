/**
 * `npm run bench -- [throughput] [small]`: this program beside curl, aria2 and wget, as whole processes against nginx
 * on loopback. Tables on standard output, figures of every run as JSON with `--json FILE`. It asserts no timing, and
 * leaves nothing behind. docs/performance.md explains how to read it.
 */
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseRate, parseWhole } from '../../electron/cli/parse.ts'
import { say } from '../../scripts/repository.ts'
import { machineFacts } from './machine.ts'
import { findPrograms, type Programs } from './programs.ts'
import { formatTable, type Row, type Samples, summarize } from './report.ts'
import { type RoundsOptions, runRounds, type Workload } from './rounds.ts'
import { type Server, startServer } from './server.ts'
import { type SourceFile, writeRandomFile } from './sources.ts'
import { ARIA2_8, ARIA2_SMALL, CURL, manyFiles, oneDurableFile, oneFile } from './variants.ts'

const USAGE = `usage: npm run bench -- [throughput] [small] [options]
  throughput     one large file: http, https, and on the disk when the program ends
  small          2,000 files of 64 KiB from one host, 16 connections: http and https
  --size 1G      size of the large file
  --rounds 5     measured rounds; one more warms up
  --dir DIR      where to download to (a temporary folder is made in it and removed)
  --json FILE    write the figures of every run, and facts about the machine`

const SMALL_FILES = 2000
const SMALL_BYTES = 65_536

interface Plan {
  throughput: boolean
  small: boolean
  size: number
  rounds: number
  dir: string
  json: string | undefined
}

interface Result {
  title: string
  rows: Row[]
  samples: Samples[]
}

interface Bench {
  plan: Plan
  programs: Programs
  server: Server
  /** what the server serves */
  root: string
  options: RoundsOptions
}

function readPlan(args: readonly string[]): Plan | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      size: { type: 'string', default: '1G' },
      rounds: { type: 'string', default: '5' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return null
  const unknown = positionals.find((name) => name !== 'throughput' && name !== 'small')
  if (unknown !== undefined) throw new Error(`there is no benchmark “${unknown}”`)
  const all = positionals.length === 0
  return {
    throughput: all || positionals.includes('throughput'),
    small: all || positionals.includes('small'),
    size: parseRate(values.size),
    rounds: parseWhole(values.rounds, 1, 100),
    dir: resolve(values.dir),
    json: values.json,
  }
}

async function throughput({ plan, programs, server, root, options }: Bench): Promise<Result[]> {
  const name = 'large.bin'
  say(`writing ${plan.size} random bytes …`)
  const files = [await writeRandomFile(root, name, plan.size, options.signal)]
  const workload = (title: string, variants: Workload['variants']): Workload => ({ title, variants, files })
  return [
    await compare(workload('http', oneFile(`${server.http}/${name}`, name, programs)), [CURL, ARIA2_8], options),
    await compare(workload('https', oneFile(`${server.https}/${name}`, name, programs)), [CURL, ARIA2_8], options),
    await compare(
      workload('http, on the disk', oneDurableFile(`${server.http}/${name}`, name, programs)),
      [`${CURL}, sync`, `${ARIA2_8}, sync`],
      options,
    ),
  ]
}

async function small({ programs, server, root, options }: Bench): Promise<Result[]> {
  const files: SourceFile[] = []
  for (let index = 0; index < SMALL_FILES; index += 1) {
    files.push(await writeRandomFile(join(root, 'small'), `${index}.bin`, SMALL_BYTES, options.signal))
  }
  const results: Result[] = []
  for (const scheme of ['http', 'https'] as const) {
    const urls = files.map(({ name }) => `${server[scheme]}/small/${name}`)
    const lists = { plain: join(options.folder, `${scheme}.txt`), curl: join(options.folder, `${scheme}.curlrc`) }
    await writeFile(lists.plain, `${urls.join('\n')}\n`)
    await writeFile(lists.curl, urls.map((url, index) => `url = "${url}"\noutput = "${files[index]!.name}"\n`).join(''))
    const variants = manyFiles(lists, scheme === 'https', programs)
    const title = `${SMALL_FILES} small files, ${scheme}`
    results.push(await compare({ title, variants, files }, [CURL, ARIA2_SMALL], options))
  }
  return results
}

async function compare(workload: Workload, references: string[], options: RoundsOptions): Promise<Result> {
  const samples = await runRounds(workload, options)
  const result = { title: workload.title, rows: summarize(samples, references), samples }
  process.stdout.write(`\n${result.title}\n\n${formatTable(result.rows)}\n\n`)
  return result
}

/** Throws where the folder has no room for what is served and what is being saved. */
async function checkRoom(plan: Plan): Promise<void> {
  const { bavail, bsize } = await statfs(plan.dir)
  const needed = 2 * Math.max(plan.throughput ? plan.size : 0, plan.small ? SMALL_FILES * SMALL_BYTES : 0) + 2 ** 28
  if (bavail * bsize < needed)
    throw new Error(
      `${plan.dir} has not the ${needed} free bytes this takes: choose another with --dir, or less with --size`,
    )
}

async function main(): Promise<number> {
  let plan: Plan | null
  try {
    plan = readPlan(process.argv.slice(2))
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
  await checkRoom(plan)

  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort(new Error('interrupted: nothing was kept'))
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt)

  const folder = await mkdtemp(join(plan.dir, 'nighthaul-bench-'))
  try {
    const root = join(folder, 'served')
    await using server = await startServer(programs.nginx!.path, join(folder, 'nginx'), root)
    const options = { rounds: plan.rounds, folder, time: programs.time!.path, signal: interrupted.signal }
    const bench = { plan, programs, server, root, options }
    const machine = await machineFacts(folder, programs)
    say(`${machine.cores} cores (${machine.cpu}), ${machine.fileSystem}, Node ${machine.node}`)
    const results = [...(plan.throughput ? await throughput(bench) : []), ...(plan.small ? await small(bench) : [])]
    if (plan.json !== undefined) {
      const { size: bytes, rounds } = plan
      await writeFile(plan.json, `${JSON.stringify({ machine, missing, bytes, rounds, results }, null, 2)}\n`)
    }
    return 0
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return interrupted.signal.aborted ? 130 : 1
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

process.exitCode = await main()
