/** The files that are served, random bytes all, and the check that a download is the same. */
import { createHash, randomFillSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export interface SourceFile {
  name: string
  bytes: number
  sha256: string
}

const MIB = 1_048_576

/** Writes a file of random bytes. */
export async function writeRandomFile(
  folder: string,
  name: string,
  bytes: number,
  signal: AbortSignal,
): Promise<SourceFile> {
  const hash = createHash('sha256')
  const slab = Buffer.allocUnsafe(Math.min(bytes, MIB))
  await mkdir(folder, { recursive: true })
  await using file = await open(join(folder, name), 'wx')
  for (let left = bytes; left > 0; left -= slab.length) {
    signal.throwIfAborted()
    const part = slab.subarray(0, Math.min(left, slab.length))
    randomFillSync(part)
    hash.update(part)
    await file.writeFile(part)
  }
  return { name, bytes, sha256: hash.digest('hex') }
}

/** Makes a file of zeros that takes no room: bytes that nobody wrote are zeros. */
export async function writeSparseFile(
  folder: string,
  name: string,
  bytes: number,
  signal: AbortSignal,
): Promise<SourceFile> {
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(Math.min(bytes, MIB))
  for (let left = bytes; left > 0; left -= zeros.length) {
    signal.throwIfAborted()
    hash.update(zeros.subarray(0, Math.min(left, zeros.length)))
  }
  await using file = await open(join(folder, name), 'w')
  await file.truncate(bytes)
  return { name, bytes, sha256: hash.digest('hex') }
}

/** Throws where `folder` does not hold exactly `files` by name and size, and by SHA-256 where `thorough`. */
export async function checkDownloads(folder: string, files: readonly SourceFile[], thorough: boolean): Promise<void> {
  const there = (await readdir(folder)).length
  if (there !== files.length) throw new Error(`${there} files were saved where ${files.length} were expected`)
  for (const { name, bytes, sha256 } of files) {
    const path = join(folder, name)
    const { size } = await stat(path)
    if (size !== bytes) throw new Error(`${name} was saved with ${size} bytes instead of ${bytes}`)
    if (thorough && (await hashOf(path)) !== sha256)
      throw new Error(`${name} was saved with other bytes than were served`)
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash)
  return hash.digest('hex')
}
