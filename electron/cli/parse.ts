/** Reads the values of flags and lists of URLs. Pure: no file, no terminal; what is wrong is said in one sentence. */
import { readChecksumLine } from '../../shared/checksum-lines.ts'
import { NighthaulError } from '../../shared/errors.ts'
import { formatBytes } from '../../shared/format.ts'
import { CHECKSUM_ALGORITHMS, Checksum } from '../../shared/integrity.ts'
import { HeaderList, HttpUrl, TaskId } from '../../shared/schemas.ts'

const BINARY_UNITS: Record<string, number> = { '': 1, B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

function usage(message: string): NighthaulError {
  return new NighthaulError('usage', message)
}

/** `500K`, `2M`, `1.5M`, `800000`: bytes per second, K being 1024 as in curl and aria2. Throws `usage`. */
export function parseRate(text: string): number {
  const bytes = bytesIn(text)
  if (bytes === null) throw usage(`“${text}” is not a rate: write 500K, 2M or 1.5M (bytes a second)`)
  return bytes
}

/** Null: it is no amount of bytes. */
function bytesIn(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?(?:\/s)?$/i.exec(text.trim())
  if (match === null) return null
  const bytes = Math.round(Number(match[1]) * BINARY_UNITS[match[2]!.toUpperCase()]!)
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : null
}

/** `64M`, `1.5G`, `800000`: an amount of bytes, K being 1024. Throws `usage`. */
export function parseBytes(text: string, least: number, most: number): number {
  const bytes = /\/s\s*$/i.test(text) ? null : bytesIn(text)
  if (bytes === null || bytes < least || bytes > most)
    throw usage(
      `“${text}” is not an amount of bytes from ${formatBytes(least)} to ${formatBytes(most)}: write 64M or 1G`,
    )
  return bytes
}

/** A rate, or `none`: commander knows no null. Throws `usage`. */
export function parseRateOrNone(text: string): number | 'none' {
  return /^none$/i.test(text.trim()) ? 'none' : parseRate(text)
}

/** A whole number from `least` to `most`. Throws `usage`. */
export function parseWhole(text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw usage(`“${text}” is not a whole number from ${least} to ${most}`)
  return value
}

/** Seconds such as `30` or `0.5`, as whole milliseconds from 0.1 s to an hour. Throws `usage`. */
export function parseSeconds(text: string): number {
  const ms = /^\d+(\.\d+)?s?$/.test(text.trim()) ? Math.round(Number.parseFloat(text) * 1000) : Number.NaN
  if (!(ms >= 100 && ms <= 3_600_000)) throw usage(`“${text}” is not a time in seconds from 0.1 to 3600`)
  return ms
}

/** The least time between two requests in seconds, such as `2` or `0.25`, as ms. Throws `usage`. */
export function parseSpacing(text: string): number {
  const ms = /^\d+(\.\d+)?s?$/.test(text.trim()) ? Math.round(Number.parseFloat(text) * 1000) : Number.NaN
  if (!(ms >= 1 && ms <= 3_600_000)) throw usage(`“${text}” is not a time in seconds from 0.001 to 3600`)
  return ms
}

/** Requests a second to one host: `5`, `0.5`. Throws `usage`. */
export function parseHostRate(text: string): number {
  const rate = /^\d+(\.\d+)?(\/s)?$/.test(text.trim()) ? Number.parseFloat(text) : Number.NaN
  if (!(rate > 0 && rate <= 10_000))
    throw usage(`“${text}” is not a number of requests a second (up to 10000, such as 5 or 0.5)`)
  return rate
}

/** `sha-256=HEX`; `sha256:HEX` is understood too. Throws `usage`. */
export function parseChecksum(text: string): Checksum {
  const match = /^([a-z0-9-]+)[=:]([0-9a-f]+)$/i.exec(text.trim())
  const name = match?.[1]?.toLowerCase().replace(/^sha-?/, 'sha-')
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === name)
  if (!match || !algorithm) {
    throw usage(`“${text}” is not a checksum: write sha-256=HEX (known: ${CHECKSUM_ALGORITHMS.join(', ')})`)
  }
  const parsed = Checksum.safeParse({ algorithm, value: match[2] })
  if (!parsed.success) throw usage(`The checksum “${text}” has the wrong length for ${algorithm}`)
  return parsed.data
}

