/**
 * What clients send: any method of the contract with any input, frames that are none, bytes that are no text. The engine
 * answers each with a result or an error that has a name, and serves the next client as if nothing had been.
 */
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { WebSocket } from 'ws'
import { type Daemon, startDaemon } from '../../electron/daemon.ts'
import { createInlineLane } from '../../electron/engine/lane/inline-lane.ts'
import { type QueueLock, socketPath, takeQueueLock } from '../../electron/profile.ts'
import { lineSplitter } from '../../electron/rpc/line-splitter.ts'
import { listenLocal } from '../../electron/rpc/local-server.ts'
import { contract } from '../../shared/contract.ts'
import { isErrorCode, NighthaulError } from '../../shared/errors.ts'
import { ServerFrame } from '../../shared/frames.ts'
import { realClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import fc from '../helpers/property.ts'
import { fuzzAsync, nearly, staysLinear } from './fuzz.ts'
import { nearlyValue, valueFor } from './json.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nighthaul-fuzz-')))
const logger = { debug() {}, info() {}, warn() {}, error: (...said: unknown[]) => void errors.push(said) }
/** what nobody foresaw */
const errors: unknown[] = []
let engine: TestEngine
let lock: QueueLock
let local: { close(): Promise<void> }
let daemon: Daemon

/** Links of frames are anything at all: they are asked for nowhere. */
const openLane: NonNullable<Parameters<typeof startEngine>[0]>['openLane'] = (settings, onRequest) => {
  const lane = createInlineLane({ settings, clock: realClock, onRequest })
  const refused = async () => {
    throw new NighthaulError('connect_refused', 'Nothing is asked for here.')
  }
  return { ...lane, request: refused }
}

