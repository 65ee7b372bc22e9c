/**
 * The queue of a profile as a command reaches it: through the process that owns it, or, where there is none, straight
 * on the store with an engine that starts nothing.
 */
import { type Contract, contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueView } from '../../shared/queues.ts'
import type { Client } from '../../shared/rpc.ts'
import { profileFolder, queueOwner } from '../profile.ts'
import { connectLocal } from '../rpc/local-server.ts'
import { commandLogger } from './logger.ts'
import { say } from './terminal.ts'
import { version } from './version.ts'

const OWNER_STARTS_MS = 5_000
const OWNER_POLL_MS = 100

export interface Queue {
  readonly client: Client<Contract>
  /** whether somebody works on it now */
  readonly owned: boolean
  close(): Promise<void>
}

/** Opens the queue, works on it and closes it. Answers the exit code 0. */
export async function withQueue(flags: { profile?: string }, work: (queue: Queue) => Promise<void>): Promise<number> {
  const queue = await openQueue(flags.profile)
  try {
    await work(queue)
    return 0
  } finally {
    await queue.close()
  }
}

/** For a person who has just given it work. */
export function sayWhenItStarts({ owned }: Queue): void {
  if (!owned) say('nighthaul: The app is not running: work starts when it or “nighthaul serve” does')
}

/** The queue of this name, written in whichever case, or with this id. Throws `queue_not_found`. */
export async function queueNamed(client: Client<Contract>, name: string): Promise<QueueView> {
  const queues = await client.call('queues.list')
  const found =
    queues.find((queue) => queue.name.toLowerCase() === name.trim().toLowerCase()) ??
    queues.find((queue) => String(queue.id) === name)
  if (found) return found
  throw new NighthaulError(
    'queue_not_found',
    `There is no queue “${name}”. Nothing was changed; “nighthaul queue list” names them.`,
    { name },
  )
}

export async function openQueue(flag: string | undefined): Promise<Queue> {
  const profile = profileFolder({ flag, env: process.env })
  const client = await connectToOwner(profile)
  if (client !== null) return { client, owned: true, close: async () => client.close() }
  return openWithoutOwner(profile)
}

/** An owner that has taken the lock may still be starting: it is waited for a moment. */
async function connectToOwner(profile: string): Promise<Client<Contract> | null> {
  const deadline = performance.now() + OWNER_STARTS_MS
  for (;;) {
    const client = await connectLocal(profile)
    const owner = client === null ? queueOwner(profile) : null
    if (client !== null || owner === null) return client
    if (performance.now() > deadline) {
      throw new NighthaulError(
        'disconnected',
        `Nighthaul runs on this profile (process ${owner.pid}) but does not answer; nothing was changed. Try again, or stop it first.`,
        { pid: owner.pid },
      )
    }
    await new Promise((resolve) => setTimeout(resolve, OWNER_POLL_MS))
  }
}

async function openWithoutOwner(profile: string): Promise<Queue> {
  const [{ openEngine }, { memoryPair }, { serve }, { createClient }] = await Promise.all([
    import('../compose.ts'),
    import('../rpc/memory-duplex.ts'),
    import('../rpc/server.ts'),
    import('../../shared/rpc-client.ts'),
  ])
  const logger = await commandLogger()
  const opened = await openEngine({ profile, host: 'headless', lease: null, version: version(), logger })
  const [near, far] = memoryPair()
  const { handlers, events } = opened.engine
  const session = serve(far, { contract, handlers, events, version: version(), logger })
  return {
    client: createClient(contract, near),
    owned: false,
    close: async () => {
      session.close()
      await opened.close()
    },
  }
}