/** `Name: value` (RFC 9110 §5.1). Throws `usage`. */
export function parseHeader(text: string): [name: string, value: string] {
  const colon = text.indexOf(':')
  const pair: [string, string] = [text.slice(0, Math.max(0, colon)).trim(), text.slice(colon + 1).trim()]
  const parsed = HeaderList.safeParse([pair])
  if (colon < 1 || !parsed.success) throw usage(`“${text}” is not a header: write 'Name: value'`)
  return pair
}

/** `user:password`; without a colon the password is empty (RFC 7617: a user name holds no colon). */
export function parseUser(text: string): { user: string; password: string } {
  const colon = text.indexOf(':')
  if (colon < 0) return { user: text, password: '' }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** A bearer token (RFC 6750 §2.1). Throws `usage`; the token is not in the message. */
export function parseBearer(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw usage('a token holds no spaces and no special characters')
}

/** An http, https or socks5 URL of a proxy; `host:port` means http. Throws `usage`. */
export function parseProxy(text: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(url) || !/^(https?|socks5h?):\/\/[^/]/i.test(url)) {
    throw usage(`“${text}” is not a proxy: write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT`)
  }
  return url
}

/** A link to download, trimmed. `where` names its place, such as `links.txt, line 3`. Throws `invalid_url` or `unsupported_scheme`. */
export function parseUrl(text: string, where?: string): string {
  const parsed = HttpUrl.safeParse(text)
  if (parsed.success) return parsed.data
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text.trim())?.[1]?.toLowerCase()
  const code = scheme && scheme !== 'http' && scheme !== 'https' ? 'unsupported_scheme' : 'invalid_url'
  const sentence = parsed.error.issues[0]!.message
  throw new NighthaulError(code, where ? `${where}: ${sentence}` : sentence, { url: text.slice(0, 200) })
}

/**
 * One download a line, as its URL and, behind tabs, its mirrors (as aria2 reads them). Blank lines, lines that begin
 * with # and checksums (readChecksumLines) are skipped. `name` is the list’s name in messages.
 */
export function parseUrlList(text: string, name: string): [url: string, ...mirrors: string[]][] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#') && readChecksumLine(line) === null)
    .map(({ line, number }) => {
      const [url, ...mirrors] = line
        .split('\t')
        .filter((part) => part.trim() !== '')
        .map((part) => parseUrl(part, `${name}, line ${number}`))
      return [url!, ...mirrors]
    })
}

const PERIOD_UNITS_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `90m`, `24h`, `7d`, `4w` in ms; `all` as null. Throws `usage`. */
export function parsePeriod(text: string): number | null {
  if (text.trim() === 'all') return null
  const match = /^(\d+)\s*([mhdw])$/i.exec(text.trim())
  const ms = match ? Number(match[1]) * PERIOD_UNITS_MS[match[2]!.toLowerCase()]! : Number.NaN
  if (!(ms > 0 && ms <= 100 * 365 * 86_400_000)) throw usage(`“${text}” is not a period: write 90m, 24h, 7d, 4w or all`)
  return ms
}

const SPAN_UNITS_MS: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 }
const MOST_SPAN_MS = 366 * 86_400_000

/** `2h`, `90m`, `1h30m`, `2d` in ms. Throws `usage`. */
export function parseDuration(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([dhms])\s*/gi)]
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * SPAN_UNITS_MS[unit!.toLowerCase()]!, 0)
  const whole = parts.map(([part]) => part).join('') === text.trim()
  if (!whole || !(ms > 0 && ms <= MOST_SPAN_MS)) throw usage(`“${text}” is not a time span: write 2h, 90m, 1h30m or 2d`)
  return Math.round(ms)
}

/** The id of a task. Throws `usage`. */
export function parseTaskId(text: string): TaskId {
  const parsed = TaskId.safeParse(/^\d+$/.test(text) ? Number(text) : text)
  if (!parsed.success) throw usage(`“${text}” is not the id of a download: “nighthaul list” shows the ids`)
  return parsed.data
}
