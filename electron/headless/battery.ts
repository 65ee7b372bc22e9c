/** Whether the machine runs on battery, as Linux says it under /sys. Elsewhere nothing is said. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PowerSource } from '../../shared/unattended.ts'

const FOLDER = '/sys/class/power_supply'
const LOOK_MS = 15_000

/** null: it cannot be told. A machine with mains that are off, or with a battery that empties and no mains, is on it. */
export function powerSource(folder = FOLDER): PowerSource | null {
  const read = (name: string, fact: string): string => {
    try {
      return readFileSync(join(folder, name, fact), 'utf8').trim()
    } catch {
      // Not every supply says everything; one may be unplugged while we look.
      return ''
    }
  }
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return null
  }
  // Batteries of mice and keyboards say that they are a device's.
  const supplies = names.filter((name) => read(name, 'scope') !== 'Device')
  const mains = supplies.filter((name) => /^(mains|usb)/i.test(read(name, 'type')))
  if (mains.some((name) => read(name, 'online') === '1')) return 'ac'
  const batteries = supplies.filter((name) => read(name, 'type') === 'Battery')
  if (batteries.length === 0) return null
  if (batteries.some((name) => read(name, 'status') === 'Discharging')) return 'battery'
  return mains.length > 0 ? 'battery' : 'ac'
}

/** Tells of the source at once and whenever it is another one. */
export function watchBattery(changed: (source: PowerSource) => void, look = () => powerSource()): () => void {
  let before: PowerSource | null = null
  const step = () => {
    const now = look()
    if (now === null || now === before) return
    before = now
    changed(now)
  }
  step()
  const timer = setInterval(step, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
