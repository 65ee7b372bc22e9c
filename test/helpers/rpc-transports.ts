/** The four transports of the channel, each as a pair of ends that a test can open, stall and close. */
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { WebSocket, WebSocketServer } from 'ws'
import { electronPortDuplex } from '../../electron/rpc/electron-port-duplex.ts'
import { memoryPair } from '../../electron/rpc/memory-duplex.ts'
import { socketDuplex } from '../../electron/rpc/socket-duplex.ts'
import { messagePortDuplex } from '../../shared/message-port-duplex.ts'
import type { Duplex } from '../../shared/rpc.ts'
import { webSocketDuplex } from '../../shared/websocket-duplex.ts'

export interface Link {
  server: Duplex
  client: Duplex
  /** sends a text past the client's encoding, as it is where the transport carries text */
  sendRaw(text: string): void
  /** the client's side stops reading, as a hung window would */
  stall(): void
  unstall(): void
  close(): Promise<void>
}

export interface Transport {
  name: string
  open(): Promise<Link>
}

/** Ports and memory do not tell what waits in them; a stall is then only reported. */
function withReportedStall(server: Duplex, client: Duplex): Pick<Link, 'server' | 'client' | 'stall' | 'unstall'> {
  let waiting = 0
  return {
    client,
    server: {
      post: server.post,
      onFrame: server.onFrame,
      onClose: server.onClose,
      close: server.close,
      get bufferedBytes() {
        return waiting
      },
    },
    stall: () => {
      waiting = Number.MAX_SAFE_INTEGER
    },
    unstall: () => {
      waiting = 0
    },
  }
}

const memory: Transport = {
  name: 'an in-memory pair',
  async open() {
    const [server, client] = memoryPair()
    return {
      ...withReportedStall(server, client),
      sendRaw: (text) => client.post(text),
      close: async () => client.close(),
    }
  },
}

/** Electron's MessagePortMain is an emitter whose messages come as `{ data }`; Node's port gives the rest. */
function asElectronPort(port: MessagePort): Parameters<typeof electronPortDuplex>[0] {
  const emitter = new EventEmitter()
  port.addEventListener('message', (event) => emitter.emit('message', { data: (event as { data?: unknown }).data }))
  port.on('close', () => emitter.emit('close'))
  return Object.assign(emitter, {
    postMessage: (message: unknown) => port.postMessage(message),
    start: () => port.start(),
    close: () => port.close(),
  })
}

const port: Transport = {
  name: 'a message port',
  async open() {
    const { port1, port2 } = new MessageChannel()
    const client = messagePortDuplex(port2)
    return {
      ...withReportedStall(electronPortDuplex(asElectronPort(port1)), client),
      sendRaw: (text) => client.post(text),
      close: async () => {
        client.close()
      },
    }
  },
}

const webSocket: Transport = {
  name: 'a WebSocket',
  async open() {
    const http = createHttpServer()
    const sockets = new WebSocketServer({ server: http })
    const accepted = once(sockets, 'connection')
    const { port } = await listening(http, 0)
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    const client = webSocketDuplex(socket)
    const [serverSocket] = (await accepted) as [WebSocket]
    const server = webSocketDuplex(serverSocket)
    await new Promise<void>((resolve) =>
      socket.readyState === WebSocket.OPEN ? resolve() : socket.once('open', resolve),
    )
    return {
      server,
      client,
      sendRaw: (text) => socket.send(text),
      stall: () => socket.pause(),
      unstall: () => socket.resume(),
      async close() {
        socket.terminate()
        serverSocket.terminate()
        await new Promise((resolve) => http.close(resolve))
      },
    }
  },
}

const localSocket: Transport = {
  name: 'a local socket',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'nighthaul-rpc-'))
    const path = process.platform === 'win32' ? `\\\\.\\pipe\\${folder}` : join(folder, 'engine.sock')
    const listener = createServer()
    const accepted = once(listener, 'connection')
    await listening(listener, path)
    const socket = createConnection(path)
    const [[serverSocket]] = (await Promise.all([accepted, once(socket, 'connect')])) as [[Socket], unknown]
    return {
      server: socketDuplex(serverSocket),
      client: socketDuplex(socket),
      sendRaw: (text) => socket.write(`${text}\n`),
      stall: () => socket.pause(),
      unstall: () => socket.resume(),
      async close() {
        socket.destroy()
        serverSocket.destroy()
        await new Promise((resolve) => listener.close(resolve))
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

export const TRANSPORTS: readonly Transport[] = [memory, port, webSocket, localSocket]

async function listening(server: Server, where: string | 0): Promise<AddressInfo> {
  if (where === 0) server.listen(0, '127.0.0.1')
  else server.listen(where)
  await once(server, 'listening')
  return server.address() as AddressInfo
}
