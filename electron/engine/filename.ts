/**
 * Names from the network: what a reply calls its file, made safe for every file system. A name chosen here has no
 * path, no control, bidirectional or invisible characters, no reserved name, and room for `.part` and ` (999)`. Pure.
 */
import { isIP } from 'node:net'
import { decodeExtended, parse } from 'content-disposition'

/** NAME_MAX of common file systems, less what the engine appends: ` (999)` and `.part`. */
const MAX_NAME_BYTES = 255 - ' (999)'.length - '.part'.length

const FALLBACK = 'download'

/** The few types worth an extension where the name has none. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/epub+zip': 'epub',
  'application/gzip': 'gz',
  'application/java-archive': 'jar',
  'application/json': 'json',
  'application/msword': 'doc',
  'application/pdf': 'pdf',
  'application/rtf': 'rtf',
  'application/vnd.android.package-archive': 'apk',
  'application/vnd.debian.binary-package': 'deb',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.rar': 'rar',
  'application/x-7z-compressed': '7z',
  'application/x-apple-diskimage': 'dmg',
  'application/x-bzip2': 'bz2',
  'application/x-debian-package': 'deb',
  'application/x-iso9660-image': 'iso',
  'application/x-rar-compressed': 'rar',
  'application/x-rpm': 'rpm',
  'application/x-tar': 'tar',
  'application/x-xz': 'xz',
  'application/xml': 'xml',
  'application/zip': 'zip',
  'application/zstd': 'zst',
  'audio/flac': 'flac',
  'audio/mp4': 'm4a',
  'audio/mpeg': 'mp3',
  'audio/ogg': 'ogg',
  'audio/wav': 'wav',
  'image/gif': 'gif',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/svg+xml': 'svg',
  'image/tiff': 'tif',
  'image/webp': 'webp',
  'text/css': 'css',
  'text/csv': 'csv',
  'text/html': 'html',
  'text/javascript': 'js',
  'text/markdown': 'md',
  'text/plain': 'txt',
  'text/xml': 'xml',
  'video/mp4': 'mp4',
  'video/mpeg': 'mpg',
  'video/quicktime': 'mov',
  'video/webm': 'webm',
  'video/x-matroska': 'mkv',
  'video/x-msvideo': 'avi',
}

/** Extensions of files that are never web pages. */
const BINARY = new Set(
  `7z aab aac ai apk appimage apkg arj avi azw3 bin br bz2 cab cbr cbz cpio crx dat deb djvu dll dmg doc docx epub
  exe flac flatpak gguf gif gz h5 hdf5 heic ico img ipa iso jar jpeg jpg lha lz lz4 lzma lzo m4a m4b m4v mkv mobi mov
  mp3 mp4 mpeg mpg msi msix nc npz odp ods odt oga ogg ogv onnx opus ova parquet pdf pkg png ppt pptx psd pt qcow2 rar
  raw rpm safetensors snap so sqlite squashfs tar tbz2 tgz tif tiff torrent ts txz vdi vhd vhdx vmdk war wasm wav webm
  webp whl wim wma wmv xls xlsx xpi xz z zip zst zstd`.split(/\s+/),
)

/** A compression that leaves the extension before it part of the name: `.tar.gz`, `.sql.xz`. */
const COMPRESSION = new Set(['br', 'bz2', 'gz', 'lz', 'lz4', 'lzma', 'lzo', 'xz', 'z', 'zst', 'zstd'])
const INNER = /\.(tar|sql|cpio|img|iso|csv|json|xml|txt|log|nii|fastq|vcf|warc)$/i

/** Controls, bidirectional and zero-width characters, private use, and letters that show nothing (Hangul fillers). */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\u115f\u1160\u3164\uffa0]|\u034f/gu
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])$/i

export interface FilenameSources {
  /** as received (latin1) */
  contentDisposition?: string | string[] | null
  finalUrl: string
  originalUrl: string
  contentType?: string | string[] | null
}

/**
 * The name to save a reply under: Content-Disposition (RFC 6266, RFC 8187), the last segment of the final URL's path,
 * then of the original's, then `download`; with an extension from the content type where the name has none.
 */
export function filenameFrom(sources: FilenameSources): string {
  const [disposition] = [sources.contentDisposition ?? []].flat()
  const named =
    (disposition && dispositionName(disposition)) || urlName(sources.finalUrl) || urlName(sources.originalUrl)
  const name = named ? sanitizeFilename(named) : hostName(sources.finalUrl)
  if (extensionOf(name) !== '') return name
  const [type] = [sources.contentType ?? []].flat()
  const extension = EXTENSIONS[type?.split(';')[0]?.trim().toLowerCase() ?? '']
  return extension ? sanitizeFilename(`${name}.${extension}`) : name
}

/** What a link alone calls its file. */
export function filenameInLink(url: string): string {
  return filenameFrom({ finalUrl: url, originalUrl: url })
}

/**
 * Any text as one safe name of at most 244 UTF-8 bytes (255 less room for ` (999)` and `.part`); the extension stays.
 * Never empty, `.` or `..`. Of a path only the last component is taken (RFC 6266 §4.3).
 */
