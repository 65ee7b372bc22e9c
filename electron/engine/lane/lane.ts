/**
 * A lane moves bytes: it asks servers and reads replies into files. What to ask for, what a reply is worth and who reads
 * which bytes is decided by its callers. A lane runs in the caller's thread (inline-lane.ts) or in a worker of its own
 * (worker-lane.ts), so that a slow disk or a fast line holds up neither the queue nor the window.
 */
import type { ChecksumAlgorithm } from '../../../shared/integrity.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { PartFile } from '../file-sink.ts'
import type { Digests } from '../hashes.ts'
import type { HttpReply, HttpRequest, HttpSettings } from '../http/http-client.ts'
import type { FileSystem } from '../ports.ts'
import type { TokenBucket } from '../rate-limiter.ts'
import type { Segment } from '../segment-plan.ts'

export interface LaneRequest extends Omit<HttpRequest, 'readBytes' | 'follow'> {
  /** limits by which the first bytes are read; whoever reads on names his own */
  buckets: readonly TokenBucket[]
}

/** The head of a reply; its body is held back until `receive`, `compare` or `read`. One of them, or `abort`, ends it. */
export interface LaneReply extends Omit<HttpReply, 'consume' | 'pause' | 'resume'> {
  receive(order: ReceiveOrder, events: ReceiveEvents, signal: AbortSignal): LaneTransfer
  /** ladder step 5: the whole body, compared with what is here and written where nothing is */
  compare(order: CompareOrder, events: CompareEvents, signal: AbortSignal): LaneTransfer
  /** a small body into memory; null: it is longer than `mostBytes`. Rejects as a transfer does. */
  read(mostBytes: number, signal: AbortSignal): Promise<Uint8Array | null>
}

/** One reply's body into a file. Offsets are of the file, in bytes. */
export interface ReceiveOrder {
  part: PartFile
  /** of the body's first byte */
  start: number
  /** so many bytes at the start of the body are here already: they are compared, not written */
  compareBytes: number
  /** one past the last byte that the body announced; null: not announced */
  bodyEnd: number | null
  /** where reading ends for now; null: with the body */
  end: number | null
  /** content coding to undo; null: none */
  decode: string | null
  /** the block in which writing begins is here from its start: its checksum goes on */
  blockHeld: boolean
  /** of the file; null: not known */
  size: number | null
  /** the body is the whole file */
  whole: boolean
  /** digests of the file that are wanted: made on the way where all of it comes in this body, from its first byte */
  digests: readonly ChecksumAlgorithm[]
  /** limits that the body pays for */
  buckets: readonly TokenBucket[]
  /** Another connection owns these bytes: they are read, and written only once `takeOver` says that they are ours. */
  races: boolean
}

/** `ahead`: the owner has read up to this offset. `yours`: it has stopped, and all below `from` is written. */
export type RaceAnswer = { kind: 'ahead'; position: number } | { kind: 'yours'; from: number; blockHeld: boolean }

export interface ReceiveEvents {
  /** bytes below it are in the kernel's hands; the part holds the checksums of blocks that were finished */
  written(position: number): void
  /** reading came to its end: where it ends now, or `stop` */
  reached(position: number): number | null | 'stop'
  /** A racing reader came to `position`: may it go on in the owner's place? Rejects where the race is over. */
  takeOver(position: number): Promise<RaceAnswer>
}

/** How it ended: the segment's end was reached, or the body was over. */
export type TransferEnd = 'limit' | 'body'

export interface TransferResult {
  how: TransferEnd
  /** where it ended */
  position: number
  /** the digests that were asked for; null: they could not be made on the way */
  digests: Digests | null
}

export interface LaneTransfer {
  /** settles after every byte taken was written; rejects with a typed error or the signal's reason */
  readonly ended: Promise<TransferResult>
  /** one past the last byte that was read or is about to be */
  readonly position: number
  /** bytes that came from the network */
  readonly receivedBytes: number
  /** how busy the thread is that reads: the share of the last moments in which it did not wait, 0 to 1 */
  readonly threadBusy: number
  /** Moves the end. False: reading is beyond it already, and the end is where it was. */
  setEnd(end: number | null): boolean
  /** the body pays for other limits from now on */
  setBuckets(buckets: readonly TokenBucket[]): void
  /** hands what was collected to the kernel */
  flush(): void
}

export interface CompareOrder {
  part: PartFile
  segments: readonly Segment[]
  /** of the file; null: not known */
  size: number | null
  /** content coding to undo; null: none */
  decode: string | null
  buckets: readonly TokenBucket[]
}

export interface CompareEvents {
  /** the segment that starts at `start` is written up to `position` */
  advanced(start: number, position: number): void
}

export interface Lane {
  /** As HttpClient.request. Requests with the same `options` object share its cookies. */
  request(request: LaneRequest): Promise<LaneReply>
  /**
   * The file system, of which calls that come with every file are made where files are written, if that is a thread of
   * its own: they cost less there than to wake another one.
   */
  files(fs: FileSystem): FileSystem
  /** nothing more is asked with these options */
  forget(options: TaskOptions): void
  setSettings(settings: HttpSettings): void
  /** closes idle connections */
  dropIdle(): void
  /** as HttpClient.networkChanged */
  networkChanged(): void
  close(): Promise<void>
}
