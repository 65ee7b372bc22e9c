/** `backups`, `restore`: the copies of the list, and putting one in its place. */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { formatBytes, formatCount } from '../../shared/format.ts'
import { databasePath, profileFolder, takeQueueLock } from '../profile.ts'
import { allBackups } from '../store/backup-files.ts'
import { restoreBackup } from '../store/restore.ts'
import type { ListFlags } from './list-commands.ts'
import { commandLogger } from './logger.ts'
import { callerPath, print, printJson, say } from './terminal.ts'

export async function backups(flags: ListFlags): Promise<number> {
  const found = allBackups(databasePath(profileFolder({ flag: flags.profile, env: process.env })), Date.now())
  if (found.length === 0 && !flags.json) say('nighthaul: There is no backup of the list yet')
  for (const { path, at, bytes, daily } of found) {
    if (flags.json) printJson({ name: basename(path), path, at, bytes, daily })
    else
      print(
        `${basename(path)}\t${new Date(at).toLocaleString()}\t${formatBytes(bytes)}${daily ? '' : '\tbefore an update'}`,
      )
  }
  return 0
}

/** `which`: a name as `backups` shows it, a path, or `latest`. */
export async function restore(which: string, flags: ListFlags): Promise<number> {
  const profile = profileFolder({ flag: flags.profile, env: process.env })
  const path = databasePath(profile)
  const backup = find(which, path)
  const lock = takeQueueLock(profile, 'headless')
  try {
    const report = restoreBackup(path, backup, { now: Date.now, logger: await commandLogger() })
    if (flags.json) printJson({ ...report, backup })
    else print(`The list is as it was in ${basename(backup)}: ${formatCount(report.tasks)} downloads`)
    if (report.setAside !== null) say(`nighthaul: What was there before is kept as ${report.setAside}`)
    return 0
  } finally {
    lock.release()
  }
}

function find(which: string, path: string): string {
  const known = allBackups(path, Date.now())
  const found = which === 'latest' ? known[0] : known.find((backup) => basename(backup.path) === which)
  if (found !== undefined) return found.path
  if (which !== 'latest' && existsSync(callerPath(which))) return callerPath(which)
  throw new NighthaulError(
    'backup_unusable',
    which === 'latest'
      ? 'There is no backup of the list yet. Nothing was changed.'
      : `There is no backup “${which}”. Nothing was changed; “nighthaul backups” shows which there are.`,
    { path: which },
  )
}
