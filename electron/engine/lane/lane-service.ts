/**
 * What a lane's worker does: an inline lane behind messages. Files are written synchronously here, from the very
 * memory that the socket was read into: cheaper than any hand-over, and nobody else waits on this thread.
 */
import { parentPort } from 'node:worker_threads'
import { NighthaulError, toErrorInfo } from '../../../shared/errors.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import { PartFile } from '../file-sink.ts'
import type { HttpSettings } from '../http/http-client.ts'
import { AT_ONCE, createNodeFileSystem, descriptorFile, openAtOnce } from '../node-fs.ts'
import type { FileSystem } from '../ports.ts'
import { TokenBucket } from '../rate-limiter.ts'
import { LaneBounds } from './bounds.ts'
import { createInlineLane, type InlineLane, type InlineReply } from './inline-lane.ts'
import type { LaneTransfer, RaceAnswer } from './lane.ts'
import type {
  CompareMessage,
  FileCall,
  FileMessage,
  FromWorker,
  MemoryId,
  ReceiveMessage,
  RequestMessage,
  ToWorker,
} from './messages.ts'
import { Outbox } from './outbox.ts'

interface Work {
  abort: AbortController
  reply: InlineReply | null
  transfer: LaneTransfer | null
  /** answers the question where reading ends now */
  answer: ((end: number | null | 'stop') => void) | null
  /** settles the question whether a racing reader may go on in the owner's place */
  race: PromiseWithResolvers<RaceAnswer> | null
}

const port = parentPort!
const questions = new Map<number, PromiseWithResolvers<string>>()
let lastQuestion = 0
const resolveProxy = (url: string): Promise<string> => {
  const question = ++lastQuestion
  const answer = Promise.withResolvers<string>()
  questions.set(question, answer)
  tell({ kind: 'resolveProxy', question, url })
  return answer.promise
}
/** told by the first message */
let lane: InlineLane
const options = new Map<number, TaskOptions>()
const memories = new Map<MemoryId, SharedArrayBuffer>()
const bucketAt = (id: MemoryId) => TokenBucket.attach(memories.get(id)!)
const works = new Map<number, Work>()
const outbox = new Outbox<FromWorker>((messages) => port.postMessage(messages))
const tell = (message: FromWorker) => outbox.post(message)

port.on('message', (messages: ToWorker[]) => messages.forEach(take))

function take(message: ToWorker): void {
  switch (message.kind) {
    case 'begin':
      lane = begin(message.settings, message.asksSystem)
      return
    case 'options':
      options.set(message.id, message.options)
      return
    case 'forget':
      options.delete(message.id)
      return
    case 'memory':
      memories.set(message.id, message.memory)
      return
    case 'memoryGone':
      memories.delete(message.id)
      return
    case 'request':
      void request(message.id, message.request)
      return
    case 'receive':
      receive(message.id, message.order)
      return
    case 'compare':
      compare(message.id, message.order)
      return
    case 'read':
      void read(message.id, message.mostBytes)
      return
    case 'answer':
      works.get(message.id)?.answer?.(message.end)
      return
    case 'buckets':
      works.get(message.id)?.transfer?.setBuckets(message.buckets.map(bucketAt))
      return
    case 'raced': {
      const { answer } = message
      const race = works.get(message.id)?.race
      if (answer.kind === 'over') race?.reject(NighthaulError.from(answer.error))
      else race?.resolve(answer)
      return
    }
    case 'flush':
      works.get(message.id)?.transfer?.flush()
      return
    case 'file':
      fileCall(message.id, message.call)
      return
    case 'abort':
      abort(message.id, NighthaulError.from(message.reason))
      return
    case 'settings':
      lane.setSettings(message.settings)
      return
    case 'dropIdle':
      lane.dropIdle()
      return
    case 'networkChanged':
      lane.networkChanged()
      return
    case 'proxies':
      answerQuestion(message)
      return
    case 'farewell':
      tell({ kind: 'farewell' })
  }
}

function begin(settings: HttpSettings, asksSystem: boolean): InlineLane {
  return createInlineLane({
    settings,
    ...(asksSystem && { resolveProxy }),
    clock: {
      now: Date.now,
      monotonic: () => Number(process.hrtime.bigint()) / 1e6,
      setTimeout(callback, ms) {
        const timer = setTimeout(callback, ms)
        return { cancel: () => clearTimeout(timer) }
      },
    },
    onRequest: (sample) => tell({ kind: 'sample', sample }),
  })
}

