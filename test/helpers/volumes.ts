/** A second volume, where the machine has one: shared memory is a file system of its own on Linux. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const OTHER = '/dev/shm'

/** Why tests of two volumes cannot run here; null: they can. */
export function onlyOneVolume(): string | null {
  const other = statSync(OTHER, { throwIfNoEntry: false })
  if (!other) return `there is no ${OTHER}`
  return other.dev === statSync(tmpdir()).dev ? `${OTHER} and ${tmpdir()} are one volume` : null
}

export async function folderOnOtherVolume(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(OTHER, 'nighthaul-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
