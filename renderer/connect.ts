/**
 * The window's channel to the engine, kept open: a MessagePort from the Electron shell, or a WebSocket to the host
 * that served this page. Comes back by itself with backoff and says what it is doing.
 */
import { type Contract, contract } from '../shared/contract.ts'
import { messagePortDuplex } from '../shared/message-port-duplex.ts'
import type { Client, Duplex } from '../shared/rpc.ts'
import { createClient } from '../shared/rpc-client.ts'
import type { AppInfo } from '../shared/schemas.ts'
import { PORT_MESSAGE, type ShellApi } from '../shared/shell.ts'
import { webSocketDuplex } from '../shared/websocket-duplex.ts'

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5000
const OPEN_TIMEOUT_MS = 8000

declare global {
  interface Window {
    /** only in Electron */
    readonly nighthaul?: ShellApi
  }
}

export type ConnectionStatus =
  /** the first attempt is under way */
  { kind: 'connecting' } | { kind: 'open'; info: AppInfo } | { kind: 'away'; reason: 'lost' | 'unauthorized' }

export interface ConnectionEvents {
  onStatus(status: ConnectionStatus): void
  onOpen(client: Client<Contract>): void
  onLost(): void
}

/** Milliseconds before attempt number `failures` + 1. */
export function retryDelayMs(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, failures - 1))
}

/** Connects, and reconnects whenever the channel is lost, until `close`. `retryNow` cuts a pause between tries short. */
export function keepConnected(
  openChannel: () => Promise<Duplex>,
  refusal: () => Promise<'lost' | 'unauthorized'>,
  events: ConnectionEvents,
): { retryNow(): void; close(): void } {
  let failures = 0
  let closed = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let client: Client<Contract> | undefined

  async function attempt(): Promise<void> {
    timer = undefined
    try {
      const opened = createClient(contract, await openChannel())
      client = opened
      let greeted = false
      opened.onClose(() => {
        if (client !== opened || !greeted) return
        client = undefined
        if (closed) return
        events.onLost()
        void retryLater()
      })
      // A port opens even where nobody answers: the engine is there once it has said something.
      const info = await withTimeout(opened.call('app.info')).catch((error) => {
        opened.close()
        throw error
      })
      if (closed) return opened.close()
      greeted = true
      failures = 0
      events.onStatus({ kind: 'open', info })
      events.onOpen(opened)
    } catch {
      // Why an attempt failed does not matter to the next one; `refusal` finds out what the user can do about it.
      client = undefined
      if (!closed) await retryLater()
    }
  }

  async function retryLater(): Promise<void> {
    failures += 1
    timer = setTimeout(attempt, retryDelayMs(failures))
    const reason = await refusal()
    if (!closed && client === undefined) events.onStatus({ kind: 'away', reason })
  }

  void attempt()
  return {
    retryNow() {
      if (timer === undefined) return
      clearTimeout(timer)
      void attempt()
    },
    close() {
      closed = true
      clearTimeout(timer)
      client?.close()
    },
  }
}

function withTimeout<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the engine did not answer in time')), OPEN_TIMEOUT_MS)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Electron: the shell hands a port over as a window message. */
export function openPort(shell: ShellApi): Promise<Duplex> {
  const listening = new AbortController()
  const port = new Promise<Duplex>((resolve) => {
    const onMessage = (event: MessageEvent): void => {
      const [received] = event.ports
      if (event.source === window && event.data?.type === PORT_MESSAGE && received) resolve(messagePortDuplex(received))
    }
    window.addEventListener('message', onMessage, { signal: listening.signal })
    shell.requestPort()
  })
  // Two listeners must never take the same port: this one stops with its attempt.
  return withTimeout(port).finally(() => listening.abort())
}

/** Browser: the cookie that came with this page authenticates. */
export function openSocket(): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL('/rpc', location.href.replace(/^http/, 'ws')))
    socket.addEventListener('open', () => resolve(webSocketDuplex(socket)), { once: true })
    socket.addEventListener('error', () => reject(new Error('the connection was refused')), { once: true })
  })
}

/** A failed WebSocket does not say why; a plain request to the same address does. */
export async function socketRefusal(): Promise<'lost' | 'unauthorized'> {
  const reply = await fetch('/rpc', { credentials: 'same-origin', cache: 'no-store' }).catch(() => null)
  return reply?.status === 401 || reply?.status === 403 ? 'unauthorized' : 'lost'
}
