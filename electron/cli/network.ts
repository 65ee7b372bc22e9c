/** The engine's HTTP client by itself, for commands that need no profile: `probe` and `get -o -`. */
import { DEFAULT_SETTINGS } from '../../shared/schemas.ts'
import { createHttpClient, type HttpClient } from '../engine/http/http-client.ts'
import { netrcOf } from '../engine/netrc-file.ts'
import { createNodeFileSystem } from '../engine/node-fs.ts'
import { httpSettings } from '../engine/settings.ts'
import { nodeClock } from '../platform/clock.ts'
import { version } from './version.ts'

/** Under the default settings; close it when done. */
export function openHttpClient(): HttpClient {
  const client = createHttpClient({ settings: httpSettings(DEFAULT_SETTINGS, version()), clock: nodeClock })
  const fs = createNodeFileSystem()
  return {
    ...client,
    request: async (asked) => client.request({ ...asked, ...(await netrcOf(asked.options, null, fs)) }),
  }
}
