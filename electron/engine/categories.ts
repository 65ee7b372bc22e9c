/** Where a download goes by the rules of its queue. Pure. */
import { isAbsolute, join } from 'node:path'
import type { CategoryRule } from '../../shared/queues.ts'

/** The folder of the first rule that fits a link and the name of its file; null: none does. */
export function categoryFolder(
  rules: readonly CategoryRule[],
  file: { url: string; filename: string | null },
  base: string,
): string | null {
  if (rules.length === 0) return null
  const url = new URL(file.url)
  const extension = extensionOf(file.filename ?? url.pathname)
  const rule = rules.find(
    ({ extensions, hosts }) =>
      (extensions.length === 0 || (extension !== null && extensions.includes(extension))) &&
      (hosts.length === 0 || hosts.some((host) => url.hostname === host || url.hostname.endsWith(`.${host}`))),
  )
  if (!rule) return null
  return isAbsolute(rule.folder) ? rule.folder : join(base, rule.folder)
}

/** Lower case, without the dot; of `name.tar.gz` it is `gz`. */
function extensionOf(path: string): string | null {
  return /[^/\\]\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? null
}
