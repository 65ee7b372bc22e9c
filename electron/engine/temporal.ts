/**
 * Temporal, loaded with the first question of time zones: a third of what starting costs otherwise, in time and in
 * memory, and most runs of the command line never ask one.
 */
import { createRequire } from 'node:module'
import type { Temporal } from 'temporal-polyfill'

let loaded: typeof Temporal | null = null

export function temporal(): typeof Temporal {
  loaded ??= (createRequire(import.meta.url)('temporal-polyfill') as { Temporal: typeof Temporal }).Temporal
  return loaded
}
