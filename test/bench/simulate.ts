/**
 * `node test/bench/simulate.ts [trace…]`: what the planner makes of recorded connection speeds, in virtual time. A trace
 * is a JSON file (traces.ts has its format), or the name of one in test/bench/traces; without any, all of those.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { say } from '../../scripts/repository.ts'
import { formatBytes } from '../../shared/format.ts'
import { type SimulationResult, simulate } from './simulation.ts'
import type { Trace } from './traces.ts'

const TRACES = new URL('./traces/', import.meta.url)

export function traceNames(): string[] {
  return readdirSync(TRACES)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
}

export function readTrace(name: string): Trace {
  const path = existsSync(name) ? name : new URL(`${name}.json`, TRACES)
  return JSON.parse(readFileSync(path, 'utf8')) as Trace
}

function row(name: string, result: SimulationResult): string[] {
  return [
    name,
    (result.totalMs / 1000).toFixed(2),
    (result.rampMs / 1000).toFixed(2),
    (result.tailMs / 1000).toFixed(2),
    `${formatBytes(result.usualBytesPerSecond)}/s`,
    String(result.mostAtOnce),
    String(result.connections),
    String(result.requests),
    formatBytes(result.surplusBytes),
    result.reasons.join(' '),
  ]
}

const HEAD = ['trace', 'total s', 'ramp s', 'tail s', 'usual', 'at once', 'sockets', 'requests', 'surplus', 'reasons']

if (import.meta.main) {
  const names = process.argv.slice(2)
  const rows = [HEAD]
  for (const name of names.length > 0 ? names : traceNames())
    rows.push(row(basename(name, '.json'), await simulate(readTrace(name))))
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  for (const cells of rows)
    say(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
}
