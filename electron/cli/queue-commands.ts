/** `queue`, `force`, `reorder`: the commands and their flags. What they do is in queues.ts and queue.ts. */
import type { Command } from 'commander'
import { NighthaulError } from '../../shared/errors.ts'
import type { Run } from './host-commands.ts'
import { parseTaskId } from './parse.ts'
import type { GlobalFlags } from './program.ts'
import { addQueueFlags, type QueueFlags } from './queue-flags.ts'

type JsonFlags = GlobalFlags & { json?: true }
export type ReorderFlags = JsonFlags & { first?: true; last?: true; before?: number }

const JSON_FLAG = ['--json', 'print JSON'] as const

const QUEUE_HELP = `
Examples:
  nighthaul queue add Night --window '23:00-07:00' --limit-rate 20M --finish-by 07:00 --when-done notify
  nighthaul add --queue Night -i links.txt
  nighthaul queue set Night --category 'Images: iso,img -> images' --at-once 3
  nighthaul queue stop Night`

const FORCE_HELP = `
Examples:
  nighthaul force 7
  nighthaul force 7 8 --json`

const REORDER_HELP = `
Examples:
  nighthaul reorder 7 8 --first
  nighthaul reorder 9 --before 7`

export function addQueueCommands(program: Command, run: Run): void {
  const code = () => import('./queues.ts')
  const queue = program
    .command('queue')
    .description('named queues: what they hold for their downloads, and when they work')
    .addHelpText('afterAll', QUEUE_HELP)
  const command = (name: string, description: string) => queue.command(name).description(description)

  queue
    .command('list', { isDefault: true })
    .description('show the queues')
    .option(...JSON_FLAG)
    .action(run<[], JsonFlags>(async (flags) => (await code()).listQueues(flags)))
  addQueueFlags(command('add', 'add a queue').argument('<name>'))
    .option(...JSON_FLAG)
    .action(run<[string], QueueFlags>(async (name, flags) => (await code()).addQueue(name, flags)))
  addQueueFlags(command('set', 'change a queue, at once for what runs').argument('<name>'))
    .option('--name <name>', 'call it so')
    .option(...JSON_FLAG)
    .action(run<[string], QueueFlags>(async (name, flags) => (await code()).setQueue(name, flags)))
  for (const [name, description, act] of [
    ['start', 'let a stopped queue work again', 'startQueue'],
    ['stop', 'let nothing of a queue run; what ran keeps what it has', 'stopQueue'],
    ['remove', 'remove a queue; its downloads go to the default one', 'removeQueue'],
  ] as const) {
    command(name, description)
      .argument('<name>')
      .option(...JSON_FLAG)
      .action(run<[string], JsonFlags>(async (queueName, flags) => (await code())[act](queueName, flags)))
  }

  program
    .command('force')
    .description('run downloads now, whatever their queue and the number of places say')
    .argument('<id...>', 'ids, as in the list')
    .option(...JSON_FLAG)
    .addHelpText('after', FORCE_HELP)
    .action(run<[string[]], JsonFlags>(async (ids, flags) => (await import('./queue.ts')).force(ids, flags)))
  program
    .command('reorder')
    .description('put downloads before others in the list, which is the order in which they start')
    .argument('<id...>', 'ids, as in the list')
    .option('--first', 'before all others')
    .option('--last', 'behind all others')
    .option('--before <id>', 'before this one', parseTaskId)
    .option(...JSON_FLAG)
    .addHelpText('after', REORDER_HELP)
    .action(
      run<[string[]], ReorderFlags>(async (ids, flags) => {
        const { first, last, before } = flags
        if ([first, last, before].filter((flag) => flag !== undefined).length !== 1)
          throw new NighthaulError('usage', 'Say where to: one of --first, --last and --before ID')
        return (await import('./queue.ts')).reorder(ids, before ?? (first ? 'first' : null), flags)
      }),
    )
}
