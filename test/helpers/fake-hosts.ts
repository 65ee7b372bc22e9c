/** Queues and hosts of the fake engine: a few of each, changed as the contract says. */
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { HostRuleView, HostView } from '../../shared/host-schemas.ts'
import { DEFAULT_QUEUE_SETTINGS, type QueueView } from '../../shared/queues.ts'
import type { Handlers } from '../../shared/rpc.ts'
import { DEFAULT_QUEUE_ID } from '../../shared/schemas.ts'

type Fake = Pick<
  Handlers<Contract>,
  | 'queues.list'
  | 'queues.add'
  | 'queues.update'
  | 'queues.remove'
  | 'queues.makeUp'
  | 'hosts.list'
  | 'hosts.forget'
  | 'hostRules.list'
  | 'hostRules.set'
  | 'hostRules.remove'
>

const IDLE_QUEUE = {
  ...DEFAULT_QUEUE_SETTINGS,
  hold: null,
  changesAt: null,
  missedWindow: null,
  open: 0,
  running: 0,
} as const

export function createFakeHosts(now: () => number): Fake {
  let queues: QueueView[] = [
    { ...IDLE_QUEUE, id: DEFAULT_QUEUE_ID, name: 'Default' },
    { ...IDLE_QUEUE, id: 2, name: 'Overnight', limitBytesPerSecond: 4_000_000 },
  ]
  let nextId = 3
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
  const find = (id: number): QueueView => {
    const queue = queues.find((candidate) => candidate.id === id)
    if (!queue) throw new NighthaulError('queue_not_found', `There is no queue ${id}. Nothing was changed.`, { id })
    return queue
  }
  const check = (name: string | undefined, id?: number): void => {
    if (!queues.some((queue) => queue.id !== id && queue.name.toLowerCase() === name?.toLowerCase())) return
    throw new NighthaulError('queue_exists', `There is a queue “${name}” already. Nothing was changed.`)
  }
  return {
    'queues.list': () => queues,
    'queues.add': (input) => {
      check(input.name)
      const { position: _position, ...settings } = input
      const queue = { ...IDLE_QUEUE, id: nextId++, ...settings }
      queues = [...queues, queue]
      return queue
    },
    'queues.update': ({ id, patch }) => {
      check(patch.name, id)
      const { position: _position, ...settings } = patch
      const changed = { ...find(id), ...settings }
      queues = queues.map((queue) => (queue.id === id ? changed : queue))
      return changed
    },
    'queues.makeUp': ({ id }) => find(id),
    'queues.remove': ({ id }) => {
      find(id)
      if (id === DEFAULT_QUEUE_ID) throw new NighthaulError('queue_is_default', 'The default queue cannot be removed.')
      queues = queues.filter((queue) => queue.id !== id)
      return { moved: 0 }
    },
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
