/** What a run of a task needs, and how it may end. */
import type { NighthaulError } from '../../shared/errors.ts'
import type { Digests } from './hashes.ts'
import type { HostController } from './host-controller.ts'
import type { Lane, LaneReply } from './lane/lane.ts'
import type { PlaceContext } from './place.ts'
import type { EngineDeps } from './ports.ts'
import type { TokenBucket } from './rate-limiter.ts'

export type Transferred = Extract<DownloadOutcome, { kind: 'transferred' }>

export type DownloadOutcome =
  /** `digests`: of the whole file, those that were made on the way */
  | { kind: 'transferred'; partPath: string; digests: Digests }
  /** an earlier process had already given the file its name */
  | { kind: 'published'; path: string }
  | { kind: 'failed'; error: NighthaulError; progressed: boolean }
  | { kind: 'changed'; error: NighthaulError }
  | { kind: 'stopped' }

export interface DownloadContext extends PlaceContext, Pick<EngineDeps, 'clock' | 'random'> {
  lane: Lane
  hosts: HostController
  /** the limits that hold for this task's bytes from a host */
  buckets: (host: string) => readonly TokenBucket[]
  /** connections where the task names no number */
  connectionsUsually: () => number
  /** forget stored segments and blocks */
  forget: () => void
  /** the first good reply of a fresh file came */
  began: (reply: Pick<LaneReply, 'headers' | 'finalUrl'>, size: number | null) => void
  /** the link led to a host where other downloads have all places; the run may be ended for it */
  noRoom: (host: string) => void
  /** bytes came in: for the totals */
  received: (bytes: number) => void
}
