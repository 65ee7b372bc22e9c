/** Takes the queue lock of the folder in argv[2], says what happened on stdout, and holds it until it is killed. */
import { leaseOwner, takeQueueLock } from '../../electron/profile.ts'

try {
  takeQueueLock(process.argv[2]!, 'headless')
  process.stdout.write(`${JSON.stringify({ taken: true, owner: leaseOwner() })}\n`)
  setInterval(() => {}, 60_000)
} catch (error) {
  const { code, params } = error as { code?: string; params?: { pid?: number } }
  process.stdout.write(`${JSON.stringify({ taken: false, code, pid: params?.pid, message: String(error) })}\n`)
}
