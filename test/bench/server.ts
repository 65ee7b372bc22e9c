/** nginx on loopback over a folder: http, https, and https that offers HTTP/2, with a configuration of its own. Stopped when disposed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inRepository } from '../../scripts/repository.ts'

const tls = (name: string) => inRepository('test', 'helpers', 'tls', name)

/** Signs the certificate of the https server. */
export const TEST_ONLY_CA = tls('test-only-ca.pem')

export interface Server extends AsyncDisposable {
  /** without a slash at the end */
  readonly http: string
  readonly https: string
  /** https that offers HTTP/2 besides HTTP/1.1 */
  readonly http2: string
}

const START_TRIES = 100
const START_PAUSE_MS = 50

/** Serves `root`. `folder` is for nginx' own files. Throws what nginx says where it does not come up. */
export async function startServer(nginx: string, folder: string, root: string): Promise<Server> {
  await mkdir(folder, { recursive: true })
  const ports = await freePorts()
  const configuration = join(folder, 'nginx.conf')
  const errorLog = join(folder, 'error.log')
  await writeFile(configuration, configure(folder, root, ports))
  // A group of its own: Ctrl-C reaches us alone, and we end it when nothing uses it any more.
  const child = spawn(nginx, ['-p', folder, '-c', configuration], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const exited = once(child, 'close')
  // Whatever ends this process, the server does not outlive it.
  const stop = () => child.kill('SIGTERM')
  process.once('exit', stop)
  const dispose = async () => {
    process.off('exit', stop)
    if (child.exitCode === null && child.signalCode === null) stop()
    await exited
  }
  try {
    for (const port of ports) await untilListening(port, () => child.exitCode !== null)
  } catch (error) {
    await dispose()
    const log = await readFile(errorLog, 'utf8').catch(() => '')
    throw new Error(`nginx did not start:\n${said}${log}`, { cause: error })
  }
  return {
    http: `http://127.0.0.1:${ports[0]}`,
    https: `https://127.0.0.1:${ports[1]}`,
    http2: `https://127.0.0.1:${ports[2]}`,
    [Symbol.asyncDispose]: dispose,
  }
}

function configure(folder: string, root: string, [http, https, http2]: Ports): string {
  const quoted = (path: string) => `"${path}"`
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return [
    // A worker of another user could not read a temporary folder.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes auto;',
    `pid ${quoted(join(folder, 'nginx.pid'))};`,
    `error_log ${quoted(join(folder, 'error.log'))} error;`,
    'events { worker_connections 1024; }',
    'http {',
    '  access_log off;',
    '  default_type application/octet-stream;',
    '  sendfile on;',
    '  tcp_nopush on;',
    ...scratch.map((name) => `  ${name}_temp_path ${quoted(join(folder, name))};`),
    '  server {',
    `    listen 127.0.0.1:${http};`,
    `    listen 127.0.0.1:${https} ssl;`,
    // Of the newer way to say it, the nginx of a stable Debian knows nothing.
    `    listen 127.0.0.1:${http2} ssl http2;`,
    '    ssl_protocols TLSv1.2 TLSv1.3;',
    `    ssl_certificate ${quoted(tls('test-only-server.pem'))};`,
    `    ssl_certificate_key ${quoted(tls('test-only-server-key.pem'))};`,
    `    root ${quoted(root)};`,
    '  }',
    '}',
    '',
  ].join('\n')
}

type Ports = readonly [http: number, https: number, http2: number]

/** Ports that are free now. Someone else may take one before nginx does; it says so then. */
async function freePorts(): Promise<Ports> {
  const held = [createServer(), createServer(), createServer()]
  const ports: number[] = []
  for (const server of held) {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a port of loopback has no number')
    ports.push(address.port)
  }
  for (const server of held) await once(server.close(), 'close')
  return [ports[0]!, ports[1]!, ports[2]!]
}

async function untilListening(port: number, hasEnded: () => boolean): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (hasEnded() || attempt === START_TRIES) throw error
    } finally {
      socket.destroy()
    }
    await delay(START_PAUSE_MS)
  }
}
