/**
 * Serves the built window with the fake engine behind it, under the strict policy of the real hosts:
 * `npx node test/helpers/fake-window-server.ts [tasks] [port]`.
 */
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { WebSocketServer } from 'ws'
import { serve } from '../../electron/rpc/server.ts'
import { contract } from '../../shared/contract.ts'
import { type WebSocketLike, webSocketDuplex } from '../../shared/websocket-duplex.ts'
import { createFakeEngine, type FakeEngine } from './fake-engine.ts'

export const STRICT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self' ws://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
}
const ROOT = join(import.meta.dirname, '../../dist/renderer')

export interface FakeWindowServer {
  url: string
  engine: FakeEngine
  /** cuts every channel, and refuses new ones until `restore` */
  away(): void
  restore(): void
  close(): Promise<void>
}

export async function startFakeWindowServer(options: { tasks: number; port?: number }): Promise<FakeWindowServer> {
  const engine = createFakeEngine({ tasks: options.tasks, now: Date.now() })
  const stop = engine.run()
  let refused = false
  const http: Server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname)
    if (path === '/rpc') return void response.writeHead(426).end()
    const file = join(ROOT, path === '/' ? 'index.html' : path)
    const body = await readFile(file).catch(() => null)
    if (body === null) return void response.writeHead(404).end()
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-security-policy': STRICT_POLICY }).end(body)
  })
  const sockets = new WebSocketServer({ noServer: true })
  http.on('upgrade', (request, socket, head) => {
    if (refused || request.url !== '/rpc') return socket.destroy()
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serve(webSocketDuplex(webSocket as unknown as WebSocketLike), {
        contract,
        handlers: engine.handlers,
        events: engine.events,
        version: '0.1.0',
      })
    })
  })
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    engine,
    away() {
      refused = true
      for (const socket of sockets.clients) socket.terminate()
    },
    restore() {
      refused = false
    },
    async close() {
      stop()
      for (const socket of sockets.clients) socket.terminate()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

if (process.argv[1] === import.meta.filename) {
  const server = await startFakeWindowServer({
    tasks: Number(process.argv[2] ?? 6),
    port: Number(process.argv[3] ?? 0),
  })
  process.stdout.write(`${server.url}\n`)
}
