/** The log of a foreground command: standard error where NIGHTHAUL_LOG asks for one, otherwise nothing. */
import type { Logger } from '../engine/ports.ts'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export async function commandLogger(): Promise<Logger> {
  if (process.env.NIGHTHAUL_LOG === undefined) return SILENT
  return (await import('../platform/logging.ts')).createStderrLogger()
}
