/**
 * The platform's mark “came from the internet” on files. Where a program has to set it, one process does so for all files
 * that wait, and there is one at a time: a process for each of a thousand small files would take longer than they do.
 * Best effort: a mark that cannot be set must not fail a download.
 */
import { execFile } from 'node:child_process'
import { constants, promises as fs } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

export interface Origin {
  path: string
  url: string
  referrer: string | null
}

/** How a program marks many files: what it is called with, and what it reads. */
interface Order {
  args: string[]
  input: string
}

/** Arguments of a process are bounded, and whoever is first waits for the last. */
const MOST_AT_ONCE = 256
const TIMEOUT_MS = 5_000

export class OriginMarks {
  readonly #platform: NodeJS.Platform
  /** the program; null: not installed */
  #program: Promise<string | null> | null = null
  #waiting: { origin: Origin; done: () => void }[] = []
  #works = false

  constructor(platform: NodeJS.Platform) {
    this.#platform = platform
  }

  async mark(origin: Origin): Promise<void> {
    if (this.#platform === 'win32') return markZone(origin)
    this.#program ??= findProgram(this.#platform === 'darwin' ? 'xattr' : 'setfattr')
    // Starting a process holds everything up for milliseconds, even one that is not there.
    const program = await this.#program
    if (program === null) return
    await new Promise<void>((done) => {
      this.#waiting.push({ origin, done })
      if (!this.#works) void this.#work(program)
    })
  }

  /** Never rejects. */
  async #work(program: string): Promise<void> {
    this.#works = true
    // What else is said in this turn comes along.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.splice(0, MOST_AT_ONCE)
      const origins = taken.map(({ origin }) => origin)
      await run(program, this.#platform === 'darwin' ? quarantine(origins) : attributes(origins))
      for (const { done } of taken) done()
    }
    this.#works = false
  }
}

/** Windows: the Zone.Identifier stream (Mark of the Web). */
async function markZone({ path, url, referrer }: Origin): Promise<void> {
  const lines = ['[ZoneTransfer]', 'ZoneId=3', ...(referrer ? [`ReferrerUrl=${referrer}`] : []), `HostUrl=${url}`]
  await fs.writeFile(`${path}:Zone.Identifier`, `${lines.join('\r\n')}\r\n`).catch(() => undefined)
}

/** macOS: com.apple.quarantine through xattr(1). */
function quarantine(origins: readonly Origin[]): Order {
  const value = `0081;${Math.floor(Date.now() / 1000).toString(16)};Nighthaul;`
  return { args: ['-w', 'com.apple.quarantine', value, ...origins.map(({ path }) => path)], input: '' }
}

/**
 * Linux: user.xdg.origin.url (freedesktop.org “Common Extended Attributes”) through setfattr(1), in the form in which
 * getfattr(1) dumps them: Node has no call for extended attributes.
 */
function attributes(origins: readonly Origin[]): Order {
  const line = (name: string, value: string) => `user.xdg.${name}=0s${Buffer.from(value).toString('base64')}\n`
  const input = origins.map(
    ({ path, url, referrer }) =>
      `# file: ${escaped(path)}\n${line('origin.url', url)}${referrer ? line('referrer.url', referrer) : ''}\n`,
  )
  return { args: ['--restore=-'], input: input.join('') }
}

/** As getfattr(1) writes names: what would end a line, or begin an escape, in octal. */
function escaped(path: string): string {
  return path.replace(/[\\\u0000-\u001f\u007f]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

function run(program: string, { args, input }: Order): Promise<void> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: TIMEOUT_MS }, () => resolve())
    // It may end without reading to the end.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

async function findProgram(command: string): Promise<string | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, command)
    if (
      isAbsolute(path) &&
      (await fs.access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path
  }
  return null
}
