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
import type { SourceFile } from './sources.ts'

export interface Variant {
  name: string
  /** the command that downloads into `folder` */
  command(folder: string): Command
  /** what it must have saved, where that is not what the workload says */
  files?: readonly SourceFile[]
}

export const CURL = 'curl'
export const ARIA2_8 = 'aria2c -x8'
export const ARIA2_SMALL = 'aria2c -j16'
/** no download manager, but what one on undici cannot be faster than */
const BARE = 'undici alone'

interface Entry {
  label: string
  path: string
}

/** The command line as it stands in the checkout, and as `npm run build` leaves it where that was run. */
export function entries(): Entry[] {
  const built = inRepository('dist', 'electron', 'cli.cjs')
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
  const trust = trustFor(url)
  const get = (entry: Entry, ...flags: string[]): Variant['command'] => {
    return (folder) => node(entry, 'get', ...trust.apart('--ca'), ...flags, '-o', join(folder, name), url)
  }
  const [best, ...others] = entries()
  const wget = (program: 'wget' | 'wget2'): Variant['command'] => {
    return (folder) => ({
      program: programs[program]!.path,
      args: ['-q', '--no-config', ...trust.joined('--ca-certificate'), '-O', join(folder, name), url],
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
          program: programs.curl!.path,
          args: ['-q', '-sSf', ...trust.apart('--cacert'), '-o', join(folder, name), url],
        }),
      ],
      ['aria2c -x1', 'aria2c', aria2(url, name, 1, programs)],
      [ARIA2_8, 'aria2c', aria2(url, name, 8, programs)],
      ['wget2', 'wget2', wget('wget2')],
      ['wget', 'wget', wget('wget')],
    ]),
  ]
}

/** One file from the shaping server with so many connections: `get` and aria2c, whose names are without them. */
export function shapedFile(url: string, name: string, connections: number, programs: Programs): Variant[] {
  const [best] = entries()
  return [
    {
      name: `get (${best!.label})`,
      command: (folder) => node(best!, 'get', '-x', String(connections), '-o', join(folder, name), url),
    },
    // aria2c would use fewer connections for a file this size unless told that a MiB is worth one.
    ...peers(programs, [['aria2c', 'aria2c', aria2(url, name, connections, programs, '--min-split-size=1M')]]),
  ]
}

function aria2(
  url: string,
  name: string,
  connections: number,
  programs: Programs,
  ...flags: string[]
): Variant['command'] {
  return (folder) => ({
    program: programs.aria2c!.path,
    args: [
      ...ARIA2_FLAGS,
      ...trustFor(url).joined('--ca-certificate'),
      `-x${connections}`,
      `-s${connections}`,
      ...flags,
      '-d',
      folder,
      '-o',
      name,
      url,
    ],
  })
}

/** How a program is told to trust the certificate of a URL's server, where it has one. */
function trustFor(url: string): { apart(flag: string): string[]; joined(flag: string): string[] } {
  const secure = url.startsWith('https:')
  return {
    apart: (flag) => (secure ? [flag, TEST_ONLY_CA] : []),
    joined: (flag) => (secure ? [`${flag}=${TEST_ONLY_CA}`] : []),
  }
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

/** Many small files of one host, 16 connections. Where HTTP/2 is offered, a program that knows it may need fewer. */
export function manyFiles(lists: UrlLists, origin: string, programs: Programs): Variant[] {
  const jobs = String(SMALL_CONNECTIONS)
  const trust = trustFor(origin)
  const curl: Variant['command'] = (folder) => ({
    program: programs.curl!.path,
    args: [
      ...['-q', '-sSf', ...trust.apart('--cacert'), ...(origin.startsWith('https:') ? ['--http2'] : [])],
      ...['--parallel', '--parallel-max', jobs, '--output-dir', folder, '-K', lists.curl],
    ],
  })
  const wget = (program: 'wget' | 'wget2', ...flags: string[]): Variant['command'] => {
    return (folder) => ({
      program: programs[program]!.path,
      args: [
        ...['-q', '--no-config', ...trust.joined('--ca-certificate')],
        ...[...flags, '-i', lists.plain, '-P', folder],
      ],
    })
  }
  return [
    ...entries().map((entry) => ({
      name: `get -i - -j 16 (${entry.label})`,
      command: (folder: string): Command => ({
        ...node(
          entry,
          'get',
          ...trust.apart('--ca'),
          '-i',
          '-',
          '-j',
          jobs,
          '--max-host-connections',
          jobs,
          '-d',
          folder,
        ),
        input: lists.plain,
      }),
    })),
    {
      name: BARE,
      command: (folder): Command => ({
        program: process.execPath,
        args: [inRepository('test', 'bench', 'bare-undici.ts'), lists.plain, folder, ...trust.apart('--ca').slice(1)],
      }),
    },
    ...peers(programs, [
      [CURL, 'curl', curl],
      [
        ARIA2_SMALL,
        'aria2c',
        (folder) => ({
          program: programs.aria2c!.path,
          args: [...ARIA2_FLAGS, ...trust.joined('--ca-certificate'), `-j${jobs}`, '-i', lists.plain, '-d', folder],
        }),
      ],
      [`wget2 --max-threads=${jobs}`, 'wget2', wget('wget2', `--max-threads=${jobs}`)],
      ['wget', 'wget', wget('wget')],
    ]),
  ]
}
