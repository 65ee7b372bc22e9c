/** The version, from the package that holds this code (in a checkout as in the built app). */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

export function version(): string {
  const path = findPackageJSON(import.meta.url)
  if (path === undefined) throw new Error('package.json is missing beside the code')
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
