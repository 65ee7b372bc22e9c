/**
 * A process with an engine that is meant to be killed: `node crash-child.ts PROFILE FOLDER`. Reads one JSON line with
 * the calls to make, then prints a JSON line with the bytes written of each task whenever they change.
 */
import { createInterface } from 'node:readline'
import { realClock, startEngine } from './engine.ts'

const [profile, folder] = process.argv.slice(2) as [string, string]
const engine = await startEngine({ clock: realClock, from: { profile, folder } })

createInterface({ input: process.stdin }).once('line', async (line) => {
  const { urls, connections } = JSON.parse(line) as { urls: string[]; connections: number }
  for (const url of urls) await engine.call('tasks.add', { items: [{ url }], options: { connections } })
  let last = ''
  setInterval(async () => {
    const { rows } = await engine.call('tasks.list', {})
    const now = JSON.stringify(rows.map(({ id, state, writtenBytes }) => ({ id, state, writtenBytes })))
    if (now !== last) process.stdout.write(`${now}\n`)
    last = now
  }, 10)
})
