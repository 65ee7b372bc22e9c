/** The engine as one command uses it: in this process, on the profile's store. */
import type { SettingsPatch } from '../../shared/schemas.ts'
import { openEngine } from '../compose.ts'
import type { EngineApi } from '../engine/api.ts'
import { leaseOwner, profileFolder } from '../profile.ts'
import { commandLogger } from './logger.ts'
import { version } from './version.ts'

export interface EngineSession {
  readonly engine: EngineApi
  close(): Promise<void>
}

/** An engine that works on tasks leased to this process alone, under settings of this run. Not started yet. */
export async function openSession(
  flag: string | undefined,
  settingsOverride: SettingsPatch,
  { watchesDisk = false, inOwnThread = false } = {},
): Promise<EngineSession> {
  const profile = profileFolder({ flag, env: process.env })
  return openEngine({
    profile,
    host: 'headless',
    lease: leaseOwner(),
    version: version(),
    logger: await commandLogger(),
    settingsOverride,
    watchesDisk,
    inOwnThread,
  })
}
