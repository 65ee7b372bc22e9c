/** Where files of checksums are looked for beside a download. Pure. */

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
  /** whether its digests are strong */
  strong: boolean
}

const LISTS = [
  { list: 'SHA256SUMS', suffix: '.sha256', strong: true },
  { list: 'SHA512SUMS', suffix: '.sha512', strong: true },
  { list: 'MD5SUMS', suffix: '.md5', strong: false },
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
  const folder = new URL('.', `${base.origin}${base.pathname}`).href
  const file = base.pathname.split('/').at(-1)!
  return {
    folder,
    name: decoded(file),
    path: decoded(base.pathname.slice(1)),
    candidates: LISTS.flatMap(({ list, suffix, strong }) => [
      { url: at(list), of: 'folder' as const, strong },
      { url: at(`./${file}${suffix}`), of: 'file' as const, strong },
    ]),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray percent sign: the name is then as it is written.
    return text
  }
}
