/** The words of a report for what went wrong: the same that the window has. Pure. */
import { errorWords } from '../../shared/error-words.ts'
import { errorsEn } from '../../shared/errors.en.ts'
import { isErrorCode } from '../../shared/errors.ts'
import type { Reason } from '../../shared/report.ts'

export function reasonOf(code: string | null, message: string, params: Reason['params']): Reason {
  const known = code !== null && isErrorCode(code) ? code : 'internal'
  return { code: known, params, message, ...errorWords({ code: known, message, params }, errorsEn) }
}
