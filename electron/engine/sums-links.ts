/** Where files of checksums are looked for beside a download, and what their lines say of it. Pure. */
import { type ChecksumLine, checksumOf } from '../../shared/checksum-lines.ts'
import type { Checksum, ChecksumAlgorithm } from '../../shared/integrity.ts'

export interface SumsLinks {
  /** what is remembered together */
  folder: string
  /** the file as a list of checksums would name it, and its whole path on the server */
  name: string
  path: string
  /** in the order in which they are asked for */
  candidates: SumsCandidate[]
}

export interface SumsCandidate {
  url: string
  /** of all files of the folder, or of this one alone */
  of: 'folder' | 'file'
  /** of its digests, as its name says */
  algorithm: ChecksumAlgorithm
}

const LISTS = [
  { list: 'SHA256SUMS', suffix: '.sha256', algorithm: 'sha-256' },
  { list: 'SHA512SUMS', suffix: '.sha512', algorithm: 'sha-512' },
  { list: 'MD5SUMS', suffix: '.md5', algorithm: 'md5' },
] as const

/**
 * Beside the link where that names a file, otherwise beside what it redirected to: a link such as `/download?id=7` has no
 * neighbours. Query and fragment belong to the file alone. Null: neither names a file.
 */
export function sumsLinks(link: string, finalUrl: string | null): SumsLinks | null {
  const urls = [link, finalUrl ?? link].map((url) => new URL(url))
  const base =
    urls.find(({ pathname }) => /[^/]\.[^/.]+$/.test(pathname)) ?? urls.find(({ pathname }) => /[^/]$/.test(pathname))
  if (!base) return null
  const at = (name: string) => new URL(name, folder).href
  const folder = folderOf(`${base.origin}${base.pathname}`)
  const file = base.pathname.split('/').at(-1)!
  return {
    folder,
    name: decoded(file),
    path: decoded(base.pathname.slice(1)),
    candidates: LISTS.flatMap(({ list, suffix, algorithm }) => [
      { url: at(list), of: 'folder' as const, algorithm },
      { url: at(`./${file}${suffix}`), of: 'file' as const, algorithm },
    ]),
  }
}

/** The folder that a file lies in. */
export function folderOf(url: string): string {
  return new URL('.', url).href
}

/**
 * What a candidate's lines say of the file. A digest without a name means it only beside this file alone, and where it is
 * of the kind that was asked for: some servers answer every question with the same few digits.
 */
export function checksumIn(
  lines: readonly ChecksumLine[],
  { of, algorithm }: SumsCandidate,
  { name, path }: SumsLinks,
): Checksum | null {
  const meant = lines.filter((line) => line.name !== null || (of === 'file' && line.algorithm === algorithm))
  return checksumOf(meant, name, path)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray percent sign: the name is then as it is written.
    return text
  }
}
