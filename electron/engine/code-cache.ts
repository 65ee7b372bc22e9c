/**
 * Compiled code that the build brought along (scripts/code-cache.ts). Node's own compile cache holds what runs while a
 * file is loaded, and nothing that runs later: without this, a quarter of a command's start is compiling.
 */
import { existsSync, readFileSync } from 'node:fs'
import Module, { createRequire, enableCompileCache } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

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

/** Compiles a CommonJS module to a function as Node does, from `cachedData` as far as that goes. */
export function scriptOf(source: string, filename: string, cachedData: Buffer | undefined): Script {
  return new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename,
    cachedData,
  })
}

export function runScript(script: Script, module: CommonModule, filename: string): unknown {
  const run = script.runInThisContext() as (...input: unknown[]) => unknown
  return run.call(module.exports, module.exports, createRequire(filename), module, filename, dirname(filename))
}

/** From here on, chunks of the build in the folder `built` are read from its code cache, all else from Node's. */
export function useCodeCache(built: string): void {
  enableCompileCache()
  const folder = codeCacheFolder(built)
  if (!existsSync(folder)) return
  const chunks = join(built, 'chunks')
  const compile = modules._compile
  modules._compile = function (source, filename, ...more) {
    const cached = join(folder, basename(filename))
    if (dirname(filename) !== chunks || !existsSync(cached)) return compile.call(this, source, filename, ...more)
    return runScript(scriptOf(source, filename, readFileSync(cached)), this, filename)
  }
}
