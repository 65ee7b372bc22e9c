/** The settings' form holds every setting there is: none can be changed on the command line alone. */
import { expect, test } from 'vitest'
import { readForm, toForm } from '../../renderer/features/settings/settings-form.ts'
import { DEFAULT_SETTINGS, Settings } from '../../shared/schemas.ts'

const BEFORE: Settings = { ...DEFAULT_SETTINGS, downloadFolder: '/downloads' }

/** Of each setting another value than its default. */
const OTHERS: Settings = {
  ...{ downloadFolder: '/other', downloadsAtOnce: 9, connectionsPerDownload: 9, connectionsPerHost: 9 },
  ...{ requestsPerSecondPerHost: 2, requestSpacingMsPerHost: 500, limitBytesPerSecond: 1_500_000 },
  ...{ durability: 'background', preallocate: 'none', temporaryFolder: '/partials', keepFreeBytes: 32 * 1024 * 1024 },
  ...{ onConflict: 'skip', onChange: 'restart', verifyFound: false, serverMirrors: false, findChecksums: true },
  ...{ retries: 3, secondChances: 3, secondChanceMinutes: 20, changedAfterMinutes: null, inhibitSleep: true },
  ...{ onBattery: 'limit', batteryLimitBytesPerSecond: 500_000, whenDone: [{ kind: 'sleep' }], countdownSeconds: 30 },
  ...{ connectTimeoutMs: 5000, headersTimeoutMs: 5000, stallTimeoutMs: 5000, addressAttemptMs: 500 },
  ...{ idleConnectionsPerHost: 2, idleConnections: 8, keepAliveMs: 5000, busyConnectionsPerHost: 8 },
  ...{ busyConnections: 16, connectionWaitMs: 5000, userAgent: 'Me/1', proxyMode: 'none', proxy: 'http://p.example:1' },
  ...{ netrcFile: '/netrc', keepRemovedDays: 5, keepRemovedFilesMinutes: 5, backupDays: 1, backupWeeks: 1 },
  ...{ statisticsDays: 5, journalDays: 5, reports: 'night', reportsKept: 5, deadlineOrder: 'asListed' },
  ...{ deadlineMayBorrow: false, probeSizes: false, theme: 'dark', whenClosed: 'quit' },
}

test.each(Object.keys(Settings.shape) as (keyof Settings)[])('%s can be changed in the window', (key) => {
  expect(OTHERS[key]).not.toEqual(BEFORE[key])
  const changed = { ...BEFORE, [key]: OTHERS[key] }
  expect(readForm(toForm(changed), BEFORE)).toEqual({ patch: { [key]: OTHERS[key] }, problems: {}, wrongActions: [] })
})
