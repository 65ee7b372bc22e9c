/** Digests made while bytes pass by: the cryptographic ones of Node, and CRCs. */
import { createHash } from 'node:crypto'
import { crc32, crc32c } from '@node-rs/crc32'
import type { ChecksumAlgorithm } from '../../shared/integrity.ts'
import { crc64Nvme } from './crc64-nvme.ts'

export interface RunningDigest {
  update(bytes: Uint8Array): void
  /** lower-case hex; once, at the end */
  digest(): string
}

export interface DigestTools {
  createHash: typeof createHash
  crc32: typeof crc32
  crc32c: typeof crc32c
  beginCrc64Nvme: () => RunningDigest
}

/** Refers to nothing outside itself: its text also runs in the threads of checksum.ts and block-check.ts. */
export function beginDigest(algorithm: ChecksumAlgorithm, tools: DigestTools): RunningDigest {
  if (algorithm === 'crc64nvme') return tools.beginCrc64Nvme()
  if (algorithm !== 'crc32' && algorithm !== 'crc32c') {
    const hash = tools.createHash(algorithm.replace('-', ''))
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') }
  }
  const step = tools[algorithm]
  let crc = 0
  return {
    update(bytes) {
      crc = step(bytes, crc)
    },
    digest: () => (crc >>> 0).toString(16).padStart(8, '0'),
  }
}

/** Digests of one file, by algorithm; those that nobody made are absent. */
export type Digests = Readonly<Partial<Record<ChecksumAlgorithm, string>>>

const TOOLS: DigestTools = { createHash, crc32, crc32c, beginCrc64Nvme: crc64Nvme() }

/** Several over the same bytes. */
export class RunningDigests {
  readonly #running: ReadonlyMap<ChecksumAlgorithm, RunningDigest>

  constructor(algorithms: readonly ChecksumAlgorithm[]) {
    this.#running = new Map(algorithms.map((algorithm) => [algorithm, beginDigest(algorithm, TOOLS)]))
  }

  update(bytes: Uint8Array): void {
    for (const running of this.#running.values()) running.update(bytes)
  }

  /** once, at the end */
  digest(): Digests {
    return Object.fromEntries([...this.#running].map(([algorithm, running]) => [algorithm, running.digest()]))
  }
}
