/** Reads links out of typed, pasted or dropped text. Pure. */
import { type ChecksumLine, checksumOfLink, readChecksumLine } from '../../../shared/checksum-lines.ts'
import { CHECKSUM_ALGORITHMS, Checksum } from '../../../shared/integrity.ts'
import { HttpUrl, type MirrorInput } from '../../../shared/schemas.ts'

export interface LinkLine {
  /** 1-based line of the text */
  line: number
  text: string
  /** behind tabs: other links of the same file */
  mirrors: string[]
  /** null: a good link */
  problem: 'invalid' | 'scheme' | 'repeated' | null
}

export interface PastedChecksums {
  /** by link */
  byLink: ReadonlyMap<string, Checksum>
  /** how many lines of checksums go with no link */
  left: number
}

/** Lines `HASH  NAME` among the links, given to the links of those names. `text` is what `readLinks` gets. */
export function readPastedChecksums(text: string, links: readonly LinkLine[]): PastedChecksums {
  const lines = checksumLinesIn(text)
  const byLink = new Map<string, Checksum>()
  for (const { text: link, problem } of links) {
    const checksum = problem === null ? checksumOfLink(lines, link) : null
    if (checksum) byLink.set(link, checksum)
  }
  const used = new Set([...byLink.values()].map(({ value }) => value))
  return { byLink, left: lines.filter(({ value }) => !used.has(value)).length }
}

/** One entry per line that is neither empty nor a checksum; a link that came before is `repeated`. */
export function readLinks(text: string): LinkLine[] {
  const seen = new Set<string>()
  return text.split(/\r?\n/).flatMap((raw, index) => {
    const [link = '', ...mirrors] = raw
      .split('\t')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    if (link === '' || isChecksum(raw)) return []
    const wrong = [link, ...mirrors].find((part) => !HttpUrl.safeParse(part).success)
    const repeated = seen.has(link)
    seen.add(link)
    const problem =
      wrong === undefined
        ? repeated
          ? ('repeated' as const)
          : null
        : /^[a-z][a-z0-9+.-]*:\/\//i.test(wrong) && !/^https?:/i.test(wrong)
          ? ('scheme' as const)
          : ('invalid' as const)
    return [
      { line: index + 1, text: problem === 'invalid' || problem === 'scheme' ? raw.trim() : link, mirrors, problem },
    ]
  })
}

/** A bare digest says of which link it is nowhere: it stays to be seen as what it is, no link. */
function isChecksum(line: string): boolean {
  return (readChecksumLine(line)?.name ?? null) !== null
}

/** The lines of any text that are checksums with names. */
export function findChecksums(text: string): string[] {
  return text.split(/\r?\n/).filter(isChecksum)
}

function checksumLinesIn(text: string): ChecksumLine[] {
  return findChecksums(text).map((line) => readChecksumLine(line)!)
}

/** Another link of a file, as the engine takes it. */
export function mirrorOf(url: string): MirrorInput {
  return { url, priority: 1, location: null, origin: 'user' }
}

/** The http and https links in any text (a paste, a drop), each once. Prose without links gives none. */
export function findLinks(text: string): string[] {
  const found = text.split(/\r?\n/).flatMap((raw) => {
    const line = raw.trim()
    if (/^https?:\/\/\S+$/i.test(line)) return [line]
    return (line.match(/https?:\/\/[^\s<>"']+/gi) ?? []).map(withoutPunctuation)
  })
  return [...new Set(found)].filter((link) => HttpUrl.safeParse(link).success)
}

/** Inside prose, punctuation after a link is the sentence's. Not by a pattern, which would look at long rows of it anew. */
function withoutPunctuation(link: string): string {
  let end = link.length
  while (end > 0 && '.,;:!?)]'.includes(link[end - 1]!)) end--
  return link.slice(0, end)
}

/** The algorithm a bare digest can only be, by its number of hexadecimal digits. */
const ALGORITHM_BY_LENGTH: Readonly<Record<number, (typeof CHECKSUM_ALGORITHMS)[number]>> = {
  32: 'md5',
  40: 'sha-1',
  56: 'sha-224',
  64: 'sha-256',
  96: 'sha-384',
  128: 'sha-512',
}

/** `sha-256=HEX`, `sha256:HEX` or the bare HEX. undefined: not a checksum. */
export function readChecksum(text: string): Checksum | undefined {
  const match = /^\s*(?:([a-z0-9-]+)\s*[=:]\s*)?([0-9a-f]+)\s*$/i.exec(text)
  if (match === null) return undefined
  const value = match[2]!
  const named = match[1]?.toLowerCase().replace(/^sha(\d)/, 'sha-$1')
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === (named ?? ALGORITHM_BY_LENGTH[value.length]))
  return algorithm === undefined ? undefined : Checksum.safeParse({ algorithm, value }).data
}
