#!/usr/bin/env node
/**
 * Entry of the command line: looks at the Node it runs on, hands the arguments to the commands in cli/, turns what
 * they throw into one sentence and an exit code.
 */
import { useCodeCache } from './engine/code-cache.ts'
import { startLaneThread } from './engine/lane/lane-thread.ts'
import { LANE_WORKER } from './lane-entry.ts'

const OLDEST_NODE = 24
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `nighthaul: Node ${process.versions.node} is too old, ${OLDEST_NODE} is needed: ` +
      'in a checkout, “npm run -s nighthaul -- …” brings its own\n',
  )
  process.exit(1)
}

useCodeCache(import.meta.dirname)

// Several downloads move their bytes in a thread, which takes as long to start as the command itself: side by side.
const [command, ...rest] = process.argv.slice(2)
const hasList = rest.some((argument) => /^(-i|--input)/.test(argument))
if (command === 'get' && (hasList || rest.filter((argument) => /^https?:/i.test(argument)).length > 1))
  startLaneThread(LANE_WORKER)

// Should nothing be left to do before it ends, that was no success.
process.exitCode = 1
void import('./cli/main.ts').then(({ main }) => main(process.argv.slice(2)))
