/**
 * `/metrics`: the engine's counters in Prometheus' text format (version 0.0.4). Series stay few whatever is downloaded:
 * histograms are of all hosts together, and of hosts only those used lately have counters of their own. Pure but for
 * `scrape`, which asks the engine.
 */
import type { Contract } from '../../shared/contract.ts'
import { type TallyTotals, TIMINGS, type TimingName } from '../../shared/request-statistics.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { StatsTotals } from '../../shared/schemas.ts'
import type { TaskState } from '../../shared/task-state.ts'
import type { ProcessFigures } from './process-figures.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Longer than 70 minutes is one bucket for Prometheus. */
const LONGEST_BUCKET_MS = 2 ** 22

export interface Scrape {
  version: string
  tasks: Record<TaskState, number>
  bytesPerSecond: number
  totals: StatsTotals
  process: ProcessFigures
}

/** Asks the engine for what is shown, beside what the process says of itself. */
export async function scrape(
  handlers: Pick<Handlers<Contract>, 'app.info' | 'tasks.list' | 'throughput.history' | 'stats.totals'>,
  process: ProcessFigures,
): Promise<Scrape> {
  const none = undefined
  const { version } = await handlers['app.info'](none)
  const { counts } = await handlers['tasks.list']({ sort: 'position', descending: false, offset: 0, limit: 1 })
  const { samples } = await handlers['throughput.history'](none)
  const totals = await handlers['stats.totals'](none)
  return { version, tasks: counts, bytesPerSecond: samples.at(-1)?.bytesPerSecond ?? 0, totals, process }
}

type Sample = [labels: Record<string, string>, value: number]

const TIMING_METRICS: Record<TimingName, [name: string, help: string]> = {
  queue: ['nighthaul_request_queue_seconds', 'Time requests waited for a place at their host, a turn or a connection.'],
  connect: ['nighthaul_request_connect_seconds', 'Time to look a name up and connect, of new connections.'],
  tls: ['nighthaul_request_tls_seconds', 'Time of TLS handshakes, of new connections.'],
  firstByte: ['nighthaul_request_first_byte_seconds', 'Time from a request being sent to the head of its reply.'],
  duration: ['nighthaul_request_duration_seconds', 'Time from leaving the queue to the end of the reply.'],
}

export function metricsText({ version, tasks, bytesPerSecond, totals, process }: Scrape): string {
  const { all, hosts } = totals
  const perHost = (value: (host: TallyTotals) => number): Sample[] =>
    hosts.map((host) => [{ host: host.host }, value(host)])
  const byKey = (counts: Record<string, number>, label: string): Sample[] =>
    Object.entries(counts).map(([key, count]) => [{ [label]: key }, count])
  return [
    metric('nighthaul_info', 'gauge', 'The running version.', [[{ version }, 1]]),
    metric('nighthaul_tasks', 'gauge', 'Downloads in the list by state.', byKey(tasks, 'state')),
    metric('nighthaul_throughput_bytes_per_second', 'gauge', 'Bytes received in the last second.', [
      [{}, bytesPerSecond],
    ]),
    metric('nighthaul_requests_total', 'counter', 'Requests that ended, by outcome.', outcomesOf(all)),
    metric('nighthaul_requests_reused_total', 'counter', 'Requests that found a connection open.', [[{}, all.reused]]),
    metric('nighthaul_response_bytes_total', 'counter', 'Bytes of bodies of requests that ended.', [[{}, all.bytes]]),
    metric('nighthaul_responses_total', 'counter', 'Replies by status.', byKey(all.statuses, 'status')),
    metric(
      'nighthaul_request_errors_total',
      'counter',
      'Requests that broke off, by error.',
      byKey(all.errors, 'code'),
    ),
    metric(
      'nighthaul_host_requests_total',
      'counter',
      'Requests that ended, by host and outcome, for hosts used lately.',
      hosts.flatMap((host) =>
        outcomesOf(host).map(([labels, value]): Sample => [{ host: host.host, ...labels }, value]),
      ),
    ),
    metric(
      'nighthaul_host_requests_reused_total',
      'counter',
      'Requests that found a connection open, for hosts used lately.',
      perHost(({ reused }) => reused),
    ),
    metric(
      'nighthaul_host_response_bytes_total',
      'counter',
      'Bytes of bodies of requests that ended, for hosts used lately.',
      perHost(({ bytes }) => bytes),
    ),
    ...TIMINGS.map((name) => histogram(...TIMING_METRICS[name], all.timings[name])),
    ...processMetrics(process),
  ].join('')
}

/** By the names that dashboards for Node know. */
function processMetrics(figures: ProcessFigures): string[] {
  const { median, p99, most } = figures.eventLoopDelay
  const gauge = (name: string, help: string, value: number) => metric(name, 'gauge', help, [[{}, value]])
  return [
    gauge('process_start_time_seconds', 'When the process began.', figures.startedAt),
    metric('process_cpu_seconds_total', 'counter', 'Processor time, of all threads.', [[{}, figures.cpuSeconds]]),
    gauge('process_resident_memory_bytes', 'Memory of the process, with its workers.', figures.residentBytes),
    ...(figures.openFiles === null
      ? []
      : [gauge('process_open_fds', 'Open files, sockets and pipes.', figures.openFiles)]),
    gauge('nodejs_heap_size_used_bytes', 'JavaScript memory of the main thread.', figures.heapUsedBytes),
    gauge('nodejs_external_memory_bytes', 'Buffers of the main thread.', figures.externalBytes),
    gauge('nodejs_eventloop_lag_p50_seconds', 'Median delay of the main loop since the last scrape.', median),
    gauge('nodejs_eventloop_lag_p99_seconds', 'Worst hundredth of that delay.', p99),
    gauge('nodejs_eventloop_lag_max_seconds', 'The longest such delay.', most),
  ]
}

function outcomesOf({ requests, succeeded, failed }: TallyTotals): Sample[] {
  return [
    [{ outcome: 'succeeded' }, succeeded],
    [{ outcome: 'failed' }, failed],
    [{ outcome: 'stopped' }, requests - succeeded - failed],
  ]
}

function metric(
  name: string,
  type: 'gauge' | 'counter' | 'histogram',
  help: string,
  samples: readonly Sample[],
): string {
  return [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, ...samples.map((sample) => line(name, ...sample))].join(
    '',
  )
}

function histogram(name: string, help: string, timing: TallyTotals['timings'][TimingName]): string {
  const count = timing.cumulative.at(-1)?.count ?? 0
  const buckets = timing.cumulative.filter(({ upToMs }) => upToMs <= LONGEST_BUCKET_MS)
  return [
    metric(name, 'histogram', help, []),
    ...buckets.map(({ upToMs, count }) => line(`${name}_bucket`, { le: String(upToMs / 1000) }, count)),
    line(`${name}_bucket`, { le: '+Inf' }, count),
    line(`${name}_sum`, {}, timing.sumMs / 1000),
    line(`${name}_count`, {}, count),
  ].join('')
}

function line(name: string, labels: Record<string, string>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`
}

const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')
