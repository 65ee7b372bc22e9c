/** Where the repository is, and how its scripts run other programs of it. */
import { type SpawnOptions, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** A file of the repository, by its path from the root. */
export function inRepository(...path: string[]): string {
  return join(ROOT, ...path)
}

/** Runs a program with our terminal and resolves with its exit code; a signal counts 128 and its number, as in shells. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', ...options })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}

/** Runs a file of the repository on this same Node. */
export function runNode(args: readonly string[], options: SpawnOptions = {}): Promise<number> {
  return run(process.execPath, args, options)
}

/** Says one line on standard error, so that standard output stays with results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
