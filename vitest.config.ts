/** Tests live in test/ alone; vite.config.ts is the window's build and has another root. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes, sockets and browsers on a busy machine: a limit for what hangs, not a measure of speed.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
