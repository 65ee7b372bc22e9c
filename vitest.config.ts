/** Tests live in test/ alone; vite.config.ts is the window's build and has another root. */
import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['test/**/*.test.ts'] } })
