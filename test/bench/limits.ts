/**
 * `npx node test/bench/limits.ts`: how true speed limits are, as a person meets them. Whole `get` processes download
 * ten seconds' worth from a server on loopback that would give far more; the table says what rate came out. It asserts
 * nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { inRepository } from '../../scripts/repository.ts'

const SECONDS = 10
const RATES = [100_000, 1_000_000, 50_000_000] as const
const CHUNK = Buffer.alloc(256 * 1024)

interface Case {
  name: string
  bytesPerSecond: number
  /** files at once, and connections for each */
  files: number
  connections: number
}

export interface LimitFigures extends Case {
  bytes: number
  seconds: number
  /** share of the set rate by which it was missed: above 0 it was too fast */
  deviation: number
}

const CASES: readonly Case[] = RATES.flatMap((bytesPerSecond) => [
  { name: 'one connection', bytesPerSecond, files: 1, connections: 1 },
  { name: 'eight connections', bytesPerSecond, files: 1, connections: 8 },
  { name: 'four files, two connections each', bytesPerSecond, files: 4, connections: 2 },
])

/** Measures every case, one after the other. */
export async function measureLimits(signal?: AbortSignal): Promise<LimitFigures[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nighthaul-limits-'))
  const server = createServer((request, response) => {
    const size = Number(new URL(request.url ?? '/', 'http://x').pathname.split('/')[1])
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = to ? Number(to) + 1 : size
    response.writeHead(from === undefined ? 200 : 206, {
      'content-length': end - start,
      etag: `"${size}"`,
      ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    })
    // A client that leaves early is no failure.
    Readable.from(zeros(end - start)).pipe(response)
  })
  try {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const figures: LimitFigures[] = []
    for (const [index, case_] of CASES.entries())
      figures.push(await measure(case_, base, join(folder, String(index)), signal))
    return figures
  } finally {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function* zeros(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

async function measure(case_: Case, base: string, folder: string, signal?: AbortSignal): Promise<LimitFigures> {
  const { bytesPerSecond, files, connections } = case_
  const size = Math.round((bytesPerSecond * SECONDS) / files)
  const urls = Array.from({ length: files }, (_, n) => `${base}/${size}/${n}.bin`)
  const flags = ['--json', '--limit-rate', String(bytesPerSecond), '-x', String(connections), '-j', String(files)]
  const child = spawn(
    process.execPath,
    [inRepository('electron', 'cli.ts'), 'get', ...flags, '-d', join(folder, 'files'), ...urls],
    { env: { ...process.env, NIGHTHAUL_HOME: join(folder, 'profile') }, stdio: ['ignore', 'pipe', 'inherit'], signal },
  )
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`get ended with ${code}: ${output}`)
  const done = output
    .split('\n')
    .filter((line) => line.startsWith('{"type":"done"'))
    .map((line) => JSON.parse(line) as { bytes: number; seconds: number })
  const bytes = done.reduce((sum, line) => sum + line.bytes, 0)
  const seconds = Math.max(...done.map((line) => line.seconds))
  return { ...case_, bytes, seconds, deviation: bytes / seconds / bytesPerSecond - 1 }
}

/** The figures as a Markdown table. */
export function limitsTable(figures: readonly LimitFigures[]): string {
  const lines = figures.map(({ name, bytesPerSecond, bytes, seconds, deviation }) => [
    name,
    String(bytesPerSecond),
    (bytes / seconds).toFixed(0),
    `${deviation < 0 ? '−' : '+'}${Math.abs(100 * deviation).toFixed(2)} %`,
  ])
  return [['case', 'set, bytes/s', 'measured', 'deviation'], ['---', '---:', '---:', '---:'], ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

if (import.meta.main) process.stdout.write(`${limitsTable(await measureLimits())}\n`)
