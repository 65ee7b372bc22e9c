/**
 * The network of a night: connections that are real to the engine down to what undici would tell it, and bytes that
 * come at the rate of the slowest of line, host and connection. Judges what is asked of hosts as it is asked.
 */
import type { Dispatcher } from 'undici'
import { ConnectionPool, type PoolLimits } from '../../electron/engine/http/connection-pool.ts'
import type { Connection, Connections, RequestProfile } from '../../electron/engine/http/connections.ts'
import type { Interfaces } from '../../electron/engine/network-watch.ts'
import type { Clock } from '../../electron/engine/ports.ts'
import { type Asked, Journal } from './journal.ts'
import { workSpans } from './made-up.ts'
import type { NightClock } from './night-clock.ts'
import {
  type FilePlan,
  type HostPlan,
  isWithin,
  type NightPlan,
  type Outage,
  type QueuePlan,
  type Span,
} from './night-plan.ts'
import { Server } from './servers.ts'
import { SimulatedRequest } from './simulated-request.ts'

/** How far a connection gets now. */
export type Way = 'open' | 'unreachable' | 'silent' | 'refuses' | 'portal'

/** A download that is told to stop when its window closes stops at once; on wake the machine has a look around first. */
const CLOSING_MS = 1_500
const WAKING_MS = 6_000
/** What runs when the machine goes on battery stops within so long. */
const POWER_MS = 2_500
/** Requests per second are counted over so long. */
const COUNTED_MS = 10_000

export class NightNetwork {
  readonly clock: NightClock
  readonly plan: NightPlan
  readonly journal = new Journal()
  readonly servers: ReadonlyMap<string, Server>
  readonly #connections = new Set<SimulatedConnection>()
  #outage: Outage | null = null
  #address = 10
  #wokeAt = Number.NEGATIVE_INFINITY
  readonly #queueOf: ReadonlyMap<number, QueuePlan>
  readonly #workSpans: ReadonlyMap<string, readonly Span[] | null>
  readonly #forcedAt: ReadonlyMap<number, number>
  readonly #startAt: ReadonlyMap<number, number>
  /** when the line has carried all that was promised */
  #freeAt = 0

