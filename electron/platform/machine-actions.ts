/** How each system is told to sleep, hibernate or shut down. The commands are pure; only hosts run them. */
import { spawn } from 'node:child_process'
import type { MachineAction } from '../../shared/unattended.ts'
import type { Logger } from '../engine/ports.ts'

export interface MachineCommand {
  program: string
  args: readonly string[]
}

type Told = Exclude<MachineAction, 'quit'>

const COMMANDS: Partial<Record<NodeJS.Platform, Record<Told, MachineCommand>>> = {
  linux: {
    sleep: { program: 'systemctl', args: ['suspend'] },
    hibernate: { program: 'systemctl', args: ['hibernate'] },
    shutdown: { program: 'systemctl', args: ['poweroff'] },
  },
  darwin: {
    sleep: { program: 'pmset', args: ['sleepnow'] },
    // A Mac decides by its own settings whether sleep is written to the disk.
    hibernate: { program: 'pmset', args: ['sleepnow'] },
    shutdown: { program: 'osascript', args: ['-e', 'tell application "System Events" to shut down'] },
  },
  win32: {
    sleep: { program: 'rundll32.exe', args: ['powrprof.dll,SetSuspendState', '0,1,0'] },
    hibernate: { program: 'shutdown.exe', args: ['/h'] },
    shutdown: { program: 'shutdown.exe', args: ['/s', '/t', '0'] },
  },
}

/** null: nobody knows how on this platform. */
export function machineCommand(action: Told, platform: NodeJS.Platform): MachineCommand | null {
  return COMMANDS[platform]?.[action] ?? null
}

export interface MachineDeps {
  logger: Logger
  /** ends this program in order */
  quit: () => void
  platform?: NodeJS.Platform
  /** starts a command and does not wait; `failed` hears where it could not */
  start?: (command: MachineCommand, failed: (why: string) => void) => void
}

export function actOnMachine(action: MachineAction, deps: MachineDeps): void {
  const { logger, quit, platform = process.platform, start = startCommand } = deps
  if (action === 'quit') {
    quit()
    return
  }
  const command = machineCommand(action, platform)
  if (!command) {
    logger.error({ action, platform }, 'nobody knows how to do this on this system')
    return
  }
  logger.info({ action, ...command }, 'the system is told')
  start(command, (why) => logger.error({ action, ...command, error: why }, 'the system did not do it'))
}

function startCommand({ program, args }: MachineCommand, failed: (why: string) => void): void {
  const child = spawn(program, args, { shell: false, windowsHide: true, stdio: 'ignore', detached: true })
  child.once('error', (error) => failed(error.message))
  child.once('exit', (code) => {
    if (code !== 0) failed(`exit code ${code}`)
  })
  child.unref()
}
