/** Runs a utility process's module with `process.parentPort`, as Electron would. */
import { EventEmitter } from 'node:events'
import { pathToFileURL } from 'node:url'
import { PortRelay } from './ports.ts'
import type { FromUtility, ToUtility } from './utility-process.ts'

const [modulePath = ''] = process.argv.splice(2, 1)
const send = (message: FromUtility) => {
  if (process.connected) process.send?.(message)
}
const relay = new PortRelay(send)
const parentPort = Object.assign(new EventEmitter(), {
  postMessage: (data: unknown) => send({ kind: 'message', data }),
})
Object.defineProperty(process, 'parentPort', { value: parentPort })

process.on('message', (message: ToUtility) => {
  if (message.kind !== 'message') return relay.receive(message)
  parentPort.emit('message', { data: message.data, ports: message.ports.map((port) => relay.take(port)) })
})
// Electron ends its utility processes with itself, without asking them.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

await import(pathToFileURL(modulePath).href)
