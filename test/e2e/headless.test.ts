/** The headless host with its window in a real browser: `nighthaul serve` as a process, Chromium as its user. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { complaintsOf } from '../helpers/chromium.ts'
import { faults } from '../helpers/fault-server.ts'
import { home, openWindow, page, serve, server, useHost } from '../helpers/hosted-window.ts'
import { act, addLinks, row, sha256, untilUnderWay } from '../helpers/window.ts'

const MIB = 1024 * 1024
const SIZE = 6 * MIB + 321

useHost()

describe('the window in a browser', () => {
  test('adds a link, shows its progress, pauses, resumes and finishes it, within its own policy', async () => {
    const complaints = complaintsOf(page)
    server.add('/film.bin', { size: SIZE, seed: 1 })
    server.fault('/film.bin', () => faults.stallBeyond(MIB))
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await addLinks(page, [server.url('/film.bin')], home.files)
    await row(page, 'film.bin', 'active').waitFor()
    await untilUnderWay(page, 'film.bin')
    await act(page, 'film.bin', 'Pause')
    await row(page, 'film.bin', 'paused').waitFor()
    server.fault('/film.bin', null)
    await act(page, 'film.bin', 'Resume')
    await row(page, 'film.bin', 'done').waitFor()
    expect(await sha256(join(home.files, 'film.bin'))).toBe(contentSha256(1, SIZE))
    expect(complaints).toEqual([])
  })

  test('keeps the token out of the address bar, and shows nothing without it', async () => {
    const { url, port, token } = await serve('--port', '0')
    await openWindow(url)
    expect(page.url()).not.toContain(token)
    const stranger = await page.context().browser()!.newContext()
    const reply = await (await stranger.newPage()).goto(`http://127.0.0.1:${port}/`)
    expect(reply?.status()).toBe(401)
    await stranger.close()
  })

  test('says that the host is away, comes back by itself, and the download goes on', async () => {
    server.add('/long.bin', { size: SIZE, seed: 2 })
    server.fault('/long.bin', () => faults.stallBeyond(MIB))
    const first = await serve('--port', '0')
    await openWindow(first.url)
    await addLinks(page, [server.url('/long.bin')], home.files)
    await untilUnderWay(page, 'long.bin')
    first.child.kill('SIGKILL')
    await first.ended
    await page.getByText('The engine is away').waitFor()
    server.fault('/long.bin', null)
    const second = await serve('--port', String(first.port))
    expect(second.token).toBe(first.token)
    await page.getByText('The engine is away').waitFor({ state: 'hidden' })
    await row(page, 'long.bin', 'done').waitFor()
    expect(await sha256(join(home.files, 'long.bin'))).toBe(contentSha256(2, SIZE))
  })

  test('can be worked with the keyboard alone: add, select, pause, go on, remove', async () => {
    server.add('/keys.bin', { size: SIZE, seed: 3 })
    server.fault('/keys.bin', () => faults.stallBeyond(MIB))
    const { url } = await serve('--port', '0')
    await openWindow(url)
    const { keyboard } = page
    await keyboard.press('n')
    await page.getByRole('dialog', { name: 'Add downloads' }).waitFor()
    await keyboard.insertText(server.url('/keys.bin'))
    await keyboard.press('Tab')
    await keyboard.insertText(home.files)
    await keyboard.press('Enter')
    await untilUnderWay(page, 'keys.bin')
    await tabTo('grid')
    await keyboard.press('ArrowDown')
    await keyboard.press('p')
    await row(page, 'keys.bin', 'paused').waitFor()
    server.fault('/keys.bin', null)
    await keyboard.press('r')
    await row(page, 'keys.bin', 'done').waitFor()
    expect(await sha256(join(home.files, 'keys.bin'))).toBe(contentSha256(3, SIZE))
    await tabTo('grid')
    await keyboard.press('Delete')
    const dialog = page.getByRole('dialog', { name: 'Remove “keys.bin”?' })
    // A key that comes before the dialog has the focus is not for it.
    await dialog.locator(':focus').waitFor()
    await keyboard.press('Enter')
    await row(page, 'keys.bin').waitFor({ state: 'detached' })
  })

  test('a changed file is found in its list and decided with the keyboard, which never loses its place', async () => {
    server.add('/edition.bin', { size: SIZE, seed: 4 })
    server.fault('/edition.bin', () => faults.stallBeyond(MIB))
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await addLinks(page, [server.url('/edition.bin')], home.files)
    await untilUnderWay(page, 'edition.bin')
    await act(page, 'edition.bin', 'Pause')
    await row(page, 'edition.bin', 'paused').waitFor()
    server.fault('/edition.bin', null)
    server.add('/edition.bin', { size: SIZE - 7, seed: 5 })
    await act(page, 'edition.bin', 'Resume')
    await row(page, 'edition.bin', 'changed').waitFor()

    await page.getByRole('button', { name: /^Needs a decision/ }).click()
    await tabTo('grid')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page
      .locator('.fact', { hasText: /^Strategy/ })
      .getByRole('listitem')
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Download the new file' }).press('Enter')
    await untilFocused('grid')
    await page.getByRole('button', { name: /^All/ }).click()
    await row(page, 'edition.bin', 'done').waitFor()
    expect(await sha256(join(home.files, 'edition.bin'))).toBe(contentSha256(5, SIZE - 7))
    await page.getByRole('button', { name: 'Close details' }).press('Enter')
    await untilFocused('grid')
  })

  test('keys pressed before a chosen list has come are for that list', async () => {
    server.add('/early.bin', { size: SIZE, seed: 7 })
    server.fault('/early.bin', () => faults.stallBeyond(MIB))
    const held: (() => void)[] = []
    let holding = false
    await page.routeWebSocket(/./, (socket) => {
      const engine = socket.connectToServer()
      engine.onMessage((message) => {
        if (holding) held.push(() => socket.send(message))
        else socket.send(message)
      })
    })
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await addLinks(page, [server.url('/early.bin')], home.files)
    await untilUnderWay(page, 'early.bin')
    await act(page, 'early.bin', 'Pause')
    await row(page, 'early.bin', 'paused').waitFor()

    holding = true
    await page.getByRole('button', { name: /^Paused/ }).click()
    await row(page, 'early.bin').waitFor({ state: 'detached' })
    await tabTo('grid')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Delete')
    holding = false
    for (const send of held) send()
    await page.getByRole('dialog', { name: 'Remove “early.bin”?' }).waitFor()
  })

  test('a dialog that a key opened gives the keyboard to the list', async () => {
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await page.keyboard.press('n')
    await page.getByRole('dialog', { name: 'Add downloads' }).waitFor()
    await page.keyboard.press('Escape')
    await untilFocused('grid')
  })

  test('a server that takes the request and says nothing is not shown as a download', async () => {
    server.add('/mute.bin', { size: SIZE, seed: 6 })
    server.fault('/mute.bin', () => faults.silent())
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await addLinks(page, [server.url('/mute.bin')], home.files)
    await row(page, 'mute.bin', 'active').getByText('Awaiting reply').waitFor()
    expect(await row(page, 'mute.bin').innerText()).not.toContain('B/s')
  })

  test('refuses what is no link in a sentence and keeps what was typed', async () => {
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Add downloads' })
    await dialog.getByLabel('Links').fill('not a link')
    await dialog.getByText('Line 1: not a link').waitFor()
    // its name says disabled; pressed all the same
    await dialog.locator('button[type=submit]').click({ force: true })
    expect(await dialog.getByLabel('Links').inputValue()).toBe('not a link')
  })

  async function untilFocused(role: string): Promise<void> {
    await page.waitForFunction((wanted) => document.activeElement?.getAttribute('role') === wanted, role)
  }

  /** Presses Tab, as often as the window has stops, until something of this role has the focus. */
  async function tabTo(role: string): Promise<void> {
    for (let stops = 0; stops < 40; stops++) {
      if ((await page.evaluate(() => document.activeElement?.getAttribute('role'))) === role) return
      await page.keyboard.press('Tab')
    }
    throw new Error(`nothing with the role ${role} can be reached with Tab`)
  }

  test('sets the limit of a download that runs, queues and a rule for a host, and shows what a host asked for', async () => {
    const complaints = complaintsOf(page)
    const host = new URL(server.origin).host
    server.add('/film.bin', { size: SIZE, seed: 1 })
    server.add('/busy.bin', { size: SIZE, seed: 2 })
    server.fault('/busy.bin', () => faults.retryAfter(3600))
    const { url } = await serve('--port', '0')
    await openWindow(url)
    await page.locator('[data-queue]', { hasText: 'Default' }).focus()
    await page.keyboard.press('F2')
    const slow = page.getByRole('dialog', { name: 'Queue “Default”' })
    await slow.getByLabel('Speed limit').fill('0.001')
    await slow.getByRole('button', { name: 'Save' }).click()
    await slow.waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Add queue…' }).click()
    const free = page.getByRole('dialog', { name: 'New queue' })
    await free.getByLabel('Name', { exact: true }).fill('Free')
    await free.locator('button[type=submit]').click()
    await free.waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Settings' }).click()
    const settings = page.getByRole('dialog', { name: 'Settings' })
    await settings.getByRole('button', { name: 'Add host' }).click()
    await settings.getByLabel('Host', { exact: true }).fill(host)
    await settings.getByLabel('Password').fill('geheim')
    await settings.getByRole('button', { name: 'Save' }).click()
    await settings.waitFor({ state: 'hidden' })
    expect(JSON.parse((await home.run('host-rule', 'list', '--json')).stdout)).toEqual({
      pattern: host,
      hasPassword: true,
    })

    await addLinks(page, [server.url('/film.bin')], home.files)
    await row(page, 'film.bin', 'active').click()
    await page.keyboard.press('Enter')
    const limit = page.getByLabel('Speed limit', { exact: true })
    await limit.fill('5')
    await limit.press('Enter')
    // The default queue holds it back; another one does not.
    await page.getByRole('combobox', { name: 'Queue' }).selectOption('Free')
    await row(page, 'film.bin', 'done').waitFor()
    expect(JSON.parse((await home.run('show', '1', '--json')).stdout)).toMatchObject({
      options: { limitBytesPerSecond: 5_000_000 },
    })
    expect(server.requests[0]!.headers.authorization).toBe(`Basic ${Buffer.from(':geheim').toString('base64')}`)

    await addLinks(page, [server.url('/busy.bin')], home.files)
    await row(page, 'busy.bin', 'waiting').waitFor()
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Hosts' }).click()
    const hosts = page.getByRole('dialog', { name: 'Hosts' })
    await hosts.getByText('Asked for less (status 429)').waitFor()
    await hosts.getByRole('button', { name: 'Forget' }).click()
    await hosts.getByText('No host is in use').waitFor()
    expect(complaints).toEqual([])
  })
})
