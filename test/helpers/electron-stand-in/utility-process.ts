/** utilityProcess.fork as a real child process; ports reach it through a relay over its IPC channel. */
import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type MessagePortMain, type PortFrame, PortRelay } from './ports.ts'

export type ToUtility = { kind: 'message'; data: unknown; ports: number[] } | PortFrame
export type FromUtility = { kind: 'message'; data: unknown } | PortFrame

const ENTRY = fileURLToPath(new URL('utility-entry.ts', import.meta.url))

export class UtilityProcess extends EventEmitter {
  static readonly running = new Set<UtilityProcess>()
  readonly serviceName: string
  readonly #child: ChildProcess
  readonly #relay: PortRelay

  static fork(modulePath: string, args: string[] = [], options: { serviceName?: string } = {}): UtilityProcess {
    return new UtilityProcess(modulePath, args, options.serviceName ?? 'Node Utility Process')
  }

  private constructor(modulePath: string, args: string[], serviceName: string) {
    super()
    this.serviceName = serviceName
    this.#child = fork(ENTRY, [modulePath, ...args], { serialization: 'advanced', execArgv: [] })
    this.#relay = new PortRelay((frame) => this.#send(frame))
    UtilityProcess.running.add(this)
    this.#child.on('message', (message: FromUtility) => {
      if (message.kind === 'message') this.emit('message', message.data)
      else this.#relay.receive(message)
    })
    this.#child.on('exit', (code) => {
      UtilityProcess.running.delete(this)
      this.#relay.closeAll()
      this.emit('exit', code ?? 1)
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  postMessage(data: unknown, transfer: MessagePortMain[] = []): void {
    this.#send({ kind: 'message', data, ports: transfer.map((port) => this.#relay.give(port)) })
  }

  kill(): boolean {
    return this.#child.kill()
  }

  #send(message: ToUtility): void {
    if (this.#child.connected) this.#child.send(message)
  }
}
