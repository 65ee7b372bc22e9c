/** Runs the command line as a person does: a process of its own, on a profile of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('../../electron/cli.ts', import.meta.url))

export interface CliResult {
  /** null: ended by a signal */
  code: number | null
  stdout: string
  stderr: string
}

export interface CliProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly ended: Promise<CliResult>
  /** resolves with the first line of standard output */
  readonly firstLine: Promise<string>
}

/** A folder with `profile` and `files` in it; everything started here ends with it. */
export interface CliHome extends AsyncDisposable {
  readonly profile: string
  /** the present folder of the commands */
  readonly files: string
  start(...args: string[]): CliProcess
  run(...args: string[]): Promise<CliResult>
  /** as `run`, with this on standard input */
  runWithInput(input: string, ...args: string[]): Promise<CliResult>
}

/** `environment`: what the commands find in theirs beside this process's; `entry`: of a build, say. */
export async function cliHome(environment: Readonly<Record<string, string>> = {}, entry = ENTRY): Promise<CliHome> {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-cli-'))
  const profile = join(folder, 'profile')
  const files = await mkdtemp(join(folder, 'files-'))
  const running = new Set<CliProcess>()
  const { npm_lifecycle_event: _script, NIGHTHAUL_LOG: _log, ...inherited } = process.env
  const env = { ...inherited, ...environment, NIGHTHAUL_HOME: profile }

  const start = (...args: string[]): CliProcess => {
    const child = spawn(process.execPath, [entry, ...args], { cwd: files, env, stdio: ['pipe', 'pipe', 'pipe'] })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const text = () => Buffer.concat(stdout).toString('utf8')
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    const ended = new Promise<CliResult>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, stdout: text(), stderr: Buffer.concat(stderr).toString('utf8') }))
    })
    const firstLine = new Promise<string>((resolve, reject) => {
      let found = false
      child.stdout.on('data', (chunk: Buffer) => {
        stdout.push(chunk)
        if (found || !chunk.includes('\n')) return
        found = true
        resolve(text().split('\n', 1)[0]!)
      })
      ended.then(
        ({ code, stderr: said }) => reject(new Error(`ended with ${code} before a line came: ${said}`)),
        reject,
      )
    })
    // Most tests never look at it.
    firstLine.catch(() => {})
    const process_ = { child, ended, firstLine }
    running.add(process_)
    ended.then(
      () => running.delete(process_),
      () => running.delete(process_),
    )
    return process_
  }

  const runWithInput = (input: string, ...args: string[]) => {
    const { child, ended } = start(...args)
    child.stdin.on('error', () => {}) // a command that fails early does not read
    child.stdin.end(input)
    return ended
  }

  return {
    profile,
    files,
    start,
    run: (...args) => runWithInput('', ...args),
    runWithInput,
    async [Symbol.asyncDispose]() {
      const left = [...running]
      for (const { child } of left) child.kill('SIGKILL')
      await Promise.allSettled(left.map(({ ended }) => ended))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The objects of an output with one JSON object a line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
