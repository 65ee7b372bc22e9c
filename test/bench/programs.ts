/** The programs that a benchmark needs: which are there, their versions, and what to install where one is not. */
import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export type ProgramName = 'nginx' | 'time' | 'curl' | 'aria2c' | 'wget2' | 'wget'

export interface Program {
  path: string
  version: string
}

export type Programs = Readonly<Partial<Record<ProgramName, Program>>>

interface Wanted {
  name: ProgramName
  what: string
  /** commands it goes by */
  commands: readonly string[]
  versionFlag: string
  /** what the version line looks like; another program of the same name does not match */
  version: RegExp
  debian: string
  homebrew: string
  /** without it nothing can be measured */
  required: boolean
}

const WANTED: readonly Wanted[] = [
  {
    name: 'nginx',
    what: 'the server',
    commands: ['nginx'],
    versionFlag: '-v',
    version: /nginx\/(\S+)/,
    debian: 'nginx-light',
    homebrew: 'nginx',
    required: true,
  },
  {
    name: 'time',
    what: 'GNU time, which measures',
    commands: ['time', 'gtime'],
    versionFlag: '--version',
    version: /\bGNU Time\)? (\S+)/i,
    debian: 'time',
    homebrew: 'gnu-time',
    required: true,
  },
  {
    name: 'curl',
    what: 'the yardstick',
    commands: ['curl'],
    versionFlag: '--version',
    version: /^curl (\S+)/,
    debian: 'curl',
    homebrew: 'curl',
    required: true,
  },
  {
    name: 'aria2c',
    what: 'a peer',
    commands: ['aria2c'],
    versionFlag: '--version',
    version: /^aria2 version (\S+)/,
    debian: 'aria2',
    homebrew: 'aria2',
    required: false,
  },
  {
    name: 'wget2',
    what: 'a peer',
    commands: ['wget2'],
    versionFlag: '--version',
    version: /^GNU Wget2 (\S+)/,
    debian: 'wget2',
    homebrew: 'wget2',
    required: false,
  },
  {
    name: 'wget',
    what: 'a peer',
    commands: ['wget'],
    versionFlag: '--version',
    version: /^GNU Wget (\S+)/,
    debian: 'wget',
    homebrew: 'wget',
    required: false,
  },
]

export interface FoundPrograms {
  programs: Programs
  /** one line each: what is not there and how to get it */
  missing: string[]
  /** a required one is among the missing */
  unusable: boolean
}

/** Looks for all of them on PATH. Installs nothing. */
export async function findPrograms(): Promise<FoundPrograms> {
  const programs: Partial<Record<ProgramName, Program>> = {}
  const missing: string[] = []
  let unusable = false
  for (const wanted of WANTED) {
    const program = await findProgram(wanted)
    if (program !== null) {
      programs[wanted.name] = program
      continue
    }
    unusable ||= wanted.required
    const { name, what, debian, homebrew, required } = wanted
    const consequence = required ? 'nothing can be measured without it' : 'its rows are left out'
    missing.push(
      `${name} (${what}) is not on PATH; ${consequence}: apt-get install ${debian}, or brew install ${homebrew}`,
    )
  }
  return { programs, missing, unusable }
}

async function findProgram({ commands, versionFlag, version }: Wanted): Promise<Program | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const command of commands) {
      const path = join(folder, command)
      if (!isExecutable(path)) continue
      const found = version.exec(await versionText(path, versionFlag))
      if (found !== null) return { path, version: found[1]! }
    }
  }
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function versionText(path: string, flag: string): Promise<string> {
  try {
    const { stdout, stderr } = await execute(path, [flag])
    return stdout + stderr
  } catch (error) {
    // another program of that name may not know the flag: what it says then does not match
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return stdout + stderr
  }
}
