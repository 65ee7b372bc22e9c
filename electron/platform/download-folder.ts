/** Where downloads go on this machine when the user has not said. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** The platform's download folder (on Linux the XDG user directory), otherwise `~/Downloads`. It may not exist yet. */
export function defaultDownloadFolder(env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  if (process.platform === 'linux') {
    const configured = env.XDG_DOWNLOAD_DIR ?? readUserDirectory(join(env.XDG_CONFIG_HOME ?? join(home, '.config')))
    const folder = configured?.replace(/^\$HOME(?=\/|$)/, home)
    // The XDG specification: a folder that is no absolute path, or the home itself, means “not set”.
    if (folder && isAbsolute(folder) && folder.replace(/\/+$/, '') !== home) return folder
  }
  return join(home, 'Downloads')
}

function readUserDirectory(configFolder: string): string | undefined {
  try {
    const text = readFileSync(join(configFolder, 'user-dirs.dirs'), 'utf8')
    return /^\s*XDG_DOWNLOAD_DIR="(.*)"\s*$/m.exec(text)?.[1]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
