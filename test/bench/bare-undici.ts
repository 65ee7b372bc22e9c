/**
 * What is left of a download manager when everything is taken away that makes it one: undici fetches a list of files and
 * each is created, written and closed. No queue, no names on record, no checksums, nothing that survives a crash. A
 * program on undici cannot be faster; `small` shows it beside the others.
 * `node bare-undici.ts LIST FOLDER [CA]`
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Pool } from 'undici'

const CONNECTIONS = 16

const [list, folder, ca] = process.argv.slice(2) as [string, string, string | undefined]
const urls = readFileSync(list, 'utf8')
  .trim()
  .split('\n')
  .map((line) => new URL(line))
const pool = new Pool(urls[0]!.origin, {
  connections: CONNECTIONS,
  ...(ca !== undefined && { connect: { ca: readFileSync(ca) } }),
})

function fetchFile(url: URL): Promise<void> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    const handler = {
      onRequestStart() {},
      onResponseStart(_controller: unknown, status: number) {
        if (status !== 200) throw new Error(`${url} was answered with ${status}`)
      },
      onResponseData(_controller: unknown, chunk: Buffer) {
        chunks.push(chunk)
      },
      onResponseEnd() {
        const file = openSync(join(folder, basename(url.pathname)), 'wx')
        for (const chunk of chunks) writeSync(file, chunk)
        closeSync(file)
        resolve()
      },
      onResponseError: (_controller: unknown, error: Error) => reject(error),
    }
    pool.dispatch({ path: url.pathname, method: 'GET' }, handler)
  })
}

await Promise.all(urls.map(fetchFile))
await pool.close()
