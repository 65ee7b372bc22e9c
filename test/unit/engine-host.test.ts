/** EngineHost without Electron: the engine is a child that the test plays, time is the test's own. */
import { EventEmitter } from 'node:events'
import type { MessagePortMain } from 'electron'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createInProcessHost,
  createUtilityHost,
  type EngineState,
  type FromEngine,
  type ToEngine,
} from '../../electron/engine-host.ts'
import type { EngineService } from '../../electron/engine-service.ts'
import { decideRestart } from '../../electron/restart-policy.ts'
import { askMain } from '../../electron/system-proxy.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

class PlayedEngine extends EventEmitter {
  readonly heard: ToEngine[] = []
  readonly ports: unknown[] = []
  killed = false

  postMessage(message: ToEngine, transfer: MessagePortMain[] = []): void {
    this.heard.push(message)
    this.ports.push(...transfer)
  }

  kill(): void {
    this.killed = true
    this.emit('exit', 1)
  }

  says(message: FromEngine): void {
    this.emit('message', message)
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const port = () => Object.assign(new EventEmitter(), { close: vi.fn(), start: vi.fn(), postMessage: vi.fn() })
const asPort = (given: ReturnType<typeof port>) => given as unknown as MessagePortMain

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function utility() {
  const engines: PlayedEngine[] = []
  const states: EngineState[] = []
  const fork = () => {
    engines.push(new PlayedEngine())
    return engines.at(-1)!
  }
  const resolveProxy = async (url: string) =>
    url.includes('broken') ? Promise.reject(new Error('no session')) : `PROXY for ${url}`
  const host = createUtilityHost({ fork, resolveProxy, logger: silent, now: () => Date.now(), drainTimeoutMs: 5_000 })
  host.onState((state) => states.push(state))
  return { host, engines, states, latest: () => engines.at(-1)! }
}

describe('the engine in a process of its own', () => {
  test('asks the system for proxies through main, and hears why where that fails', async () => {
    const { host, latest } = utility()
    host.start()
    const questions = askMain((message) => latest().says(message))
    const asked = Promise.allSettled([
      questions.resolveProxy('http://a.test/'),
      questions.resolveProxy('http://broken/'),
    ])
    await vi.waitFor(() => expect(latest().heard).toHaveLength(2), PATIENT_MS)
    for (const message of latest().heard) questions.hear(message)
    expect(await asked).toEqual([
      { status: 'fulfilled', value: 'PROXY for http://a.test/' },
      { status: 'rejected', reason: new Error('no session') },
    ])
  })

  test('is started again after a crash, later and later, and given up after six crashes in a minute', () => {
    const { host, engines, states, latest } = utility()
    host.start()
    const delays: number[] = []
    for (let crash = 0; crash < 5; crash++) {
      latest().says({ type: 'ready' })
      latest().emit('exit', 1)
      const state = states.at(-1)!
      if (state.kind !== 'restarting') throw new Error(`not restarting but ${state.kind}`)
      delays.push(state.delayMs)
      vi.advanceTimersByTime(state.delayMs)
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000])
    expect(engines).toHaveLength(6)
    latest().emit('exit', 1)
    expect(states.at(-1)).toMatchObject({ kind: 'failed', error: { code: 'engine_stopped' } })
    vi.advanceTimersByTime(3_600_000)
    expect(engines).toHaveLength(6)
    host.start()
    expect(engines).toHaveLength(7)
  })

  test('is not started again when it says that it cannot run', () => {
    const { host, engines, states, latest } = utility()
    host.start()
    const error = new NighthaulError('profile_locked', 'Somebody else has it.').toInfo()
    latest().says({ type: 'failed', error })
    expect(latest().killed).toBe(true)
    expect(states.at(-1)).toEqual({ kind: 'failed', error })
    vi.advanceTimersByTime(3_600_000)
    expect(engines).toHaveLength(1)
  })

  test('gets the ports of windows; without an engine they are closed, so that windows ask again', () => {
    const { host, latest } = utility()
    const early = port()
    host.connectWindow(asPort(early))
    expect(early.close).toHaveBeenCalled()
    host.start()
    const window = port()
    host.connectWindow(asPort(window))
    expect(latest().heard).toEqual([{ type: 'connect' }])
    expect(latest().ports).toEqual([window])
    latest().emit('exit', 1)
    const between = port()
    host.connectWindow(asPort(between))
    expect(between.close).toHaveBeenCalled()
  })

  test('is drained once, and its end is then no crash', async () => {
    const { host, engines, states, latest } = utility()
    host.start()
    latest().says({ type: 'ready' })
    const drained = Promise.all([host.drain(), host.drain()])
    expect(latest().heard).toEqual([{ type: 'drain' }])
    latest().emit('exit', 0)
    await drained
    expect(states.map(({ kind }) => kind)).toEqual(['starting', 'running', 'stopped'])
    vi.advanceTimersByTime(60_000)
    host.start()
    expect(engines).toHaveLength(1)
  })

  test('is ended when it does not drain in time', async () => {
    const { host, latest } = utility()
    host.start()
    const drained = host.drain()
    vi.advanceTimersByTime(4_999)
    expect(latest().killed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(latest().killed).toBe(true)
    await drained
  })

  test('a drain while it waits to be started again starts nothing', async () => {
    const { host, engines, latest } = utility()
    host.start()
    latest().emit('exit', 1)
    await host.drain()
    vi.advanceTimersByTime(60_000)
    expect(engines).toHaveLength(1)
  })
})

describe('the engine in the main process', () => {
  const service = () => ({ connect: vi.fn<EngineService['connect']>(), drain: vi.fn(async () => {}) })

  test('serves windows that came before it was ready, and drains', async () => {
    const running = service()
    const ready = Promise.withResolvers<EngineService>()
    const host = createInProcessHost(() => ready.promise)
    const states: EngineState[] = []
    host.onState((state) => states.push(state))
    host.start()
    host.connectWindow(asPort(port()))
    expect(running.connect).not.toHaveBeenCalled()
    ready.resolve(running)
    await vi.waitFor(() => expect(running.connect).toHaveBeenCalledOnce(), PATIENT_MS)
    await host.drain()
    expect(running.drain).toHaveBeenCalledOnce()
    expect(states.map(({ kind }) => kind)).toEqual(['starting', 'running', 'stopped'])
  })

  test('tells why it cannot start, closes ports meanwhile, and can be tried again', async () => {
    const running = service()
    const tries = [
      () => Promise.reject(new NighthaulError('store_newer', 'Made by a newer version.')),
      () => Promise.resolve(running),
    ]
    const host = createInProcessHost(() => tries.shift()!())
    const states: EngineState[] = []
    host.onState((state) => states.push(state))
    host.start()
    await vi.waitFor(
      () => expect(states.at(-1)).toMatchObject({ kind: 'failed', error: { code: 'store_newer' } }),
      PATIENT_MS,
    )
    const early = port()
    host.connectWindow(asPort(early))
    expect(early.close).toHaveBeenCalled()
    host.start()
    await vi.waitFor(() => expect(states.at(-1)).toEqual({ kind: 'running' }), PATIENT_MS)
  })
})

describe('the restart policy', () => {
  test('forgets crashes after a minute', () => {
    const crashes = [0, 1_000, 2_000, 3_000, 4_000]
    expect(decideRestart([...crashes, 5_000], 5_000)).toEqual({ kind: 'give-up', crashes: 6 })
    expect(decideRestart([...crashes, 70_000], 70_000)).toEqual({ kind: 'restart', delayMs: 250 })
  })
})
