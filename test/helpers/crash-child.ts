/**
 * A process with an engine that is meant to be killed: `node crash-child.ts PROFILE FOLDER`. Reads one JSON line with
 * the calls to make, then prints a JSON line with the bytes on record of each task whenever they change: what lies in
 * the store, not what the engine has in memory, because that is what a kill leaves.
 */
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import { realClock, startEngine } from './engine.ts'

const [profile, folder] = process.argv.slice(2) as [string, string]
const engine = await startEngine({ clock: realClock, from: { profile, folder }, workers: true })

createInterface({ input: process.stdin }).once('line', async (line) => {
  const { urls, connections } = JSON.parse(line) as { urls: string[]; connections: number }
  for (const url of urls) await engine.call('tasks.add', { items: [{ url }], options: { connections } })
  const onRecord = new Database(join(profile, 'nighthaul.db'), { readonly: true }).prepare(
    'SELECT id, state, written_bytes AS writtenBytes FROM tasks ORDER BY id',
  )
  let last = ''
  setInterval(() => {
    const now = JSON.stringify(onRecord.all())
    if (now !== last) process.stdout.write(`${now}\n`)
    last = now
  }, 10)
})
