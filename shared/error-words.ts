/** An error in the user's language, by its code; the engine's own sentence where there are no words for it. Pure. */

import type { ErrorWords } from './errors.en.ts'
import { type ErrorInfo, isErrorCode } from './errors.ts'

/** `next` is empty when only the engine's sentence is known, which says by itself what to do. */
export function errorWords(error: ErrorInfo, words: Partial<Record<string, ErrorWords>>): ErrorWords {
  const known = isErrorCode(error.code) ? words[error.code] : undefined
  if (known === undefined) return { title: error.message, next: '' }
  const title = fill(known.title, error)
  const next = fill(known.next, error)
  // A sentence with a hole in it says less than the engine's.
  return title === undefined || next === undefined ? { title: error.message, next: '' } : { title, next }
}

function fill(template: string, error: ErrorInfo): string | undefined {
  let complete = true
  const text = template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = error.params[name]
    if (value === undefined || value === null) complete = false
    return String(value)
  })
  return complete ? text : undefined
}
