/** Settings as the engine uses them: defaults, what is stored, and what holds for this process alone. */
import { isAbsolute } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { DEFAULT_SETTINGS, type Settings, type SettingsPatch } from '../../shared/schemas.ts'
import type { HostRules } from './host-rules.ts'
import type { HttpSettings } from './http/http-client.ts'
import { maskProxy, parseProxy } from './http/proxies.ts'
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

/** The settings as clients see them: the proxy's user and password can be set and not read. */
export function shownSettings(settings: Settings): Settings {
  return { ...settings, proxy: settings.proxy && maskProxy(settings.proxy) }
}

/**
 * What a client's patch means for the store: a proxy that comes back as it was shown stays what it is. Throws
 * `invalid_input` where another address is given with the credentials left out as they were shown.
 */
export function storedPatch(patch: SettingsPatch, settings: Settings): SettingsPatch {
  if (patch.temporaryFolder && !isAbsolute(patch.temporaryFolder))
    throw new NighthaulError(
      'invalid_input',
      `“${patch.temporaryFolder}” is not an absolute folder. Nothing was changed.`,
      {
        field: 'temporaryFolder',
      },
    )
  const { proxy, ...rest } = patch
  if (!proxy) return patch
  if (proxy === shownSettings(settings).proxy) return rest
  if (proxy.includes('…@')) throw hiddenCredentials()
  parseProxy(proxy)
  return patch
}

function hiddenCredentials(): NighthaulError {
  return new NighthaulError(
    'invalid_input',
    'The proxy’s user and password are not shown, so they cannot go along to another address. Nothing was changed; type them again.',
    { field: 'proxy' },
  )
}

/** What of them the network needs. */
export function httpSettings(
  settings: Omit<Settings, 'downloadFolder'>,
  version: string,
  hostRules: HostRules = [],
): HttpSettings {
  const { connectTimeoutMs, headersTimeoutMs, stallTimeoutMs, addressAttemptMs, proxyMode, proxy } = settings
  return {
    connectTimeoutMs,
    headersTimeoutMs,
    stallTimeoutMs,
    addressAttemptMs,
    proxyMode,
    proxy,
    pool: {
      idlePerHost: settings.idleConnectionsPerHost,
      idleInAll: settings.idleConnections,
      busyPerHost: settings.busyConnectionsPerHost,
      busyInAll: settings.busyConnections,
      keepAliveMs: settings.keepAliveMs,
      waitMs: settings.connectionWaitMs,
    },
    userAgent: settings.userAgent ?? `Nighthaul/${version}`,
    hostRules,
  }
}
