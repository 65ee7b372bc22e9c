/** Settings as the engine uses them: defaults, what is stored, and what holds for this process alone. */
import { DEFAULT_SETTINGS, type Settings } from '../../shared/schemas.ts'
import type { HostRules } from './host-rules.ts'
import type { HttpSettings } from './http/http-client.ts'
import type { EngineDeps } from './ports.ts'

/** The stored settings over the defaults, and this process' own over both. */
export function readSettings(deps: EngineDeps): Settings {
  return {
    ...DEFAULT_SETTINGS,
    downloadFolder: deps.defaultDownloadFolder,
    ...deps.store.getSettings(),
    ...deps.settingsOverride,
  }
}

/** What of them the network needs. */
export function httpSettings(settings: Settings, deps: EngineDeps, hostRules: HostRules): HttpSettings {
  return {
    connectTimeoutMs: settings.connectTimeoutMs,
    headersTimeoutMs: settings.headersTimeoutMs,
    stallTimeoutMs: settings.stallTimeoutMs,
    connectionsPerHost: settings.connectionsPerHost,
    userAgent: settings.userAgent ?? `Nighthaul/${deps.version}`,
    proxy: settings.proxy,
    hostRules,
  }
}
