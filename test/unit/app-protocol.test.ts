import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAppHandler, resolveAppUrl } from '../../electron/app-protocol.ts'
import fc from '../helpers/property.ts'

let home: string
let folder: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nighthaul-app-protocol-'))
  folder = join(home, 'renderer')
  await mkdir(join(folder, 'assets'), { recursive: true })
  await writeFile(join(folder, 'index.html'), '<!doctype html>')
  await writeFile(join(folder, 'assets', 'main.js'), 'export {}')
  await writeFile(join(home, 'secret.js'), 'secret')
})
afterAll(() => rm(home, { recursive: true, force: true }))

const OUTSIDE = [
  'app://nighthaul/../secret.js',
  'app://nighthaul/%2e%2e/secret.js',
  'app://nighthaul/.%2e/secret.js',
  'app://nighthaul/%2E%2E%2Fsecret.js',
  'app://nighthaul/..%2fsecret.js',
  'app://nighthaul/..%5csecret.js',
  'app://nighthaul/..\\secret.js',
  'app://nighthaul/assets/../../secret.js',
  'app://nighthaul/%252e%252e/secret.js',
  'app://nighthaul//secret.js',
  'app://nighthaul//etc/passwd',
  'app://nighthaul/%2fetc%2fpasswd',
  'app://nighthaul/C:/Windows/win.js',
  'app://nighthaul/C%3a%5cWindows%5cwin.js',
  'app://nighthaul/index.html%00.js',
  'app://nighthaul/index.html::$DATA',
  'app://nighthaul/%',
  'app://nighthaul/./index.html',
  'app://other/index.html',
  'app://nighthaul.evil/index.html',
  'app://nighthaul@evil/index.html',
  'file:///etc/passwd',
  'https://nighthaul/index.html',
]

describe('app://', () => {
  test.each(OUTSIDE)('refuses %s', async (url) => {
    expect(resolveAppUrl(folder, url)).toBeNull()
  })

  test('finds the window’s own files, whatever the query', () => {
    expect(resolveAppUrl(folder, 'app://nighthaul/')).toBe(join(folder, 'index.html'))
    expect(resolveAppUrl(folder, 'app://nighthaul/index.html?a=..#b')).toBe(join(folder, 'index.html'))
    expect(resolveAppUrl(folder, 'app://nighthaul/assets/main.js')).toBe(join(folder, 'assets', 'main.js'))
  })

  test('never leaves the folder, whatever the path', () => {
    const piece = fc.constantFrom('..', '.', '/', '\\', '%2e', '%2f', '%5c', '%25', '%00', 'a', 'b.js', ':', 'C:', '~')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const file = resolveAppUrl(folder, `app://nighthaul/${pieces.join('')}`)
        // `a..b.js` is an ordinary name; what must not be is a segment that leads up.
        return file === null || (file.startsWith(join(folder, '/')) && normalize(file) === file)
      }),
      { numRuns: 2000 },
    )
  })

  test('answers with the strict policy, and 404 for what is not there', async () => {
    const handle = createAppHandler(folder)
    const page = await handle(new Request('app://nighthaul/index.html'))
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await page.text()).toBe('<!doctype html>')
    const missing = await handle(new Request('app://nighthaul/assets/missing.js'))
    expect(missing.status).toBe(404)
    expect(missing.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await handle(new Request('app://nighthaul/index.html', { method: 'POST' }))).status).toBe(404)
  })

  test.skipIf(process.platform === 'win32')('does not follow a link out of the folder', async () => {
    await symlink(join(home, 'secret.js'), join(folder, 'link.js'))
    expect((await createAppHandler(folder)(new Request('app://nighthaul/link.js'))).status).toBe(404)
  })
})
