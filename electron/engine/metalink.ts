/**
 * Metalink documents (RFC 5854 and version 3.0) as downloads: which files, from where, of what size and digests. Pure.
 * A document comes from anybody: it is read as a stream with bounds on everything that it can repeat, a DTD or an entity
 * of its own ends the reading, and its names are names of files only. Errors tell the line.
 */
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes'
import { type ErrorParams, NighthaulError } from '../../shared/errors.ts'
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  DIGEST_BYTES,
  type ExpectedDigest,
  type PieceHashes,
} from '../../shared/integrity.ts'
import { MOST_MIRRORS } from '../../shared/records.ts'
import { type AddItem, HttpUrl, type ParsedMetalink } from '../../shared/schemas.ts'
import { sanitizeFilename } from './filename.ts'

const VERSION_4 = 'urn:ietf:params:xml:ns:metalink'
const VERSION_3 = 'http://www.metalinker.org/'

/** What a document may hold at most; beyond it is no use and perhaps an attack. */
export const METALINK_BOUNDS = {
  bytes: 32 * 1024 * 1024,
  files: 10_000,
  urlsOfFile: 2_000,
  hashesOfFile: 32,
  pieces: 200_000,
  elements: 1_000_000,
  depth: 16,
  textLength: 16 * 1024,
  /** of one tag with all its attributes, or one comment, give or take a chunk */
  markupLength: 128 * 1024,
} as const

const ONLY_IN_3 = new Set(['files', 'resources', 'verification'])

const LAST_PRIORITY = 999_999
const CHUNK_LENGTH = 64 * 1024

interface Url {
  url: string
  priority: number
  location: string | null
}

interface Pieces {
  algorithm: ChecksumAlgorithm | null
  pieceBytes: number
  values: string[]
  line: number
}

interface FileEntry {
  name: string
  line: number
  size: number | null
  urls: Url[]
  /** of kinds that are not fetched here, such as ftp or torrents */
  otherUrls: number
  digests: ExpectedDigest[]
  pieces: Pieces[]
}

interface Open {
  /** local name, lower case; empty: of another namespace, with all that is in it */
  name: string
  attributes: Record<string, SaxesAttributeNS>
  text: string
  line: number
}

/**
 * The downloads that a document names, the best URL of each first. `from`: its name in messages. Throws
 * `invalid_metalink` with the line.
 */
export function parseMetalink(document: string, from = 'the Metalink'): ParsedMetalink {
  const files = new Reader(from).read(document)
  const usable = files.filter(({ urls }) => urls.length > 0)
  if (usable.length > 0)
    return {
      items: usable.map(itemOf),
      skipped: files.filter((file) => file.urls.length === 0).map(({ name, line }) => ({ name, line })),
    }
  const [first] = files
  throw invalid(
    from,
    first?.line ?? 1,
    first ? `there is no http or https link to “${first.name}”` : 'it names no file',
    { reason: first ? 'no_url' : 'no_file' },
  )
}

