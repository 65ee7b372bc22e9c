import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { inRepository, ROOT } from '../../scripts/repository.ts'

// electron-builder's own loader and validator; it publishes no types for them.
const { getConfig, validateConfiguration } = createRequire(import.meta.url)(
  'app-builder-lib/out/util/config/config.js',
) as {
  getConfig(projectDir: string, configPath: string | null, options: null): Promise<Record<string, unknown>>
  validateConfiguration(config: unknown, logger: { isEnabled: boolean; add(): void }): Promise<void>
}
const validate = (config: unknown) => validateConfiguration(config, { isEnabled: false, add: () => {} })

test('electron-builder.yml is valid by electron-builder’s own schema, and the schema is strict', async () => {
  const config = await getConfig(ROOT, 'electron-builder.yml', null)
  await validate(config)
  await expect(validate({ ...config, electronFusees: {} })).rejects.toThrow(/electronFusees/)
})

test('electron-builder.yml names the installed Electron, the files that exist, and keeps the fuses shut', async () => {
  const config = await getConfig(ROOT, 'electron-builder.yml', null)
  const { devDependencies } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8'))
  expect(config.electronVersion).toBe(devDependencies.electron)
  expect(config.electronFuses).toMatchObject({
    runAsNode: false,
    onlyLoadAppFromAsar: true,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
  })
  expect(config.npmRebuild).toBe(false)
  expect(existsSync(inRepository('build', 'icon.png'))).toBe(true)
  for (const native of ['better-sqlite3/prebuilds', '@node-rs']) {
    expect(config.asarUnpack).toContain(`node_modules/${native}/**`)
    expect(existsSync(inRepository('node_modules', native))).toBe(true)
  }
})
