/** One suite over every transport: what a client may rely on, whatever carries the frames. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { serve } from '../../electron/rpc/server.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { PROTOCOL } from '../../shared/frames.ts'
import type { Client } from '../../shared/rpc.ts'
import { createClient } from '../../shared/rpc-client.ts'
import { PATIENT_MS } from '../helpers/patience.ts'
import { type TestContract, TestHub, testContract, testHandlers } from '../helpers/rpc-hub.ts'
import { type Link, TRANSPORTS } from '../helpers/rpc-transports.ts'

const logged: string[] = []
const logger = { debug() {}, info() {}, warn() {}, error: (_: unknown, message: string) => void logged.push(message) }

describe.each(TRANSPORTS)('over $name', ({ open }) => {
  let link: Link
  let hub: TestHub<TestContract>
  let state: { rev: number }
  let served: { close(): void }
  const start = (): void => {
    served = serve(link.server, {
      contract: testContract,
      handlers: testHandlers(state),
      events: hub,
      version: '1.2.3',
      logger,
    })
  }
  const connect = (): Client<TestContract> => {
    start()
    return createClient(testContract, link.client)
  }

  beforeEach(async () => {
    logged.length = 0
    hub = new TestHub()
    state = { rev: 0 }
    link = await open()
  })
  afterEach(() => link.close())

  test('the first frame names the protocol and the version, also for a late listener', async () => {
    start()
    await new Promise((resolve) => setImmediate(resolve))
    const frames = listen()
    await vi.waitFor(
      () => expect(frames).toEqual([{ type: 'hello', protocol: PROTOCOL, version: '1.2.3' }]),
      PATIENT_MS,
    )
  })

  test('a thousand calls at once each get their own answer', async () => {
    const client = connect()
    const numbers = Array.from({ length: 1000 }, (_, index) => index)
    const answers = await Promise.all(numbers.map((value) => client.call('echo', { value })))
    expect(answers).toEqual(numbers.map((value) => ({ value })))
  })

  test('frames arrive in the order they were posted', async () => {
    start()
    const frames = listen()
    for (let id = 0; id < 500; id++) link.client.post({ type: 'call', id, method: 'nothing' })
    await vi.waitFor(() => expect(frames).toHaveLength(501), PATIENT_MS)
    expect(frames.slice(1).map((frame) => frame.id)).toEqual(Array.from({ length: 500 }, (_, id) => id))
  })

  test('a message of many megabytes with characters of every length crosses whole, both ways', async () => {
    const client = connect()
    const value = 'aé漢🌙'.repeat(400_000)
    expect((await client.call('echo', { value })).value === value).toBe(true)
  })

  test('no input, left out fields and an empty result', async () => {
    const client = connect()
    expect(await client.call('nothing')).toBe(null)
    expect(await client.call('nothing', undefined)).toBe(null)
    expect(await client.call('withDefault', {})).toBe(7)
    expect(await client.call('echo', { value: undefined })).toEqual({})
  })

  test('an input that does not fit is refused with a sentence that says what and where', async () => {
    const client = connect()
    await expect(client.call('withDefault', { size: -1 })).rejects.toMatchObject({
      name: 'NighthaulError',
      code: 'invalid_input',
      params: { method: 'withDefault', path: 'size', faults: 1 },
      message: expect.stringMatching(/at size/),
    })
    const links = [{ url: 'https://a.example/' }, { url: 'no link' }]
    await expect(client.call('withDefault', { links })).rejects.toThrow('“no link” is not a URL')
    await expect(client.call('nothing', 5 as never)).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test.each(['nope', 'toString', '__proto__', 'changed', ''])('there is no method “%s”', async (name) => {
    const client = connect()
    await expect(client.call(name as 'nothing')).rejects.toMatchObject({ code: 'unknown_method', params: { name } })
  })

  test.each(['nope', 'constructor', 'echo'])('there is no event “%s”', async (name) => {
    const client = connect()
    await expect(client.subscribe(name as 'changed', () => {})).rejects.toMatchObject({ code: 'unknown_method' })
  })

  test('an error comes back with its code, sentence and parameters', async () => {
    const client = connect()
    const error = await client.call('refused').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(NighthaulError)
    expect(error).toMatchObject({
      code: 'disk_full',
      kind: 'disk',
      message: 'The disk is full; the partial was kept. Make room and resume.',
      params: { freeBytes: 5, folder: '/x' },
    })
    expect(logged).toEqual([])
  })

  test('a bug in a handler is logged and answered, and the channel goes on', async () => {
    const client = connect()
    await expect(client.call('crashes')).rejects.toMatchObject({ code: 'internal', message: 'a bug' })
    expect(logged).toHaveLength(1)
    expect(await client.call('nothing')).toBe(null)
  })

  test('a result that no transport can carry is an error for its caller', async () => {
    const client = connect()
    await expect(client.call('uncarriable')).rejects.toBeInstanceOf(NighthaulError)
    expect(await client.call('nothing')).toBe(null)
  })

  test('what a client cannot send rejects at once and leaves the channel usable', async () => {
    const client = connect()
    const value = {
      get trap() {
        throw new Error('cannot be read')
      },
    }
    await expect(client.call('echo', { value })).rejects.toThrow()
    expect(await client.call('nothing')).toBe(null)
  })

  test('garbage is answered with a typed error, to its id where it has one, and the channel goes on', async () => {
    start()
    const frames = listen()
    const garbage = [
      'not json',
      '42',
      'null',
      '"text"',
      '[]',
      '{}',
      '{"type":"fly"}',
      '{"type":"call"}',
      '{"type":"call","id":-1,"method":"nothing"}',
      '{"type":"subscribe","id":1.5,"event":"changed"}',
      '{"type":"visible","subscription":"1","visible":true}',
    ]
    for (const text of garbage) link.sendRaw(text)
    link.client.post({ type: 'call', id: 7 })
    link.client.post({ type: 'call', id: 8, method: 'nothing', input: null })
    await vi.waitFor(() => expect(frames).toHaveLength(garbage.length + 3), PATIENT_MS)
    const [, ...answers] = frames
    for (const answer of answers.slice(0, -2)) {
      expect(answer).toMatchObject({ type: 'error', id: null, error: { code: 'frame_invalid' } })
    }
    expect(answers.at(-2)).toMatchObject({ type: 'error', id: 7, error: { code: 'frame_invalid' } })
    expect(answers.at(-1)).toEqual({ type: 'ok', id: 8, result: null })
  })

  test('a client hangs up on a server of another protocol and says why', async () => {
    const client = createClient(testContract, link.client)
    const call = client.call('nothing')
    const closed = vi.fn()
    client.onClose(closed)
    link.server.post({ type: 'hello', protocol: PROTOCOL + 1, version: '9.9.9' })
    await expect(call).rejects.toMatchObject({ code: 'frame_invalid', message: expect.stringContaining('9.9.9') })
    expect(closed).toHaveBeenCalledOnce()
  })

  test('a client hangs up on a server it cannot understand', async () => {
    const client = createClient(testContract, link.client)
    const call = client.call('nothing')
    link.server.post({ type: 'surprise' })
    await expect(call).rejects.toMatchObject({ code: 'frame_invalid' })
    await expect(client.call('nothing')).rejects.toMatchObject({ code: 'frame_invalid' })
  })

  test('closing the client rejects what is pending and ends its subscriptions on the server', async () => {
    const client = connect()
    const closed = vi.fn()
    client.onClose(closed)
    await client.subscribe('changed', () => {})
    await client.subscribe('changed', () => {})
    expect(hub.listeners.size).toBe(2)
    const pending = client.call('never')
    client.close()
    client.close()
    await expect(pending).rejects.toMatchObject({ code: 'disconnected' })
    await expect(client.call('nothing')).rejects.toMatchObject({ code: 'disconnected' })
    await expect(client.subscribe('changed', () => {})).rejects.toMatchObject({ code: 'disconnected' })
    await vi.waitFor(() => expect(hub.listeners.size).toBe(0), PATIENT_MS)
    expect(closed).toHaveBeenCalledOnce()
  })

  test('closing the server does the same', async () => {
    const client = connect()
    const closed = vi.fn()
    client.onClose(closed)
    const subscription = await client.subscribe('changed', () => {})
    const pending = client.call('never')
    const sent = client.call('nothing')
    await sent
    served.close()
    expect(hub.listeners.size).toBe(0)
    await expect(pending).rejects.toMatchObject({ code: 'disconnected' })
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce(), PATIENT_MS)
    subscription.setVisible(false)
    subscription.dispose()
    const late = vi.fn()
    client.onClose(late)
    expect(late).toHaveBeenCalledOnce()
  })

  test('answers posted before the server closes still arrive', async () => {
    const client = connect()
    await client.subscribe('changed', () => {})
    const heard: number[] = []
    await client.subscribe('changed', ({ rev }) => void heard.push(rev))
    for (let rev = 1; rev <= 100; rev++) hub.emit('changed', { rev })
    served.close()
    await vi.waitFor(() => expect(heard).toHaveLength(100), PATIENT_MS)
  })

  test('a snapshot taken after subscribing misses nothing', async () => {
    const client = connect()
    let ticking: NodeJS.Immediate
    const tick = (): void => {
      state.rev++
      hub.emit('changed', { rev: state.rev })
      ticking = setImmediate(tick)
    }
    tick()
    const heard: number[] = []
    await client.subscribe('changed', ({ rev }) => void heard.push(rev))
    const snapshot = await client.call('revision')
    await vi.waitFor(() => expect(heard.at(-1)).toBeGreaterThan(snapshot + 20), PATIENT_MS)
    clearImmediate(ticking!)
    const after = heard.filter((rev) => rev > snapshot)
    expect(after).toEqual(after.map((_, index) => snapshot + 1 + index))
  })

  test('each subscription is its own: visibility, end, and the same event twice', async () => {
    const client = connect()
    const first: number[] = []
    const second: number[] = []
    const one = await client.subscribe('changed', ({ rev }) => void first.push(rev), { visible: false })
    await client.subscribe('changed', ({ rev }) => void second.push(rev))
    expect([...hub.listeners].map(({ visible }) => visible)).toEqual([false, true])
    one.setVisible(true)
    await vi.waitFor(() => expect([...hub.listeners].map(({ visible }) => visible)).toEqual([true, true]), PATIENT_MS)
    hub.emit('changed', { rev: 1 })
    await vi.waitFor(() => expect(second).toEqual([1]), PATIENT_MS)
    expect(first).toEqual([1])
    one.dispose()
    one.dispose()
    hub.emit('changed', { rev: 2 })
    await vi.waitFor(() => expect(hub.listeners.size).toBe(1), PATIENT_MS)
    hub.emit('changed', { rev: 3 })
    await vi.waitFor(() => expect(second).toEqual([1, 2, 3]), PATIENT_MS)
    expect(first).toEqual([1])
  })

  test('a client that does not read costs bounded memory, and hears the newest state when it reads again', async () => {
    const client = connect()
    const heard: number[] = []
    await client.subscribe('changed', ({ rev }) => void heard.push(rev))
    link.stall()
    const padding = 'x'.repeat(256 * 1024)
    const frames = 200
    let most = 0
    for (let rev = 1; rev <= frames; rev++) {
      hub.emit('changed', { rev, padding })
      // a turn of the loop, in which the transport hands to the system what it takes
      await new Promise((resolve) => setImmediate(resolve))
      if (link.server.bufferedBytes < Number.MAX_SAFE_INTEGER) most = Math.max(most, link.server.bufferedBytes)
    }
    expect(most).toBeLessThan(2 * 1024 * 1024)
    link.unstall()
    await vi.waitFor(() => expect(heard.at(-1)).toBe(frames), 10_000)
    expect(heard.length).toBeLessThan(frames / 2)
    expect(heard).toEqual([...heard].sort((a, b) => a - b))
    hub.emit('changed', { rev: frames + 1 })
    await vi.waitFor(() => expect(heard.at(-1)).toBe(frames + 1), PATIENT_MS)
  })

  /** what arrives at the client's end, without a client */
  function listen(): Record<string, unknown>[] {
    const frames: Record<string, unknown>[] = []
    link.client.onFrame((frame) => void frames.push(frame as Record<string, unknown>))
    return frames
  }
})
