/** Reports of nights as files in the profile's `reports` folder: `2026-11-25.html` and `.json`, the latest ones kept. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

const REPORT_FILE = /^(\d{4}-\d{2}-\d{2})\.(?:html|json)$/

export function reportsFolder(profile: string): string {
  return join(profile, 'reports')
}

/**
 * Replaces the report of a night, whole or not at all, and deletes those of nights beyond the latest `keep`. Other files
 * in the folder are left alone. Rejects with what the file system says.
 */
export async function saveReport(
  profile: string,
  night: string,
  contents: { json: string; html: string },
  keep: number,
): Promise<{ json: string; html: string }> {
  const folder = reportsFolder(profile)
  // Names of files and hosts are nobody else's business.
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const paths = { json: join(folder, `${night}.json`), html: join(folder, `${night}.html`) }
  await writeWhole(paths.json, contents.json)
  await writeWhole(paths.html, contents.html)
  await rotate(folder, keep)
  return paths
}

async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}

async function rotate(folder: string, keep: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => REPORT_FILE.test(name))
  const nights = [...new Set(names.map((name) => name.slice(0, 10)))].sort().reverse()
  const kept = new Set(nights.slice(0, keep))
  for (const name of names) if (!kept.has(name.slice(0, 10))) await rm(join(folder, name), { force: true })
}
