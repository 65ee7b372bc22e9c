/** What a command line asks to download: links, lists of links, cURL commands, each with the options of its own. */
import { NighthaulError } from '../../shared/errors.ts'
import type { AddItem, TaskOptions } from '../../shared/schemas.ts'
import { readNamedBytes, readNamedFile } from './flags.ts'
import { readTarget, readTaskOptions, type TransferFlags } from './options.ts'
import { parseUrl, parseUrlList } from './parse.ts'
import { readStandardInput } from './terminal.ts'

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
 * The URLs of the command line, of `-i` and of `--curl`. What a flag says goes before what a cURL command says.
 * Throws `usage`, `invalid_url`, `unsupported_scheme`, `invalid_input`.
 */
export async function readDownloads(args: readonly string[], flags: TransferFlags): Promise<Downloads> {
  if (flags.curl === '-' && flags.input === '-')
    throw new NighthaulError('usage', '--curl - and -i - both want standard input: use one of them')
  const urls = args.map((argument) => parseUrl(argument))
  if (flags.input === '-') urls.push(...parseUrlList(await readStandardInput(), 'standard input'))
  else if (flags.input !== undefined) urls.push(...parseUrlList(readNamedFile('-i', flags.input), flags.input))
  const items = await readCurl(flags)
  urls.push(...items.map(({ url }) => url))
  if (urls.length === 0) {
    throw new NighthaulError('usage', 'There is no URL: give one or more, or a file of them with -i FILE')
  }
  const distinct = [...new Set(urls)]
  const options = readTaskOptions(flags)
  const { folder, filename } =
    flags.output === '-' ? { folder: '', filename: undefined } : readTarget(flags, distinct.length)
  const byUrl = new Map(items.map((item) => [item.url, item]))
  return {
    urls: distinct,
    folder,
    options,
    itemOf(url) {
      const item = byUrl.get(url)
      const name = filename ?? item?.filename
      return {
        url,
        ...(name !== undefined && { filename: name }),
        ...(item?.options && { options: over(item.options, options) }),
      }
    },
  }
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
