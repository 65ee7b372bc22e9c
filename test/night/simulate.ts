/**
 * `npm run night -- --seed S --files N [--scenario NAME] [--json]`: spends simulated nights and prints what is there in
 * the morning. The code is 1 if anything is wrong, was asked too often, or is not said as it was.
 */
import { parseArgs } from 'node:util'
import { say } from '../../scripts/repository.ts'
import { formatBytes } from '../../shared/format.ts'
import { isGood, judge, type Verdict } from './judge.ts'
import { spendNight } from './night.ts'
import { planNight, SCENARIOS, type Scenario } from './scenarios.ts'

const USAGE = `usage: npm run night -- [options]
  --seed S          repeats a night (1)
  --files N         downloads in it (1000)
  --hours H         how long its window is open, where the scenario does not say (8)
  --scenario NAME   one of ${SCENARIOS.join(', ')}; all of them when left out
  --json            one line of JSON for each night
  --verbose         what the engine logs, on standard error`

const MOST_LINES = 20

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    files: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '8' },
    scenario: { type: 'string' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [seed, count, hours] = [Number(values.seed), Number(values.files), Number(values.hours)]
const names = SCENARIOS.filter((name) => values.scenario === undefined || name === values.scenario)

if (
  values.help ||
  !Number.isSafeInteger(seed) ||
  !(Number.isSafeInteger(count) && count > 0) ||
  names.length === 0 ||
  !(hours >= 3)
) {
  say(USAGE)
  process.exitCode = values.help ? 0 : 2
} else await main(names)

async function main(scenarios: readonly Scenario[]): Promise<void> {
  if (!values.json)
    say(row(['night', 'had', 'of', 'wrong', 'requests', 'retries', 'bytes', 'violations', 'hours', 'seconds']))
  for (const scenario of scenarios) {
    const verdict = judge(
      await spendNight(planNight(scenario, seed, count, hours), values.verbose ? loud() : undefined),
    )
    if (!isGood(verdict)) process.exitCode = 1
    say(values.json ? JSON.stringify(verdict) : lines(verdict).join('\n'))
  }
}

function lines(verdict: Verdict): string[] {
  const { scenario, had, possible, wrong, requests, retries, bytes, violations, simulatedHours, realSeconds } = verdict
  const figures = [had, possible, wrong, requests, retries, formatBytes(bytes), violations.length]
  const reasons = Object.entries(verdict.reasons).map(([reason, files]) => `  ${files} × ${reason}`)
  const complaints = [...violations.map(({ rule, text }) => `${rule}: ${text}`), ...verdict.complaints]
  return [
    row([scenario, ...figures, simulatedHours.toFixed(1), realSeconds.toFixed(1)]),
    ...reasons,
    ...complaints.slice(0, MOST_LINES).map((complaint) => `  ! ${complaint}`),
    ...(complaints.length > MOST_LINES ? [`  ! and ${complaints.length - MOST_LINES} more`] : []),
  ]
}

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, n) => (n === 0 ? String(cell).padEnd(12) : String(cell).padStart(10))).join('')
}

function loud() {
  const log = (data: Record<string, unknown>, message: string) => console.error(message, JSON.stringify(data))
  return { debug() {}, info: log, warn: log, error: log }
}
