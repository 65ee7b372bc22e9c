/** The headless host as a process of its own, which may be killed and started again on its profile. */
import { connectLocal } from '../../electron/rpc/local-server.ts'
import type { Contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { Client, InputOf, MethodNames, ResultOf } from '../../shared/rpc.ts'
import type { TaskDelta } from '../../shared/schemas.ts'
import { type CliProcess, cliHome } from '../helpers/cli.ts'
import { readExposition } from '../helpers/exposition.ts'

/** A host that has not ended by then hangs. */
const DRAIN_LIMIT_MS = 60_000

export interface EngineProcess extends AsyncDisposable {
  readonly files: string
  readonly isUp: boolean
  start(): Promise<void>
  /** SIGKILL: no goodbye */
  kill(): Promise<void>
  /** a clean end; throws where it does not come, or with another code than 0 */
  stop(): Promise<void>
  /** null: the process was not there to answer, or went while it did; other refusals throw */
  call<K extends MethodNames<Contract>>(name: K, input?: InputOf<Contract, K>): Promise<ResultOf<Contract, K> | null>
  /** `/metrics` without labels; null: the process is not there */
  metrics(): Promise<((name: string) => number) | null>
}

export async function engineProcess(onChange: (delta: TaskDelta) => void): Promise<EngineProcess> {
  const home = await cliHome()
  let running: { process: CliProcess; client: Client<Contract>; url: string; token: string } | null = null
  let said = ''

  const ended = async (what: 'SIGKILL' | 'SIGTERM') => {
    const { process, client } = running!
    running = null
    process.child.kill(what)
    const impatience = setTimeout(() => process.child.kill('SIGKILL'), DRAIN_LIMIT_MS)
    const result = await process.ended
    clearTimeout(impatience)
    client.close()
    said += result.stderr
    if (what === 'SIGTERM' && result.code !== 0)
      throw new Error(`the host ended with ${result.code} when it was asked to stop: ${result.stderr}`)
  }

  return {
    files: home.files,
    get isUp() {
      return running !== null
    },
    async start() {
      const started = home.start('serve', '--port', '0')
      const { port, token } = JSON.parse(await started.firstLine) as { port: number; token: string }
      const client = await connectLocal(home.profile)
      if (!client) throw new Error('the host does not listen on its socket')
      running = { process: started, client, url: `http://127.0.0.1:${port}`, token }
      started.ended.then(({ code, stderr }) => {
        // Nobody asked for it: that is what a soak is for.
        if (running?.process === started) throw new Error(`the host ended by itself with ${code}: ${stderr}`)
      })
      await client.subscribe('tasks.changed', onChange)
    },
    kill: () => ended('SIGKILL'),
    stop: () => ended('SIGTERM'),
    async call(name, input) {
      if (!running) return null
      try {
        return await running.client.call(name, ...([input] as never))
      } catch (error) {
        if (error instanceof NighthaulError && error.code === 'disconnected') return null
        throw error
      }
    },
    async metrics() {
      if (!running) return null
      const { url, token } = running
      const reply = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } }).catch(() => null)
      if (!reply?.ok) return null
      const families = readExposition(await reply.text())
      return (name) => (families.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0)
    },
    async [Symbol.asyncDispose]() {
      if (running) await ended('SIGKILL')
      await home[Symbol.asyncDispose]()
      if (said.trim() !== '') process.stderr.write(`what the host said:\n${said}`)
    },
  }
}
