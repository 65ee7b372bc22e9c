/** Two Duplex ends joined in memory, for a client and a server in one process. */
import { Inbox } from '../../shared/inbox.ts'
import type { Duplex } from '../../shared/rpc.ts'

/** Frames arrive later and as structured clones, as over a port: nothing works here that would not work there. */
export function memoryPair(): [Duplex, Duplex] {
  const left = new Inbox()
  const right = new Inbox()
  return [end(left, right), end(right, left)]
}

function end(mine: Inbox, theirs: Inbox): Duplex {
  return {
    bufferedBytes: 0,
    post(frame) {
      if (mine.closed) return
      const copy = structuredClone(frame)
      setImmediate(() => theirs.receive(copy))
    },
    onFrame: (listener) => mine.onFrame(listener),
    onClose: (listener) => mine.onClose(listener),
    close() {
      if (mine.closed) return
      mine.close()
      setImmediate(() => theirs.close())
    },
  }
}
