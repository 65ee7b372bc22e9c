/**
 * The types of the channel: how a contract is written down and what client, handlers and transports look like.
 * The protocol itself (frames, client, server) is in shared/rpc-client.ts and electron/rpc/.
 */
import type { z } from 'zod'

/** A method of a contract: the schema of its input and the type of its result. */
export interface Method<I extends z.ZodType = z.ZodType, R = unknown> {
  readonly kind: 'method'
  readonly input: I
  /** phantom: only a type */
  readonly result?: R
}

/** An event of a contract. */
export interface EventOf<P = unknown> {
  readonly kind: 'event'
  /** phantom: only a type */
  readonly payload?: P
}

export type ContractShape = Readonly<Record<string, Method | EventOf>>

/** `method(inputSchema)<Result>()`: curried so that the result type can be named while the schema is inferred. */
export function method<I extends z.ZodType>(input: I): <R>() => Method<I, R> {
  return () => ({ kind: 'method', input })
}

export function event<P>(): EventOf<P> {
  return { kind: 'event' }
}

export type MethodNames<C extends ContractShape> = {
  [K in keyof C]: C[K] extends Method ? K : never
}[keyof C] &
  string
export type EventNames<C extends ContractShape> = {
  [K in keyof C]: C[K] extends EventOf ? K : never
}[keyof C] &
  string

/** What a caller passes (defaults may be left out). */
export type InputOf<C extends ContractShape, K extends keyof C> =
  C[K] extends Method<infer I, unknown> ? z.input<I> : never
/** What a handler gets, parsed. */
export type ParsedInputOf<C extends ContractShape, K extends keyof C> =
  C[K] extends Method<infer I, unknown> ? z.output<I> : never
export type ResultOf<C extends ContractShape, K extends keyof C> = C[K] extends Method<z.ZodType, infer R> ? R : never
export type PayloadOf<C extends ContractShape, K extends keyof C> = C[K] extends EventOf<infer P> ? P : never

/** A missing handler is a compile error. */
export type Handlers<C extends ContractShape> = {
  readonly [K in MethodNames<C>]: (input: ParsedInputOf<C, K>) => ResultOf<C, K> | Promise<ResultOf<C, K>>
}

export interface Subscription {
  /** A visible window gets progress at 4 Hz, a hidden one at 1 Hz. State changes come at once. */
  setVisible(visible: boolean): void
  dispose(): void
}

/** Where the events of a contract come from. The engine implements it, the RPC server subscribes for its clients. */
export interface EventHub<C extends ContractShape> {
  subscribe<K extends EventNames<C>>(
    name: K,
    listener: (payload: PayloadOf<C, K>) => void,
    options: { visible: boolean },
  ): Subscription
}

/** The other end of a contract, as seen by the window, the command line and tests. */
export interface Client<C extends ContractShape> {
  call<K extends MethodNames<C>>(
    name: K,
    ...input: undefined extends InputOf<C, K> ? [input?: InputOf<C, K>] : [input: InputOf<C, K>]
  ): Promise<ResultOf<C, K>>
  /** Resolves when the server has confirmed the subscription: a snapshot taken afterwards misses nothing. */
  subscribe<K extends EventNames<C>>(
    name: K,
    listener: (payload: PayloadOf<C, K>) => void,
    options?: { visible?: boolean },
  ): Promise<Subscription>
  close(): void
  /** Called once when the channel is gone, whoever closed it. */
  onClose(listener: () => void): void
}

/** A two-way stream of frames (JSON-able values). Adapters: MessagePort, WebSocket, local socket, in-memory pair. */
export interface Duplex {
  post(frame: unknown): void
  onFrame(listener: (frame: unknown) => void): void
  onClose(listener: () => void): void
  close(): void
  /** Bytes posted that the other side has not taken yet, where the transport knows; progress frames are skipped above a bound. */
  readonly bufferedBytes: number
}
