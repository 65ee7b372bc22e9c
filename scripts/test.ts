/** `npm test`: a Chromium, a fresh build, then every layer's tests. Arguments go to vitest (`npm test -- store`). */
import { buildIfStale } from './build.ts'
import { ensureChromium } from './chromium.ts'
import { findElectron } from './electron-binary.ts'
import { inRepository, runNode, say } from './repository.ts'

const chromium = ensureChromium()
if (chromium === null) process.exit(1)
await buildIfStale()

const electron = findElectron()
say(`Chromium: ${chromium}`)
say('path' in electron ? `Electron: ${electron.path}` : `Electron: a stand-in runs main.cjs (${electron.missing})`)

const vitest = inRepository('node_modules', 'vitest', 'vitest.mjs')
process.exitCode = await runNode([vitest, 'run', ...process.argv.slice(2)], {
  env: { ...process.env, CHROMIUM_PATH: chromium },
})
