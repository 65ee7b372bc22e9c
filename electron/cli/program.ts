/**
 * The commands, their flags and their help. Each command's own code is loaded when it runs, so that `get` never waits
 * for what only `serve` needs.
 */
import { Command, type CommanderError, Option } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import { type AccessFlags, addAccessOptions, caOption, headerOption, userOption } from './access-options.ts'
import type { BenchFlags } from './bench.ts'
import { addCountdownCommands } from './countdown-commands.ts'
import { addStartOptions, valued } from './flags.ts'
import { addHostCommands } from './host-commands.ts'
import { addListCommands } from './list-commands.ts'
import type { MoveFlags } from './move.ts'
import { addSessionOptions, addTransferOptions, type GetFlags } from './options.ts'
import { parseBytes, parsePeriod, parseRateOrNone, parseSeconds, parseTaskId, parseUrl, parseWhole } from './parse.ts'
import type { AddFlags, SetFlags } from './queue.ts'
import { addQueueCommands } from './queue-commands.ts'
import { addReportCommands } from './report-commands.ts'
import { addScheduleCommands } from './schedule-commands.ts'
import { callerPath } from './terminal.ts'
import { addVerifyCommands } from './verify-commands.ts'
import { version } from './version.ts'

type ProbeFlags = AccessFlags & { json?: true }

/** Flags of every command. */
export interface GlobalFlags {
  profile?: string
}

const EXIT_CODE_HELP = `
Exit codes: 0 done · 1 other · 2 usage · 3 network or timeout · 4 HTTP status · 5 integrity · 6 disk ·
7 remote file changed · 130 interrupted (the partial is kept: run the same command again to continue)`

const GET_HELP = `
Examples:
  nighthaul get https://example.org/large.iso
  nighthaul get -x 16 -d ~/Downloads --checksum sha-256=… https://example.org/large.iso
  nighthaul get -i links.txt -j 4 --limit-rate 2M
  nighthaul get https://example.org/large.iso --mirror https://mirror.example.net/large.iso
  nighthaul get large.iso.meta4
  nighthaul get https://example.org/source.tar.gz -o - | tar xz
${EXIT_CODE_HELP}`

const ADD_HELP = `
Examples:
  nighthaul add --queue Night https://example.org/large.iso
  nighthaul add --start-at 23:00 https://example.org/large.iso
  nighthaul add --start-at 2026-11-27T01:30 --tz Europe/Berlin -i links.txt
  nighthaul add --start-in 2h https://example.org/large.iso`

const BENCH_HELP = `
It says beforehand what it is going to send, goes one way after the other, saves nothing, and stops at once when the
server asks to be left alone (429, 503). Proxies are not used.`
/** Less says nothing, more is no comparison any more but a load. */
const LEAST_BENCH_BYTES = 1024 ** 2
const MOST_BENCH_BYTES = 1024 ** 3

/**
 * Builds the program. `finish` hears the exit code of the command that ran. Parsing throws CommanderError for help,
 * version and wrong flags, NighthaulError for wrong values.
 */
