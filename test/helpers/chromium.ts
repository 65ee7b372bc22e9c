/** The Chromium of the tests, and a page in it that notices what a strict policy refused. */
import { type Browser, chromium, type Page } from 'playwright'
import type { TestContext } from 'vitest'
import { findChromium } from '../../scripts/chromium.ts'
import { inRepository } from '../../scripts/repository.ts'

/** Starts a headless Chromium; `npm test` has made sure that there is one. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error('no Chromium: run npm test, which finds or installs one')
  return chromium.launch({ executablePath })
}

/** Errors of the page and violations of its Content-Security-Policy, as they come. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (/content security policy|trusted type/i.test(message.text())) complaints.push(message.text())
  })
  return complaints
}

/** For `afterEach`: what the page looked like when its test failed, in test-results/. */
export async function keepScreenshot({ task }: Pick<TestContext, 'task'>, page: Page | undefined): Promise<void> {
  if (task.result?.state !== 'fail' || page === undefined || page.isClosed()) return
  const name = task.name.replace(/\W+/g, '-').slice(0, 80)
  await page.screenshot({ path: inRepository('test-results', `${name}.png`) })
}
