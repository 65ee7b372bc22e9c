/** A contract of a few methods with every kind of ending, its handlers, and a hub of events driven by the test. */
import { z } from 'zod'
import { NighthaulError } from '../../shared/errors.ts'
import {
  type ContractShape,
  type EventHub,
  type EventNames,
  event,
  type Handlers,
  method,
  type PayloadOf,
} from '../../shared/rpc.ts'
import { HttpUrl } from '../../shared/schemas.ts'

export const testContract = {
  echo: method(z.object({ value: z.unknown().optional() }))<{ value: unknown }>(),
  nothing: method(z.undefined())<null>(),
  withDefault: method(
    z.object({ size: z.int().min(0).default(7), links: z.array(z.object({ url: HttpUrl })).optional() }),
  )<number>(),
  refused: method(z.undefined())<never>(),
  crashes: method(z.undefined())<never>(),
  uncarriable: method(z.undefined())<unknown>(),
  never: method(z.undefined())<never>(),
  revision: method(z.undefined())<number>(),
  changed: event<{ rev: number; padding?: string }>(),
}
export type TestContract = typeof testContract

/** `revision` answers what the test last put into `state`. */
export function testHandlers(state: { rev: number }): Handlers<TestContract> {
  return {
    echo: async ({ value }) => ({ value }),
    nothing: () => null,
    withDefault: ({ size }) => size,
    refused: () => {
      throw new NighthaulError('disk_full', 'The disk is full; the partial was kept. Make room and resume.', {
        freeBytes: 5,
        folder: '/x',
      })
    },
    crashes: () => {
      throw new TypeError('a bug')
    },
    uncarriable: () => ({
      get value() {
        throw new Error('cannot be read')
      },
    }),
    never: () => new Promise(() => {}),
    revision: () => state.rev,
  }
}

interface Listener {
  name: string
  visible: boolean
  hear(payload: never): void
}

/** Emits what the test says to whoever listens. */
export class TestHub<C extends ContractShape> implements EventHub<C> {
  readonly listeners = new Set<Listener>()

  subscribe<K extends EventNames<C>>(
    name: K,
    hear: (payload: PayloadOf<C, K>) => void,
    { visible }: { visible: boolean },
  ): { setVisible(visible: boolean): void; dispose(): void } {
    const listener: Listener = { name, visible, hear }
    this.listeners.add(listener)
    return {
      setVisible: (now) => {
        listener.visible = now
      },
      dispose: () => this.listeners.delete(listener),
    }
  }

  emit<K extends EventNames<C>>(name: K, payload: PayloadOf<C, K>): void {
    for (const listener of this.listeners) if (listener.name === name) listener.hear(payload as never)
  }
}