  constructor(plan: NightPlan, clock: NightClock, random: () => number) {
    this.plan = plan
    this.clock = clock
    const queues = new Map(plan.queues.map((queue) => [queue.name, queue]))
    this.#workSpans = new Map(plan.queues.map((queue) => [queue.name, workSpans(plan, queue)]))
    const files = [...plan.files, ...plan.repeats.map(({ file }) => file)]
    this.#queueOf = new Map(files.map((file: FilePlan) => [file.number, queues.get(file.queue)!]))
    this.#startAt = new Map(plan.files.map(({ number, startAt }) => [number, startAt ?? Number.NEGATIVE_INFINITY]))
    this.#forcedAt = new Map(plan.files.map(({ number, forcedAt }) => [number, forcedAt ?? Number.POSITIVE_INFINITY]))
    this.servers = new Map([...plan.hosts, plan.links].map((host) => [host.name, new Server(host, plan, random)]))
    for (const outage of plan.outages) {
      clock.at(outage.span[0], () => this.#begin(outage))
      clock.at(outage.span[1], () => this.#end(outage))
    }
    for (const { plan: host } of this.servers.values())
      for (const { kind, span } of host.troubles)
        if (kind === 'refuses' || kind === 'silent') clock.at(span[0], () => this.#lose(kind, host))
  }

  /** As os.networkInterfaces() has them. */
  readonly interfaces = (): Interfaces => ({
    lo: [{ address: '127.0.0.1', internal: true }],
    ...(this.#outage?.kind !== 'away' && { en0: [{ address: `192.0.2.${this.#address}`, internal: false }] }),
  })

  /** The machine sleeps: when it wakes nobody answers on its connections any more. */
  sleep(ms: number, monotonicRuns: boolean): void {
    for (const connection of this.#connections) connection.die()
    this.clock.sleep(ms, monotonicRuns)
    this.#wokeAt = this.clock.now()
  }

  /** Something is about to be asked. */
  asks(asked: Asked, server: Server | undefined): void {
    const { journal } = this
    const { host } = asked
    const at = this.clock.world()
    journal.asked.push(asked)
    this.#judgeWindow(asked, asked.at)
    this.#judgeStart(asked)
    this.#judgePower(asked, at)
    if (!server) return
    if (at < server.waitUntil)
      journal.violated(at, 'retry-after', `${host} was asked ${server.waitUntil - at} ms too early`)
    const { requestsPerSecond, told } = server.plan
    if (!told || requestsPerSecond === null) return
    server.askedAt = [...server.askedAt.filter((then) => at - then < COUNTED_MS), at]
    const most = (requestsPerSecond * COUNTED_MS) / 1000 + 1
    if (server.askedAt.length > most)
      journal.violated(
        at,
        'requests',
        `${host} was asked ${server.askedAt.length} times in 10 s and allows ${most - 1}`,
      )
  }

  /** Bytes were handed to the engine. */
  came(asked: Asked, bytes: number): void {
    const now = this.clock.now()
    asked.bytes += bytes
    asked.lastByteAt = now
    // The words of an error are no part of the file.
    if (asked.probe || (asked.status !== 200 && asked.status !== 206)) return
    const queue = asked.file === null ? undefined : this.#queueOf.get(asked.file)
    if (!queue) return
    this.journal.came(queue.name, now, this.clock.world(), bytes)
    this.#judgeWindow(asked, now)
    this.#judgePower(asked, this.clock.world())
  }

  #judgeStart({ file, at, probe }: Asked): void {
    if (file !== null && !probe && at < (this.#startAt.get(file) ?? 0))
      this.journal.violated(at, 'start', `file ${file} was asked for before its start`)
  }

  /** On battery nothing is wanted. */
  #judgePower({ file, host }: Asked, world: number): void {
    // What somebody forced runs on battery as well.
    if (file !== null && this.clock.now() >= (this.#forcedAt.get(file) ?? Number.POSITIVE_INFINITY)) return
    if (
      file === null ||
      !isWithin(
        world,
        this.plan.battery.map(([from, to]) => [from + POWER_MS, to] as const),
      )
    )
      return
    this.journal.violated(this.clock.now(), 'power', `file ${file} asked or read from ${host} on battery`)
  }

  #judgeWindow({ file, host, probe }: Asked, now: number): void {
    // Sizes are asked for before one goes to bed.
    if (probe) return
    const queue = file === null ? undefined : this.#queueOf.get(file)
    const spans = queue && this.#workSpans.get(queue.name)
    if (!queue || !spans || now < this.#wokeAt + WAKING_MS || now >= this.#forcedAt.get(file!)!) return
    if (
      !isWithin(
        now,
        spans.map(([from, to]) => [from, to + CLOSING_MS] as const),
      )
    )
      this.journal.violated(
        now,
        'window',
        `file ${file} of “${queue.name}” asked or read from ${host} at ${new Date(now).toISOString()}`,
      )
  }

  wayTo(server: Server | undefined): Way {
    if (this.#outage) return this.#outage.kind === 'away' ? 'unreachable' : this.#outage.kind
    if (!server) return 'unreachable'
    const trouble = server.trouble(this.clock.world())
    return trouble === 'refuses' || trouble === 'silent' ? trouble : 'open'
  }

  /** When so many bytes of a reply that is `freeAt` for more will have come. */
  deliveryAt(server: Server | undefined, freeAt: number, bytes: number): number {
    const now = this.clock.world()
    const { bytesPerSecond = 1e6, bytesPerSecondEach = 1e6 } = server?.plan ?? ({} as Partial<HostPlan>)
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.plan.bytesPerSecond) * 1000
    if (server) server.freeAt = Math.max(server.freeAt, now) + (bytes / bytesPerSecond) * 1000
    return Math.max(this.#freeAt, server?.freeAt ?? 0, Math.max(freeAt, now) + (bytes / bytesPerSecondEach) * 1000)
  }

  opened(connection: SimulatedConnection): void {
    this.#connections.add(connection)
    const { server } = connection
    if (!server) return
    server.open++
    const { name, mostConnections, told } = server.plan
    this.journal.open(name, server.open)
    this.#judgeProfile(server)
    if (told && mostConnections !== null && server.open > mostConnections)
      this.journal.violated(
        this.clock.now(),
        'connections',
        `${server.open} connections to ${name}, which allows ${mostConnections}`,
      )
  }

  /** No new connection beyond what the profile that holds allows a host. */
  #judgeProfile({ open, plan: { name } }: Server): void {
    const now = this.clock.now()
    for (const { patch, open: spans } of this.plan.profiles) {
      const most = patch.connectionsPerHost
      if (
        most != null &&
        open > most &&
        isWithin(
          now,
          spans.map(([from, to]) => [from + CLOSING_MS, to] as const),
        )
      )
        this.journal.violated(now, 'profile', `${open} connections to ${name}, and the profile allows ${most}`)
    }
  }

  /** The engine is killed: its connections are gone, and it hears of nothing. */
  kill(): void {
    this.journal.killed(this.clock.now())
    for (const connection of this.#connections) connection.forget()
  }

  closed(connection: SimulatedConnection): void {
    if (this.#connections.delete(connection) && connection.server) connection.server.open--
  }

  #begin(outage: Outage): void {
    this.#outage = outage
    // What is under way is not told that nobody answers any more, except that an interface which goes takes all with it.
    for (const connection of this.#connections) outage.kind === 'away' ? connection.reset() : connection.die()
  }

  #end(outage: Outage): void {
    if (this.#outage !== outage) return
    this.#outage = null
    if (outage.newAddress) this.#address++
    for (const connection of this.#connections) connection.die()
  }

  #lose(kind: 'refuses' | 'silent', { name }: HostPlan): void {
    for (const connection of this.#connections)
      if (connection.server?.plan.name === name) kind === 'refuses' ? connection.reset() : connection.die()
  }

  /** The engine's way out. */
  readonly openConnections = (clock: Clock, limits: PoolLimits): Connections => {
    const pool = new ConnectionPool<SimulatedConnection>(clock, limits, (connection) => connection.close())
    return {
      acquire: (origin, profile, how) => {
        const key = `${origin} ${profile.connectTimeoutMs}`
        return pool.acquire({ origin, key, ...how }, () => new SimulatedConnection(this, origin, key, profile))
      },
      acquireShared: async () => null,
      release(connection) {
        connection.served++
        pool.release(connection as SimulatedConnection)
      },
      discard: (connection) => pool.discard(connection as SimulatedConnection),
      dropIdle: (origin) => pool.dropIdle(origin),
      setLimits: (next) => pool.setLimits(next),
      async close() {
        for (const connection of pool.clear()) connection.close()
      },
    }
  }
}

/** One connection, from the engine's dialling to its end. */
export class SimulatedConnection implements Connection {
  readonly dispatcher: Dispatcher
  readonly origin: string
  readonly key: string
  readonly connectTimeoutMs: number
  readonly server: Server | undefined
  readonly host: string
  readonly secure: boolean
  readonly socket = null
  readonly shared = null
  readonly direct = null
  setup: Connection['setup'] = null
  served = 0
  readBytes = () => 64 * 1024
  /** `dead`: nothing comes any more, and nobody says so */
  state: 'new' | 'open' | 'dead' | 'closed' = 'new'
  /** it leads to where people sign in */
  toPortal = false
  /** when the last byte that was promised on it comes */
  freeAt = 0
  readonly #network: NightNetwork
  #request: SimulatedRequest | null = null

  constructor(network: NightNetwork, origin: string, key: string, profile: RequestProfile) {
    this.#network = network
    this.origin = origin
    this.key = key
    this.connectTimeoutMs = profile.connectTimeoutMs
    const url = new URL(origin)
    this.host = url.host
    this.secure = url.protocol === 'https:'
    this.server = network.servers.get(url.host)
    this.dispatcher = {
      dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
        this.#request = new SimulatedRequest(network, this, options, handler)
        this.#request.begin()
        return true
      },
    } as unknown as Dispatcher
  }

  get alive(): boolean {
    return this.state !== 'closed'
  }

  dialled(): void {
    this.#network.opened(this)
  }

  /** Its other end vanished. */
  die(): void {
    if (this.state !== 'closed') this.state = 'dead'
  }

  forget(): void {
    this.#request?.forget()
    this.close()
  }

  /** Its other end, or the machine's own network, broke it. What a sleeping machine is told is lost: its connections are dead. */
  reset(): void {
    if (this.#network.clock.sleeps) return
    const request = this.#request
    this.close()
    request?.fail('ECONNRESET')
  }

  close(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#network.closed(this)
  }
}
