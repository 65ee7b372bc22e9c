/** The window's channel: opens, comes back by itself, and says why it cannot. */
import { afterEach, expect, it, vi } from 'vitest'
import { memoryPair } from '../../electron/rpc/memory-duplex.ts'
import { serve } from '../../electron/rpc/server.ts'
import { type ConnectionStatus, keepConnected } from '../../renderer/connect.ts'
import { contract } from '../../shared/contract.ts'
import type { Duplex } from '../../shared/rpc.ts'
import { createFakeEngine } from '../helpers/fake-engine.ts'
import { PATIENT_MS } from '../helpers/patience.ts'

const connections: { close(): void }[] = []
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close()
})

function fakeHost() {
  const engine = createFakeEngine({ tasks: 0 })
  const served: { close(): void }[] = []
  let reachable = true
  return {
    async open(): Promise<Duplex> {
      if (!reachable) throw new Error('refused')
      const [near, far] = memoryPair()
      served.push(serve(far, { contract, handlers: engine.handlers, events: engine.events, version: '0.1.0' }))
      return near
    },
    away(): void {
      reachable = false
      for (const each of served.splice(0)) each.close()
    },
    back(): void {
      reachable = true
    },
  }
}

function connect(open: () => Promise<Duplex>, refusal: 'lost' | 'unauthorized' = 'lost') {
  const heard: string[] = []
  const tell = (status: ConnectionStatus): void => {
    heard.push(status.kind === 'away' ? status.reason : status.kind)
  }
  const connection = keepConnected(open, async () => refusal, {
    onStatus: tell,
    onOpen: () => heard.push('attached'),
    onLost: () => heard.push('detached'),
  })
  connections.push(connection)
  return { heard, connection }
}

it('is open once the engine has answered, and opens again after it was lost', async () => {
  const host = fakeHost()
  const { heard } = connect(host.open)
  await vi.waitFor(() => expect(heard).toEqual(['open', 'attached']), PATIENT_MS)
  host.away()
  await vi.waitFor(() => expect(heard).toEqual(['open', 'attached', 'detached', 'lost']), PATIENT_MS)
  host.back()
  await vi.waitFor(() => expect(heard.slice(-2)).toEqual(['open', 'attached']), 3000)
  expect(heard.filter((word) => word === 'detached')).toHaveLength(1)
})

it('says that the token is missing', async () => {
  const host = fakeHost()
  host.away()
  const { heard } = connect(host.open, 'unauthorized')
  await vi.waitFor(() => expect(heard).toContain('unauthorized'), PATIENT_MS)
})

it('tries at once when asked to, whatever the pause', async () => {
  const host = fakeHost()
  host.away()
  const { heard, connection } = connect(host.open)
  await vi.waitFor(() => expect(heard).toContain('lost'), PATIENT_MS)
  host.back()
  connection.retryNow()
  await vi.waitFor(() => expect(heard.slice(-2)).toEqual(['open', 'attached']), PATIENT_MS)
})

it('stays closed once it is closed', async () => {
  const host = fakeHost()
  const { heard, connection } = connect(host.open)
  await vi.waitFor(() => expect(heard).toContain('attached'), PATIENT_MS)
  connection.close()
  await vi.waitFor(() => expect(heard.at(-1)).toBe('attached'), PATIENT_MS)
  expect(heard).not.toContain('detached')
})
