/** The engine's own side of the network: requests bounded over all lanes, with the logins of a netrc file. */
import { ERROR_KINDS } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import { boundLane } from './lane/bounded-lane.ts'
import type { Lane } from './lane/lane.ts'
import { netrcOf } from './netrc-file.ts'
import type { EngineDeps } from './ports.ts'
import { httpSettings } from './settings.ts'

export function openNetwork(deps: EngineDeps, settings: () => Settings): Lane {
  const http = httpSettings(settings(), deps.version)
  const lane = boundLane(deps.openLane(http), deps.clock, http.pool)
  return {
    ...lane,
    request: async (asked) =>
      lane.request({ ...asked, ...(await netrcOf(asked.options, settings().netrcFile, deps.fs)) }),
  }
}

/** Whether a change of network may help this task at once. What a server asked to wait for stays. Pure. */
export function waitsForTheNetwork({ state, error }: TaskRecord): boolean {
  return state === 'waiting' && error !== null && ERROR_KINDS[error.code] === 'network' && !error.params.retryAfterMs
}
