/** Logins by host, as curl, wget and ftp read them from a netrc file. Pure. */
import { NighthaulError } from '../../../shared/errors.ts'

export interface NetrcLogin {
  /** lower-case host name; null: the entry `default`, for any host without one */
  host: string | null
  user: string
  password: string
}

/**
 * The entries of a netrc file, in order. Values may be quoted, with \" \\ \n \r \t inside, as in curl; macros and
 * `account` are passed over, `#` begins a comment at the start of a word. Throws `invalid_input` naming the line; no
 * value appears in the message.
 */
export function parseNetrc(text: string): NetrcLogin[] {
  const logins: NetrcLogin[] = []
  const words = wordsOf(text)
  const valueAfter = (key: Word): string => {
    const next = words.next()
    if (next.done) throw unreadable(key.line, `“${key.text}” without its value`)
    return next.value.text
  }
  for (const word of words) {
    const current = logins.at(-1)
    if (word.text === 'machine') logins.push({ host: valueAfter(word).toLowerCase(), user: '', password: '' })
    else if (word.text === 'default') logins.push({ host: null, user: '', password: '' })
    else if (current && word.text === 'login') current.user = valueAfter(word)
    else if (current && word.text === 'password') current.password = valueAfter(word)
    else if (current && word.text === 'account') valueAfter(word)
    else throw unreadable(word.line, 'something that is no entry')
  }
  return logins
}

/**
 * The login for `host`. The entry `default` counts only where `mayDefault`: it would otherwise go to whatever host a
 * link redirects to.
 */
export function netrcLogin(
  logins: readonly NetrcLogin[],
  host: string,
  mayDefault: boolean,
): { user: string; password: string } | null {
  const found =
    logins.find((login) => login.host === host.toLowerCase()) ??
    (mayDefault ? logins.find((login) => login.host === null) : undefined)
  return found ? { user: found.user, password: found.password } : null
}

interface Word {
  text: string
  /** 1-based */
  line: number
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
const WORD = /"((?:[^"\\\n]|\\.)*)"(?=\s|$)|([^\s"]\S*)/y

function* wordsOf(text: string): Generator<Word, void, void> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  let inMacro = false
  for (const [index, line] of lines.entries()) {
    // A macro goes on to the next empty line.
    if (inMacro && line.trim() !== '') continue
    inMacro = false
    for (let at = 0; at < line.length; ) {
      if (/\s/.test(line[at]!)) {
        at++
        continue
      }
      if (line[at] === '#') break
      WORD.lastIndex = at
      const found = WORD.exec(line)
      if (!found) throw unreadable(index + 1, 'a quotation mark without its twin')
      at = WORD.lastIndex
      if (found[2] === 'macdef') {
        inMacro = true
        break
      }
      yield { text: found[2] ?? found[1]!.replace(/\\(.)/g, (_, c: string) => ESCAPES[c] ?? c), line: index + 1 }
    }
  }
}

function unreadable(line: number, what: string): NighthaulError {
  return new NighthaulError(
    'invalid_input',
    `Line ${line} of the netrc file holds ${what}. Nothing was sent; it should read: machine HOST login NAME password PASSWORD.`,
    { line },
  )
}
