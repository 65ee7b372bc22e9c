/**
 * Hosts as they cross the contract: their limits, what they were seen to take, and what the user says about them by
 * pattern. Secrets of rules go in and never come out.
 */
import { z } from 'zod'
import { HeaderList } from './schemas.ts'

const LimitBytesPerSecond = z.int().positive()

const HOST = /^(\*\.)?(\[[0-9a-f:.]+\]|[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*[\p{L}\p{N}_])?)(?::(\d{1,5}))?$/u

/**
 * Hosts that a rule is about: `example.org`, `example.org:8080`, `*.example.org` (every name below it, not itself).
 * Without a port, every port.
 */
export const HostPattern = z
  .string()
  .trim()
  .toLowerCase()
  .max(300)
  .refine((text) => {
    const port = HOST.exec(text)?.[3]
    return HOST.test(text) && (port === undefined || (Number(port) > 0 && Number(port) < 65_536))
  }, 'write a host (example.org), a host with its port (example.org:8080), or all below it (*.example.org)')
  .refine((text) => !/^\*\.(\[|[\d.]+(:|$))/.test(text), 'an address has nothing below it: write it without *.')

/** What the user may say about hosts; what is left out, the settings say. */
const RuleFields = z.object({
  /** connections at once, of all downloads */
  connections: z.int().min(1).max(64),
  requestsPerSecond: z.number().positive().max(10_000),
  /** the least time between two requests */
  spacingMs: z.int().min(1).max(3_600_000),
  limitBytesPerSecond: LimitBytesPerSecond,
  headers: HeaderList,
  /** empty: none, whatever the settings say */
  proxy: z
    .string()
    .trim()
    .max(2000)
    .regex(/^$|^(https?|socks5h?):\/\/[^/]/i, 'write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT')
    .regex(/^[^…]*$/, 'the user and the password of a proxy are not shown: write them again'),
  userAgent: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .regex(/^[^\p{Cc}]*$/u),
  user: z.string().max(1000),
  password: z.string().max(1000),
  referer: z
    .string()
    .trim()
    .min(1)
    .max(4000)
    .regex(/^[\x21-\x7e]*$/, 'a referer is a link'),
})

export const HostRule = RuleFields.partial().extend({ pattern: HostPattern })
export type HostRule = z.infer<typeof HostRule>

/** What is left out stays as it is, `null` is taken back: so a rule can be changed without knowing its secrets. */
export const HostRulePatch = z
  .object({
    connections: RuleFields.shape.connections.nullable(),
    requestsPerSecond: RuleFields.shape.requestsPerSecond.nullable(),
    spacingMs: RuleFields.shape.spacingMs.nullable(),
    limitBytesPerSecond: RuleFields.shape.limitBytesPerSecond.nullable(),
    headers: RuleFields.shape.headers.nullable(),
    proxy: RuleFields.shape.proxy.nullable(),
    userAgent: RuleFields.shape.userAgent.nullable(),
    user: RuleFields.shape.user.nullable(),
    password: RuleFields.shape.password.nullable(),
    referer: RuleFields.shape.referer.nullable(),
  })
  .partial()
  .strict()
export type HostRulePatch = z.infer<typeof HostRulePatch>

/** Without its secrets: no password, header names with `…` for values, no user in the proxy. */
export interface HostRuleView extends Omit<HostRule, 'password'> {
  hasPassword: boolean
}

/** A host as it is now, and what it was seen to take. */
export interface HostView {
  /** with its port where that is not the usual one */
  host: string
  /** open now, of all downloads */
  connections: number
  /** downloads that wait for a place at it */
  waiting: number
  /** the most connections it gets now */
  allowed: number
  /** the most that rules and settings give it */
  most: number
  /** nothing is asked before (epoch ms); null: it may be asked */
  notBefore: number | null
  /** why it gets less than it could, or got so within the last day */
  complaint: {
    /** status of the reply: 429, 503 */
    status: number | null
    /** epoch ms */
    at: number
    /** how many, since it last was quiet for a day */
    count: number
  } | null
  requestsPerSecond: number | null
  spacingMs: number | null
  limitBytesPerSecond: number | null
  /** patterns of the rules that hold for it, the most specific first */
  patterns: string[]
}