async function request(id: number, { options: optionsId, buckets, ...asked }: RequestMessage): Promise<void> {
  const work: Work = { abort: new AbortController(), reply: null, transfer: null, answer: null, race: null }
  works.set(id, work)
  try {
    const taskOptions = options.get(optionsId) ?? {}
    const drawn = buckets.map(bucketAt)
    const reply = await lane.request({ ...asked, options: taskOptions, buckets: drawn, signal: work.abort.signal })
    // Given up just as its head came: nobody will ask for the rest.
    work.abort.signal.throwIfAborted()
    work.reply = reply
    const { status, headers, finalUrl, redirected, httpVersion, remoteAddress, reused, leadsTo } = reply
    tell({
      kind: 'head',
      id,
      head: { status, headers, finalUrl, redirected, httpVersion, remoteAddress, reused, leadsTo },
    })
  } catch (error) {
    works.delete(id)
    tell({ kind: 'failed', id, error: toErrorInfo(error), blocks: [] })
  }
}

function receive(id: number, { file, bounds, buckets, ...order }: ReceiveMessage): void {
  follow(id, file, (work, reply, part) =>
    reply.receiveWithin(
      { ...order, part, buckets: buckets.map(bucketAt) },
      {
        written: (position) => tell({ kind: 'written', id, position, blocks: part.takeBlocks() }),
        reached: (position) =>
          new Promise((resolve) => {
            work.answer = resolve
            tell({ kind: 'reached', id, position })
          }),
        takeOver(position) {
          work.race = Promise.withResolvers()
          tell({ kind: 'takeOver', id, position })
          return work.race.promise
        },
      },
      work.abort.signal,
      LaneBounds.over(memories.get(bounds)!),
    ),
  )
}

function compare(id: number, { file, bounds, buckets, ...order }: CompareMessage): void {
  follow(id, file, (work, reply, part) =>
    reply.compareWithin(
      { ...order, part, buckets: buckets.map(bucketAt) },
      { advanced: (start, position) => tell({ kind: 'advanced', id, start, position, blocks: part.takeBlocks() }) },
      work.abort.signal,
      LaneBounds.over(memories.get(bounds)!),
    ),
  )
}

async function read(id: number, mostBytes: number): Promise<void> {
  const work = works.get(id)
  if (!work?.reply) return
  try {
    tell({ kind: 'body', id, bytes: await work.reply.read(mostBytes, work.abort.signal) })
  } catch (error) {
    tell({ kind: 'failed', id, error: toErrorInfo(error), blocks: [] })
  }
  works.delete(id)
}

/** Here nobody else waits while the disk answers. */
const files = createNodeFileSystem(process.platform, { calls: AT_ONCE })

function fileCall(id: number, call: FileCall): void {
  const answer = call.name === 'stat' ? files.stat(call.path) : files.renameExclusive(call.from, call.to)
  answer.then(
    (stats) => tell({ kind: 'filed', id, stats: stats ?? null }),
    ({ code, message }: NodeJS.ErrnoException) =>
      tell({ kind: 'notFiled', id, error: { code: code ?? null, message } }),
  )
}

/** Starts a transfer and tells how it ends. */
function follow(
  id: number,
  file: FileMessage,
  start: (work: Work, reply: InlineReply, part: PartFile) => LaneTransfer,
): void {
  const work = works.get(id)
  if (!work?.reply) return
  // One that is new is created with its first bytes: small files come by the hundred, each as a whole.
  const part =
    file.fd === null
      ? PartFile.toOpen(opener, file.path, file.create)
      : PartFile.over(file.path, descriptorFile(file.fd))
  work.transfer = start(work, work.reply, part)
  void ending(id, work.transfer.ended, part).then((message) => {
    works.delete(id)
    tell(message)
  })
}

/** Closes the file and answers how the transfer ended. */
async function ending(id: number, ended: LaneTransfer['ended'], part: PartFile): Promise<FromWorker> {
  try {
    const result = await ended
    await part.close()
    return { kind: 'ended', id, result, blocks: part.takeBlocks() }
  } catch (error) {
    // What else goes wrong now is not what it failed of.
    await part.close().catch(() => undefined)
    return { kind: 'failed', id, error: toErrorInfo(error), blocks: part.takeBlocks() }
  }
}

/** Of partials that nobody has open: they are on record as ours, and whoever was to create one may have died before. */
const opener: Pick<FileSystem, 'open'> = { open: async (path, mode) => openAtOnce(path, mode === 'create') }

function abort(id: number, reason: NighthaulError): void {
  const work = works.get(id)
  if (!work) return
  work.abort.abort(reason)
  work.race?.reject(reason)
  // A head that nobody reads from: nothing else would say that it is over.
  if (work.reply && !work.transfer) {
    work.reply.abort()
    works.delete(id)
  }
}

function answerQuestion({ question, answer, error }: Extract<ToWorker, { kind: 'proxies' }>): void {
  const asked = questions.get(question)
  questions.delete(question)
  if (answer !== null) asked?.resolve(answer)
  else asked?.reject(new Error(error ?? 'nobody answered'))
}
