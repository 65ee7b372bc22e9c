/** Hosts of the fake engine: a few, changed as the contract says. */
import type { Contract } from '../../shared/contract.ts'
import type { HostRuleView, HostView } from '../../shared/host-schemas.ts'
import type { Handlers } from '../../shared/rpc.ts'

type Fake = Pick<
  Handlers<Contract>,
  'hosts.list' | 'hosts.forget' | 'hostRules.list' | 'hostRules.set' | 'hostRules.remove'
>

export function createFakeHosts(now: () => number): Fake {
  let rules: HostRuleView[] = [
    { pattern: '*.debian.example', connections: 2, spacingMs: 500, hasPassword: false },
    { pattern: 'files.example.org', user: 'alex', hasPassword: true, headers: [['x-api-key', '…']] },
  ]
  const idle = { requestsPerSecond: null, spacingMs: null, limitBytesPerSecond: null, patterns: [], waiting: 0 }
  let hosts: HostView[] = [
    { ...idle, host: 'releases.ubuntu.example', connections: 6, allowed: 6, most: 6, notBefore: null, complaint: null },
    {
      ...idle,
      host: 'cdimage.debian.example',
      connections: 1,
      waiting: 2,
      allowed: 1,
      most: 2,
      notBefore: null,
      complaint: { status: 503, at: now() - 340_000, count: 1 },
      spacingMs: 500,
      patterns: ['*.debian.example'],
    },
    {
      ...idle,
      host: 'models.example:8443',
      connections: 0,
      allowed: 3,
      most: 6,
      notBefore: now() + 95_000,
      complaint: { status: 429, at: now() - 25_000, count: 3 },
    },
  ]
  return {
    'hosts.list': () => hosts,
    'hosts.forget': ({ host }) => {
      const forgotten = hosts.some((candidate) => candidate.host === host && candidate.complaint !== null)
      hosts = hosts
        .map((known) =>
          known.host === host ? { ...known, complaint: null, notBefore: null, allowed: known.most } : known,
        )
        .filter((known) => known.connections > 0 || known.complaint !== null)
      return { forgotten }
    },
    'hostRules.list': () => rules,
    'hostRules.set': ({ pattern, patch: { password, ...patch } }) => {
      const before = rules.find((rule) => rule.pattern === pattern) ?? { pattern, hasPassword: false }
      const merged = Object.entries({ ...before, ...patch }).filter(([, value]) => value !== null)
      const hasPassword = password === undefined ? before.hasPassword : password !== null
      const rule = { ...Object.fromEntries(merged), pattern, hasPassword } as HostRuleView
      if (rule.headers) rule.headers = rule.headers.map(([name]) => [name, '…'])
      rules = [...rules.filter((known) => known.pattern !== pattern), rule]
      return rule
    },
    'hostRules.remove': ({ pattern }) => {
      const removed = rules.some((rule) => rule.pattern === pattern)
      rules = rules.filter((rule) => rule.pattern !== pattern)
      return { removed }
    },
  }
}
