#!/usr/bin/env node
/**
 * Entry of the command line: looks at the Node it runs on, hands the arguments to the commands in cli/, turns what
 * they throw into one sentence and an exit code.
 */
import { enableCompileCache } from 'node:module'
import { startLaneThread } from './engine/lane/lane-thread.ts'
import { LANE_WORKER } from './lane-entry.ts'

enableCompileCache()

const OLDEST_NODE = 24
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `nighthaul: Node ${process.versions.node} is too old, ${OLDEST_NODE} is needed: ` +
      'in a checkout, “npm run -s nighthaul -- …” brings its own\n',
  )
  process.exit(1)
}

// The thread that downloads takes longest to start, the command itself nearly as long: side by side.
if (process.argv[2] === 'get') startLaneThread(LANE_WORKER)

const { main } = await import('./cli/main.ts')
await main(process.argv.slice(2))
