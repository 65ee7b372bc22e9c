/** The client of a contract over any Duplex. Runs in the window, the command line and tests: no Node, no DOM. */
import { isErrorCode, NighthaulError } from './errors.ts'
import { type ClientFrame, PROTOCOL, ServerFrame } from './frames.ts'
import type { Client, ContractShape, Duplex } from './rpc.ts'

interface Waiting {
  resolve(result: unknown): void
  reject(error: NighthaulError): void
}

/**
 * Calls and subscribes over `duplex`. What is under way when the channel closes rejects with `disconnected`; what the
 * server refuses rejects with the server's NighthaulError. `contract` gives the types; the server does the checking.
 */
export function createClient<C extends ContractShape>(_contract: C, duplex: Duplex): Client<C> {
  const waiting = new Map<number, Waiting>()
  const listeners = new Map<number, (payload: never) => void>()
  const closeListeners: (() => void)[] = []
  let gone: NighthaulError | null = null
  let lastId = 0

  const hangUp = (reason: NighthaulError): void => {
    if (gone) return
    gone = reason
    duplex.close()
    listeners.clear()
    for (const { reject } of waiting.values()) reject(reason)
    waiting.clear()
    for (const listener of closeListeners.splice(0)) listener()
  }

  const request = (frame: Extract<ClientFrame, { id: number }>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (gone) throw gone
      // posted first: a frame the transport refuses leaves nobody waiting
      duplex.post(frame)
      waiting.set(frame.id, { resolve, reject })
    })

  const settle = (id: number): Waiting | undefined => {
    const entry = waiting.get(id)
    waiting.delete(id)
    return entry
  }

  duplex.onFrame((received) => {
    const parsed = ServerFrame.safeParse(received)
    if (!parsed.success) {
      hangUp(
        new NighthaulError(
          'frame_invalid',
          'The engine sent something this client does not understand, so the connection was closed; downloads are not affected. Use the same version on both sides.',
        ),
      )
      return
    }
    const frame = parsed.data
    switch (frame.type) {
      case 'hello':
        if (frame.protocol !== PROTOCOL) {
          hangUp(
            new NighthaulError(
              'frame_invalid',
              `The engine (version ${frame.version}) speaks protocol ${frame.protocol} and this client speaks ${PROTOCOL}; nothing was changed. Reload the window, or use the same version on both sides.`,
              { protocol: frame.protocol, version: frame.version },
            ),
          )
        }
        return
      case 'ok':
        settle(frame.id)?.resolve(frame.result)
        return
      case 'error': {
        const { code, message, params } = frame.error
        const error = new NighthaulError(isErrorCode(code) ? code : 'internal', message, params)
        // an error for nobody in particular: the server could not read a frame of ours, and somebody waits in vain
        if (frame.id === null) hangUp(error)
        else settle(frame.id)?.reject(error)
        return
      }
      case 'event':
        listeners.get(frame.subscription)?.(frame.payload as never)
    }
  })
  duplex.onClose(() => {
    hangUp(
      new NighthaulError(
        'disconnected',
        'The connection to the engine is gone; downloads are not affected. Connect again to see how the request ended.',
      ),
    )
  })

  return {
    async call(method, ...[input]) {
      const id = ++lastId
      // the result is what the contract names: the server's handlers are typed by the same contract
      return (await request({ type: 'call', id, method, input })) as never
    },
    async subscribe(event, listener, options) {
      const id = ++lastId
      // before the request: an event may arrive together with the confirmation
      listeners.set(id, listener)
      try {
        await request({ type: 'subscribe', id, event, visible: options?.visible ?? true })
      } catch (error) {
        listeners.delete(id)
        throw error
      }
      return {
        setVisible(visible) {
          if (listeners.has(id)) duplex.post({ type: 'visible', subscription: id, visible })
        },
        dispose() {
          if (listeners.delete(id)) duplex.post({ type: 'unsubscribe', subscription: id })
        },
      }
    },
    close() {
      hangUp(
        new NighthaulError('disconnected', 'The connection to the engine was closed here; downloads are not affected.'),
      )
    },
    onClose(listener) {
      if (gone) listener()
      else closeListeners.push(listener)
    },
  }
}
