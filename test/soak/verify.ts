/** Compares a finished file with what the server had. */
import { open } from 'node:fs/promises'
import { contentBytes } from '../helpers/bytes.ts'

const CHUNK_BYTES = 1024 * 1024

/** Null: the file is one of the versions, whole. Otherwise what is wrong with it. */
export async function faultOf(
  path: string,
  versions: readonly { seed: number; size: number }[],
): Promise<string | null> {
  const faults: string[] = []
  for (const version of versions) {
    const fault = await differenceFrom(path, version)
    if (fault === null) return null
    faults.push(fault)
  }
  return faults.join('; ')
}

async function differenceFrom(path: string, { seed, size }: { seed: number; size: number }): Promise<string | null> {
  await using file = await open(path)
  const { size: found } = await file.stat()
  if (found !== size) return `${found} bytes instead of ${size}`
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size))
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, size - at), at)
    const expected = contentBytes(seed, at, bytesRead)
    if (bytesRead === 0) return `ends at ${at}`
    if (!expected.equals(buffer.subarray(0, bytesRead))) {
      const offset = expected.findIndex((byte, index) => byte !== buffer[index])
      return `another byte than seed ${seed} has at ${at + offset}`
    }
    at += bytesRead
  }
  return null
}
