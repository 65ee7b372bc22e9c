/** Notices that the machine slept or that its network became another one, where nobody else says so. */
import type { NetworkChange } from '../../shared/schemas.ts'
import type { Clock, Timer } from './ports.ts'

/** As os.networkInterfaces() has them. */
export type Interfaces = Readonly<Record<string, readonly { address: string; internal: boolean }[] | undefined>>

const LOOK_MS = 5_000
/** A timer this late, or a wall clock this far ahead of the other, means that the machine slept. */
const SLEPT_MS = 15_000

interface Look {
  /** epoch ms */
  at: number
  monotonicMs: number
  /** a text that two looks at one network have in common */
  addresses: string
}

/** What happened between two looks that should be `LOOK_MS` apart; null: nothing. Pure. */
export function changeBetween(before: Look, now: Look): NetworkChange | null {
  const monotonicMs = now.monotonicMs - before.monotonicMs
  // Some clocks stand still in sleep and the wall clock then runs ahead; others go on, and the timer was late.
  if (monotonicMs > LOOK_MS + SLEPT_MS || now.at - before.at - monotonicMs > SLEPT_MS) return 'wake'
  if (now.addresses === before.addresses) return null
  return now.addresses === '' ? 'offline' : 'interfaces'
}

/** The addresses that lead outside, in an order that does not matter. Pure. */
export function outsideAddresses(interfaces: Interfaces): string {
  return Object.entries(interfaces)
    .flatMap(([name, addresses = []]) =>
      // Link-local ones come and go with every interface and lead nowhere.
      addresses.filter((a) => !a.internal && !/^fe80:/i.test(a.address)).map((a) => `${name} ${a.address}`),
    )
    .sort()
    .join('\n')
}

/** Looks every few seconds; `changed` hears of each change once. */
export function watchNetwork(
  clock: Clock,
  interfaces: () => Interfaces,
  changed: (reason: NetworkChange) => void,
): { stop(): void } {
  const look = (): Look => ({
    at: clock.now(),
    monotonicMs: clock.monotonic(),
    addresses: outsideAddresses(interfaces()),
  })
  let before = look()
  let timer: Timer
  const arm = () => {
    timer = clock.setTimeout(() => {
      const now = look()
      const reason = changeBetween(before, now)
      before = now
      arm()
      if (reason !== null) changed(reason)
    }, LOOK_MS)
  }
  arm()
  return { stop: () => timer.cancel() }
}
