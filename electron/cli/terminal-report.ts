/** The report for a person at a terminal: live lines on standard error, drawn by log-update. */
import { basename } from 'node:path'
import { createLogUpdate } from 'log-update'
import { doneSentence, progressBlock } from './lines.ts'
import type { Done, Failed, Report } from './report.ts'
import { printableLink, say } from './terminal.ts'

/** Live lines for all that runs; each result is said in words, then handed to `printResult` or `complain`. */
export function terminalReport(printResult: (done: Done) => void, complain: (failed: Failed) => void): Report {
  const live = createLogUpdate(process.stderr)
  let block = ''
  let paused = false
  /** Takes the live lines away while something permanent is written. */
  const above = (write: () => void) => {
    live.clear()
    write()
    if (block !== '' && !paused) live(block)
  }
  return {
    progress(tasks) {
      block = progressBlock(
        tasks(),
        { columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 },
        Date.now(),
      )
      if (!paused && block !== '') live(block)
      else if (!paused) live.clear()
    },
    done: (done) =>
      above(() => {
        say(doneSentence({ ...done, filename: done.path === null ? printableLink(done.url) : basename(done.path) }))
        printResult(done)
      }),
    failed: (failed) => above(() => complain(failed)),
    note: (sentence) => above(() => say(sentence)),
    async pauseFor(ask) {
      paused = true
      live.clear()
      live.done()
      try {
        return await ask()
      } finally {
        paused = false
      }
    },
    close() {
      live.clear()
      block = ''
      live.done()
    },
  }
}
