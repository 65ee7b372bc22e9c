/**
 * CRC-64/NVME, which S3 gives objects where nothing else was asked for: polynomial AD93D23594C93659, reflected, all ones
 * before and after. Eight bytes at a time by tables, in halves of 32 bits, because BigInt is many times slower.
 */

export interface RunningCrc64 {
  update(bytes: Uint8Array): void
  /** 16 hexadecimal digits, lower case */
  digest(): string
}

/** Makes the tables once. Refers to nothing outside itself: its text also runs in threads. */
export function crc64Nvme(): () => RunningCrc64 {
  // Entry 256 * n + b: what the byte b does, followed by n bytes of zero.
  const high = new Uint32Array(8 * 256)
  const low = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let hi = 0
    let lo = byte
    for (let bit = 0; bit < 8; bit++) {
      const odd = lo & 1
      lo = (lo >>> 1) | (hi << 31)
      hi >>>= 1
      if (odd) {
        hi ^= 0x9a6c9329
        lo ^= 0xac4bc9b5
      }
    }
    high[byte] = hi
    low[byte] = lo
  }
  for (let at = 256; at < high.length; at++) {
    const hi = high[at - 256]!
    const lo = low[at - 256]!
    high[at] = (hi >>> 8) ^ high[lo & 0xff]!
    low[at] = ((lo >>> 8) | (hi << 24)) ^ low[lo & 0xff]!
  }
  return () => {
    let hi = -1
    let lo = -1
    return {
      update(bytes) {
        let at = 0
        for (const end = bytes.length - 7; at < end; at += 8) {
          const a = lo ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
          const b = hi ^ (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24))
          const a0 = 1792 + (a & 0xff)
          const a1 = 1536 + ((a >>> 8) & 0xff)
          const a2 = 1280 + ((a >>> 16) & 0xff)
          const a3 = 1024 + (a >>> 24)
          const b0 = 768 + (b & 0xff)
          const b1 = 512 + ((b >>> 8) & 0xff)
          const b2 = 256 + ((b >>> 16) & 0xff)
          const b3 = b >>> 24
          hi = high[a0]! ^ high[a1]! ^ high[a2]! ^ high[a3]! ^ high[b0]! ^ high[b1]! ^ high[b2]! ^ high[b3]!
          lo = low[a0]! ^ low[a1]! ^ low[a2]! ^ low[a3]! ^ low[b0]! ^ low[b1]! ^ low[b2]! ^ low[b3]!
        }
        for (; at < bytes.length; at++) {
          const entry = (lo ^ bytes[at]!) & 0xff
          lo = ((lo >>> 8) | (hi << 24)) ^ low[entry]!
          hi = (hi >>> 8) ^ high[entry]!
        }
      },
      digest: () => [~hi, ~lo].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join(''),
    }
  }
}
