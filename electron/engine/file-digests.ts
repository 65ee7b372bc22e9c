/** The digests of one run's file: what servers say they are, which are worth making on the way, and those made. */
import type { ChecksumAlgorithm, ExpectedDigest } from '../../shared/integrity.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { Settings, TaskOptions } from '../../shared/schemas.ts'
import { digestsFrom, WANT_DIGESTS } from './digests.ts'
import { deciding, expectationsFrom, looksForSums, verifiesFound } from './expectations.ts'
import type { Digests } from './hashes.ts'
import { coversWhole, type HeaderMap, type ReplyFacts } from './reply.ts'

export type VerifySettings = Pick<Settings, 'verifyFound' | 'findChecksums'>

export class FileDigests {
  readonly #options: TaskOptions
  readonly #settings: () => VerifySettings
  #found: readonly ExpectedDigest[]
  /** of the whole file, as it came in one piece */
  made: Digests = {}

  constructor({ options, foundDigests }: Pick<TaskRecord, 'options' | 'foundDigests'>, settings: () => VerifySettings) {
    this.#options = options
    this.#settings = settings
    this.#found = foundDigests
  }

  /** What the first request of a file asks for beside the file. */
  get headers(): Readonly<Record<string, string>> {
    return verifiesFound(this.#options, this.#settings()) ? WANT_DIGESTS : {}
  }

  /** A fresh file: what its first good reply says counts, and nothing that was said before. */
  begin({ status, contentRange }: ReplyFacts, headers: HeaderMap): Pick<TaskRecord, 'foundDigests'> {
    const partial = status === 206 && !coversWhole(contentRange)
    this.#found = verifiesFound(this.#options, this.#settings()) ? digestsFrom(headers, { partial }) : []
    this.made = {}
    return { foundDigests: this.#found }
  }

  /** what it should be, the digest that decides first */
  get expected(): ExpectedDigest[] {
    return expectationsFrom(this.#options, this.#found)
  }

  /** What the file will be compared with, as far as can be told now: worth making while its bytes come. */
  get wanted(): ChecksumAlgorithm[] {
    const wanted = deciding(this.expected).map(({ algorithm }) => algorithm)
    // Most files of checksums hold this one.
    if (looksForSums(this.#options, this.#settings(), this.expected)) wanted.push('sha-256')
    return [...new Set(wanted)]
  }
}
