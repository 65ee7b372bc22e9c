/** The contract on a profile's local socket: how the command line reaches the process that owns the queue. */
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { type Contract, contract } from '../../shared/contract.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { Client } from '../../shared/rpc.ts'
import { createClient } from '../../shared/rpc-client.ts'
import { prepareSocketFolder, type QueueLock, socketPath } from '../profile.ts'
import { type ServeOptions, serve } from './server.ts'
import { socketDuplex } from './socket-duplex.ts'

/**
 * Listens on the socket of the profile whose queue this process owns: `lock` is the proof, without which a socket
 * file found there might be a living one. Only this user can connect. `close` hangs up on all clients.
 */
export async function listenLocal(
  lock: QueueLock,
  options: Omit<ServeOptions<Contract>, 'contract'>,
): Promise<{ close(): Promise<void> }> {
  const path = socketPath(lock.profile)
  const sessions = new Map<Socket, { close(): void }>()
  const server = createServer((socket) => {
    sessions.set(socket, serve(socketDuplex(socket), { ...options, contract }))
    socket.on('close', () => sessions.delete(socket))
  })
  prepareSocketFolder(lock.profile)
  const isFile = process.platform !== 'win32'
  if (isFile) rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server.off('error', reject) && undefined))
  })
  if (isFile) chmodSync(path, 0o600)
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const session of sessions.values()) session.close()
      await closed
    },
  }
}

/**
 * A client of the process that owns the profile's queue; null when nobody listens.
 * @throws NighthaulError `access_denied` when the socket is another user's
 */
export async function connectLocal(profile: string): Promise<Client<Contract> | null> {
  const path = socketPath(profile)
  prepareSocketFolder(profile)
  const socket = createConnection(path)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return null
    throw new NighthaulError(
      'access_denied',
      `The Nighthaul that owns the profile ${profile} cannot be reached (${code}); nothing was changed. Run this as the user who started it.`,
      { profile, code: code ?? 'unknown' },
      { cause },
    )
  }
  return createClient(contract, socketDuplex(socket))
}
