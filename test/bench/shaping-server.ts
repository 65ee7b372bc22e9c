/** Starts shaping-process.ts and tells it how to behave for each run. Ended when disposed. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { inRepository } from '../../scripts/repository.ts'
import type { Served } from './served.ts'
import type { Shape } from './shaping.ts'
import type { Order, Report } from './shaping-process.ts'

export interface ShapingServer extends AsyncDisposable {
  /** http://127.0.0.1:PORT */
  readonly origin: string
  /** Every connection from now on has this shape; what was seen before is forgotten. */
  begin(shape: Shape): Promise<void>
  /** What was seen since. */
  end(): Promise<Served>
}

/** Serves the files of `folder`. */
export async function startShapingServer(folder: string): Promise<ShapingServer> {
  const child = fork(inRepository('test', 'bench', 'shaping-process.ts'), [folder], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  /** The next report, which must be of this kind. */
  const hear = async <K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> => {
    const report = await Promise.race([
      once(child, 'message').then(([message]) => message as Report),
      exited.then(([code]) => {
        throw new Error(`the shaping server ended by itself, with ${code}`)
      }),
    ])
    if (report.kind !== kind) throw new Error(`the shaping server said “${report.kind}” where “${kind}” was expected`)
    return report as Extract<Report, { kind: K }>
  }
  const ask = <K extends Report['kind']>(order: Order, kind: K) => {
    const answer = hear(kind)
    child.send(order)
    return answer
  }
  const { origin } = await hear('listening')
  return {
    origin,
    begin: async (shape) => void (await ask({ kind: 'begin', shape }, 'begun')),
    end: async () => (await ask({ kind: 'end' }, 'ended')).served,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
