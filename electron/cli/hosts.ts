/** `hosts`, `host-rule`: what they ask the engine and what they print. */
import { NighthaulError } from '../../shared/errors.ts'
import { formatDuration, formatRate } from '../../shared/format.ts'
import { HostPattern, HostRulePatch, type HostRuleView, type HostView } from '../../shared/host-schemas.ts'
import type { JsonFlags, RuleFlags } from './host-commands.ts'
import { withQueue } from './queue-session.ts'
import { printTable } from './table.ts'
import { print, printable, printJson, say } from './terminal.ts'

const rateOf = (bytesPerSecond: number | null | undefined) => (bytesPerSecond ? formatRate(bytesPerSecond) : '')

// ── hosts ──

/** Why a host gets what it gets, in a few words. */
function hostNote({ complaint, notBefore, patterns }: HostView, now: number): string {
  return [
    notBefore === null ? null : `asked again in ${formatDuration(notBefore - now)}`,
    complaint &&
      `${complaint.status ?? 'no'} reply ${formatDuration(now - complaint.at)} ago${complaint.count > 1 ? `, ${complaint.count} in all` : ''}`,
    patterns.length > 0 ? `rule ${patterns.join(', ')}` : null,
  ]
    .filter((part) => part !== null)
    .join('; ')
}

export async function listHosts(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const hosts = await client.call('hosts.list')
    if (flags.json) return hosts.forEach(printJson)
    if (hosts.length === 0) return say('nighthaul: No host is in use, and none has complained within a day')
    const now = Date.now()
    printTable([
      ['OPEN', 'ALLOWED', 'WAITING', 'LIMIT', 'HOST', ''],
      ...hosts.map((host) => [
        String(host.connections),
        host.allowed === host.most ? String(host.most) : `${host.allowed} of ${host.most}`,
        String(host.waiting),
        rateOf(host.limitBytesPerSecond),
        host.host,
        hostNote(host, now),
      ]),
    ])
  })
}

export async function forgetHost(host: string, flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const { forgotten } = await client.call('hosts.forget', { host: host.toLowerCase() })
    if (flags.json) printJson({ host, forgotten })
    else print(`${printable(host)}: ${forgotten ? 'forgotten' : 'nothing was remembered'}`)
  })
}

// ── rules ──

function readPattern(text: string): string {
  const parsed = HostPattern.safeParse(text)
  if (parsed.success) return parsed.data
  throw new NighthaulError('usage', `“${text}” is no pattern: ${parsed.error.issues[0]!.message}`)
}

function ruleNote(rule: HostRuleView): string {
  const words: (string | false | undefined)[] = [
    rule.connections !== undefined && `${rule.connections} connections`,
    rule.requestsPerSecond !== undefined && `${rule.requestsPerSecond} requests/s`,
    rule.spacingMs !== undefined && `${rule.spacingMs / 1000} s apart`,
    rule.limitBytesPerSecond !== undefined && formatRate(rule.limitBytesPerSecond),
    rule.proxy !== undefined && (rule.proxy === '' ? 'no proxy' : `proxy ${rule.proxy}`),
    rule.headers && `headers ${rule.headers.map(([name]) => name).join(', ')}`,
    rule.userAgent !== undefined && `user agent “${rule.userAgent}”`,
    rule.user !== undefined && `user ${rule.user}`,
    rule.hasPassword && 'password',
    rule.referer !== undefined && `referer ${rule.referer}`,
  ]
  return words.filter(Boolean).join(', ')
}

export async function listRules(flags: JsonFlags): Promise<number> {
  return withQueue(flags, async ({ client }) => {
    const rules = await client.call('hostRules.list')
    if (flags.json) return rules.forEach(printJson)
    if (rules.length === 0) return say('nighthaul: There are no rules for hosts')
    printTable([['PATTERN', 'RULE'], ...rules.map((rule) => [rule.pattern, ruleNote(rule)])])
  })
}

export async function setRule(text: string, flags: RuleFlags): Promise<number> {
  const pattern = readPattern(text)
  const fields = Object.keys(HostRulePatch.shape)
  const unknown = flags.without?.find((field) => !fields.includes(field))
  if (unknown !== undefined)
    throw new NighthaulError('usage', `--without: “${unknown}” is none of ${fields.join(', ')}`)
  const given = {
    connections: flags.connections,
    requestsPerSecond: flags.hostRate,
    spacingMs: flags.hostSpacing,
    limitBytesPerSecond: flags.limitRate,
    headers: flags.header,
    proxy: flags.proxy,
    userAgent: flags.userAgent,
    user: flags.user?.user,
    password: flags.user?.password,
    referer: flags.referer,
    ...Object.fromEntries((flags.without ?? []).map((field) => [field, null])),
  }
  const patch = HostRulePatch.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  )
  if (!patch.success) {
    const [issue] = patch.error.issues
    throw new NighthaulError('usage', `${String(issue!.path[0])}: ${issue!.message}`)
  }
  return withQueue(flags, async ({ client }) => {
    const rule = await client.call('hostRules.set', { pattern, patch: patch.data })
    if (flags.json) printJson(rule)
    else print(`${rule.pattern}: ${ruleNote(rule)}`)
  })
}

export async function removeRule(text: string, flags: JsonFlags): Promise<number> {
  const pattern = readPattern(text)
  return withQueue(flags, async ({ client }) => {
    const { removed } = await client.call('hostRules.remove', { pattern })
    if (flags.json) printJson({ pattern, removed })
    else print(`${pattern}: ${removed ? 'removed' : 'there was no such rule'}`)
  })
}
