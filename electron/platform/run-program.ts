/** Runs a program of the user's without a shell, for a bounded time, and keeps the beginning of what it writes. */
import { spawn } from 'node:child_process'
import type { ProgramEnd, ProgramOrder } from '../engine/ports.ts'

const MOST_OUTPUT = 8_192
/** What does not end when it is asked to is ended. */
const GRACE_MS = 5_000

/** Rejects where it cannot be started, and where it took too long or was called off: it is ended then. */
export function runProgram({ program, args, env, timeoutMs, signal }: ProgramOrder): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(program, args, {
      shell: false,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let output = ''
    let why: unknown = null
    let kill: NodeJS.Timeout | undefined
    const hear = (chunk: Buffer) => {
      if (output.length < MOST_OUTPUT) output += chunk.toString('utf8').slice(0, MOST_OUTPUT - output.length)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const end = (reason: unknown) => {
      if (why !== null) return
      why = reason
      child.kill()
      kill = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    }
    const onAbort = () => end(signal.reason)
    const limit = setTimeout(() => end(new Error(`It had not ended after ${timeoutMs / 60_000} minutes.`)), timeoutMs)
    signal.addEventListener('abort', onAbort, { once: true })
    const done = () => {
      clearTimeout(limit)
      clearTimeout(kill)
      signal.removeEventListener('abort', onAbort)
      // What it started may hold the pipes for as long as it likes.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      done()
      reject(error.code === 'ENOENT' ? new Error('There is no such program.') : error)
    })
    child.once('exit', (code, killedBy) => {
      // What it wrote last may still be on its way.
      setImmediate(() => {
        done()
        if (why !== null) reject(why)
        else if (code === null) reject(new Error(`It was ended by ${killedBy}.`))
        else resolve({ code, output })
      })
    })
  })
}
