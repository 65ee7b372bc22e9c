/** `npm run check`: types of every layer, lint and format, the rules of the house. Runs all, then says what failed. */
import { inRepository, runNode, say } from './repository.ts'

const tsc = inRepository('node_modules', 'typescript', 'bin', 'tsc')
const biome = inRepository('node_modules', '@biomejs', 'biome', 'bin', 'biome')

const steps: readonly [name: string, args: readonly string[]][] = [
  ...['shared', 'electron', 'renderer', 'test', '.'].map((layer): [string, string[]] => [
    `types of ${layer}`,
    [tsc, '-p', layer],
  ]),
  ['lint and format', [biome, 'check', '--error-on-warnings', '.']],
  ['house rules', [inRepository('scripts', 'house-rules.ts')]],
]

const failed: string[] = []
for (const [name, args] of steps) {
  if ((await runNode(args)) !== 0) failed.push(name)
}
say(failed.length === 0 ? 'Types, lint and house rules are fine.' : `Failed: ${failed.join(', ')}.`)
process.exitCode = failed.length === 0 ? 0 : 1
