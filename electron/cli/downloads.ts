/** What a command line asks to download: links, lists of links, Metalinks, cURL commands, each with what is its own. */
import { type ChecksumLine, checksumOfLink, readChecksumLines } from '../../shared/checksum-lines.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { AddItem, MirrorInput, TaskOptions } from '../../shared/schemas.ts'
import { readNamedBytes, readNamedFile } from './flags.ts'
import { readTarget, readTaskOptions, type TransferFlags } from './options.ts'
import { parseUrl, parseUrlList } from './parse.ts'
import { printable, printableLink, readStandardInput, say } from './terminal.ts'

export interface Downloads {
  /** each once, in the order given */
  urls: string[]
  folder: string
  /** what the flags say, for all of them */
  options: TaskOptions
  /** one of the URLs as `tasks.add` takes it, with options of its own where it has any */
  itemOf(url: string): AddItem
}

/**
 * The URLs of the command line, of its Metalink files, of `-i` and of `--curl`. What a flag says goes before what a cURL
 * command says. Throws `usage`, `invalid_url`, `unsupported_scheme`, `invalid_input`, `invalid_metalink`.
 */
export async function readDownloads(args: readonly string[], flags: TransferFlags): Promise<Downloads> {
  const readers = [flags.curl, flags.input, flags.checksumFile].filter((path) => path === '-')
  if (readers.length > 1)
    throw new NighthaulError('usage', '--curl -, -i - and --checksum-file - all want standard input: use one of them')
  const items: AddItem[] = []
  for (const argument of args) {
    if (isMetalinkFile(argument)) items.push(...(await metalinkItems(readNamedBytes('Metalink', argument), argument)))
    else items.push({ url: parseUrl(argument) })
  }
  const list = flags.input === undefined ? '' : await readText('-i', flags.input)
  const listName = flags.input === '-' ? 'standard input' : (flags.input ?? '')
  items.push(...parseUrlList(list, listName).map(itemOfLine))
  items.push(...(await readCurl(flags)))
  const urls = items.map(({ url }) => url)
  if (urls.length === 0) {
    throw new NighthaulError('usage', 'There is no URL: give one or more, a Metalink file, or a list with -i FILE')
  }
  const distinct = [...new Set(urls)]
  const mirrors = flags.mirror ?? []
  if (mirrors.length > 0 && distinct.length > 1)
    throw new NighthaulError(
      'usage',
      `--mirror names the same file as the URL, but there are ${distinct.length} URLs: give each its mirrors in a list (-i), on its line, behind tabs`,
    )
  const options = readTaskOptions(flags)
  const { folder, filename } =
    flags.output === '-' ? { folder: '', filename: undefined } : readTarget(flags, distinct.length)
  const byUrl = new Map(items.toReversed().map((item) => [item.url, item]))
  // A list of links may hold the checksums of some; a file of checksums is meant for all.
  const listed = readChecksumLines(list)
  const sums = await readChecksumFile(flags)
  const nameOf = (url: string) => filename ?? byUrl.get(url)?.filename
  const checksums = new Map(
    distinct.map((url) => [
      url,
      checksumOfLink(sums ?? listed, url, nameOf(url)) ?? checksumOfLink(listed, url, nameOf(url)),
    ]),
  )
  const without = sums && distinct.find((url) => !checksums.get(url))
  if (without)
    throw new NighthaulError(
      'usage',
      `--checksum-file: “${flags.checksumFile}” names no checksum for ${printableLink(without)}; nothing was started. Add a line for it, or download it without the file`,
    )
  return {
    urls: distinct,
    folder,
    options,
    itemOf(url) {
      const item = byUrl.get(url)
      const name = nameOf(url)
      const checksum = options.checksum ? null : checksums.get(url)
      const own = { ...(item?.options && over(item.options, options)), ...(checksum && { checksum }) }
      const all = [...mirrors.map(mirrorOf), ...(item?.mirrors ?? [])]
      return {
        url,
        ...(all.length > 0 && { mirrors: all }),
        ...(item?.pieces && { pieces: item.pieces }),
        ...(name !== undefined && { filename: name }),
        ...(Object.keys(own).length > 0 && { options: own }),
      }
    },
  }
}

function readText(flag: string, path: string): string | Promise<string> {
  return path === '-' ? readStandardInput() : readNamedFile(flag, path)
}

/** Null: there is none. */
async function readChecksumFile({ checksumFile }: TransferFlags): Promise<ChecksumLine[] | null> {
  if (checksumFile === undefined) return null
  const lines = readChecksumLines(await readText('--checksum-file', checksumFile))
  if (lines.length > 0) return lines
  throw new NighthaulError('usage', `--checksum-file: there is no checksum in “${checksumFile}”: a line is HASH  NAME`)
}

function mirrorOf(url: string): MirrorInput {
  return { url, priority: 1, location: null, origin: 'user' }
}

/** A line of a list: a URL and its mirrors. */
export function itemOfLine([url, ...mirrors]: [string, ...string[]]): AddItem {
  return mirrors.length > 0 ? { url, mirrors: mirrors.map(mirrorOf) } : { url }
}

/** A link to a Metalink is a link like any other. */
function isMetalinkFile(argument: string): boolean {
  return /\.(meta4|metalink)$/i.test(argument) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(argument)
}

/** What a Metalink names; files in it without a usable link are told. `from`: its name in messages. */
export async function metalinkItems(bytes: Buffer, from: string): Promise<AddItem[]> {
  const { decodeMetalink, parseMetalink } = await import('../engine/metalink.ts')
  const { items, skipped } = parseMetalink(decodeMetalink(bytes, from), from)
  for (const { name, line } of skipped)
    say(`nighthaul: ${from}, line ${line}: there is no http or https link to “${printable(name)}”; it is left out`)
  return items
}

async function readCurl(flags: TransferFlags): Promise<AddItem[]> {
  if (flags.curl === undefined) return []
  const command = flags.curl === '-' ? await readStandardInput() : flags.curl
  const { parseCurl } = await import('../engine/curl-command.ts')
  return parseCurl(command, (path) => readNamedBytes('--curl', path))
}

/** Headers of both go along, but for those of one name: the flag's is the later word. */
function over(curl: TaskOptions, flags: TaskOptions): TaskOptions {
  if (!curl.headers || !flags.headers) return { ...curl, ...flags }
  const named = new Set(flags.headers.map(([name]) => name.toLowerCase()))
  const kept = curl.headers.filter(([name]) => !named.has(name.toLowerCase()))
  return { ...curl, ...flags, headers: [...kept, ...flags.headers] }
}
