/**
 * A cURL command, as browsers copy it (for a POSIX shell or for cmd.exe), as downloads. What it asks for and we do not do
 * is named, never left out in silence; what changes nothing about the bytes (`-s`, `--compressed`, …) is passed over.
 */
import { posix, win32 } from 'node:path'
import { parseArgs } from 'node:util'
import { split } from 'shlex'
import { NighthaulError } from '../../shared/errors.ts'
import { AddItem, METHODS, type RequestBody, type TaskOptions } from '../../shared/schemas.ts'
import { clientCertificateOf, splitCertificateFlag } from './client-certificate.ts'

/** Reads a file that the command names; throws where it cannot or may not. */
export type ReadFile = (path: string) => Uint8Array

const WITH_VALUE = {
  request: 'X',
  url: null,
  header: 'H',
  data: 'd',
  'data-ascii': null,
  'data-raw': null,
  'data-binary': null,
  'data-urlencode': null,
  json: null,
  user: 'u',
  'oauth2-bearer': null,
  cookie: 'b',
  'user-agent': 'A',
  referer: 'e',
  proxy: 'x',
  'proxy-user': 'U',
  output: 'o',
  'continue-at': 'C',
  cacert: null,
  cert: 'E',
  'cert-type': null,
  key: null,
  pass: null,
  'connect-timeout': null,
  retry: null,
} as const

const WITHOUT_VALUE = { get: 'G', globoff: 'g', insecure: 'k', head: 'I', digest: null, basic: null } as const

/** They concern cURL's own ways: what it prints, where it saves, what we do anyway. */
const MEANINGLESS = {
  compressed: null,
  location: 'L',
  silent: 's',
  'show-error': 'S',
  fail: 'f',
  'fail-with-body': null,
  verbose: 'v',
  include: 'i',
  'remote-name': 'O',
  'remote-header-name': 'J',
  'progress-bar': '#',
  'no-progress-meter': null,
  'http1.1': null,
  http2: null,
} as const

type Valued = keyof typeof WITH_VALUE
type Flag = keyof typeof WITHOUT_VALUE

/**
 * The downloads that a command means, one for each of its URLs. Throws `invalid_input` with a sentence about what in it
 * cannot be done. `readFile`: for `@file`, `--cacert` and the like; left out, such a command is refused.
 */
export function parseCurl(command: string, readFile: ReadFile = mayNotRead): AddItem[] {
  const { urls, values, flags } = readFlags(wordsOf(command))
  if (flags.has('insecure'))
    throw refused('-k: certificates are always checked; trust a private authority with --cacert')
  if (flags.has('head')) throw refused('-I: a request for the head alone brings no file')
  if (urls.length === 0) throw refused('no URL in it')
  const last = (name: Valued) => values.get(name)?.at(-1)
  const output = last('output')
  if (output !== undefined && urls.length > 1) throw refused('one name (-o) for several URLs')
  if (output === '-') throw refused('-o -: write “nighthaul get -o -” for that')
  const continueAt = last('continue-at')
  if (continueAt !== undefined && continueAt !== '-')
    throw refused('-C with a position: downloads continue by themselves')

  const data = readData(values, readFile)
  const query = flags.has('get') ? data.text : null
  const body = query === null ? data.body : null
  const method = last('request') ?? (body === null ? 'GET' : 'POST')
  if (!METHODS.some((known) => known === method)) throw refused(`-X ${method}: only ${METHODS.join(', ')} bring a file`)
  const options = {
    ...(method === 'GET' ? {} : { method }),
    ...(body === null ? {} : { body }),
    ...accessOf(values, flags, data.contentType, readFile),
    ...proxyOf(last('proxy'), last('proxy-user')),
    ...numberOf('retries', last('retry'), 1),
    ...numberOf('connectTimeoutMs', last('connect-timeout'), 1000),
  }
  const sent = urls.length * JSON.stringify(options).length
  if (sent > MOST_SENT) throw refused(`what it sends is too much for ${urls.length} URLs in one command`)
  const name = output === undefined ? undefined : posix.basename(win32.basename(output))
  return urls.map((url) => checked({ url: withQuery(url, query, flags), ...(name && { filename: name }), options }))
}

function checked(item: object): AddItem {
  const parsed = AddItem.safeParse(item)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw refused(`${issue!.path.join('.')}: ${issue!.message}`)
}

function refused(what: string): NighthaulError {
  return new NighthaulError('invalid_input', `The cURL command cannot be used (${what}). Nothing was added.`)
}

function mayNotRead(path: string): never {
  throw refused(`it reads the file “${path}”, which the window may not: use “nighthaul add --curl”`)
}

// ── words and flags ──

