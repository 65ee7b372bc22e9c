/**
 * The pictures in the README, made from the real window over the real engine: `node test/screenshots.ts`. The hosts
 * are played by a server on loopback behind a proxy that answers to every name, so nothing leaves the machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream'
import { inRepository } from '../scripts/repository.ts'
import { launchChromium } from './helpers/chromium.ts'
import { faults, startFaultServer } from './helpers/fault-server.ts'

const MB = 1_000_000
const FILES: [link: string, size: number, bytesPerSecond: number][] = [
  ['http://cdimage.debian.org/debian-cd/current/amd64/iso-dvd/debian-13.2.0-amd64-DVD-1.iso', 3_990 * MB, 7 * MB],
  ['http://releases.ubuntu.com/26.04/ubuntu-26.04-desktop-amd64.iso', 6_114 * MB, 5 * MB],
  ['http://download.blender.org/demo/movies/BBB/bbb_sunflower_2160p_60fps_normal.mp4', 673 * MB, 3 * MB],
  ['http://data.example.org/climate/era5-2025-hourly.nc', 48_200 * MB, 2 * MB],
  ['http://archive.example.net/newsreels/1936-reel-14.mkv', 61 * MB, 1_000 * MB],
  ['http://archive.example.net/newsreels/1936-reel-15.mkv', 44 * MB, 1_000 * MB],
  ['http://mirror.example.com/backup/photos-2024.tar.zst', 900 * MB, 1 * MB],
  ['http://busy.example.com/nightly/toolchain.tar.xz', 240 * MB, 1 * MB],
  ['http://gone.example.com/old-release.zip', 10 * MB, 1 * MB],
]

await using server = await startFaultServer()
for (const [seed, [link, size, rateBytesPerSecond]] of FILES.entries())
  server.add(new URL(link).pathname, { size, seed, rateBytesPerSecond })
server.fault('/nightly/toolchain.tar.xz', () => faults.retryAfter(900))
server.fault('/old-release.zip', () => faults.status(404))

const proxy = createServer((incoming, outgoing) => {
  const { pathname } = new URL(incoming.url!)
  const upstream = request({ port: server.port, host: '127.0.0.1', path: pathname, headers: incoming.headers })
  upstream.on('response', (reply) => {
    outgoing.writeHead(reply.statusCode!, reply.headers)
    pipeline(reply, outgoing, () => upstream.destroy())
  })
  upstream.on('error', () => outgoing.destroy())
  upstream.end()
})
await once(proxy.listen(0, '127.0.0.1'), 'listening')

const profile = await mkdtemp(join(tmpdir(), 'nighthaul-screenshots-'))
const folder = join(profile, 'Downloads')
const daemon = spawn(process.execPath, [inRepository('electron', 'cli.ts'), 'serve', '--profile', profile], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const browser = await launchChromium()
try {
  const [line] = (await once(createInterface({ input: daemon.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  const page = await browser.newPage({ viewport: { width: 1200, height: 700 }, deviceScaleFactor: 2 })
  await page.emulateMedia({ colorScheme: 'light' })
  await page.goto(url)
  await page.getByText('Add').first().waitFor()
  const client = await connectOwner()
  await client.call('settings.set', {
    downloadsAtOnce: 5,
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
  })
  const { items } = await client.call('tasks.add', { items: FILES.map(([link]) => ({ url: link })), folder })
  const night = await client.call('queues.add', { name: 'Night', windows: 'Mon-Sun 23:00-07:00', finishBy: '07:00' })
  await client.call('tasks.update', { selection: { ids: [items[6]!.id] }, queueId: night.id })
  await client.call('tasks.add', {
    items: [{ url: 'http://data.example.org/climate/era5-2024-hourly.nc' }],
    ...{ folder, startAt: new Date().setHours(23, 30, 0, 0) },
  })
  const paused = items[6]!.id
  await client.call('tasks.pause', { selection: { ids: [paused] } })
  // Long enough for a graph that shows something.
  await new Promise((resolve) => setTimeout(resolve, 100_000))
  await page.locator('[role=row][data-state]').nth(1).click()
  await page.keyboard.press('Enter')
  await page.waitForTimeout(1_000)
  await page.screenshot({ path: inRepository('docs', 'images', 'window-light.png') })
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.waitForTimeout(1_000)
  await page.screenshot({ path: inRepository('docs', 'images', 'window-dark.png') })
  client.close()
} finally {
  await browser.close()
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
  proxy.close()
  proxy.closeAllConnections()
  await rm(profile, { recursive: true, force: true })
}

async function connectOwner() {
  const { connectLocal } = await import('../electron/rpc/local-server.ts')
  const client = await connectLocal(profile)
  if (!client) throw new Error('the headless host does not answer on its local socket')
  return client
}
