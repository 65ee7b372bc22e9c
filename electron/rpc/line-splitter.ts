/** Cuts a stream of bytes into lines, for newline-delimited JSON. Knows nothing of sockets. */

const NEWLINE = 0x0a

/**
 * Feed it chunks as they come; `onLine` gets each whole line as text, or null for one longer than `maxBytes`, which is
 * skipped without being kept. Cutting at the byte keeps characters whole that were split over chunks: in UTF-8 no
 * other character contains a newline's byte.
 */
export function lineSplitter(maxBytes: number, onLine: (line: string | null) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let bytes = 0

  const keep = (part: Buffer): void => {
    bytes += part.length
    if (bytes > maxBytes) parts = []
    else parts.push(part)
  }

  return (chunk) => {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, at))
      const line = bytes > maxBytes ? null : Buffer.concat(parts, bytes).toString('utf8')
      parts = []
      bytes = 0
      from = at + 1
      onLine(line)
    }
    if (from < chunk.length) keep(chunk.subarray(from))
  }
}