/** Beyond it the work of reading them grows with its square, and no browser writes so many. */
const MOST_PARTS = 10_000
/** Characters of what goes to all URLs together. Each download has its own: more would be no message that can be sent. */
const MOST_SENT = 20_000_000

/** The words after `curl`. */
function wordsOf(command: string): string[] {
  const text = fromCmd(command.replace(/\r\n?/g, '\n').trim())
  if (text.split("$'", MOST_PARTS + 2).length > MOST_PARTS) throw refused('it is quoted in too many parts')
  let words: string[]
  try {
    words = split(text)
  } catch (error) {
    throw refused(`a quotation mark is not closed: ${(error as Error).message}`)
  }
  if (words.length > MOST_PARTS) throw refused(`it has more than ${MOST_PARTS} words`)
  if (words[0] === '$') words.shift()
  if (!/^curl(\.exe)?$/.test(words.shift() ?? '')) throw refused('it does not begin with curl')
  // What stands between commands that were copied together.
  while (/^[;&]$/.test(words.at(-1) ?? '')) words.pop()
  const operator = words.find((word) => /^(\||\|\||&&?|;|[12]?>{1,2}|<)$/.test(word))
  if (operator !== undefined) throw refused(`it goes on with ${operator}: give the curl command alone`)
  return words
}

/** cmd.exe escapes with ^, and a ^ at its end continues the line. */
function fromCmd(text: string): string {
  if (!/^curl(\.exe)? +\^"/.test(text) && !(/ \^\n/.test(text) && !/\\\n/.test(text))) return text
  return text.replace(/\^(\n\n?|[^\n])/g, (_, next: string) => (next === '\n' ? ' ' : next === '\n\n' ? '\n' : next))
}

interface Flags {
  urls: string[]
  values: Map<Valued, string[]>
  flags: Set<Flag>
}

function readFlags(words: string[]): Flags {
  const known = (table: Readonly<Record<string, string | null>>, type: 'string' | 'boolean') =>
    Object.entries(table).map(([name, short]) => [name, { type, ...(short && { short }) }] as const)
  const options = Object.fromEntries([
    ...known(WITH_VALUE, 'string'),
    ...known(WITHOUT_VALUE, 'boolean'),
    ...known(MEANINGLESS, 'boolean'),
  ])
  const { tokens } = parseArgs({ args: words, options, strict: false, allowPositionals: true, tokens: true })
  const result: Flags = { urls: [], values: new Map(), flags: new Set() }
  const unknown = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'positional') result.urls.push(token.value)
    if (token.kind !== 'option') continue
    if (Object.hasOwn(WITH_VALUE, token.name)) {
      const name = token.name as Valued
      if (token.value === undefined) throw refused(`${token.rawName} without its value`)
      if (name === 'url') result.urls.push(token.value)
      else result.values.set(name, [...(result.values.get(name) ?? []), token.value])
    } else if (Object.hasOwn(WITHOUT_VALUE, token.name)) result.flags.add(token.name as Flag)
    else if (!Object.hasOwn(MEANINGLESS, token.name)) unknown.add(token.rawName)
  }
  if (unknown.size > 0) throw refused(`it has ${[...unknown].join(', ')}, which is not understood here`)
  return result
}

// ── what the flags mean ──

interface Data {
  body: RequestBody | null
  /** the same, where it is text */
  text: string | null
  contentType: string | null
}

function readData(values: Flags['values'], readFile: ReadFile): Data {
  const bytes = (text: string) => Buffer.from(text, 'utf8')
  const fileOr = (text: string, strip: boolean): Buffer => {
    if (!text.startsWith('@')) return bytes(text)
    const read = Buffer.from(readFile(text.slice(1)))
    return strip ? Buffer.from(read.toString('latin1').replace(/[\r\n\0]/g, ''), 'latin1') : read
  }
  const all = (name: Valued) => values.get(name) ?? []
  const json = all('json').map((text) => fileOr(text, false))
  const form = [
    ...[...all('data'), ...all('data-ascii')].map((text) => fileOr(text, true)),
    ...all('data-raw').map(bytes),
    ...all('data-binary').map((text) => fileOr(text, false)),
    ...all('data-urlencode').map((text) => bytes(urlEncoded(text, readFile))),
  ]
  if (json.length > 0 && form.length > 0) throw refused('--json and -d together')
  if (json.length > 0) return dataOf(Buffer.concat(json), 'application/json')
  if (form.length === 0) return { body: null, text: null, contentType: null }
  const joined = form.flatMap((part, index) => (index === 0 ? [part] : [bytes('&'), part]))
  return dataOf(Buffer.concat(joined), 'application/x-www-form-urlencoded')
}

