/**
 * Who a process is, beyond its pid: pids are reused, so leases and locks also name the boot and the moment the
 * process began. Knows nothing of profiles.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** Boot times derived from the uptime jitter; two boots are never this close. */
const BOOT_GRAIN_MS = 10_000

let cachedBootId: string | null = null

/**
 * Changes with every boot of the machine, and is the same for all its processes. Where the system has no such number
 * (Windows) it is the time of the boot, which a corrected clock may shift: the same id means the same boot, another
 * id only probably another one.
 */
export function bootId(): string {
  cachedBootId ??= readBootId()
  return cachedBootId
}

function readBootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  if (process.platform === 'darwin') return run('sysctl', ['-n', 'kern.bootsessionuuid']) ?? bootTime()
  return bootTime()
}

function bootTime(): string {
  const at = Math.round((Date.now() - uptime() * 1000) / BOOT_GRAIN_MS) * BOOT_GRAIN_MS
  return `boot-${new Date(at).toISOString()}`
}

/** A process as locks and leases name it. `start` is '' where the system does not tell when a process began. */
export interface ProcessIdentity {
  pid: number
  start: string
}

/** When a running process began, as one word that only compares; null: there is no such process. */
export function processStart(pid: number): string | null {
  if (process.platform === 'linux') return linuxStart(pid)
  if (!signalReaches(pid)) return null
  if (process.platform !== 'darwin') return ''
  // seconds, in one time zone and one language whatever the user's are
  const text = run('ps', ['-o', 'lstart=', '-p', String(pid)], { TZ: 'UTC', LC_ALL: 'C' })
  return text ? String(Date.parse(`${text} UTC`) / 1000) : ''
}

/** Clock ticks since the boot (proc(5): field 22 of stat), and the boot, since the same number returns after it. */
function linuxStart(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH') return null
    throw error
  }
  // field 2 is the name in parentheses and may itself hold spaces and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  if (state === 'Z' || state === 'X') return null
  return `${fields[19]}.${bootId().slice(0, 8)}`
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let cachedSelf: ProcessIdentity | null = null

export function ownIdentity(): ProcessIdentity {
  cachedSelf ??= { pid: process.pid, start: processStart(process.pid) ?? '' }
  return cachedSelf
}

/** Whether that very process still runs; another one with its pid does not count. */
export function isRunning(identity: ProcessIdentity): boolean {
  if (!Number.isSafeInteger(identity.pid) || identity.pid <= 0) return false
  const start = processStart(identity.pid)
  if (start === null) return false
  // where either side does not know the start, the pid has to do
  return start === '' || identity.start === '' || start === identity.start
}

/** A new name for a lease of this process: `pid:start:nonce`. */
export function leaseOwner(): string {
  const { pid, start } = ownIdentity()
  return `${pid}:${start}:${randomBytes(6).toString('base64url')}`
}

/** Whether the process that made this name with `leaseOwner` still runs. What is no such name is not alive. */
export function isOwnerAlive(owner: string): boolean {
  const [pid = '', start] = owner.split(':')
  return start !== undefined && isRunning({ pid: Number(pid), start })
}

/** What a program prints, or null where it is missing or fails. */
function run(program: string, args: string[], env: Record<string, string> = {}): string | null {
  try {
    const text = execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env },
    })
    return text.trim() || null
  } catch {
    return null
  }
}