/** Text of a document's bytes: UTF-8, UTF-16 with its mark, or what its first line says. Throws `invalid_metalink`. */
export function decodeMetalink(bytes: Uint8Array, from = 'the Metalink'): string {
  if (bytes.length > METALINK_BOUNDS.bytes) throw tooLarge(from)
  const start = Buffer.from(bytes.subarray(0, 200)).toString('latin1')
  const marked = start.startsWith('\xfe\xff') ? 'utf-16be' : start.startsWith('\xff\xfe') ? 'utf-16le' : null
  const named = /^\s*<\?xml[^>]*\bencoding\s*=\s*["']([\w.:-]+)["']/.exec(start)?.[1]
  try {
    return new TextDecoder(marked ?? named ?? 'utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid(from, 1, `its text is not ${marked ?? named ?? 'UTF-8'}`, { reason: 'encoding' })
  }
}

/** Whether a name is that of a Metalink document. */
export function isMetalinkName(name: string): boolean {
  return /\.(meta4|metalink)$/i.test(name)
}

function itemOf({ name, size, urls, digests, pieces }: FileEntry): AddItem {
  const distinct = [...new Map(urls.toReversed().map((url) => [url.url, url])).values()].toReversed()
  // The order within a priority is the document's.
  const [first, ...others] = distinct.sort((a, b) => a.priority - b.priority).slice(0, MOST_MIRRORS)
  const strongest = pieces
    .filter((given): given is Pieces & { algorithm: ChecksumAlgorithm } => given.algorithm !== null)
    .sort((a, b) => DIGEST_BYTES[b.algorithm] - DIGEST_BYTES[a.algorithm])[0]
  const hashes: PieceHashes | undefined = strongest && {
    algorithm: strongest.algorithm,
    pieceBytes: strongest.pieceBytes,
    values: strongest.values,
  }
  return {
    url: first!.url,
    filename: name,
    ...(others.length > 0 && { mirrors: others.map((url) => ({ ...url, origin: 'metalink' as const })) }),
    options: { ...(size !== null && { sizeBytes: size }), ...(digests.length > 0 && { expected: digests }) },
    ...(hashes && { pieces: hashes }),
  }
}

/** What a document says, element after element. */
class Reader {
  readonly #from: string
  readonly #parser = new SaxesParser({ xmlns: true, position: true })
  readonly #open: Open[] = []
  readonly #files: FileEntry[] = []
  #version: 3 | 4 = 4
  #file: FileEntry | null = null
  #pieces: Pieces | null = null
  #piecesInAll = 0
  #elements = 0
  /** how much was read since the last tag or text came of it */
  #silentLength = 0

  constructor(from: string) {
    this.#from = from
    this.#parser.on('error', (error) => {
      throw this.#wrong(
        `it is no well-formed XML (${error.message.replace(/^(\d+:)+\d*:?\s*/, '').replace(/\.$/, '')})`,
        'xml',
      )
    })
    this.#parser.on('doctype', () => {
      throw this.#wrong('it has a document type declaration, which is refused: no Metalink needs one', 'doctype')
    })
    this.#parser.on('opentag', (tag) => this.#opened(tag))
    this.#parser.on('text', (text) => this.#text(text))
    this.#parser.on('cdata', (text) => this.#text(text))
    this.#parser.on('closetag', () => this.#closed())
  }

  read(document: string): FileEntry[] {
    if (document.length > METALINK_BOUNDS.bytes) throw tooLarge(this.#from)
    for (let at = 0; at < document.length; at += CHUNK_LENGTH) {
      this.#silentLength += CHUNK_LENGTH
      this.#parser.write(document.slice(at, at + CHUNK_LENGTH))
      // The parser keeps it, each attribute as an object of its own, until it is whole.
      if (this.#silentLength > METALINK_BOUNDS.markupLength)
        throw this.#wrong('a tag, a text or a comment is too long', 'markup')
    }
    this.#parser.close()
    return this.#files
  }

  #wrong(what: string, reason: string): NighthaulError {
    return invalid(this.#from, this.#parser.line, what, { reason })
  }

  /** Elements around the present one, the present one last: `metalink/file/url`. Version 3 has some more between. */
  get #path(): string {
    const names = this.#open.map(({ name }) => name)
    return (this.#version === 3 ? names.filter((name) => !ONLY_IN_3.has(name)) : names).join('/')
  }

  #opened({ local, uri, attributes }: SaxesTagNS): void {
    this.#silentLength = 0
    if (++this.#elements > METALINK_BOUNDS.elements)
      throw this.#wrong(`it has more than ${METALINK_BOUNDS.elements} elements`, 'elements')
    if (this.#open.length === METALINK_BOUNDS.depth)
      throw this.#wrong('its elements lie too deep in each other', 'depth')
    if (this.#open.length === 0) this.#root(local, uri)
    const own = uri === (this.#version === 4 ? VERSION_4 : VERSION_3)
    this.#open.push({ name: own ? local.toLowerCase() : '', attributes, text: '', line: this.#parser.line })
    const { name } = this.#open.at(-1)!
    if (name === 'file' && this.#path === 'metalink/file') this.#beginFile()
    if (name === 'pieces' && this.#path === 'metalink/file/pieces') this.#beginPieces()
  }

  #root(local: string, uri: string): void {
    if (local.toLowerCase() !== 'metalink')
      throw this.#wrong(`it is no Metalink: it begins with <${local.slice(0, 40)}>`, 'root')
    if (uri !== VERSION_4 && uri !== VERSION_3)
      throw this.#wrong('it is no Metalink of version 3 or 4: its namespace is another one', 'namespace')
    this.#version = uri === VERSION_4 ? 4 : 3
  }

  #text(text: string): void {
    this.#silentLength = 0
    const open = this.#open.at(-1)
    if (!open) return
    if (open.text.length + text.length > METALINK_BOUNDS.textLength)
      throw this.#wrong(`the text of <${open.name || 'an element'}> is too long`, 'text')
    open.text += text
  }

  #closed(): void {
    this.#silentLength = 0
    const path = this.#path
    const open = this.#open.pop()!
    // The path of an element that only groups others is that of what it stands in.
    if (this.#version === 3 && ONLY_IN_3.has(open.name)) return
    const text = open.text.trim()
    switch (path) {
      case 'metalink/file':
        this.#endFile()
        break
      case 'metalink/file/size':
        this.#file!.size = this.#wholeNumber(text, 'the size')
        break
      case 'metalink/file/url':
        this.#url(text, open)
        break
      case 'metalink/file/metaurl':
        this.#file!.otherUrls++
        break
      case 'metalink/file/hash':
        this.#hash(text, open)
        break
      case 'metalink/file/pieces/hash':
        this.#piece(text, open)
        break
      case 'metalink/file/pieces':
        this.#endPieces()
    }
  }

  #attribute(name: string, open: Open | undefined = this.#open.at(-1)): string | undefined {
    return open?.attributes[name]?.value.trim()
  }

  #beginFile(): void {
    if (this.#files.length === METALINK_BOUNDS.files)
      throw this.#wrong(`it names more than ${METALINK_BOUNDS.files} files`, 'files')
    const given = this.#attribute('name')
    if (!given) throw this.#wrong('a file has no name', 'name')
    // Folders in a name are not followed (§4.1.2.1): what is saved where is the user's to say.
    const name = sanitizeFilename(given)
    this.#file = { name, line: this.#parser.line, size: null, urls: [], otherUrls: 0, digests: [], pieces: [] }
  }

  #endFile(): void {
    const file = this.#file!
    for (const { pieceBytes, values, line } of file.pieces)
      if (file.size !== null && Math.ceil(file.size / pieceBytes) !== values.length)
        throw invalid(
          this.#from,
          line,
          `there are ${values.length} hashes of pieces, which do not cover the file’s size`,
          {
            reason: 'pieces',
          },
        )
    this.#files.push(file)
    this.#file = null
  }

  #url(text: string, open: Open): void {
    const file = this.#file!
    if (file.urls.length + file.otherUrls === METALINK_BOUNDS.urlsOfFile)
      throw this.#wrong(`“${file.name}” has more than ${METALINK_BOUNDS.urlsOfFile} links`, 'urls')
    const url = HttpUrl.safeParse(text)
    const parsed = url.success ? URL.parse(url.data) : null
    const isTorrent = this.#attribute('type', open)?.toLowerCase() === 'bittorrent'
    // A login in a document is everybody's, and would be stored with the address.
    if (!url.success || !parsed || isTorrent || parsed.username !== '' || parsed.password !== '') {
      file.otherUrls++
      return
    }
    const location = this.#attribute('location', open)?.toLowerCase()
    file.urls.push({
      url: url.data,
      priority: this.#priority(open),
      location: location && /^[a-z]{2}$/.test(location) ? location : null,
    })
  }

  /** Version 3 has a preference from 0 to 100, where more is better. */
  #priority(open: Open): number {
    const [name, least, most] =
      this.#version === 4 ? (['priority', 1, LAST_PRIORITY] as const) : (['preference', 0, 100] as const)
    const text = this.#attribute(name, open)
    if (text === undefined) return this.#version === 4 ? LAST_PRIORITY : 101
    const value = this.#wholeNumber(text, `the ${name}`)
    if (value < least || value > most) throw this.#wrong(`the ${name} ${value} is not from ${least} to ${most}`, name)
    return this.#version === 4 ? value : 101 - value
  }

  #hash(text: string, open: Open): void {
    const file = this.#file!
    const algorithm = algorithmOf(this.#attribute('type', open))
    // Of a kind that is not known here, such as a signature.
    if (algorithm === null) return
    if (file.digests.length === METALINK_BOUNDS.hashesOfFile) throw this.#wrong('a file has too many hashes', 'hashes')
    file.digests.push({ algorithm, value: this.#digest(text, algorithm), source: 'metalink' })
  }

  #beginPieces(): void {
    const length = this.#attribute('length')
    if (length === undefined) throw this.#wrong('the length of the pieces is missing', 'pieces')
    const pieceBytes = this.#wholeNumber(length, 'the length of the pieces')
    if (pieceBytes === 0) throw this.#wrong('the length of the pieces is 0', 'pieces')
    this.#pieces = { algorithm: algorithmOf(this.#attribute('type')), pieceBytes, values: [], line: this.#parser.line }
  }

  #piece(text: string, open: Open): void {
    const pieces = this.#pieces!
    if (++this.#piecesInAll > METALINK_BOUNDS.pieces)
      throw this.#wrong(`it has more than ${METALINK_BOUNDS.pieces} hashes of pieces`, 'pieces')
    const number = this.#attribute('piece', open)
    if (
      this.#version === 3 &&
      number !== undefined &&
      this.#wholeNumber(number, 'the number of a piece') !== pieces.values.length
    )
      throw this.#wrong(`the pieces are not in order: piece ${number} comes after ${pieces.values.length}`, 'pieces')
    pieces.values.push(pieces.algorithm === null ? '' : this.#digest(text, pieces.algorithm))
  }

  #endPieces(): void {
    const pieces = this.#pieces!
    if (pieces.algorithm !== null && pieces.values.length > 0) this.#file!.pieces.push(pieces)
    this.#pieces = null
  }

  #digest(text: string, algorithm: ChecksumAlgorithm): string {
    if (text.length === 2 * DIGEST_BYTES[algorithm] && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase()
    throw this.#wrong(`“${text.slice(0, 40)}” is no ${algorithm} in hexadecimal digits`, 'hash')
  }

  #wholeNumber(text: string, what: string): number {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value)) return value
    throw this.#wrong(`${what} “${text.slice(0, 40)}” is no whole number`, 'number')
  }
}

/** `sha-256`, `sha256`, `SHA256`. null: not known here. */
function algorithmOf(name: string | undefined): ChecksumAlgorithm | null {
  const plain = name?.toLowerCase().replace(/^sha-?/, 'sha-')
  return CHECKSUM_ALGORITHMS.find((known) => known === plain) ?? null
}

function tooLarge(from: string): NighthaulError {
  return invalid(from, 1, `it is larger than ${METALINK_BOUNDS.bytes / 1024 ** 2} MiB`, { reason: 'size' })
}

function invalid(from: string, line: number, what: string, params: ErrorParams): NighthaulError {
  return new NighthaulError('invalid_metalink', `${from}, line ${line}: ${what}. Nothing was added.`, {
    line,
    ...params,
  })
}
