/**
 * The shaping server, in a process of its own so that it takes no time from whoever measures. Started by
 * shaping-server.ts, spoken to over IPC. Serves the files of one folder with ranges, each connection at its own pace.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join, posix } from 'node:path'
import { BUCKET_MS, type Served } from './served.ts'
import { isSlow, Pace, type Shape } from './shaping.ts'

export type Order = { kind: 'begin'; shape: Shape } | { kind: 'end' }
export type Report = { kind: 'listening'; origin: string } | { kind: 'begun' } | { kind: 'ended'; served: Served }

const TICK_MS = 10
/** What may wait in a socket whose reader is behind. */
const MOST_WAITING_BYTES = 256 * 1024

interface Line {
  pace: Pace
  slow: boolean
}

interface Reply {
  response: ServerResponse
  pace: Pace
  file: number
  position: number
  end: number
}

const folder = process.argv[2]!
const lines = new Map<Socket, Line>()
const replies = new Set<Reply>()
let shape: Shape = { bytesPerSecond: Number.POSITIVE_INFINITY, roundTripMs: 0, slow: 'never' }
let served = nothing()
let beganAt: number | null = null

function nothing(): Served {
  return { buckets: [], bytes: 0, connections: 0, mostOpen: 0 }
}

const server = createServer((request, response) => {
  const line = lines.get(request.socket)!
  setTimeout(() => answer(request, response, line.pace), line.pace.delayMs())
})
server.keepAliveTimeout = 60_000
server.on('connection', (socket) => {
  beganAt ??= performance.now()
  served.connections += 1
  const slowOpen = [...lines.values()].filter(({ slow }) => slow).length
  const slow = isSlow(shape, served.connections, slowOpen)
  lines.set(socket, { pace: new Pace(shape, slow), slow })
  served.mostOpen = Math.max(served.mostOpen, lines.size)
  socket.setNoDelay(true)
  socket.on('close', () => lines.delete(socket))
})

function answer(request: IncomingMessage, response: ServerResponse, pace: Pace): void {
  if (response.destroyed) return
  let file: number
  try {
    file = openSync(join(folder, posix.basename(request.url!)), 'r')
  } catch {
    response.writeHead(404).end()
    return
  }
  const size = fstatSync(file).size
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const position = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size
  const reply: Reply = { response, pace, file, position, end }
  response.once('close', () => {
    replies.delete(reply)
    closeSync(file)
  })
  if (position >= end) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
    return
  }
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': end - position,
    'accept-ranges': 'bytes',
    etag: `"${size}"`,
    ...(range && { 'content-range': `bytes ${position}-${end - 1}/${size}` }),
  })
  response.flushHeaders()
  pace.begin(performance.now())
  replies.add(reply)
}

function send(reply: Reply, now: number): void {
  const { response, pace, file } = reply
  const allowed = Math.min(pace.allowed(now), reply.end - reply.position)
  if (allowed < 1 || response.writableLength > MOST_WAITING_BYTES) return
  const bytes = Buffer.allocUnsafe(allowed)
  const read = readSync(file, bytes, 0, allowed, reply.position)
  response.write(bytes.subarray(0, read))
  pace.sent(read)
  reply.position += read
  count(read, now)
  if (reply.position < reply.end) return
  replies.delete(reply)
  response.end()
}

function count(bytes: number, now: number): void {
  const bucket = Math.floor((now - beganAt!) / BUCKET_MS)
  while (served.buckets.length <= bucket) served.buckets.push(0)
  served.buckets[bucket]! += bytes
  served.bytes += bytes
}

setInterval(() => {
  const now = performance.now()
  for (const reply of replies) send(reply, now)
}, TICK_MS)

const tell = (report: Report) => process.send!(report)
process.on('message', (order: Order) => {
  if (order.kind === 'begin') {
    for (const socket of lines.keys()) socket.destroy()
    lines.clear()
    replies.clear()
    shape = order.shape
    served = nothing()
    beganAt = null
    tell({ kind: 'begun' })
  } else tell({ kind: 'ended', served })
})
// Whatever ends the benchmark, this does not outlive it.
process.on('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: the benchmark ends first, and then us.
process.on('SIGINT', () => {})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  tell({ kind: 'listening', origin: `http://127.0.0.1:${port}` })
})
