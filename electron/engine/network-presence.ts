/**
 * Whether the network is there at all. Failures of single hosts are theirs; failures of several hosts in a row, with
 * nothing in between that came, are the network's: a router that restarts, a line that is down, a captive portal that
 * answers for everybody. While it is away nothing is tried but one download now and then, and no download loses a try.
 * Decides; what follows from it is unattended.ts.
 */
import { isIP } from 'node:net'
import { ERROR_KINDS, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { NetworkChange, TaskId } from '../../shared/schemas.ts'

export const AWAY_REASONS = ['no_interface', 'no_host_answers', 'captive_portal'] as const
export type AwayReason = (typeof AWAY_REASONS)[number]

/** What one failure says of the network. `via`: the host that answered for the one that was asked. */
export type Evidence =
  /** nothing on the way answers, which is hardly one host's own fault */
  | { kind: 'silent' }
  /** may be the host's own; counts only for hosts that answered before */
  | { kind: 'unanswered' }
  /** somebody else answered */
  | { kind: 'portal'; via: string | null }
  /** a web page or a certificate that is not the host's, perhaps; counts only for hosts that answered before */
  | { kind: 'impostor' }

export interface Away {
  reason: AwayReason
  /** epoch ms */
  since: number
  /** epoch ms of the next try */
  probeAt: number
}

interface Witness {
  host: string
  evidence: Evidence
}

/** So many hosts in a row, or all that are in use where those are fewer, but never one alone. */
const HOSTS_IN_A_ROW = 3
const FIRST_PROBE_MS = 5_000
const LONGEST_PROBE_MS = 5 * 60_000
/** So many hosts are remembered to have answered. */
const MOST_ANSWERED = 10_000
/** RFC 6585 §6: the network asks for a login */
const NETWORK_AUTHENTICATION_REQUIRED = 511

const SILENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['network_unreachable', 'connect_timeout'])
const UNANSWERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'dns_not_found',
  'connect_refused',
  'connection_reset',
  'connection_closed',
  'headers_timeout',
  'stalled',
  'proxy_failed',
])

/** What a failure says about the network; null: it is the host's or the download's own. Pure. */
export function evidenceOf({ code, params }: ErrorInfo, asked: string): Evidence | null {
  if (params.status === NETWORK_AUTHENTICATION_REQUIRED) return { kind: 'portal', via: null }
  if (SILENT.has(code)) return { kind: 'silent' }
  if (UNANSWERED.has(code)) return { kind: 'unanswered' }
  if (code === 'tls_failed' && params.certificate === true) return { kind: 'impostor' }
  const page = code === 'html_instead_of_file' || (code === 'remote_changed' && params.html === true)
  if (!page) return null
  const { host } = params
  return typeof host === 'string' && host !== asked ? { kind: 'portal', via: host } : { kind: 'impostor' }
}

/** Whether two hosts are of one site, as far as their names tell: a site's own page is no portal. Pure. */
export function isOfOneSite(one: string, other: string): boolean {
  return siteOf(one) === siteOf(other)
}

/** Names by their last two labels; addresses and names of one label are sites of their own, port by port. */
function siteOf(host: string): string {
  const name = host.replace(/:\d+$/, '')
  return isIP(name) !== 0 || name.startsWith('[') ? host : name.split('.').slice(-2).join('.')
}

/** Whether an error shows that the host itself answered. Pure. */
export function isAnswer({ code, params }: ErrorInfo): boolean {
  return ERROR_KINDS[code] === 'http' && params.status !== NETWORK_AUTHENTICATION_REQUIRED
}

/** What a row of failures, one of each host, means; null: nothing yet. `hostsInUse`: that work wants. Pure. */
export function awayReason(
  row: readonly Witness[],
  answered: Pick<ReadonlySet<string>, 'has'>,
  hostsInUse: number,
): AwayReason | null {
  if (row.some(({ evidence }) => evidence.kind === 'portal' && evidence.via === null)) return 'captive_portal'
  const portals = Map.groupBy(row, ({ evidence }) => (evidence.kind === 'portal' ? evidence.via : null))
  if ([...portals].some(([via, hosts]) => via !== null && hosts.length > 1)) return 'captive_portal'
  const needed = Math.min(HOSTS_IN_A_ROW, Math.max(2, hostsInUse))
  const impostors = row.filter(({ host, evidence }) => evidence.kind === 'impostor' && answered.has(host))
  if (impostors.length >= needed) return 'captive_portal'
  const quiet = row.filter(({ evidence }) => evidence.kind === 'silent' || evidence.kind === 'unanswered')
  const known = quiet.filter(({ host }) => answered.has(host))
  const gone = quiet.filter((witness) => witness.evidence.kind === 'silent' || known.includes(witness))
  return known.length >= needed || gone.length >= HOSTS_IN_A_ROW ? 'no_host_answers' : null
}

