/** `export` and `import`: the list as a file. What a file is, its content says; each kind has its own function. */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { checksumOfLink, readChecksumLines } from '../../shared/checksum-lines.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { formatCount } from '../../shared/format.ts'
import { type ImportResult, importFormat, listFileText, MOST_IMPORT_CHARACTERS } from '../../shared/list-file.ts'
import type { AddItem } from '../../shared/schemas.ts'
import { itemOfLine, metalinkItems } from './downloads.ts'
import { readNamedBytes } from './flags.ts'
import type { ListFlags } from './list-commands.ts'
import { parseUrlList } from './parse.ts'
import { type Queue, withQueue } from './queue-session.ts'
import { callerPath, print, printable, printJson, readStandardInput, say } from './terminal.ts'

const downloads = (count: number) => `${formatCount(count)} ${count === 1 ? 'download' : 'downloads'}`

export async function exportList(file: string | undefined, flags: ListFlags & { withSecrets?: true }): Promise<number> {
  const secrets = flags.withSecrets === true
  let leftOut = 0
  return withQueue(flags, async ({ client }) => {
    const text = listFileText(
      (input) => client.call('list.export', input),
      secrets,
      (count) => {
        leftOut += count
      },
    )
    if (file === undefined || file === '-') for await (const part of text) process.stdout.write(part)
    else await writeWhole(callerPath(file), text)
    if (leftOut > 0)
      say(
        `nighthaul: Passwords, cookies, tokens and other secrets were left out in ${formatCount(leftOut)} places; --with-secrets writes them`,
      )
    if (secrets) say('nighthaul: The file holds passwords, cookies and tokens: keep it to yourself')
  })
}

/** All of it or nothing, and readable by its owner alone. */
async function writeWhole(path: string, text: AsyncIterable<string>): Promise<void> {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const file = await open(unfinished, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
  } catch (cause) {
    await rm(unfinished, { force: true })
    if (cause instanceof NighthaulError) throw cause
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    throw new NighthaulError('io_error', `The list could not be written to ${path} (${code}). Nothing is left of it.`, {
      path,
      code,
    })
  }
}

export type ImportFlags = ListFlags & { directory?: string; paused?: true }

export async function importFile(file: string, flags: ImportFlags): Promise<number> {
  const bytes = file === '-' ? null : readNamedBytes('import', file)
  const text = bytes === null ? await readStandardInput() : bytes.toString('utf8')
  if (text.length > MOST_IMPORT_CHARACTERS)
    throw new NighthaulError('usage', `${file} is larger than an import can be; nothing was imported`)
  const folder = flags.directory === undefined ? undefined : callerPath(flags.directory)
  if (folder !== undefined && !isAbsolute(folder)) throw new NighthaulError('usage', `“${folder}” is no folder`)
  const how = { folder, paused: flags.paused === true }
  let failed = false
  await withQueue(flags, async (queue) => {
    switch (importFormat(text)) {
      case 'list':
        failed = await importList(queue, text, how, flags)
        break
      case 'links':
        await importItems(queue, linksIn(text, nameOf(file)), how, flags)
        break
      case 'metalink':
        // Its first line says in which encoding it is.
        await importItems(queue, await metalinkItems(bytes ?? Buffer.from(text), nameOf(file)), how, flags)
    }
  })
  return failed ? 1 : 0
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file
}

interface How {
  folder: string | undefined
  paused: boolean
}

/** True: some entries could not be used. */
async function importList({ client }: Queue, text: string, how: How, flags: ImportFlags): Promise<boolean> {
  const result = await client.call('list.import', { text, ...how })
  for (const { what, position, reason } of result.refused)
    say(`nighthaul: ${what} ${position}: ${printable(reason)}; it was left out`)
  const more = result.refusedInAll - result.refused.length
  if (more > 0) say(`nighthaul: and ${formatCount(more)} more`)
  if (flags.json) printJson(result)
  else print(importLine(result))
  return result.refusedInAll > 0
}

function importLine({ added, duplicates, withProgress, ...others }: ImportResult): string {
  const { queues, hostRules, settings, profiles, repeats } = others
  const parts = [
    duplicates > 0 && `${formatCount(duplicates)} in the list already`,
    withProgress > 0 && `${formatCount(withProgress)} with progress`,
    queues > 0 && `${formatCount(queues)} queues`,
    hostRules > 0 && `${formatCount(hostRules)} host rules`,
    settings > 0 && `${formatCount(settings)} settings`,
    profiles > 0 && `${formatCount(profiles)} profiles`,
    repeats > 0 && `${formatCount(repeats)} repeating downloads`,
  ].filter((part) => part !== false)
  return `${downloads(added)} imported${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
}

/** Checksums in the list go with the links that have their names. */
function linksIn(text: string, name: string): AddItem[] {
  const lines = readChecksumLines(text)
  return parseUrlList(text, name).map((line) => {
    const item = itemOfLine(line)
    const checksum = checksumOfLink(lines, item.url)
    return { ...item, ...(checksum && { options: { checksum } }) }
  })
}

async function importItems({ client }: Queue, given: AddItem[], how: How, flags: ImportFlags): Promise<void> {
  if (given.length === 0) throw new NighthaulError('usage', 'There is no link in the file; nothing was imported')
  const { items } = await client.call('tasks.add', { items: given, ...how })
  const duplicates = items.filter((item) => item.duplicate).length
  const added = items.length - duplicates
  if (flags.json) printJson({ added, duplicates })
  else print(`${downloads(added)} imported${duplicates > 0 ? ` (${formatCount(duplicates)} in the list already)` : ''}`)
}