function dataOf(bytes: Buffer, contentType: string): Data {
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(bytes)
  return {
    body: isText ? { text } : { base64: bytes.toString('base64') },
    text: isText ? text : null,
    contentType,
  }
}

/** `content`, `=content`, `name=content`, `@file`, `name@file`. */
function urlEncoded(text: string, readFile: ReadFile): string {
  const [, name = '', kind = '', rest = text] = /^([^=@]*)([=@])(.*)$/s.exec(text) ?? []
  const content = kind === '@' ? Buffer.from(readFile(rest)).toString('utf8') : rest
  const encoded = encodeURIComponent(content).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return name === '' ? encoded : `${name}=${encoded}`
}

function accessOf(
  values: Flags['values'],
  flags: Flags['flags'],
  contentType: string | null,
  readFile: ReadFile,
): TaskOptions {
  const last = (name: Valued) => values.get(name)?.at(-1)
  const textOf = (path: string) => Buffer.from(readFile(path)).toString('utf8')
  const headers = (values.get('header') ?? []).flatMap(readHeader)
  const add = (name: string, value: string | undefined | null) => {
    if (value && !headers.some(([known]) => known.toLowerCase() === name.toLowerCase())) headers.push([name, value])
  }
  add('User-Agent', last('user-agent'))
  add('Referer', last('referer')?.replace(/;auto$/, ''))
  add('Content-Type', contentType)
  if (contentType === 'application/json') add('Accept', contentType)
  const cookies = (values.get('cookie') ?? []).filter((text) => text !== '')
  const given = cookies.filter((text) => text.includes('='))
  add('Cookie', given.join('; '))
  const files = cookies.filter((text) => !text.includes('='))
  const user = last('user')
  const colon = user?.indexOf(':') ?? -1
  const cacert = last('cacert')
  const bearer = last('oauth2-bearer')
  return {
    ...(headers.length > 0 && { headers }),
    ...(files.length > 0 && { cookies: files.map(textOf).join('\n') }),
    ...(user !== undefined && {
      user: colon < 0 ? user : user.slice(0, colon),
      password: colon < 0 ? '' : user.slice(colon + 1),
    }),
    ...(flags.has('digest') && { auth: 'digest' as const }),
    ...(bearer !== undefined && { bearer }),
    ...(cacert !== undefined && { caPem: textOf(cacert) }),
    ...certificateOf(last('cert'), last('key'), last('pass'), readFile),
  }
}

/** `Name: value`; `Name;` is one without a value; `Name:` takes one of cURL's own away, of which we have none. */
function readHeader(line: string): [string, string][] {
  const [, name, colon, value = ''] = /^([^:;]+)([:;])(.*)$/s.exec(line) ?? []
  if (!name) throw refused(`-H “${line.slice(0, 40)}” is no header`)
  return colon === ':' && value.trim() === '' ? [] : [[name.trim(), value.trim()]]
}

function certificateOf(cert: string | undefined, key: string | undefined, pass: string | undefined, read: ReadFile) {
  if (cert === undefined) {
    if (key !== undefined) throw refused('--key without --cert')
    return {}
  }
  const { path, passphrase } = splitCertificateFlag(cert)
  return {
    clientCertificate: clientCertificateOf(read(path), key === undefined ? null : read(key), pass ?? passphrase),
  }
}

function proxyOf(proxy: string | undefined, user: string | undefined): { proxy?: string } {
  if (proxy === undefined) return {}
  if (user === undefined) return { proxy }
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`)
  if (!url) throw refused('-x is no proxy')
  const colon = user.indexOf(':')
  url.username = encodeURIComponent(colon < 0 ? user : user.slice(0, colon))
  url.password = colon < 0 ? '' : encodeURIComponent(user.slice(colon + 1))
  return { proxy: url.href }
}

function numberOf(name: 'retries' | 'connectTimeoutMs', text: string | undefined, factor: number): TaskOptions {
  if (text === undefined) return {}
  if (!/^\d+(\.\d+)?$/.test(text)) throw refused(`“${text}” is no number`)
  return { [name]: Math.round(Number(text) * factor) }
}

function withQuery(text: string, query: string | null, flags: Flags['flags']): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  // An IPv6 address in brackets is no pattern.
  if (!flags.has('globoff') && /[[\]{}]/.test(url.replace(/^\w+:\/\/[^/?#]*/, '')))
    throw refused('patterns like [1-3] and {a,b} in a URL; add --globoff where they stand for themselves')
  if (!query) return url
  const [base = '', fragment] = url.split('#', 2)
  return `${base}${base.includes('?') ? '&' : '?'}${query}${fragment === undefined ? '' : `#${fragment}`}`
}
