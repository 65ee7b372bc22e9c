/** Reads WWW-Authenticate (RFC 9110 §11.6.1): which schemes a server offers, with their parameters. Pure. */

export interface Challenge {
  /** lower-case */
  scheme: string
  /** names in lower case; quoted values without their quotes */
  parameters: Readonly<Record<string, string>>
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const PARAMETER = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))\\s*(?=,|$)`, 'y')
/** A scheme, and a token68 where it has one in place of parameters (Negotiate, NTLM). */
const SCHEME = new RegExp(`\\s*(${TOKEN})(?=[ \\t,]|$)(?:[ \\t]+[A-Za-z0-9._~+/-]+=*[ \\t]*(?=,|$))?`, 'y')

const SEPARATOR = /[\s,]*/y

/** The challenges of one or several field lines, in order; what breaks the grammar ends its line. */
export function parseChallenges(value: string | readonly string[] | undefined): Challenge[] {
  return [value ?? []].flat().flatMap(parseLine)
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  let at = 0
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at
    const found = pattern.exec(line)
    if (found) at = pattern.lastIndex
    return found
  }
  for (;;) {
    // A comma stands between parameters and between challenges alike: what follows tells which.
    match(SEPARATOR)
    const current = challenges.at(-1)
    const parameter = current ? match(PARAMETER) : null
    const scheme = parameter ? null : match(SCHEME)
    if (parameter) current!.parameters[parameter[1]!.toLowerCase()] = unquoted(parameter)
    else if (scheme) challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters: {} })
    else return challenges
  }
}

function unquoted([, , quoted, token]: RegExpExecArray): string {
  return quoted?.replace(/\\(.)/g, '$1') ?? token!
}
