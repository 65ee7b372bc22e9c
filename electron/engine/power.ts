/** What running on battery means for downloads. Pure. */
import type { Settings } from '../../shared/schemas.ts'
import type { PowerSource } from '../../shared/unattended.ts'

type PowerSettings = Pick<Settings, 'onBattery' | 'batteryLimitBytesPerSecond'>

/** Whether everything that was not forced waits until there is power again. */
export function waitsForPower(source: PowerSource, { onBattery }: PowerSettings): boolean {
  return source === 'battery' && onBattery === 'pause'
}

/** The limit of all downloads together, in bytes per second; null: none. */
export function limitOnPower(
  source: PowerSource,
  settings: PowerSettings & Pick<Settings, 'limitBytesPerSecond'>,
): number | null {
  const { onBattery, batteryLimitBytesPerSecond, limitBytesPerSecond } = settings
  if (source === 'ac' || onBattery !== 'limit') return limitBytesPerSecond
  return Math.min(batteryLimitBytesPerSecond, limitBytesPerSecond ?? Number.POSITIVE_INFINITY)
}
