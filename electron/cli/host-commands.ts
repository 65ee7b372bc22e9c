/** `hosts`, `host-rule`: the commands and their flags. What they do is in hosts.ts. */
import type { Command } from 'commander'
import type { HostRulePatch } from '../../shared/host-schemas.ts'
import { valued } from './flags.ts'
import { parseHeader, parseHostRate, parseProxy, parseRate, parseSpacing, parseUser, parseWhole } from './parse.ts'
import type { GlobalFlags } from './program.ts'

/** Runs a command's code with its positional arguments and flags. */
export type Run = <A extends unknown[], F>(
  code: (...input: [...A, F & GlobalFlags]) => Promise<number>,
) => (...input: unknown[]) => Promise<void>

export type JsonFlags = GlobalFlags & { json?: true }
export interface RuleFlags extends JsonFlags {
  connections?: number
  hostRate?: number
  hostSpacing?: number
  limitRate?: number
  header?: [string, string][]
  proxy?: string
  userAgent?: string
  user?: { user: string; password: string }
  referer?: string
  without?: (keyof HostRulePatch)[]
}

const JSON_FLAG = ['--json', 'print JSON'] as const

export function addHostCommands(program: Command, run: Run): void {
  const code = () => import('./hosts.ts')
  const group = (name: string, description: string) => program.command(name).description(description)

  group('hosts', 'show the hosts in use and what they were seen to take')
    .option('--forget <host>', 'forget what this host was seen to take')
    .option('--json', 'print JSON, one object a line')
    .action(
      run<[], JsonFlags & { forget?: string }>(async (flags) =>
        flags.forget === undefined ? (await code()).listHosts(flags) : (await code()).forgetHost(flags.forget, flags),
      ),
    )

  const rule = group('host-rule', 'what holds for single hosts: example.org, example.org:8080, *.example.org')
  rule
    .command('list', { isDefault: true })
    .description('show the rules, without their secrets')
    .option('--json', 'print JSON, one object a line')
    .action(run<[], JsonFlags>(async (flags) => (await code()).listRules(flags)))
  rule
    .command('set')
    .description('add a rule or change it; what is not named stays')
    .argument('<pattern>')
    .addOption(valued('-x, --connections <n>', 'connections at once', (text) => parseWhole(text, 1, 64)))
    .addOption(valued('--host-rate <n>', 'requests a second', parseHostRate))
    .addOption(valued('--host-spacing <seconds>', 'the least time between two requests', parseSpacing))
    .addOption(valued('--limit-rate <rate>', 'bytes a second: 500K, 2M', parseRate))
    .addOption(
      valued(
        '--header <line>',
        "a header to send, 'Name: value' (may be repeated; replaces those before)",
        parseHeader,
      ).argParser((text: string, before: [string, string][] = []) => [...before, parseHeader(text)]),
    )
    .addOption(
      valued(
        '--proxy <url>',
        'http://, https:// or socks5:// proxy; empty for none',
        (text) => text && parseProxy(text),
      ),
    )
    .option('--user-agent <text>', 'how to introduce ourselves')
    .addOption(valued('--user <user:password>', 'credentials', parseUser))
    .option('--referer <url>', 'the page that the links are said to be on')
    .option('--without <field...>', 'take these back, such as proxy or limitBytesPerSecond')
    .option(...JSON_FLAG)
    .action(run<[string], RuleFlags>(async (pattern, flags) => (await code()).setRule(pattern, flags)))
  rule
    .command('remove')
    .description('remove a rule')
    .argument('<pattern>')
    .option(...JSON_FLAG)
    .action(run<[string], JsonFlags>(async (pattern, flags) => (await code()).removeRule(pattern, flags)))
}