export function buildProgram(finish: (code: number) => void): Command {
  const program = new Command('nighthaul')
    .description('Downloads large files, resumes them, verifies them.')
    .version(version(), '-V, --version')
    .addOption(new Option('--profile <dir>', 'profile folder (default: NIGHTHAUL_HOME, then the platform’s)'))
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', EXIT_CODE_HELP)

  const command = (name: string, description: string) => program.command(name).description(description)
  /** Runs a command's code with its positional arguments and flags, the profile's folder resolved. */
  const run =
    <A extends unknown[], F>(code: (...input: [...A, F & GlobalFlags]) => Promise<number>) =>
    async (...input: unknown[]) => {
      const source = input.at(-1) as Command
      const flags = source.optsWithGlobals() as F & GlobalFlags
      if (flags.profile !== undefined) flags.profile = callerPath(flags.profile)
      finish(await code(...(input.slice(0, -2) as A), flags))
    }

  addSessionOptions(addTransferOptions(command('get', 'download here and now; run again, it continues')))
    .argument('[url...]', 'what to download: links, or Metalink files')
    .addHelpText('after', GET_HELP)
    .action(run<[string[]], GetFlags>(async (urls, flags) => (await import('./get.ts')).get(urls, flags)))

  addAccessOptions(command('probe', 'ask about a file without downloading it'))
    .argument('<url>', 'what to ask about', (text) => parseUrl(text))
    .option('--json', 'print JSON')
    .action(run<[string], ProbeFlags>(async (url, flags) => (await import('./probe.ts')).probe(url, flags)))

  command('bench', 'compare ways to fetch from a server: connections kept or not, several, HTTP/2')
    .addOption(
      valued('--url <url>', 'a file on that server, best a large one', (text) => parseUrl(text)).makeOptionMandatory(),
    )
    .addOption(
      valued('--max-bytes <size>', 'read no more than this in all', (text) =>
        parseBytes(text, LEAST_BENCH_BYTES, MOST_BENCH_BYTES),
      ).default(64 * 1024 ** 2, '64M'),
    )
    .addOption(valued('--max-seconds <seconds>', 'take no longer than this in all', parseSeconds).default(60_000, '60'))
    .addOption(headerOption())
    .addOption(userOption())
    .addOption(caOption())
    .option('--json', 'print JSON, one object a line')
    .addHelpText('after', BENCH_HELP)
    .action(run<[], BenchFlags>(async (flags) => (await import('./bench.ts')).bench(flags)))

  command('serve', 'run the queue here and serve the window to a browser')
    .addOption(new Option('--host <host>', 'address to listen on').default('127.0.0.1'))
    .addOption(
      valued('--port <port>', 'port to listen on; 0 for any free one', (text) => parseWhole(text, 0, 65_535)).default(
        0,
        'any free one',
      ),
    )
    .option('--token <token>', 'what clients must present (default: the profile’s own, made at random)')
    .option('--open', 'open the window in a browser')
    .action(
      run<[], { host: string; port: number; token?: string; open?: true }>(async (flags) =>
        (await import('./serve.ts')).serve(flags),
      ),
    )

  addStartOptions(addTransferOptions(command('add', 'put downloads in the queue')))
    .option('--paused', 'do not start them yet')
    .option('--queue <name>', 'the queue to put them in (default: the default one)')
    .option('--json', 'print JSON, one object a line')
    .argument('[url...]', 'what to download: links, or Metalink files')
    .addHelpText('after', ADD_HELP)
    .action(run<[string[]], AddFlags>(async (urls, flags) => (await import('./queue.ts')).add(urls, flags)))

  command('list', 'show the queue')
    .option('--json', 'print JSON, one object a line')
    .option('--state <state...>', 'only downloads in these states')
    .argument('[text]', 'only downloads with this in their name or link')
    .action(
      run<[string | undefined], { json?: true; state?: string[] }>(async (text, flags) =>
        (await import('./queue.ts')).list(text, flags),
      ),
    )

  command('show', 'show everything about one download')
    .argument('<id>', 'its id, as in the list', parseTaskId)
    .option('--json', 'print JSON')
    .action(run<[number], { json?: true }>(async (id, flags) => (await import('./queue.ts')).show(id, flags)))

  command('refresh-link', 'give a download a new link in place of one that expired; what is here stays')
    .argument('<id>', 'its id, as in the list', parseTaskId)
    .argument('<url>', 'the new link to the same file', (text) => parseUrl(text))
    .option('--json', 'print JSON')
    .action(
      run<[number, string], { json?: true }>(async (id, url, flags) =>
        (await import('./queue.ts')).refreshLink(id, url, flags),
      ),
    )

  for (const [name, description] of [
    ['pause', 'pause downloads'],
    ['resume', 'let paused downloads go on'],
    ['retry', 'try failed downloads again'],
  ] as const) {
    command(name, description)
      .argument('<id...>', 'ids, as in the list, or “all”')
      .option('--json', 'print JSON')
      .action(
        run<[string[]], { json?: true }>(async (ids, flags) => (await import('./queue.ts')).move(name, ids, flags)),
      )
  }

  command('move', 'take files of downloads to another place, finished or not')
    .argument('<id...>', 'ids, as in the list')
    .requiredOption('--to <path>', 'a folder, or for one download a file')
    .option('--already-there', 'the file was moved by somebody: compare it, and believe that')
    .option('--json', 'print JSON, one object a line')
    .action(run<[string[]], MoveFlags>(async (ids, flags) => (await import('./move.ts')).moveFiles(ids, flags)))

  addListCommands(program, run)
  addStartOptions(command('set', 'change downloads, at once for those that run'))
    .argument('<id...>', 'ids, as in the list')
    .addOption(valued('--limit-rate <rate>', 'bytes a second: 500K, 2M, or “none”', parseRateOrNone))
    .addOption(
      valued('-x, --connections <n>', 'connections, or “default”', (text) =>
        text === 'default' ? text : parseWhole(text, 1, 64),
      ),
    )
    .option('--queue <name>', 'the queue to move them to')
    .option('--json', 'print JSON')
    .action(run<[string[]], SetFlags>(async (ids, flags) => (await import('./queue.ts')).set(ids, flags)))

  addVerifyCommands(program, run)
  addQueueCommands(program, run)
  addCountdownCommands(program, run)
  addHostCommands(program, run)
  addScheduleCommands(program, run)
  addReportCommands(program, run)
  command('stats', 'show how the requests of the last hours went')
    .addOption(
      valued('--since <period>', 'how far back, by whole hours: 90m, 24h, 7d, 4w or all', parsePeriod).default(
        24 * 3_600_000,
        '24h',
      ),
    )
    .option('--host <host>', 'only requests to this host (with its port where that is unusual)')
    .option('--json', 'print JSON')
    .action(
      run<[], { since: number | null; host?: string; json?: true }>(async (flags) =>
        (await import('./stats.ts')).stats(flags),
      ),
    )

  return program
}

/** A failure of parsing as one sentence for people. */
export function usageError(error: CommanderError, args: readonly string[]): NighthaulError {
  const link = args.find((argument) => /^https?:\/\//i.test(argument))
  if (error.code === 'commander.unknownCommand' && link !== undefined && error.message.includes(link)) {
    return new NighthaulError('usage', `“${link}” is no command: to download it, write nighthaul get ${link}`)
  }
  const sentence = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  return new NighthaulError('usage', `${sentence[0]!.toUpperCase()}${sentence.slice(1)}; ${SEE_HELP}`)
}

const SEE_HELP = 'nighthaul --help lists the commands, nighthaul COMMAND --help the flags of one'
