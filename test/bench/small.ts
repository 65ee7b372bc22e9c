/** Many small files from one host: http, https, and https where HTTP/2 is offered. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type SourceFile, writeRandomFile } from './sources.ts'
import { compare, type Result, type Suite } from './suite.ts'
import { ARIA2_SMALL, CURL, manyFiles } from './variants.ts'

const FILE_BYTES = 65_536

export const small: Suite = {
  what: '2,000 files of 64 KiB from one host, 16 connections: http, https, and https that offers HTTP/2',
  roomBytes: (plan) => 2 * plan.smallFiles * FILE_BYTES,
  async run({ plan, programs, server, root, options }) {
    const files: SourceFile[] = []
    for (let index = 0; index < plan.smallFiles; index += 1) {
      files.push(await writeRandomFile(join(root, 'small'), `${index}.bin`, FILE_BYTES, options.signal))
    }
    const results: Result[] = []
    for (const [protocol, words] of [
      ['http', 'http'],
      ['https', 'https'],
      ['http2', 'https, HTTP/2 offered'],
    ] as const) {
      const urls = files.map(({ name }) => `${server[protocol]}/small/${name}`)
      const lists = { plain: join(options.folder, `${protocol}.txt`), curl: join(options.folder, `${protocol}.curlrc`) }
      await writeFile(lists.plain, `${urls.join('\n')}\n`)
      const entries = urls.map((url, index) => `url = "${url}"\noutput = "${files[index]!.name}"\n`)
      await writeFile(lists.curl, entries.join(''))
      const variants = manyFiles(lists, server[protocol], programs)
      const title = `${plan.smallFiles} files of 64 KiB, ${words}`
      results.push(await compare({ title, variants, files, warmUp: true }, [CURL, ARIA2_SMALL], options))
    }
    return results
  },
}
