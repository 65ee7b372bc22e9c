/**
 * Loggers of the processes: JSON lines into the profile's `logs` folder for hosts, standard error for the command
 * line. Secrets never reach a log. Nothing here knows what is logged.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Logger } from '../engine/ports.ts'

const LOG_FILE_BYTES = 4 * 1024 * 1024
const SECRET_NAME =
  /^(authorization|proxy-authorization|cookie|cookies|set-cookie|password|passphrase|pass|bearer|token|secret|body|clientCertificate|netrc)$/i
const HIDDEN = '[hidden]'

/**
 * A copy of `value` in which nothing secret is left: fields and header pairs with a secret name, and the user
 * information of URLs.
 */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replace(/(\w[\w+.-]*:\/\/)[^/?#@\s]*@/g, `$1${HIDDEN}@`)
  if (value instanceof Error) {
    const { message, stack, cause, ...fields } = value as Error & Record<string, unknown>
    const plain = { ...fields, name: value.name, message, stack, cause }
    return withoutSecrets(plain, depth)
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '[deep]'
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) {
    const isSecretPair = value.length === 2 && typeof value[0] === 'string' && SECRET_NAME.test(value[0])
    return isSecretPair ? [value[0], HIDDEN] : value.map((item) => withoutSecrets(item, depth + 1))
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      SECRET_NAME.test(name) && field !== null && field !== undefined ? HIDDEN : withoutSecrets(field, depth + 1),
    ]),
  )
}

/**
 * Logs at `NIGHTHAUL_LOG` (default `info`) into `PROFILE/logs/NAME.log`. At `maxBytes` the file becomes `NAME.1.log`,
 * replacing the one before: a long overnight run never fills the disk.
 */
export function createFileLogger(profile: string, name: string, maxBytes = LOG_FILE_BYTES): Logger {
  const folder = join(profile, 'logs')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${name}.log`)
  const open = () => openSync(path, 'a', 0o600)
  let descriptor = open()
  let bytes = fstatSync(descriptor).size
  const write = (line: string) => {
    if (bytes + line.length > maxBytes && bytes > 0) {
      closeSync(descriptor)
      renameSync(path, join(folder, `${name}.1.log`))
      descriptor = open()
      bytes = 0
    }
    bytes += writeSync(descriptor, line)
  }
  return createLogger(process.env.NIGHTHAUL_LOG ?? 'info', write)
}

/** Logs to standard error at `NIGHTHAUL_LOG`; silent where that is not set, so that a terminal shows results alone. */
export function createStderrLogger(): Logger {
  return createLogger(process.env.NIGHTHAUL_LOG ?? 'silent', (line) => process.stderr.write(line))
}

function createLogger(level: string, write: (line: string) => void): Logger {
  const known = level === 'silent' || level in pino.levels.values
  return pino(
    {
      level: known ? level : 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { log: (data) => withoutSecrets(data) as Record<string, unknown> },
    },
    { write },
  )
}
