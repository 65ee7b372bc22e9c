/** The engine's HTTP client by itself, for commands that need no profile: `probe` and `get -o -`. */
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import { createHttpClient, type HttpClient } from '../engine/http/http-client.ts'
import { nodeClock } from '../platform/clock.ts'
import { version } from './version.ts'

/** Under the default settings; close it when done. */
export function openHttpClient(): HttpClient {
  const { connectTimeoutMs, headersTimeoutMs, stallTimeoutMs, connectionsPerHost } = DEFAULT_SETTINGS
  const userAgent = `Nighthaul/${version()}`
  const settings = { connectTimeoutMs, headersTimeoutMs, stallTimeoutMs, connectionsPerHost, userAgent }
  return createHttpClient({ settings, clock: nodeClock })
}
