/** A power cut at any moment costs seconds of download, never a wrong byte. */
import { createHash } from 'node:crypto'
import { cpSync, renameSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createForgetfulDisk } from '../helpers/power-cut.ts'

const MIB = 1024 * 1024

for (const durability of ['strict', 'background'] as const)
  for (const [when, share] of [
    ['early', 0.2],
    ['in the middle', 0.5],
    ['late', 0.9],
  ] as const)
    it(`${durability}, cut ${when}: what was not synced is checked, fetched again where it is lost, and the bytes are right`, async () => {
      const disk = createForgetfulDisk()
      await using server = await startFaultServer()
      await using first = await startEngine({ fs: disk.fs, settings: { durability } })
      const files = [
        { path: '/one', size: 5 * MIB + 1, connections: 1 },
        { path: '/many', size: 9 * MIB + 999, connections: 4 },
        { path: '/small', size: 1000, connections: 1 },
        { path: '/unknown', size: 3 * MIB, connections: 1 },
      ]
      server.fault('/unknown', () => [faults.ignoreRange(), faults.noLength('chunked')])
      for (const [seed, { path, size, connections }] of files.entries()) {
        server.add(path, { size, seed, rateBytesPerSecond: 20 * MIB })
        await first.add(server.url(path), { connections })
      }
      const all = files.reduce((sum, { size }) => sum + size, 0)
      const sent = () => server.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)
      await server.until(() => sent() >= all * share)

      // A picture of everything as it is now; what happens while the engine stops never was.
      const lose = disk.cut()
      const picture = `${first.profile}-picture`
      cpSync(first.profile, picture, { recursive: true })
      await first.stop()
      rmSync(first.profile, { recursive: true })
      renameSync(picture, first.profile)
      await lose(Math.random)

      await using second = await startEngine({ from: first, bootId: 'boot-2' })
      const { rows } = await second.call('tasks.list', {})
      expect(rows).toHaveLength(files.length)
      for (const { id, url } of rows) {
        const task = await second.untilTask(id, (t) => t.durable || ['failed', 'changed', 'paused'].includes(t.state))
        expect(task).toMatchObject({ state: 'done', error: null })
        const seed = files.findIndex(({ path }) => url.endsWith(path))
        const digest = createHash('sha256')
          .update(await readFile(task.path!))
          .digest('hex')
        expect(digest, url).toBe(contentSha256(seed, files[seed]!.size))
      }
    })