export function sanitizeFilename(name: string): string {
  const last = name
    .toWellFormed()
    .replace(INVISIBLE, '')
    // Afterwards: what an invisible character held apart belongs together now.
    .normalize('NFC')
    .split(/[/\\]/)
    .findLast((part) => /[^.\s]/.test(part))
  const safe = tidy((last ?? '').replace(/[<>:"|?*]/g, '_').replace(/\s+/g, ' '))
  if (safe === '') return FALLBACK
  // Windows reserves these whatever the extension, and whatever spaces stand before it.
  const unreserved = RESERVED.test(safe.split('.')[0]!.trimEnd()) ? `_${safe}` : safe
  return shortened(unreserved, MAX_NAME_BYTES)
}

/** `name (n).ext`, also before double extensions: `backup (2).tar.gz`. At most 250 bytes, or fewer where told so. */
export function numberedName(name: string, n: number, maxBytes = 255 - '.part'.length): string {
  const extension = extensionOf(name)
  const suffix = ` (${n})${extension}`
  const stem = truncate(name.slice(0, name.length - extension.length), maxBytes - Buffer.byteLength(suffix))
  return `${stem}${suffix}`
}

/** Whether the name's extension says that it is no web page (for `html_instead_of_file`). */
export function isKnownBinaryName(name: string): boolean {
  return BINARY.has(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) && name.includes('.')
}

/** With its dot, double where it belongs together; '' where there is none. */
export function extensionOf(name: string): string {
  const match = /\.[\p{L}\p{N}_+~-]{1,16}$/u.exec(name)
  // A name that begins with its only dot is all name; a number after a dot is a version, unless it is known (.7z, .001).
  if (!match || match.index === 0 || (/^\.\d+$/.test(match[0]) && match[0].length !== 4)) return ''
  const inner = COMPRESSION.has(match[0].slice(1).toLowerCase()) ? INNER.exec(name.slice(0, match.index)) : null
  return inner && inner.index > 0 ? inner[0] + match[0] : match[0]
}

function tidy(name: string): string {
  // Names that begin with a dot are hidden, names that end with one or a space cannot be made on Windows.
  let end = name.length
  // Not by a pattern: it would begin again at each dot of a long row of them.
  while (end > 0 && /[.\s]/.test(name[end - 1]!)) end--
  return name.slice(0, end).replace(/^[.\s]+/, '')
}

/** The name in at most so many UTF-8 bytes; its extension stays. */
export function shortened(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name
  const extension = extensionOf(name)
  const stem = truncate(name.slice(0, name.length - extension.length), maxBytes - Buffer.byteLength(extension))
  return tidy(stem) + extension || FALLBACK
}

/** The longest beginning of whole characters in so many UTF-8 bytes. */
function truncate(text: string, maxBytes: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maxBytes) break
    end += character.length
  }
  return text.slice(0, end)
}

/** The filename of a Content-Disposition, also of the malformed ones that servers send; null: it names none. */
function dispositionName(header: string): string | null {
  // `filename=x` alone, without `attachment;` before it
  const whole = /^\s*filename\*?\s*=/i.test(header) ? `attachment; ${header}` : header
  const { parameters } = parse(whole, { extended: false })
  const plain = parameters.filename?.replace(/^'(.+)'$/, '$1')
  const extended = parameters['filename*']
  if (extended !== undefined) {
    const decoded = decodeExtended(extended)
    if (decoded) return /^iso-8859-1'/i.test(extended) ? decoded : asUtf8(decoded)
    // Without its charset, which is seen; better than nothing, and only then.
    if (!plain) return asUtf8(percentDecoded(extended.replace(/^[\w-]*'[^']*'/, '')))
  }
  return plain ? percentDecoded(encodedWords(asUtf8(plain))) : null
}

/** Raw UTF-8 in a header arrives as latin1. */
function asUtf8(value: string): string {
  if (!/[\x80-\xff]/.test(value) || /[^\x00-\xff]/.test(value)) return value
  const utf8 = Buffer.from(value, 'latin1').toString('utf8')
  return utf8.includes('\ufffd') ? value : utf8
}

/** RFC 2047 has no place in HTTP; mail-minded servers send it all the same. */
function encodedWords(value: string): string {
  return value.replace(
    /=\?([\w-]+)\?([bq])\?([^?]*)\?=(?:\s+(?==\?))?/gi,
    (word, charset: string, kind: string, text: string) => {
      const bytes =
        kind.toLowerCase() === 'b'
          ? Buffer.from(text, 'base64')
          : Buffer.from(
              text
                .replace(/_/g, ' ')
                .replace(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
              'latin1',
            )
      try {
        return new TextDecoder(charset).decode(bytes)
      } catch {
        // a charset nobody knows: the word stays as it came
        return word
      }
    },
  )
}

/** Decodes where all of it is valid percent-encoded UTF-8; otherwise the value stays as it is (`100% sure.txt`). */
function percentDecoded(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

function urlName(url: string): string | null {
  const path = URL.parse(url)?.pathname ?? ''
  const last = path.slice(path.lastIndexOf('/') + 1)
  // `%2F` is no separator of the path, but what it decodes to is one in a name.
  const decoded = percentDecoded(last)
  return /[^.\s]/.test(decoded) ? decoded : null
}

function hostName(url: string): string {
  const host = URL.parse(url)?.hostname ?? ''
  if (host === '' || isIP(host.replace(/^\[|\]$/g, '')) || !host.includes('.')) return FALLBACK
  return sanitizeFilename(`${host.replace(/\./g, '-')} ${FALLBACK}`)
}
