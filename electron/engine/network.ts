/** The engine's own side of the network: requests bounded over all lanes, with the logins of a netrc file. */
import { ERROR_KINDS } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { RequestSample } from '../../shared/request-statistics.ts'
import type { HttpSettings } from './http/http-client.ts'
import { boundLane } from './lane/bounded-lane.ts'
import type { Lane } from './lane/lane.ts'
import { netrcOf } from './netrc-file.ts'
import type { EngineDeps } from './ports.ts'

/** `netrcFile`: the usual one; null: none. */
export function openNetwork(
  deps: EngineDeps,
  settings: HttpSettings,
  netrcFile: () => string | null,
  onRequest: (sample: RequestSample) => void,
): Lane {
  const lane = boundLane(deps.openLane(settings, onRequest), deps.clock, settings.pool)
  return {
    ...lane,
    request: async (asked) => lane.request({ ...asked, ...(await netrcOf(asked.options, netrcFile(), deps.fs)) }),
  }
}

/** Whether a change of network may help this task at once. What a server asked to wait for stays. Pure. */
export function waitsForTheNetwork({ state, error }: TaskRecord): boolean {
  return state === 'waiting' && error !== null && ERROR_KINDS[error.code] === 'network' && !error.params.retryAfterMs
}
