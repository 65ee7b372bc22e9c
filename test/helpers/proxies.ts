/** Tiny proxies for tests: HTTP (CONNECT and forwarding) and SOCKS5, both recording what was asked of them. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'

export interface TestProxy extends AsyncDisposable {
  readonly host: string
  /** `CONNECT host:port`, `GET http://…` or `SOCKS host:port`, in order */
  readonly asked: string[]
  /** Proxy-Authorization values seen */
  readonly authorizations: (string | undefined)[]
}

/** `refuse`: the status that CONNECT and forwarding are answered with. `tls`: it is itself reached by https. */
export async function startHttpProxy(options: { refuse?: number; tls?: boolean } = {}): Promise<TestProxy> {
  const asked: string[] = []
  const authorizations: (string | undefined)[] = []
  const server = options.tls ? createTlsServer({ key: fixture('server-key'), cert: fixture('server') }) : createServer()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.method} ${request.url}`)
    authorizations.push(request.headers['proxy-authorization'])
    if (options.refuse) return void response.writeHead(options.refuse).end()
    const { 'proxy-authorization': _secret, 'proxy-connection': _hop, ...headers } = request.headers
    const onward = forward(request.url!, { headers }, (reply) => {
      response.writeHead(reply.statusCode!, reply.headers)
      reply.pipe(response)
    })
    onward.on('error', () => response.writeHead(502).end())
    onward.end()
  })
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    asked.push(`CONNECT ${request.url}`)
    authorizations.push(request.headers['proxy-authorization'])
    client.on('error', () => {})
    if (options.refuse) return void client.end(`HTTP/1.1 ${options.refuse} No\r\n\r\n`)
    const target = new URL(`http://${request.url}`)
    tunnel(client, target.hostname, Number(target.port || 80), () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
  })
  return listening(server, asked, authorizations)
}

/** `login`: who is let in (RFC 1929); everybody where it is left out. */
export async function startSocksProxy(options: { refuse?: boolean; login?: string } = {}): Promise<TestProxy> {
  const asked: string[] = []
  const server = createTcpServer((client) => {
    client.on('error', () => {})
    client.once('data', async () => {
      client.write(Buffer.from([5, options.login === undefined ? 0 : 2]))
      if (options.login !== undefined) {
        const [message] = (await once(client, 'data')) as [Buffer]
        const user = message.toString('utf8', 2, 2 + message[1]!)
        const given = `${user}:${message.toString('utf8', 3 + message[1]!)}`
        client.write(Buffer.from([1, given === options.login ? 0 : 1]))
        if (given !== options.login) return
      }
      client.once('data', (command) => {
        // only names (RFC 1928 §5, type 3) and IPv4 (type 1) are asked in these tests
        const named = command[3] === 3
        const host = named ? command.toString('latin1', 5, 5 + command[4]!) : [...command.subarray(4, 8)].join('.')
        const port = command.readUInt16BE(named ? 5 + command[4]! : 8)
        asked.push(`SOCKS ${host}:${port}`)
        const answer = (code: number) => client.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
        if (options.refuse) return void answer(2)
        tunnel(client, host, port, () => answer(0))
      })
    })
  })
  return listening(server, asked, [])
}

const fixture = (name: string) => readFileSync(new URL(`./tls/test-only-${name}.pem`, import.meta.url))

function tunnel(client: Socket, host: string, port: number, onOpen: () => void): void {
  const target = connect(port, host, () => {
    onOpen()
    target.pipe(client).pipe(target)
  })
  target.on('error', () => client.destroy())
  target.on('close', () => client.destroy())
  client.on('close', () => target.destroy())
}

async function listening(server: Server, asked: string[], authorizations: (string | undefined)[]): Promise<TestProxy> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    authorizations,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
