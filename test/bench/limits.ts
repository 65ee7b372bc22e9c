/**
 * `npx node test/bench/limits.ts`: how true speed limits are. An engine as `get` runs it, workers and all, downloads from
 * a server on loopback that would give far more; counted is what it took from the network in ten seconds, once every
 * connection is under way. It asserts nothing.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openSession } from '../../electron/cli/engine-session.ts'
import { contract } from '../../shared/contract.ts'
import type { ThroughputSample } from '../../shared/schemas.ts'

const SECONDS = 10
/** What comes before: connections open one after the other. */
const WARM_UP_SECONDS = 2
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
  /** over the ten seconds */
  measuredBytesPerSecond: number
  /** the fastest of its seconds */
  fastestBytesPerSecond: number
  /** share of the set rate by which it was missed: above 0 it was too fast */
  deviation: number
}

const CASES: readonly Case[] = RATES.flatMap((bytesPerSecond) => [
  { name: 'one connection', bytesPerSecond, files: 1, connections: 1 },
  { name: 'eight connections', bytesPerSecond, files: 1, connections: 8 },
  { name: 'six files, two connections each', bytesPerSecond, files: 6, connections: 2 },
])

/** Measures every case, one after the other. */
export async function measureLimits(): Promise<LimitFigures[]> {
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
    for (const [index, case_] of CASES.entries()) figures.push(await measure(case_, base, join(folder, String(index))))
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

async function measure(case_: Case, base: string, folder: string): Promise<LimitFigures> {
  const { bytesPerSecond, files, connections } = case_
  // Large enough to be divided, and not to be over before it was measured.
  const size = Math.max(2 * SECONDS * bytesPerSecond, 64 * 1024 * 1024)
  const session = await openSession(join(folder, 'profile'), {
    limitBytesPerSecond: bytesPerSecond,
    connectionsPerDownload: connections,
    connectionsPerHost: files * connections,
    downloadsAtOnce: files,
    durability: 'background',
  })
  try {
    await session.engine.start()
    const samples = collect(session.engine.events, WARM_UP_SECONDS + SECONDS)
    const items = Array.from({ length: files }, (_, n) => ({ url: `${base}/${size}/${n}.bin` }))
    session.engine.handlers['tasks.add'](contract['tasks.add'].input.parse({ items, folder: join(folder, 'files') }))
    const rates = (await samples).slice(WARM_UP_SECONDS).map((sample) => sample.bytesPerSecond)
    const measured = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
    return {
      ...case_,
      measuredBytesPerSecond: measured,
      fastestBytesPerSecond: Math.max(...rates),
      deviation: measured / bytesPerSecond - 1,
    }
  } finally {
    await session.close()
  }
}

type Events = Awaited<ReturnType<typeof openSession>>['engine']['events']

/** So many seconds, from the first in which bytes came. */
function collect(events: Events, seconds: number): Promise<ThroughputSample[]> {
  const samples: ThroughputSample[] = []
  return new Promise((resolve) => {
    const subscription = events.subscribe(
      'throughput.tick',
      (sample) => {
        if (samples.length > 0 || sample.bytesPerSecond > 0) samples.push(sample)
        if (samples.length < seconds) return
        subscription.dispose()
        resolve(samples)
      },
      { visible: true },
    )
  })
}

/** The figures as a Markdown table. */
export function limitsTable(figures: readonly LimitFigures[]): string {
  const lines = figures.map((row) => [
    row.name,
    String(row.bytesPerSecond),
    row.measuredBytesPerSecond.toFixed(0),
    `${row.deviation < 0 ? '−' : '+'}${Math.abs(100 * row.deviation).toFixed(2)} %`,
    row.fastestBytesPerSecond.toFixed(0),
  ])
  return [
    ['case', 'set, bytes/s', 'over 10 s', 'deviation', 'fastest second'],
    ['---', '---:', '---:', '---:', '---:'],
    ...lines,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

if (import.meta.main) process.stdout.write(`${limitsTable(await measureLimits())}\n`)
