/** What a reader must know of the machine to judge the figures. */
import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { promisify } from 'node:util'
import { ROOT } from '../../scripts/repository.ts'
import type { Programs } from './programs.ts'

const execute = promisify(execFile)

/** statfs(2) magic numbers; others are given as they are. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs (memory)',
  2035054128: 'overlay',
  801189825: 'zfs',
}

export interface MachineFacts {
  system: string
  cpu: string
  cores: number
  memoryBytes: number
  /** of the folder that is downloaded to */
  fileSystem: string
  node: string
  /** commit of this checkout, with `+` where files differ from it; null outside git */
  commit: string | null
  programs: Record<string, string>
}

export async function machineFacts(folder: string, programs: Programs): Promise<MachineFacts> {
  const { type: magic } = await statfs(folder)
  return {
    system: `${type()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    fileSystem: FILE_SYSTEMS[magic] ?? `0x${magic.toString(16)}`,
    node: process.versions.node,
    commit: await commit(),
    programs: Object.fromEntries(Object.entries(programs).map(([name, { version }]) => [name, version])),
  }
}

async function commit(): Promise<string | null> {
  try {
    const head = await execute('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT })
    const changed = await execute('git', ['status', '--porcelain', '--', 'electron', 'shared'], { cwd: ROOT })
    return head.stdout.trim() + (changed.stdout === '' ? '' : '+')
  } catch {
    // an unpacked archive, or no git at all
    return null
  }
}
