/**
 * Keeps the machine awake without a desktop: a child process that holds the system's own inhibitor for as long as it
 * runs. Where there is none, that is said once.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Logger } from '../engine/ports.ts'

/** null: this platform has none. Pure. */
export function inhibitorCommand(platform: NodeJS.Platform): { program: string; args: string[] } | null {
  switch (platform) {
    case 'linux':
      // It ends with its standard input, and so with this process, however that ends.
      return {
        program: 'systemd-inhibit',
        args: ['--what=sleep', '--who=Nighthaul', '--why=Downloads run', '--mode=block', 'cat'],
      }
    case 'darwin':
      return { program: 'caffeinate', args: ['-i', '-w', String(process.pid)] }
    default:
      return null
  }
}

export class SleepInhibitor {
  readonly #logger: Logger
  readonly #command: ReturnType<typeof inhibitorCommand>
  readonly #start: typeof spawn
  #child: ChildProcess | null = null
  #told = false

  constructor(logger: Logger, command = inhibitorCommand(process.platform), start: typeof spawn = spawn) {
    this.#logger = logger
    this.#command = command
    this.#start = start
  }

  get isHeld(): boolean {
    return this.#child !== null
  }

  /** Holds or lets go; the same twice changes nothing. */
  set(awake: boolean): void {
    if (awake === this.isHeld) return
    if (!awake) this.close()
    else if (this.#command) this.#hold(this.#command)
    else this.#unavailable('no command for it on this system')
  }

  #hold({ program, args }: NonNullable<ReturnType<typeof inhibitorCommand>>): void {
    const child = this.#start(program, args, { stdio: ['pipe', 'ignore', 'ignore'], windowsHide: true })
    this.#child = child
    child.once('error', (error) => this.#lost(child, error.message))
    child.once('exit', (code) => this.#lost(child, `it ended with ${code}`))
    // It may be gone before it reads.
    child.stdin?.on('error', () => undefined)
  }

  close(): void {
    const child = this.#child
    this.#child = null
    child?.stdin?.end()
    child?.kill()
  }

  #lost(child: ChildProcess, why: string): void {
    if (this.#child !== child) return
    this.#child = null
    this.#unavailable(why)
  }

  #unavailable(why: string): void {
    if (this.#told) return
    this.#told = true
    this.#logger.warn({ why }, 'the machine cannot be kept awake: it may sleep while downloads run')
  }
}
