/** Tests live in test/ alone; vite.config.ts is the window's build and has another root. */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { PATIENT_MS } from './test/helpers/patience.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Many tests wait for timers, disks and other processes: two files at once even where there are two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Real processes, sockets and browsers on a busy machine: a limit for what hangs, not a measure of speed.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: PATIENT_MS } },
  },
})
