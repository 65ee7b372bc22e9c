/** Nothing of the list is lost by a slip: undo in the window and on the command line, export, import, backups. */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cliHome, jsonLines } from '../helpers/cli.ts'
import { home, openWindow, page, server, useHost } from '../helpers/hosted-window.ts'
import { act, addLinks, row } from '../helpers/window.ts'

useHost()

const menu = async (item: string) => {
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('menuitem', { name: item }).click()
}

describe('the window', () => {
  test('takes a remove back, with the file, from the message and from the keyboard', async () => {
    server.add('/film.bin', { size: 100_000, seed: 1 })
    await openWindow()
    await addLinks(page, [server.url('/film.bin')], home.files)
    await row(page, 'film.bin', 'done').waitFor()
    const remove = async () => {
      await act(page, 'film.bin', 'Remove')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Also delete the files').check()
      await dialog.getByRole('button', { name: 'Remove and delete files' }).click()
      await row(page, 'film.bin').waitFor({ state: 'detached' })
      await expect.poll(() => existsSync(join(home.files, 'film.bin'))).toBe(false)
    }
    await remove()
    await page.getByRole('button', { name: 'Undo' }).click()
    await row(page, 'film.bin', 'done').waitFor()
    expect(existsSync(join(home.files, 'film.bin'))).toBe(true)
    await remove()
    await page.getByRole('grid', { name: 'Downloads' }).focus()
    await page.keyboard.press('Control+z')
    await row(page, 'film.bin', 'done').waitFor()
    expect(existsSync(join(home.files, 'film.bin'))).toBe(true)
  })

  test('keeps its messages away from the buttons of a dialog', async () => {
    await page.setViewportSize({ width: 760, height: 560 })
    server.add('/a.bin', { size: 1000, seed: 1 })
    await openWindow()
    await addLinks(page, [server.url('/a.bin')], home.files)
    const toast = page.locator('.toast').first()
    await toast.waitFor()
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Add downloads' })
    await dialog.getByLabel('Links').fill(server.url('/b.bin'))
    const submit = (await dialog.locator('button[type=submit]').boundingBox())!
    const message = (await toast.boundingBox())!
    const apart =
      message.x + message.width <= submit.x ||
      submit.x + submit.width <= message.x ||
      message.y + message.height <= submit.y ||
      submit.y + submit.height <= message.y
    expect(apart).toBe(true)
    await dialog.locator('button[type=submit]').click({ timeout: 3000 })
    await dialog.waitFor({ state: 'hidden' })
  })

  test('exports the list and imports it again', async () => {
    server.add('/one.bin', { size: 1000, seed: 1 })
    await openWindow()
    await addLinks(page, [server.url('/one.bin')], home.files)
    await row(page, 'one.bin', 'done').waitFor()
    const downloading = page.waitForEvent('download')
    await menu('Export list…')
    const path = join(home.files, 'list.json')
    await (await downloading).saveAs(path)
    expect(JSON.parse(await readFile(path, 'utf8')).tasks).toHaveLength(1)
    await act(page, 'one.bin', 'Remove')
    await page.getByRole('dialog').getByRole('button', { name: 'Remove from list' }).click()
    await row(page, 'one.bin').waitFor({ state: 'detached' })
    const choosing = page.waitForEvent('filechooser')
    await menu('Import…')
    await (await choosing).setFiles(path)
    await row(page, 'one.bin', 'done').waitFor()
    const wrong = join(home.files, 'wrong.json')
    await writeFile(wrong, '{"tasks": []}')
    const again = page.waitForEvent('filechooser')
    await menu('Import…')
    await (await again).setFiles(wrong)
    await page.locator('.toast[data-kind=error]', { hasText: 'This is no exported list' }).waitFor()
  })
})

describe('the command line', () => {
  test('removes, shows what was removed, and brings it back', async () => {
    await home.run('add', '--paused', 'http://127.0.0.1:9/a', 'http://127.0.0.1:9/b')
    expect(JSON.parse((await home.run('remove', '1', '2', '--json')).stdout)).toMatchObject({ count: 2 })
    expect((await home.run('list', '--json')).stdout).toBe('')
    const shown = jsonLines((await home.run('removed', '--json')).stdout)
    expect(shown.map(({ id, url }) => [id, url])).toEqual([
      [1, 'http://127.0.0.1:9/a'],
      [2, 'http://127.0.0.1:9/b'],
    ])
    expect((await home.run('undo', '2')).stdout).toBe('1 download brought back\n')
    expect((await home.run('undo')).stdout).toBe('1 download brought back\n')
    expect(jsonLines((await home.run('list', '--json')).stdout).map(({ id }) => id)).toEqual([1, 2])
    const nothing = await home.run('undo')
    expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('Nothing was removed')])
  })

  test('writes the list to a file without secrets, and reads it, and links, into another profile', async () => {
    await home.run('add', '--paused', '--user', 'me:s3cret', 'http://127.0.0.1:9/a')
    const exported = await home.run('export', 'list.json')
    expect(exported.stderr).toContain('--with-secrets')
    const text = await readFile(join(home.files, 'list.json'), 'utf8')
    expect(text).not.toContain('s3cret')
    expect((await home.run('export', '--with-secrets')).stdout).toContain('s3cret')
    await using other = await cliHome()
    expect((await other.runWithInput(text, 'import', '-')).stdout).toBe('1 download imported\n')
    const links = '# links\nhttp://127.0.0.1:9/a\nhttp://127.0.0.1:9/b\n'
    expect((await other.runWithInput(links, 'import', '-', '--paused')).stdout).toMatch(/^[12] downloads? imported/)
    const half = await other.runWithInput(text.replace('http://127', 'gopher://127'), 'import', '-')
    expect([half.code, half.stderr]).toEqual([1, expect.stringContaining('download 1: ')])
    expect((await other.runWithInput('{', 'import', '-')).code).toBe(2)
  })

  test('restores a backup, sets the present list aside, and not while somebody works on it', async () => {
    await home.run('add', '--paused', 'http://127.0.0.1:9/a')
    const { openStore } = await import('../../electron/store/index.ts')
    const { store } = openStore({ path: join(home.profile, 'nighthaul.db'), now: Date.now })
    await store.backUp({ days: 7, weeks: 4 })
    store.close()
    await home.run('add', '--paused', 'http://127.0.0.1:9/b')
    const [backup] = jsonLines((await home.run('backups', '--json')).stdout)
    expect(backup).toMatchObject({ name: expect.stringMatching(/^nighthaul-.*Z\.db$/), daily: true })
    const serving = home.start('serve')
    await serving.firstLine
    const refused = await home.run('restore', String(backup!.name))
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is in use by')])
    serving.child.kill('SIGTERM')
    await serving.ended
    expect((await home.run('restore', String(backup!.name))).stdout).toContain('1 downloads')
    expect(jsonLines((await home.run('list', '--json')).stdout).map(({ url }) => url)).toEqual(['http://127.0.0.1:9/a'])
    expect((await readdir(home.profile)).filter((name) => name.includes('.replaced-'))).toHaveLength(1)
    expect((await home.run('restore', 'nonsense')).code).toBe(1)
  })
})
