/** Deterministic content for test files: a function of seed and offset, so that a gibibyte needs no memory. */
import { createHash } from 'node:crypto'

/** A prime, so that a block written to a wrong but round offset is seen. */
const TILE_BYTES = 1_048_573
const STAMP_EVERY = 4096
const tiles = new Map<number, Buffer>()

/** `length` bytes from `offset` of the endless content of `seed`. */
export function contentBytes(seed: number, offset: number, length: number): Buffer {
  const tile = tileOf(seed)
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length; ) {
    const from = (offset + done) % TILE_BYTES
    done += tile.copy(bytes, done, from, Math.min(TILE_BYTES, from + length - done))
  }
  // Each page carries its own number: two pages are never alike.
  for (let at = Math.ceil(offset / STAMP_EVERY) * STAMP_EVERY; at + 4 <= offset + length; at += STAMP_EVERY)
    bytes.writeUInt32BE((at / STAMP_EVERY) >>> 0, at - offset)
  stampEdges(bytes, offset, length)
  return bytes
}

/** sha-256 in hex of the first `size` bytes of the content of `seed`. */
export function contentSha256(seed: number, size: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < size; at += TILE_BYTES) hash.update(contentBytes(seed, at, Math.min(TILE_BYTES, size - at)))
  return hash.digest('hex')
}

/** A stamp cut by the beginning or the end of what was asked. */
function stampEdges(bytes: Buffer, offset: number, length: number): void {
  const end = offset + length
  for (const page of new Set([Math.floor(offset / STAMP_EVERY), Math.floor(end / STAMP_EVERY)])) {
    const stamp = Buffer.alloc(4)
    stamp.writeUInt32BE(page >>> 0)
    const at = page * STAMP_EVERY
    for (let i = 0; i < 4; i++) if (at + i >= offset && at + i < end) bytes[at + i - offset] = stamp[i]!
  }
}

function tileOf(seed: number): Buffer {
  let tile = tiles.get(seed)
  if (!tile) {
    tile = Buffer.allocUnsafe(TILE_BYTES)
    // mulberry32
    let state = seed >>> 0
    for (let at = 0; at < TILE_BYTES; at++) {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      tile[at] = (mixed ^ (mixed >>> 14)) & 0xff
    }
    if (tiles.size >= 4) tiles.delete(tiles.keys().next().value!)
    tiles.set(seed, tile)
  }
  return tile
}
