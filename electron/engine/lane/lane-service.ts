/**
 * What a lane's worker does: an inline lane behind messages. Files are written synchronously here, from the very
 * memory that the socket was read into: cheaper than any hand-over, and nobody else waits on this thread.
 */
import { closeSync, openSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { NighthaulError, toErrorInfo } from '../../../shared/errors.ts'
import type { TaskOptions } from '../../../shared/schemas.ts'
import { toDiskError } from '../disk-errors.ts'
import { PartFile } from '../file-sink.ts'
import type { HttpSettings } from '../http/http-client.ts'
import { descriptorFile } from '../node-fs.ts'
import { TokenBucket } from '../rate-limiter.ts'
import { LaneBounds } from './bounds.ts'
import { createInlineLane, type InlineLane, type InlineReply } from './inline-lane.ts'
import type { LaneTransfer, RaceAnswer } from './lane.ts'
import type {
  CompareMessage,
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

/** Starts a transfer and tells how it ends. */
function follow(
  id: number,
  file: FileMessage,
  start: (work: Work, reply: InlineReply, part: PartFile) => LaneTransfer,
): void {
  const work = works.get(id)
  if (!work?.reply) return
  let fd: number | null = null
  let part: PartFile | null = null
  const failed = (error: unknown) =>
    tell({ kind: 'failed', id, error: toErrorInfo(error), blocks: part?.takeBlocks() ?? [] })
  const end = () => {
    works.delete(id)
    if (fd !== null) closeSync(fd)
  }
  try {
    if (file.fd === null) fd = openSync(file.path, file.create ? 'wx+' : 'r+')
    part = PartFile.over(file.path, descriptorFile(file.fd ?? fd!))
  } catch (error) {
    work.reply.abort()
    failed(toDiskError(error, file.path))
    end()
    return
  }
  const opened = part
  work.transfer = start(work, work.reply, opened)
  work.transfer.ended
    .then((result) => {
      tell({ kind: 'ended', id, result, blocks: opened.takeBlocks() })
    }, failed)
    .finally(end)
}

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
