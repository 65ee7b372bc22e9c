/** Finds cURL commands in what was typed or pasted; the engine says what they mean. */
import { useEffect, useState } from 'react'
import { type ErrorInfo, toErrorInfo } from '../../../shared/errors.ts'
import type { AddItem } from '../../../shared/schemas.ts'
import { call, useConnection } from '../../session.ts'

const BEGIN = /^\s*(?:\$ )?curl(?:\.exe)?\s/

export function hasCurl(text: string): boolean {
  return text.split(/\r?\n/).some((line) => BEGIN.test(line))
}

/**
 * The commands of a text, each with all of its lines, and the text without them (their lines left empty, so that the
 * numbers of the others stay). A command goes on while its line ends in \ or ^ or a quotation mark is open. Pure.
 */
export function splitCurl(text: string): { commands: string[]; rest: string } {
  const commands: string[] = []
  const rest: string[] = []
  let open: string[] | null = null
  for (const line of text.split(/\r?\n/)) {
    if (open === null && !BEGIN.test(line)) {
      rest.push(line)
      continue
    }
    open = [...(open ?? []), line]
    rest.push('')
    if (goesOn(open.join('\n'))) continue
    commands.push(open.join('\n').trim())
    open = null
  }
  if (open !== null) commands.push(open.join('\n').trim())
  return { commands, rest: rest.join('\n') }
}

function goesOn(command: string): boolean {
  if (/[\\^]\s*$/.test(command)) return true
  let quote: string | null = null
  for (let at = 0; at < command.length; at++) {
    const char = command[at]!
    if ((char === '\\' || char === '^') && (quote !== "'" || isAnsi(command, at))) at++
    else if (quote === null && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = null
  }
  return quote !== null
}

/** Within $'…' a backslash escapes, within '…' it does not. */
function isAnsi(command: string, at: number): boolean {
  const before = command.slice(0, at)
  return before.lastIndexOf("$'") === before.lastIndexOf("'") - 1 && before.includes("$'")
}

/** What a command means; `pending` until the engine has said it. */
export type CurlMeaning =
  | { kind: 'pending' }
  | { kind: 'items'; items: AddItem[] }
  | { kind: 'wrong'; error: ErrorInfo }

const PENDING: CurlMeaning = { kind: 'pending' }

/** The meaning of each command, asked of the engine once. */
export function useCurl(commands: readonly string[]): readonly CurlMeaning[] {
  const [known, setKnown] = useState<ReadonlyMap<string, CurlMeaning>>(new Map())
  const connected = useConnection((state) => state.status.kind === 'open')
  const unknown = commands.find((command) => !known.has(command))
  useEffect(() => {
    // An engine that is away is asked when it is back.
    if (unknown === undefined || !connected) return
    const learn = (meaning: CurlMeaning): void => setKnown((before) => new Map(before).set(unknown, meaning))
    call('curl.parse', { command: unknown }).then(
      ({ items }) => learn({ kind: 'items', items }),
      (error: unknown) => {
        const info = toErrorInfo(error)
        if (info.code !== 'disconnected') learn({ kind: 'wrong', error: info })
      },
    )
  }, [unknown, connected])
  return commands.map((command) => known.get(command) ?? PENDING)
}