export class NetworkPresence {
  readonly #now: () => number
  /** the latest failure of each host since something came */
  readonly #row = new Map<string, Evidence>()
  /** the downloads that these failures were of */
  readonly #victims = new Set<TaskId>()
  readonly #answered = new Set<string>()
  readonly #probed = new Set<string>()
  #away: (Away & { waitMs: number }) | null = null

  /** `now`: epoch ms */
  constructor(now: () => number) {
    this.#now = now
  }

  get away(): Away | null {
    return this.#away
  }

  /** hosts that were tried since it is away, to be passed over while there are others */
  get probed(): ReadonlySet<string> {
    return this.#probed
  }

  /** False: this says nothing new. */
  isNews(host: string): boolean {
    return this.#away !== null || this.#row.size > 0 || !this.#answered.has(host)
  }

  hasAnswered(host: string): boolean {
    return this.#answered.has(host)
  }

  /** Something came from a host. True: the network is back. */
  came(host: string): boolean {
    if (this.#answered.size >= MOST_ANSWERED) this.#answered.clear()
    this.#answered.add(host)
    return this.#clear()
  }

  /** A download failed, not by its own fault perhaps. Answers whether the network went away by it. */
  failed(id: TaskId, host: string, error: ErrorInfo, hostsInUse: ReadonlySet<string>): boolean {
    const evidence = evidenceOf(error, host)
    if (evidence === null || this.#away !== null) return false
    this.#row.delete(host)
    this.#row.set(host, evidence)
    this.#victims.add(id)
    const row = [...this.#row].map(([name, what]) => ({ host: name, evidence: what }))
    const reason = awayReason(row, this.#answered, new Set([...hostsInUse, ...this.#row.keys()]).size)
    if (reason === null) return false
    this.#leave(reason)
    return true
  }

  /** Whether, while it is away, a failure is of that; it may tell more of the reason. */
  explains(error: ErrorInfo, host: string): boolean {
    const evidence = this.#away && evidenceOf(error, host)
    if (!evidence) return false
    if (evidence.kind === 'portal') this.#away = { ...this.#away!, reason: 'captive_portal' }
    return true
  }

  /** The machine woke, or has other addresses. Answers whether the network went away or came back by it. */
  changed(change: NetworkChange): boolean {
    if (change !== 'offline') return this.#clear()
    if (this.#away !== null) return false
    this.#leave('no_interface')
    return true
  }

  /** Whether it is time to try one download; a clock that was set back does not put it off. */
  get mayProbe(): boolean {
    const leftMs = (this.#away?.probeAt ?? 0) - this.#now()
    return leftMs <= 0 || leftMs > LONGEST_PROBE_MS
  }

  /** One download is tried now. */
  probing(host: string): void {
    if (this.#away === null) return
    this.#probed.add(host)
    const { waitMs } = this.#away
    this.#away = { ...this.#away, probeAt: this.#now() + waitMs, waitMs: Math.min(waitMs * 2, LONGEST_PROBE_MS) }
  }

  /** Every host was tried: from the first again. */
  probedAll(): void {
    this.#probed.clear()
  }

  /** The downloads that failed before it was clear that the network had gone, once. */
  takeVictims(): TaskId[] {
    const victims = [...this.#victims]
    this.#victims.clear()
    return victims
  }

  #leave(reason: AwayReason): void {
    const now = this.#now()
    this.#away = { reason, since: now, probeAt: now + FIRST_PROBE_MS, waitMs: FIRST_PROBE_MS * 2 }
    this.#row.clear()
    this.#probed.clear()
  }

  #clear(): boolean {
    const was = this.#away !== null
    this.#away = null
    this.#row.clear()
    this.#victims.clear()
    this.#probed.clear()
    return was
  }
}
