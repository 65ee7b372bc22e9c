/**
 * Large buffers that sockets read into and that are used again once the disk has their bytes. Reading into fresh
 * 64 KiB buffers instead costs more in garbage than all the parsing.
 *
 * A slab goes back to the pool only after every byte read into it was released, and exactly once. Whoever forgets to
 * release, or keeps bytes, costs a buffer to the garbage collector and nothing else.
 */

/** Half a write: as fast as twice that, and several connections hold less. */
export const SLAB_BYTES = 512 * 1024
/** TLS hands over 16 KiB at a time, whatever there is room for. */
export const TLS_SLAB_BYTES = 128 * 1024
/** With less room than this part of it a slab is full: a shorter read costs more than the rest is worth. */
const LEAST_ROOM = 1 / 8
/**
 * So many a single connection may fill before they are written: three of the large ones, eight of those for TLS. With more
 * in use, memory is worth more than large writes.
 */
const FEW = 8
/**
 * Slabs kept for later, of each size: a few, and four for each in use, since connections fill several before they are
 * written. With fewer, slabs go to the garbage collector by the hundred, and come back from a heap that has to grow.
 */
const IDLE_EACH = 4
const MAX_IDLE = 40

interface Slab {
  readonly bytes: Buffer
  read: number
  /** below it every byte was handed on as part of a body, or is of no body */
  understood: number
  released: number
  /** the socket has gone on to another slab, or has ended */
  left: boolean
}

/** by size */
const idle = new Map<number, Buffer[]>([
  [SLAB_BYTES, []],
  [TLS_SLAB_BYTES, []],
])
/** by the memory that views of a slab share */
const inUse = new WeakMap<ArrayBufferLike, Slab>()
let used = 0
/** Memory that nobody has any more is not in use, though not all of it was released. */
const forgotten = new FinalizationRegistry(() => used--)

/** So many slabs are in use that bytes should not be collected for long. */
export function slabsAreMany(): boolean {
  return used > FEW
}

/** Where one socket reads to: Node's `onread` asks for `room`, then says how many bytes came (`add`). */
export class SlabReader {
  readonly #size: number
  #slab: Slab | null = null
  /** of the present slab: bytes below it were taken */
  #taken = 0

  constructor(size: typeof SLAB_BYTES | typeof TLS_SLAB_BYTES = SLAB_BYTES) {
    this.#size = size
  }

  /** Memory for the next read, of `most` bytes at the most. Empties `take` first where the present slab is full. */
  room(most = this.#size): Buffer {
    if (this.isFull) this.end()
    this.#slab ??= take(this.#size)
    const { bytes, read } = this.#slab
    const end = Math.min(bytes.length, read + Math.max(1, most))
    return read === 0 && end === bytes.length ? bytes : bytes.subarray(read, end)
  }

  /** So many bytes were just read into `room`. */
  add(bytes: number): void {
    this.#slab!.read += bytes
  }

  /** Whether the next `room` is in another slab: what is here has to be taken before. */
  get isFull(): boolean {
    return this.#slab !== null && this.#size - this.#slab.read < this.#size * LEAST_ROOM
  }

  /** bytes added and not taken yet */
  get pendingBytes(): number {
    return this.#slab ? this.#slab.read - this.#taken : 0
  }

  /** All that was added since the last call: a view, to be given to `release` when it is needed no more. */
  take(): Buffer {
    const { bytes, read } = this.#slab!
    const view = bytes.subarray(this.#taken, read)
    this.#taken = read
    return view
  }

  /** Nothing more is read into the present slab: it is full, or the socket is closed. What was not taken is lost. */
  end(): void {
    const slab = this.#slab
    if (!slab) return
    slab.released += this.pendingBytes
    this.#slab = null
    this.#taken = 0
    slab.left = true
    recycle(slab)
  }
}

/**
 * A chunk of a body is handed on. A connection's bytes lie in slabs of its own and are understood in order: what lies
 * before this chunk and was not handed on was a head, or else no part of a body, and is needed no more.
 */
export function handedOn(chunk: Buffer): void {
  const slab = inUse.get(chunk.buffer)
  if (!slab) return
  const start = chunk.byteOffset - slab.bytes.byteOffset
  slab.released += start - slab.understood
  slab.understood = start + chunk.length
}

/** The bytes of this chunk are needed no more. Any buffer may come; only those of slabs mean something. */
export function release(chunk: Buffer): void {
  const slab = inUse.get(chunk.buffer)
  if (!slab) return
  slab.released += chunk.length
  recycle(slab)
}

/** Joins two chunks that lie side by side in one slab; null where they do not. */
export function join(first: Buffer, second: Buffer): Buffer | null {
  const adjacent = first.buffer === second.buffer && first.byteOffset + first.length === second.byteOffset
  if (!adjacent || !inUse.has(first.buffer)) return null
  return Buffer.from(first.buffer, first.byteOffset, first.length + second.length)
}

function take(size: number): Slab {
  const bytes = idle.get(size)!.pop() ?? Buffer.allocUnsafeSlow(size)
  const slab = { bytes, read: 0, understood: 0, released: 0, left: false }
  inUse.set(bytes.buffer, slab)
  forgotten.register(bytes.buffer, null, slab)
  used++
  return slab
}

function recycle(slab: Slab): void {
  if (!slab.left || slab.released !== slab.read) return
  const { bytes } = slab
  inUse.delete(bytes.buffer)
  forgotten.unregister(slab)
  used--
  const kept = idle.get(bytes.length)!
  kept.push(bytes)
  kept.length = Math.min(kept.length, MAX_IDLE, Math.max(FEW, IDLE_EACH * used))
}
