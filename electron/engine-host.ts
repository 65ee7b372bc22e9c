/**
 * Where the app's engine runs: in a utility process that is started again when it crashes, or in the main process.
 * Main and windows see one interface. When to start again is decided in restart-policy.ts.
 */
import type { MessagePortMain } from 'electron'
import { type ErrorInfo, toErrorInfo } from '../shared/errors.ts'
import type { Logger } from './engine/ports.ts'
import type { EngineService } from './engine-service.ts'
import { decideRestart } from './restart-policy.ts'
import { electronPortDuplex } from './rpc/electron-port-duplex.ts'
import { answerProxies } from './system-proxy.ts'

export type EngineState =
  | { kind: 'starting' }
  | { kind: 'running' }
  /** crashed; starts again after `delayMs` */
  | { kind: 'restarting'; delayMs: number }
  /** will not come back by itself: `start` tries again */
  | { kind: 'failed'; error: ErrorInfo }
  | { kind: 'stopped' }

export interface EngineHost {
  start(): void
  /** Gives a window's port to the engine; closes it where there is none, and the window asks again. */
  connectWindow(port: MessagePortMain): void
  /** Lets the engine finish its files and stop; resolves when it is gone, at the latest after a grace period. */
  drain(): Promise<void>
  onState(listener: (state: EngineState) => void): void
}

/** Main process to engine process; `connect` carries the port. `answer` null: asking failed, `error` says why. */
export type ToEngine =
  | { type: 'connect' }
  | { type: 'drain' }
  | { type: 'proxies'; id: number; answer: string | null; error: string | null }
/** Engine process to main process. `failed`: it cannot run at all, starting it again would not help. */
export type FromEngine =
  | { type: 'ready' }
  | { type: 'failed'; error: ErrorInfo }
  | { type: 'resolveProxy'; id: number; url: string }

/** The parts of Electron's UtilityProcess used here. */
export interface EngineChild {
  postMessage(message: ToEngine, transfer?: MessagePortMain[]): void
  on(event: 'message', listener: (message: FromEngine) => void): unknown
  on(event: 'exit', listener: (code: number) => void): unknown
  kill(): unknown
}

export interface UtilityHostDeps {
  fork(): EngineChild
  /** as Electron's session.resolveProxy */
  resolveProxy(url: string): Promise<string>
  logger: Logger
  /** ms of a clock that never goes back */
  now?: () => number
  /** how long a drain may take before the process is killed; what it wrote is kept either way */
  drainTimeoutMs?: number
}

const DRAIN_TIMEOUT_MS = 15_000

function stateTeller() {
  const listeners: ((state: EngineState) => void)[] = []
  return {
    onState: (listener: (state: EngineState) => void) => void listeners.push(listener),
    tell(state: EngineState) {
      for (const listener of listeners) listener(state)
    },
  }
}

/** The engine in a process of its own. */
export function createUtilityHost(deps: UtilityHostDeps): EngineHost {
  const { logger, now = () => performance.now(), drainTimeoutMs = DRAIN_TIMEOUT_MS } = deps
  const { onState, tell } = stateTeller()
  let crashes: number[] = []
  let child: EngineChild | null = null
  let exited = Promise.resolve()
  let restart: NodeJS.Timeout | undefined
  let draining: Promise<void> | undefined

  const start = () => {
    if (child !== null || draining !== undefined) return
    clearTimeout(restart)
    tell({ kind: 'starting' })
    const started = deps.fork()
    child = started
    let failure: ErrorInfo | null = null
    started.on('message', (message) => {
      if (message.type === 'ready') return tell({ kind: 'running' })
      if (message.type === 'resolveProxy') {
        void answerProxies(message, deps.resolveProxy).then((answer) => {
          if (child === started) started.postMessage(answer)
        })
        return
      }
      failure = message.error
      started.kill()
    })
    exited = new Promise((resolve) => {
      started.on('exit', (code) => {
        child = null
        resolve()
        if (draining === undefined) onExit(code, failure)
      })
    })
  }

  const onExit = (code: number, failure: ErrorInfo | null) => {
    if (failure !== null) return tell({ kind: 'failed', error: failure })
    crashes.push(now())
    const decision = decideRestart(crashes, now())
    logger.error({ code, decision }, 'the engine process ended unexpectedly')
    if (decision.kind === 'restart') {
      restart = setTimeout(start, decision.delayMs)
      return tell({ kind: 'restarting', delayMs: decision.delayMs })
    }
    const message = `The engine stopped ${decision.crashes} times within a minute, so it was not started again; every download is kept. Try again, or look into the logs folder of the profile.`
    crashes = []
    tell({ kind: 'failed', error: { code: 'engine_stopped', message, params: { crashes: decision.crashes } } })
  }

  const drain = async () => {
    clearTimeout(restart)
    const draining = child
    if (draining !== null) {
      draining.postMessage({ type: 'drain' })
      const deadline = setTimeout(() => {
        logger.warn({ drainTimeoutMs }, 'the engine did not drain in time and was ended')
        draining.kill()
      }, drainTimeoutMs)
      await exited
      clearTimeout(deadline)
    }
    tell({ kind: 'stopped' })
  }

  return {
    start,
    onState,
    connectWindow(port) {
      if (child === null || draining !== undefined) port.close()
      else child.postMessage({ type: 'connect' }, [port])
    },
    drain: () => (draining ??= drain()),
  }
}

/** The engine in the main process (`NIGHTHAUL_ENGINE=inproc`): for debugging, and where processes cannot be forked. */
export function createInProcessHost(startService: () => Promise<EngineService>): EngineHost {
  const { onState, tell } = stateTeller()
  let service: Promise<EngineService | null> | undefined
  let draining: Promise<void> | undefined

  const start = async () => {
    tell({ kind: 'starting' })
    try {
      const started = await startService()
      tell({ kind: 'running' })
      return started
    } catch (error) {
      service = undefined
      tell({ kind: 'failed', error: toErrorInfo(error) })
      return null
    }
  }

  return {
    onState,
    start() {
      service ??= start()
    },
    connectWindow(port) {
      const connect = (running: EngineService | null | undefined) => {
        if (running && draining === undefined) running.connect(electronPortDuplex(port))
        else port.close()
      }
      if (service) void service.then(connect)
      else connect(null)
    },
    drain: () =>
      (draining ??= (async () => {
        await (await service)?.drain()
        tell({ kind: 'stopped' })
      })()),
  }
}
