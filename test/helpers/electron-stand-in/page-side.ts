/**
 * What the stand-in puts into a page before the page's own code: the preload, with the two modules of electron that a
 * sandboxed preload may require. Runs in the browser; it is sent there as text.
 */
import type { PortFrame } from './ports.ts'

export type ToPage = { kind: 'event'; channel: string; data: unknown; ports: number[] } | PortFrame
export type FromPage = { kind: 'send' | 'invoke'; channel: string; input: unknown[] } | PortFrame

/** Names of the two functions that join page and main process. */
export const TO_MAIN = '__standInToMain'
export const FROM_MAIN = '__standInFromMain'

/** The text of the init script. The preload is written into it, because the page's policy forbids evaluating text. */
export function initScript(preload: string): string {
  return `(${install.toString()})((require, process) => {\n${preload}\n}, ${JSON.stringify([TO_MAIN, FROM_MAIN, process.platform])})`
}

type Preload = (require: (name: string) => unknown, process: { platform: string }) => void

function install(preload: Preload, [toMainName = '', fromMainName = '', platform = '']: string[]): void {
  if (window !== window.top) return
  const page = window as unknown as Record<string, unknown>
  const toMain = (message: FromPage) => (page[toMainName] as (message: FromPage) => Promise<unknown>)(message)
  const listeners = new Map<string, ((event: unknown, data: unknown) => void)[]>()
  const ports = new Map<number, MessagePort>()

  const take = (number: number): MessagePort => {
    const { port1, port2 } = new MessageChannel()
    ports.set(number, port1)
    port1.onmessage = ({ data }) => void toMain({ kind: 'port-frame', port: number, data })
    port1.addEventListener('close', () => void toMain({ kind: 'port-close', port: number }))
    return port2
  }

  page[fromMainName] = (message: ToPage) => {
    if (message.kind === 'port-frame') ports.get(message.port)?.postMessage(message.data)
    else if (message.kind === 'port-close') ports.get(message.port)?.close()
    else {
      const event = { ports: message.ports.map(take) }
      for (const listener of listeners.get(message.channel) ?? []) listener(event, message.data)
    }
  }

  // As across Electron's bridge: functions become asynchronous or return copies, and only what can be cloned passes.
  const bridged = (value: unknown): unknown => {
    if (typeof value !== 'function') return structuredClone(value)
    return (...input: unknown[]) => {
      const copied = input.map((item) => (typeof item === 'function' ? bridged(item) : structuredClone(item)))
      const result: unknown = value(...copied)
      return result instanceof Promise ? result.then((item) => structuredClone(item)) : structuredClone(result)
    }
  }

  const electron = {
    ipcRenderer: {
      send: (channel: string, ...input: unknown[]) => void toMain({ kind: 'send', channel, input }),
      invoke: (channel: string, ...input: unknown[]) => toMain({ kind: 'invoke', channel, input }),
      on: (channel: string, listener: (event: unknown, data: unknown) => void) =>
        void listeners.set(channel, [...(listeners.get(channel) ?? []), listener]),
    },
    contextBridge: {
      exposeInMainWorld: (name: string, api: Record<string, unknown>) => {
        const copy = Object.fromEntries(Object.entries(api).map(([key, value]) => [key, bridged(value)]))
        Object.defineProperty(window, name, { value: Object.freeze(copy) })
      },
    },
  }
  const require = (name: string) => {
    if (name === 'electron') return electron
    throw new Error(`a sandboxed preload cannot require ${name}`)
  }
  preload(require, { platform })
}
