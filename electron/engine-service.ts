/**
 * The engine as the app runs it, wherever that is: takes the profile's queue, opens store and engine, serves window
 * ports and the local socket, and ends all of it in order. Used by engine-process.ts (its own process) and by main.ts
 * (in-process).
 */
import { contract } from '../shared/contract.ts'
import type { Duplex } from '../shared/rpc.ts'
import { openEngine } from './compose.ts'
import { takeQueueLock } from './profile.ts'
import { listenLocal } from './rpc/local-server.ts'
import { serve } from './rpc/server.ts'

export interface EngineService {
  /** serves the contract to one window */
  connect(duplex: Duplex): void
  /** hangs up, drains the engine, closes the store, gives the queue up; idempotent */
  drain(): Promise<void>
}

export interface EngineServiceOptions {
  /** the profile folder, absolute */
  profile: string
  version: string
  /** as Electron's session.resolveProxy */
  resolveProxy(url: string): Promise<string>
}

/** Throws `profile_locked` where another process owns the queue, and what the store throws. */
export async function startEngineService({
  profile,
  version,
  resolveProxy,
}: EngineServiceOptions): Promise<EngineService> {
  const closers: (() => unknown)[] = []
  const closeAll = async () => {
    for (let close = closers.pop(); close; close = closers.pop()) await close()
  }
  try {
    const lock = takeQueueLock(profile, 'app')
    closers.push(() => lock.release())
    const opened = await openEngine({ profile, host: 'electron', lease: null, version, resolveProxy })
    closers.push(() => opened.close())
    const { engine, logger, recovered } = opened
    if (recovered) logger.warn({ recovered }, 'the store was damaged; what could be read was carried over')
    await engine.start()
    const served = { contract, handlers: engine.handlers, events: engine.events, version, logger }
    const local = await listenLocal(lock, served)
    closers.push(() => local.close())
    const sessions = new Set<{ close(): void }>()
    closers.push(() => {
      for (const session of sessions) session.close()
    })
    let draining: Promise<void> | undefined
    return {
      connect(duplex) {
        const session = serve(duplex, served)
        sessions.add(session)
        duplex.onClose(() => sessions.delete(session))
      },
      drain: () => (draining ??= closeAll()),
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}
