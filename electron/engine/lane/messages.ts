/** What crosses between an engine and the worker that runs its lane. Plain data; bounds are shared memory. */
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { BlockChecksum } from '../../../shared/records.ts'
import type { RequestSample } from '../../../shared/request-statistics.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import type { HttpSettings } from '../http/http-client.ts'
import type { FileSystem } from '../ports.ts'
import type { CompareOrder, LaneReply, LaneRequest, RaceAnswer, ReceiveOrder, TransferResult } from './lane.ts'

export type RequestMessage = Omit<LaneRequest, 'options' | 'signal' | 'buckets'> & {
  buckets: MemoryId[]
  /** of the options told before */
  options: number
}

/** A file to write. `fd`: it is open in this process (descriptors belong to all its threads); null: open it by its path. */
export interface FileMessage {
  path: string
  fd: number | null
  /** it does not exist yet, and must not */
  create: boolean
}

/** Of shared memory that the worker was told of before. */
export type MemoryId = number

/** What both threads work on: an open file, and shared memory. */
interface Shared {
  file: FileMessage
  bounds: MemoryId
  buckets: MemoryId[]
}

export type ReceiveMessage = Omit<ReceiveOrder, 'part' | 'buckets'> & Shared
export type CompareMessage = Omit<CompareOrder, 'part' | 'buckets'> & Shared

/** Calls of FileSystem that a worker makes for its engine. */
export type FileCall = { name: 'stat'; path: string } | { name: 'renameExclusive'; from: string; to: string }

export type ToWorker =
  /** the first; `asksSystem`: the other side can ask the system about proxies */
  | { kind: 'begin'; settings: HttpSettings; asksSystem: boolean }
  | { kind: 'options'; id: number; options: TaskOptions }
  | { kind: 'forget'; id: number }
  | { kind: 'memory'; id: MemoryId; memory: SharedArrayBuffer }
  /** nobody here has it any more */
  | { kind: 'memoryGone'; id: MemoryId }
  | { kind: 'request'; id: number; request: RequestMessage }
  | { kind: 'receive'; id: number; order: ReceiveMessage }
  | { kind: 'compare'; id: number; order: CompareMessage }
  | { kind: 'read'; id: number; mostBytes: number }
  | { kind: 'answer'; id: number; end: number | null | 'stop' }
  /** to `takeOver` */
  | { kind: 'raced'; id: number; answer: RaceAnswer | { kind: 'over'; error: ErrorInfo } }
  | { kind: 'buckets'; id: number; buckets: MemoryId[] }
  | { kind: 'flush'; id: number }
  /** a short call of the file system */
  | { kind: 'file'; id: number; call: FileCall }
  /** ends a request, or the reading of its reply */
  | { kind: 'abort'; id: number; reason: ErrorInfo }
  | { kind: 'settings'; settings: HttpSettings }
  | { kind: 'dropIdle' }
  | { kind: 'networkChanged' }
  /** what the system says about proxies; null where asking failed, `error` says why */
  | { kind: 'proxies'; question: number; answer: string | null; error: string | null }
  /** nothing more is asked; the answer is the last that is heard */
  | { kind: 'farewell' }

export type HeadMessage = Omit<LaneReply, 'abort' | 'receive' | 'compare' | 'read'>

export type FromWorker =
  | Told
  /** which proxies does the system name for this URL? */
  | { kind: 'resolveProxy'; question: number; url: string }
  | { kind: 'sample'; sample: RequestSample }
  | { kind: 'farewell' }

/** About what is under way under an id. */
export type Told =
  | { kind: 'head'; id: number; head: HeadMessage }
  | { kind: 'written'; id: number; position: number; blocks: BlockChecksum[] }
  | { kind: 'advanced'; id: number; start: number; position: number; blocks: BlockChecksum[] }
  | { kind: 'reached'; id: number; position: number }
  | { kind: 'takeOver'; id: number; position: number }
  | { kind: 'ended'; id: number; result: TransferResult; blocks: BlockChecksum[] }
  /** a small body, as a whole; null: it is too long */
  | { kind: 'body'; id: number; bytes: Uint8Array | null }
  /** to `file`; `stats`: of `stat` */
  | { kind: 'filed'; id: number; stats: Awaited<ReturnType<FileSystem['stat']>> }
  /** as the system said it */
  | { kind: 'notFiled'; id: number; error: { code: string | null; message: string } }
  /** the request or the reading failed */
  | { kind: 'failed'; id: number; error: ErrorInfo; blocks: BlockChecksum[] }
