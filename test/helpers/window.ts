/** The window as a person works it, for tests: the same in the app and in a browser. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Locator, Page } from 'playwright'
import type { TaskState } from '../../shared/task-state.ts'

/** The row of a download whose name contains `name`, in `state` where that is given. */
export function row(page: Page, name: string, state?: TaskState): Locator {
  return page.locator(state ? `[role=row][data-state="${state}"]` : '[role=row][data-state]', { hasText: name })
}

export async function addLinks(page: Page, links: readonly string[], folder?: string): Promise<void> {
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Add downloads' })
  await dialog.getByLabel('Links').fill(links.join('\n'))
  if (folder !== undefined) await dialog.getByRole('textbox', { name: 'Folder' }).fill(folder)
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'hidden' })
}

/** Closes the message in the corner, which may lie over the next dialog's button; it offers that where it is pointed at. */
export async function dismissToast(page: Page): Promise<void> {
  await page.locator('.toast').hover()
  await page.getByRole('button', { name: 'Dismiss' }).click()
}

/** Selects a row and presses one of the toolbar's buttons. */
export async function act(page: Page, name: string, action: 'Pause' | 'Resume' | 'Retry' | 'Remove'): Promise<void> {
  await row(page, name).click()
  await page.getByRole('button', { name: action, exact: true }).click()
}

/** Resolves once the row shows a percentage above zero and below a hundred. */
export async function untilUnderWay(page: Page, name: string): Promise<void> {
  await row(page, name)
    .locator('.progress-text', { hasText: /^(?!0(\.0+)?\s*%)\d{1,2}(\.\d+)?\s*%/ })
    .waitFor()
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
