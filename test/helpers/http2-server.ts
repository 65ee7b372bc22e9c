/** A file over https, where HTTP/2 is offered beside HTTP/1.1 or not, and what was asked of it. Gone when disposed. */
import { readFileSync } from 'node:fs'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { contentBytes } from './bytes.ts'

const fixture = (name: string) => readFileSync(new URL(`./tls/test-only-${name}.pem`, import.meta.url), 'utf8')

export interface Http2Server extends AsyncDisposable {
  /** https://localhost:PORT/file */
  readonly url: string
  /** trust this to accept its certificate */
  readonly caPem: string
  /** in the order they came */
  readonly requests: readonly { httpVersion: string; range: string | undefined; authorization: string | undefined }[]
  /** TLS connections accepted */
  readonly connections: number
}

/** `cutAt`: with so many requests all connections are cut, once. */
export async function startHttp2Server(options: {
  sizeBytes: number
  http2: boolean
  cutAt?: number
}): Promise<Http2Server> {
  const { sizeBytes, http2, cutAt } = options
  const body = contentBytes(1, 0, sizeBytes)
  const requests: Http2Server['requests'][number][] = []
  const sockets = new Set<TLSSocket>()
  let connections = 0
  const answer = (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { range, authorization } = request.headers
    requests.push({ httpVersion: request.httpVersion, range, authorization })
    if (requests.length === cutAt) {
      for (const socket of sockets) socket.destroy()
      return
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = to === undefined ? sizeBytes : Math.min(Number(to) + 1, sizeBytes)
    response.writeHead(from === undefined ? 200 : 206, {
      'content-length': end - start,
      ...(from !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` }),
    })
    response.end(body.subarray(start, end))
  }
  const identity = { key: fixture('server-key'), cert: fixture('server') }
  const server = http2 ? createSecureServer({ ...identity, allowHTTP1: true }) : createServer(identity)
  server.on('request', answer)
  server.on('secureConnection', (socket: TLSSocket) => {
    connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // clients that have seen enough cut the connection
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `https://localhost:${port}/file`,
    caPem: fixture('ca'),
    requests,
    get connections() {
      return connections
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
