/**
 * How the engine asks the system for proxies: Electron's session lives in the main process, the engine in another. Main
 * answers (engine-host.ts), this is the engine's side.
 */
import type { FromEngine, ToEngine } from './engine-host.ts'

export interface ProxyQuestions {
  /** as Electron's session.resolveProxy: the answer of a PAC script, such as `PROXY a:1; DIRECT` */
  resolveProxy(url: string): Promise<string>
  /** takes the answers out of what main says */
  hear(message: ToEngine): void
}

export function askMain(tell: (message: FromEngine) => void): ProxyQuestions {
  const open = new Map<number, PromiseWithResolvers<string>>()
  let last = 0
  return {
    resolveProxy(url) {
      const id = ++last
      const answer = Promise.withResolvers<string>()
      open.set(id, answer)
      tell({ type: 'resolveProxy', id, url })
      return answer.promise
    },
    hear(message) {
      if (message.type !== 'proxies') return
      const asked = open.get(message.id)
      open.delete(message.id)
      if (message.answer !== null) asked?.resolve(message.answer)
      else asked?.reject(new Error(message.error ?? 'the system did not answer'))
    },
  }
}

/** Main's side: one question and its answer, whatever becomes of it. */
export async function answerProxies(
  { id, url }: { id: number; url: string },
  resolveProxy: (url: string) => Promise<string>,
): Promise<ToEngine> {
  try {
    return { type: 'proxies', id, answer: await resolveProxy(url), error: null }
  } catch (error) {
    return { type: 'proxies', id, answer: null, error: error instanceof Error ? error.message : String(error) }
  }
}
