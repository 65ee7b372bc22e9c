/**
 * Compiled code that the build brought along (scripts/code-cache.ts). Node's own compile cache holds what runs while a
 * file is loaded, and nothing that runs later: without this, a quarter of a command's start is compiling.
 */
import { existsSync, readFileSync } from 'node:fs'
import Module, { constants, createRequire, enableCompileCache } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
import { crc32 } from 'node:zlib'

type CommonModule = Pick<NodeJS.Module, 'exports'>

/** Node's way to run the source of a CommonJS module: not documented, and the same for a decade. */
export interface Compiling {
  _compile(this: CommonModule, source: string, filename: string, ...more: unknown[]): unknown
}

export const modules = Module.prototype as unknown as Compiling

/**
 * Where the build in the folder `built` has its compiled code for this thread, by the V8 that takes it: one of another
 * version, with other flags or on another processor would not.
 */
export function codeCacheFolder(built: string): string {
  return join(built, 'code-cache', `${cachedDataVersionTag()}`, isMainThread ? 'main' : 'worker')
}

const CRC_BYTES = 4

/** What V8 compiled, to be kept in a file. */
export function sealed(compiled: Buffer): Buffer {
  const crc = Buffer.alloc(CRC_BYTES)
  crc.writeUInt32BE(crc32(compiled))
  return Buffer.concat([compiled, crc])
}

/** What was kept; undefined: it was damaged since, which V8 does not look at before it runs it. */
export function unsealed(file: Buffer): Buffer | undefined {
  if (file.length < CRC_BYTES) return undefined
  const compiled = file.subarray(0, -CRC_BYTES)
  return crc32(compiled) === file.readUInt32BE(compiled.length) ? compiled : undefined
}

/** Compiles a CommonJS module to a function as Node does, from `cachedData` as far as that goes. */
export function scriptOf(source: string, filename: string, cachedData: Buffer | undefined): Script {
  return new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename,
    cachedData,
  })
}

/** Runs it as the module `module`, which has what it exports afterwards. */
export function runScript(script: Script, module: CommonModule, filename: string): unknown {
  const run = script.runInThisContext() as (...input: unknown[]) => unknown
  return run.call(module.exports, module.exports, createRequire(filename), module, filename, dirname(filename))
}

/** From here on, chunks of the build in the folder `built` are read from its code cache, all else from Node's. */
export function useCodeCache(built: string): void {
  const { status } = enableCompileCache()
  // Code from here is not known to Node's source maps.
  if (status === constants.compileCacheStatus.DISABLED || process.sourceMapsEnabled) return
  const folder = codeCacheFolder(built)
  if (!existsSync(folder)) return
  const chunks = join(built, 'chunks')
  const compile = modules._compile
  modules._compile = function (source, filename, ...more) {
    const cached = join(folder, basename(filename))
    if (dirname(filename) !== chunks || !existsSync(cached)) return compile.call(this, source, filename, ...more)
    return runScript(scriptOf(source, filename, unsealed(readFileSync(cached))), this, filename)
  }
}
