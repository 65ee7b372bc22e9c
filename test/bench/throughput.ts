/** One large file: http, https, and on the disk when the program ends. */
import { say } from '../../scripts/repository.ts'
import type { Workload } from './rounds.ts'
import { writeRandomFile } from './sources.ts'
import { compare, type Suite } from './suite.ts'
import { ARIA2_8, CURL, oneDurableFile, oneFile } from './variants.ts'

const NAME = 'large.bin'

export const throughput: Suite = {
  what: 'one large file: http, https, and on the disk when the program ends',
  roomBytes: (plan) => 2 * plan.sizeBytes,
  async run({ plan, programs, server, root, options }) {
    say(`writing ${plan.sizeBytes} random bytes …`)
    const files = [await writeRandomFile(root, NAME, plan.sizeBytes, options.signal)]
    const workload = (title: string, variants: Workload['variants']) => ({ title, variants, files, warmUp: true })
    const [http, https] = [`${server.http}/${NAME}`, `${server.https}/${NAME}`]
    return [
      await compare(workload('One file, http', oneFile(http, NAME, programs)), [CURL, ARIA2_8], options),
      await compare(workload('One file, https', oneFile(https, NAME, programs)), [CURL, ARIA2_8], options),
      await compare(
        workload('One file, http, on the disk', oneDurableFile(http, NAME, programs)),
        [`${CURL}, sync`, `${ARIA2_8}, sync`],
        options,
      ),
    ]
  },
}
