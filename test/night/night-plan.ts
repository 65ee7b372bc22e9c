/** What a night is made of: hosts, files, queues, and what will happen. Plain data; times are epoch ms. */
import type { ProfileName, ProfilePatch } from '../../shared/profiles.ts'
import type { QueuePatch } from '../../shared/queues.ts'
import type { SettingsPatch } from '../../shared/schemas.ts'

/** From, until. */
export type Span = readonly [from: number, to: number]

export interface HostPlan {
  /** as in links, without the scheme */
  name: string
  secure: boolean
  bytesPerSecond: number
  /** of one connection */
  bytesPerSecondEach: number
  roundTripMs: number
  /** null: any number */
  mostConnections: number | null
  requestsPerSecond: number | null
  /** the user told of these bounds, so they must never be exceeded; otherwise the host says so itself */
  told: boolean
  /** what it says to whoever exceeds its bounds */
  retryAfterS: number
  /** share of replies that end in the middle */
  cutShare: number
  troubles: Trouble[]
}

/**
 * `refuses`: restarts, or is down: connections break and none is accepted. `silent`: packets vanish. `storm`: answers 429
 * and when to come again. `errors`: answers 503.
 */
export interface Trouble {
  kind: 'refuses' | 'silent' | 'storm' | 'errors'
  span: Span
}

/**
 * `gone`: 404. `forbidden`: 403. `down`: its host is away all night. `late`: more than its window has room for. `altered`:
 * its checksum is another one's.
 */
export type Fate = 'good' | 'gone' | 'forbidden' | 'down' | 'late' | 'altered'

export interface FilePlan {
  number: number
  host: string
  sizeBytes: number
  fate: Fate
  queue: string
  /** the link leads to a place that is good for so long; null: it is the place */
  linkLastsMs: number | null
  /** from then on it is another file; null: it stays */
  changesAt: number | null
  addedAt: number
  /** not before, by the machine's clock; null: at once */
  startAt: number | null
  /** its checksum is told when it is added */
  told: boolean
  /** somebody forces it then, whatever its queue says; null: nobody does */
  forcedAt: number | null
  /** when it should be there at the latest, because others must not hold it up; null: in the morning */
  thereBy: number | null
}

export interface QueuePlan {
  name: string
  patch: QueuePatch
  /** when it may work, computed by hand, by the machine's clock; null: always */
  open: Span[] | null
  /** when it has to be done, as an instant, and whether it can be; null: no such time */
  due: { at: number; feasible: boolean } | null
}

/** The engine ends at a time, and begins again so much later. */
export interface EngineEnd {
  at: number
  downMs: number
  how: 'quit' | 'kill'
}

export interface ProfilePlan {
  name: ProfileName
  patch: ProfilePatch
  /** when it holds, computed by hand, by the machine's clock */
  open: Span[]
}

/** A file that is asked for again and again. */
export interface RepeatPlan {
  file: FilePlan
  when: string
  timeZone: string
  keepLast: number
  /** what each run comes to, computed by hand */
  runs: { at: number; result: 'downloaded' | 'unchanged' | 'failed'; deleted: number }[]
}

/** `away`: the interface is gone. `silent`: the router is. Both may end with another address. */
export interface Outage {
  kind: 'away' | 'silent' | 'portal'
  span: Span
  newAddress: boolean
}

export interface Sleep {
  at: number
  ms: number
  /** the machine's monotonic clock counts it */
  monotonicRuns: boolean
}

export interface NightPlan {
  scenario: string
  seed: number
  /** when the downloads are added */
  startsAt: number
  endsAt: number
  bytesPerSecond: number
  hosts: HostPlan[]
  /** where links of hosts lead from: answers redirects only */
  links: HostPlan
  files: FilePlan[]
  queues: QueuePlan[]
  outages: Outage[]
  sleeps: Sleep[]
  ends: EngineEnd[]
  /** on battery */
  battery: Span[]
  /** somebody sets the machine's clock, ahead or (negative) back */
  clockSets: { at: number; ms: number }[]
  profiles: ProfilePlan[]
  repeats: RepeatPlan[]
  settings: SettingsPatch
}

export function isWithin(at: number, spans: readonly Span[]): boolean {
  return spans.some(([from, to]) => at >= from && at < to)
}

export function pathOf(file: Pick<FilePlan, 'number'>): string {
  return `/files/${nameOf(file)}`
}

export function nameOf({ number }: Pick<FilePlan, 'number'>): string {
  return `file-${String(number).padStart(4, '0')}.bin`
}

/** What it holds at this time. */
export function contentOf(file: FilePlan, at: number): number {
  return 2 * file.number + (file.changesAt !== null && at >= file.changesAt ? 1 : 0)
}
