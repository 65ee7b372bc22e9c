/**
 * Whether an icon in the tray would be seen. Windows and macOS have a place for it; on Linux a desktop has one where
 * something shows StatusNotifierItems, which the session bus knows.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const NAME = 'org.kde.StatusNotifierWatcher'
const PATH = '/StatusNotifierWatcher'
const PROPERTY = 'IsStatusNotifierHostRegistered'
const GET = 'org.freedesktop.DBus.Properties.Get'
const TIMEOUT_MS = 3_000

/** Any of them is there on a usual desktop; the answer of each holds “true” or “false”. */
const QUESTIONS: readonly (readonly [program: string, ...args: string[]])[] = [
  ['busctl', '--user', 'get-property', NAME, PATH, NAME, PROPERTY],
  ['gdbus', 'call', '--session', '--dest', NAME, '--object-path', PATH, '--method', GET, NAME, PROPERTY],
  [
    ...(['dbus-send', '--session', '--print-reply', `--dest=${NAME}`, PATH, GET] as const),
    ...[`string:${NAME}`, `string:${PROPERTY}`],
  ],
]

/** Answers what a program writes. Rejects with `code` ENOENT where it is not there, otherwise where it failed. */
export type AskProgram = (program: string, args: readonly string[]) => Promise<string>

const askProgram: AskProgram = async (program, args) =>
  (await run(program, [...args], { timeout: TIMEOUT_MS, encoding: 'utf8' })).stdout

export async function hasTrayHost(platform: NodeJS.Platform, ask: AskProgram = askProgram): Promise<boolean> {
  if (platform === 'win32' || platform === 'darwin') return true
  for (const [program, ...args] of QUESTIONS) {
    try {
      return /\btrue\b/.test(await ask(program, args))
    } catch (error) {
      // It is there and could not say: nobody owns the name, or there is no bus.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false
    }
  }
  return false
}
