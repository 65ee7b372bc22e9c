/** A small HTTP server for one test, gone when its scope ends: `await using server = await withServer(handler)`. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface TestServer extends AsyncDisposable {
  /** http://127.0.0.1:PORT */
  readonly origin: string
  readonly port: number
  /** connections accepted so far */
  readonly connections: number
  close(): Promise<void>
}

export async function withServer(handler: RequestListener): Promise<TestServer> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer(handler)
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
