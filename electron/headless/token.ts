/** The token of the headless host: given by the user, or made once and kept in the profile. */
import { randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { NighthaulError } from '../../shared/errors.ts'
import { tokenPath } from '../profile.ts'

/** @throws NighthaulError `usage` for a token that a header cannot carry */
export function checkedToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new NighthaulError(
    'usage',
    'The token must be made of letters, digits and signs without spaces; nothing was started. Leave --token out to get a safe one.',
  )
}

/** The profile's own token, 256 random bits; it survives restarts, so open windows and bookmarks go on working. */
export function keptToken(profile: string): string {
  const path = tokenPath(profile)
  const kept = readIfThere(path)?.trim()
  const token = kept && /^[\w-]{43}$/.test(kept) ? kept : randomBytes(32).toString('base64url')
  if (token !== kept) writeFileSync(path, `${token}\n`, { mode: 0o600 })
  // `mode` counts only for a new file
  chmodSync(path, 0o600)
  return token
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
