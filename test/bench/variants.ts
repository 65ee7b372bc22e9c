/**
 * The command lines that are compared. Peers get the flags they are fastest with: aria2c would write the whole file
 * with zeros first (`--file-allocation=prealloc`), so it is told not to.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inRepository } from '../../scripts/repository.ts'
import type { Command } from './measure.ts'
import type { Programs } from './programs.ts'
import { TEST_ONLY_CA } from './server.ts'

export interface Variant {
  name: string
  /** the command that downloads into `folder` */
  command(folder: string): Command
}

export const CURL = 'curl'
export const ARIA2_8 = 'aria2c -x8'
export const ARIA2_SMALL = 'aria2c -j16'

interface Entry {
  label: string
  path: string
}

/** The command line as it stands in the checkout, and as `npm run build` leaves it where that was run. */
export function entries(): Entry[] {
  const built = inRepository('dist', 'electron', 'cli.js')
  const source = { label: 'source', path: inRepository('electron', 'cli.ts') }
  return existsSync(built) ? [{ label: 'built', path: built }, source] : [source]
}

const node = (entry: Entry, ...args: string[]): Command => ({ program: process.execPath, args: [entry.path, ...args] })

/** Every program that is there, given its command line. */
function peers(programs: Programs, lines: readonly [name: string, program: keyof Programs, Variant['command']][]) {
  return lines.flatMap(([name, program, command]): Variant[] => (programs[program] ? [{ name, command }] : []))
}

/** One file. `name` is what it must be saved as. */
export function oneFile(url: string, name: string, programs: Programs): Variant[] {
  const path = (name_: keyof Programs) => programs[name_]!.path
  const secure = url.startsWith('https:')
  const trusting = (flag: string) => (secure ? [flag, TEST_ONLY_CA] : [])
  const trustingWith = (flag: string) => (secure ? [`${flag}=${TEST_ONLY_CA}`] : [])
  const get = (entry: Entry, ...flags: string[]): Variant['command'] => {
    return (folder) => node(entry, 'get', ...trusting('--ca'), ...flags, '-o', join(folder, name), url)
  }
  const [best, ...others] = entries()
  const aria2 = (connections: number): Variant['command'] => {
    return (folder) => ({
      program: path('aria2c'),
      args: [
        ...ARIA2_FLAGS,
        ...trustingWith('--ca-certificate'),
        `-x${connections}`,
        `-s${connections}`,
        '-d',
        folder,
        '-o',
        name,
        url,
      ],
    })
  }
  const wget = (program: 'wget' | 'wget2'): Variant['command'] => {
    return (folder) => ({
      program: path(program),
      args: ['-q', '--no-config', ...trustingWith('--ca-certificate'), '-O', join(folder, name), url],
    })
  }
  return [
    { name: `get (${best!.label})`, command: get(best!) },
    { name: `get -x 1 (${best!.label})`, command: get(best!, '-x', '1') },
    ...others.map((entry) => ({ name: `get (${entry.label})`, command: get(entry) })),
    ...peers(programs, [
      [
        CURL,
        'curl',
        (folder) => ({
          program: path('curl'),
          args: ['-q', '-sSf', ...trusting('--cacert'), '-o', join(folder, name), url],
        }),
      ],
      ['aria2c -x1', 'aria2c', aria2(1)],
      [ARIA2_8, 'aria2c', aria2(8)],
      ['wget2', 'wget2', wget('wget2')],
      ['wget', 'wget', wget('wget')],
    ]),
  ]
}

const ARIA2_FLAGS = ['--no-conf', '--quiet', '--file-allocation=none']

/** One file that is on the disk when the program ends: `get --durable`, and the peers with `sync FILE` after them. */
export function oneDurableFile(url: string, name: string, programs: Programs): Variant[] {
  const [best] = entries()
  const wanted = new Set([CURL, ARIA2_8])
  return [
    {
      name: `get --durable (${best!.label})`,
      command: (folder) => node(best!, 'get', '--durable', '-o', join(folder, name), url),
    },
    ...oneFile(url, name, programs)
      .filter((variant) => wanted.has(variant.name))
      .map((variant) => ({
        name: `${variant.name}, sync`,
        command: (folder: string) => thenSync(variant.command(folder), join(folder, name)),
      })),
  ]
}

function thenSync({ program, args }: Command, file: string): Command {
  return { program: '/bin/sh', args: ['-c', 'file=$1; shift; "$@" && sync "$file"', 'sh', file, program, ...args] }
}

/** Lists of URLs as each program wants them. */
export interface UrlLists {
  /** one URL a line */
  plain: string
  /** a curl configuration that names URL and output, the latter relative to the output folder */
  curl: string
}

export const SMALL_CONNECTIONS = 16

/** Many small files of one host, 16 connections. */
export function manyFiles(lists: UrlLists, secure: boolean, programs: Programs): Variant[] {
  const path = (name: keyof Programs) => programs[name]!.path
  const jobs = String(SMALL_CONNECTIONS)
  const trusting = (flag: string) => (secure ? [flag, TEST_ONLY_CA] : [])
  const trustingWith = (flag: string) => (secure ? [`${flag}=${TEST_ONLY_CA}`] : [])
  return [
    ...entries().map((entry) => ({
      name: `get -i - -j 16 (${entry.label})`,
      command: (folder: string): Command => ({
        ...node(entry, 'get', ...trusting('--ca'), '-i', '-', '-j', jobs, '--max-host-connections', jobs, '-d', folder),
        input: lists.plain,
      }),
    })),
    ...peers(programs, [
      [
        CURL,
        'curl',
        (folder) => ({
          program: path('curl'),
          args: [
            '-q',
            '-sSf',
            ...trusting('--cacert'),
            '--parallel',
            '--parallel-max',
            jobs,
            '--output-dir',
            folder,
            '-K',
            lists.curl,
          ],
        }),
      ],
      [
        ARIA2_SMALL,
        'aria2c',
        (folder) => ({
          program: path('aria2c'),
          args: [...ARIA2_FLAGS, ...trustingWith('--ca-certificate'), `-j${jobs}`, '-i', lists.plain, '-d', folder],
        }),
      ],
      [
        'wget2 --max-threads=16',
        'wget2',
        (folder) => ({
          program: path('wget2'),
          args: [
            '-q',
            '--no-config',
            ...trustingWith('--ca-certificate'),
            `--max-threads=${jobs}`,
            '-i',
            lists.plain,
            '-P',
            folder,
          ],
        }),
      ],
      [
        'wget',
        'wget',
        (folder) => ({
          program: path('wget'),
          args: ['-q', '--no-config', ...trustingWith('--ca-certificate'), '-i', lists.plain, '-P', folder],
        }),
      ],
    ]),
  ]
}
