/** The tray's menu against an engine's profiles, without Electron. */
import type { MenuItemConstructorOptions } from 'electron'
import { expect, test } from 'vitest'
import { createTray } from '../../electron/platform/tray.ts'
import { createFakeEngine, directClient } from '../helpers/fake-engine.ts'

type Item = MenuItemConstructorOptions

function openTray(tasks = 6) {
  const engine = createFakeEngine({ tasks })
  const seen: string[] = []
  const icon = { menu: [] as Item[], toolTip: '' }
  let client = directClient(engine)
  const tray = createTray({
    icon: {
      setMenu: (template) => {
        icon.menu = template
      },
      setToolTip: (text) => {
        icon.toolTip = text
      },
    },
    engine: async () => client,
    showWindow: () => void seen.push('show'),
    quit: () => void seen.push('quit'),
    logger: { warn: (_data, message) => void seen.push(message) },
  })
  const find = (items: readonly Item[], [label, ...rest]: string[]): Item => {
    const item = items.find((candidate) => candidate.label?.startsWith(label!))
    if (!item) throw new Error(`there is no “${label}” in ${JSON.stringify(items)}`)
    return rest.length > 0 ? find(item.submenu as Item[], rest) : item
  }
  const restart = () => {
    client.drop()
    client = directClient(engine)
  }
  const click = (...path: string[]) => (find(icon.menu, path).click as () => void)()
  const checked = () => icon.menu.filter((item) => item.checked).map(({ label }) => label)
  return { engine, tray, icon, seen, click, checked, restart }
}

test('before the engine answers it shows the window and quits', () => {
  const { icon, seen, click } = openTray()
  expect(icon.menu.map(({ label }) => label)).toEqual(['Show Nighthaul', undefined, 'Quit'])
  click('Show')
  click('Quit')
  expect(seen).toEqual(['show', 'quit'])
})

test('says which profile holds, whoever changed it, and changes it for as long as is said', async () => {
  const { engine, tray, icon, click, checked } = openTray()
  tray.connect()
  await expect.poll(checked).toEqual(['As scheduled (now Full)'])
  click('Calls')
  await expect.poll(checked).toEqual(['Calls'])
  expect(icon.toolTip).toBe('Nighthaul: Calls')
  const before = Date.now()
  click('For a while', 'Day', 'For 2 hours')
  await expect.poll(checked).toEqual([expect.stringMatching(/^Day until .*, \d\d:\d\d$/)])
  expect(icon.toolTip).toMatch(/^Nighthaul: Day until .*, \d\d:\d\d$/)
  const current = async () => (await directClient(engine).call('profiles.list')).current
  expect((await current()).until).toBeGreaterThanOrEqual(before + 7_200_000)
  click('For a while', 'Night', 'Until I say otherwise')
  await expect.poll(current).toEqual({ name: 'night', by: 'hand', until: null })
  // Somebody else: the command line, the window.
  await directClient(engine).call('profiles.use', { name: null })
  await expect.poll(checked).toEqual(['As scheduled (now Full)'])
})

test('pauses and resumes everything, and goes on with an engine that started anew', async () => {
  const { engine, tray, checked, seen, click, restart } = openTray()
  const states = () => engine.tasks.map(({ state }) => state)
  tray.connect()
  await expect.poll(checked).toHaveLength(1)
  click('Pause all')
  await expect.poll(states).not.toContain('active')
  click('Resume all')
  await expect.poll(states).not.toContain('paused')
  restart()
  tray.connect()
  click('Calls')
  await expect.poll(checked).toEqual(['Calls'])
  expect(seen).toEqual([])
})
