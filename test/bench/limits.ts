/**
 * How true speed limits are. An engine as `get` runs it, workers and all, downloads from
 * a server on loopback that would give far more; counted is what it took from the network in ten seconds, once every
 * connection is under way.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openSession } from '../../electron/cli/engine-session.ts'
import { say } from '../../scripts/repository.ts'
import { contract } from '../../shared/contract.ts'
import { formatRate } from '../../shared/format.ts'
import type { ThroughputSample } from '../../shared/schemas.ts'
import type { Table } from './report.ts'
import { type Suite, shown } from './suite.ts'

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

export const limits: Suite = {
  what: 'how true speed limits are: 100 kB/s, 1 MB/s and 50 MB/s, each over ten seconds',
  // The engine wants room for all files of a case, though none is fetched to its end.
  roomBytes: () => Math.max(...CASES.map((each) => each.files * sizeOf(each))),
  async run({ options }) {
    const figures = await measureLimits(join(options.folder, 'limits'), options.signal)
    return [shown({ title: 'Speed limits', table: limitsTable(figures), figures })]
  },
}

/** Measures every case, one after the other. */
async function measureLimits(folder: string, signal: AbortSignal): Promise<LimitFigures[]> {
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
    for (const [index, case_] of CASES.entries()) {
      say(`Speed limits: ${nameOf(case_)}`)
      figures.push(await measure(case_, base, join(folder, String(index)), signal))
    }
    return figures
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function* zeros(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

const nameOf = ({ name, bytesPerSecond }: Case) => `${formatRate(bytesPerSecond)}, ${name}`

/** Large enough to be divided, and not to be over before it was measured. */
function sizeOf({ bytesPerSecond }: Case): number {
  return Math.max(2 * SECONDS * bytesPerSecond, 64 * 1024 * 1024)
}

async function measure(case_: Case, base: string, folder: string, signal: AbortSignal): Promise<LimitFigures> {
  const { bytesPerSecond, files, connections } = case_
  const size = sizeOf(case_)
  const session = await openSession(join(folder, 'profile'), {
    limitBytesPerSecond: bytesPerSecond,
    connectionsPerDownload: connections,
    connectionsPerHost: files * connections,
    downloadsAtOnce: files,
    durability: 'background',
  })
  try {
    await session.engine.start()
    const samples = collect(session.engine.events, WARM_UP_SECONDS + SECONDS, signal)
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
function collect(events: Events, seconds: number, signal: AbortSignal): Promise<ThroughputSample[]> {
  const samples: ThroughputSample[] = []
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    const subscription = events.subscribe(
      'throughput.tick',
      (sample) => {
        if (samples.length > 0 || sample.bytesPerSecond > 0) samples.push(sample)
        if (samples.length < seconds) return
        subscription.dispose()
        signal.removeEventListener('abort', stop)
        resolve(samples)
      },
      { visible: true },
    )
  })
}

function limitsTable(figures: readonly LimitFigures[]): Table {
  return {
    header: ['limit', 'over 10 s', 'deviation', 'fastest second'],
    lines: figures.map((row) => [
      nameOf(row),
      formatRate(row.measuredBytesPerSecond),
      `${row.deviation < 0 ? '−' : '+'}${Math.abs(100 * row.deviation).toFixed(2)} %`,
      formatRate(row.fastestBytesPerSecond),
    ]),
  }
}