beforeAll(async () => {
  engine = await startEngine({ clock: realClock, openLane, defaultDownloadFolder: join(folder, 'downloads') })
  lock = takeQueueLock(engine.profile, 'headless')
  const served = { handlers: engine.engine.handlers, events: engine.engine.events, version: '1.2.3', logger }
  local = await listenLocal(lock, served)
  daemon = await startDaemon({
    ...{ profile: engine.profile, host: '127.0.0.1', port: 0, windowFolder: folder, engine: engine.engine },
    version: '1.2.3',
    logger,
  })
})
afterAll(async () => {
  await daemon.close()
  await local.close()
  lock.release()
  await engine[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const methods = Object.entries(contract).flatMap(([name, entry]) =>
  entry.kind === 'method' ? [{ name, ...entry }] : [],
)
const events = Object.entries(contract).flatMap(([name, { kind }]) => (kind === 'event' ? [name] : []))
const id = fc.nat(1_000_000)
const call = fc.oneof(
  ...methods.map(({ name, input }) =>
    fc.record({
      type: fc.constant('call'),
      id,
      method: fc.constant(name),
      input: nearlyValue(valueFor(input, folder)),
    }),
  ),
)
const subscription = fc.record({
  type: fc.constantFrom('subscribe', 'unsubscribe', 'visible'),
  id,
  subscription: id,
  event: fc.constantFrom(...events, 'nothing', 'constructor', '__proto__'),
  visible: fc.boolean(),
})
const odd = fc.oneof(
  fc.record({
    type: fc.constant('call'),
    id,
    method: fc.constantFrom('toString', '__proto__', 'tasks', '', 'x'.repeat(300)),
  }),
  fc.record({ type: fc.constantFrom('hello', 'ok', 'error', 'event'), id: fc.oneof(id, fc.constant(null)) }),
  fc.jsonValue({ maxDepth: 3 }),
)
const frame = fc.oneof({ weight: 6, arbitrary: call }, { weight: 2, arbitrary: subscription }, odd)
const json = (value: unknown) => JSON.stringify(value)
const text = fc.oneof(
  { weight: 10, arbitrary: frame.map(json) },
  { weight: 2, arbitrary: nearlyValue(frame).map(json) },
  { weight: 2, arbitrary: nearly(frame.map(json)) },
  { weight: 1, arbitrary: fc.nat(20_000).map((depth) => '['.repeat(depth)) },
)

let lastId = 1e9
/** A good frame, whose answer shows that all before it were dealt with. */
const goodFrame = () => ({ type: 'call', id: ++lastId, method: 'settings.get' })

function expectAnswers(answers: unknown[]): void {
  for (const answer of answers) {
    const parsed = ServerFrame.parse(answer)
    if (parsed.type !== 'error') continue
    expect(isErrorCode(parsed.error.code), parsed.error.code).toBe(true)
    expect(parsed.error.code, parsed.error.message).not.toBe('internal')
  }
  expect(errors).toEqual([])
}

/** Sends them, and resolves with everything that came up to the answer to a good one. */
async function answersTo(
  send: (text: string) => void,
  listen: (hear: (text: string | null) => void) => () => void,
  texts: readonly string[],
): Promise<unknown[]> {
  const answers: unknown[] = []
  const good = goodFrame()
  await new Promise<void>((resolve) => {
    const stop = listen((line) => {
      const answer: unknown = JSON.parse(line ?? 'null')
      answers.push(answer)
      if ((answer as { id?: unknown })?.id !== good.id) return
      stop()
      resolve()
    })
    for (const sent of texts) send(sent)
    send(JSON.stringify(good))
  })
  expect(answers.at(-1)).toMatchObject({ type: 'ok' })
  return answers
}

let socket: Socket | null = null
let heard: ((line: string | null) => void) | null = null
async function localSocket(): Promise<Socket> {
  if (socket && !socket.destroyed) return socket
  socket = createConnection(socketPath(engine.profile))
  await once(socket, 'connect')
  const feed = lineSplitter(1e8, (line) => heard?.(line))
  socket.on('data', feed)
  return socket
}
const listenLocally = (hear: (line: string | null) => void) => {
  heard = hear
  return () => {
    heard = null
  }
}

fuzzAsync(
  'over the local socket every frame is answered or left alone, and the next good one is served',
  [fc.array(text, { minLength: 1, maxLength: 3 })],
  async (texts) => {
    const client = await localSocket()
    const lines = texts.map((line) => line.replaceAll('\n', ' '))
    expectAnswers(await answersTo((line) => client.write(`${line}\n`), listenLocally, lines))
  },
)

fuzzAsync(
  'over the local socket bytes that are no text do no harm',
  [fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 })],
  async (chunks) => {
    const client = await localSocket()
    const raw = (line: string) => client.write(line)
    for (const chunk of chunks) client.write(chunk)
    client.write('\n')
    expectAnswers(await answersTo((line) => raw(`${line}\n`), listenLocally, []))
  },
)

fuzzAsync(
  'over a WebSocket of the headless host every frame is answered or left alone, and the next good one is served',
  [fc.array(fc.oneof(text, fc.string({ unit: 'binary', maxLength: 50 })), { minLength: 1, maxLength: 3 })],
  async (texts) => {
    const client = await webSocket()
    const listen = (hear: (line: string | null) => void) => {
      const onMessage = (data: Buffer) => hear(data.toString('utf8'))
      client.on('message', onMessage)
      return () => client.off('message', onMessage)
    }
    for (const bytes of texts.slice(1)) client.send(Buffer.from(bytes), { binary: true })
    expectAnswers(await answersTo((line) => client.send(line), listen, texts))
  },
)

let client: WebSocket | null = null
async function webSocket(): Promise<WebSocket> {
  if (client?.readyState === WebSocket.OPEN) return client
  client = new WebSocket(`${daemon.url.replace('http', 'ws')}/rpc`, {
    headers: { authorization: `Bearer ${daemon.token}`, origin: daemon.url },
  })
  await once(client, 'open')
  return client
}

staysLinear('lines of a socket', fc.constantFrom('a', '\n', '[', '"', '\\', '文', '{"type":"call"}\n'), (input) => {
  const feed = lineSplitter(1e6, () => {})
  const bytes = Buffer.from(input)
  for (let at = 0; at < bytes.length; at += 100) feed(bytes.subarray(at, at + 100))
})
